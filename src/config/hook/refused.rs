//! Pure. What uWSGI has and a vassal master without an application server cannot have: refused with the reason.

use crate::config::place::{ConfigError, Entry};
use crate::config::show::quoted;
use crate::config::values::{Wrong, meant};
use crate::options::find;

/// How a config gets it all the same.
const BY_UWSGI: &str =
    "use `exec` with a program instead, or have vassals run by uwsgi: `binary-path` in the Emperor's config";

/// What stands for a change of user in the midst of a file.
const AT_ITS_TIME: &str = "use `uid` and `gid`: they count once the phases of root are over";

/// What is hidden is not shown below its error either.
pub fn unseen(entry: &Entry, error: ConfigError) -> ConfigError {
    let hidden = entry.value.split(' ').any(|word| word.starts_with('!'));
    ConfigError { line: hidden.then(|| format!("{} = !(hidden)", entry.key)), ..error }
}

/// Why this option can never be.
pub fn refusal(entry: &Entry) -> Option<ConfigError> {
    let refused = |why: &str, cure: &str| {
        Some(ConfigError::at(&entry.place, format!("{} {why}", quoted(&entry.key))).cure(cure))
    };
    if let Some(program) = instead_of_call(&entry.key) {
        return refused(
            "calls a function inside of uWSGI, and there is none here",
            &format!("use {program} = PROGRAM"),
        );
    }
    let why = match entry.key.as_str() {
        "immediate-uid" | "immediate-gid" => {
            return refused("would change the user while the config is read", AT_ITS_TIME);
        }
        "hook-post-fork" => "belongs to the workers of uWSGI, and a command has none that we fork",
        "hook-as-mule" => "belongs to the mules of uWSGI, and there are none here",
        "hook-as-gateway" => {
            return refused(
                "is done by a router, and a router has no right to do anything",
                "use hook-emperor-start in the Emperor's config (the devices of its routers are there by then), hook-as-root in a vassal's",
            );
        }
        _ => return None,
    };
    refused(why, BY_UWSGI)
}

/// The option that runs a program when `call-PHASE` would call a function. `call-as-emperor4` hands over more of the vassal
/// than `call-as-emperor`; a program always has all of it in its environment.
fn instead_of_call(key: &str) -> Option<String> {
    let phase = key.strip_prefix("call-")?.trim_end_matches(|one: char| one.is_ascii_digit());
    Some(format!("exec-{phase}")).filter(|program| find(program).is_some())
}

/// Why this handler is none; `known` are those that are.
pub fn handler(name: &str, known: &str) -> Wrong {
    let shown = quoted(name);
    let (cause, cure) = match name {
        "call" | "callret" | "callint" | "callintret" => {
            (format!("{shown} calls a function inside of uWSGI, and there is none here"), BY_UWSGI.to_owned())
        }
        "unix_signal" => (
            format!("{shown} binds a signal to a function inside of uWSGI, and there is none here"),
            "signals reach the command as they are: let it handle them".to_owned(),
        ),
        "alarm" => {
            (format!("{shown} needs the alarms of uWSGI"), "use exec:PROGRAM or print:TEXT".to_owned())
        }
        "rpc" | "retryrpc" => (format!("{shown} needs the RPC of uWSGI"), "use exec:PROGRAM".to_owned()),
        "perl" | "ffi" | "tcc" => (format!("{shown} needs a plugin of uWSGI"), BY_UWSGI.to_owned()),
        _ => (format!("no handler of hooks is called {shown}"), nearest(name, known)),
    };
    Wrong { cause, cure: Some(cure) }
}

fn nearest(name: &str, known: &str) -> String {
    match meant(name, known) {
        Some(handler) => format!("did you mean `{handler}`?"),
        None => format!("use one of: {}", known.replace(',', ", ")),
    }
}
