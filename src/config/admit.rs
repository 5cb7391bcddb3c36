//! Pure. Whether an option may stand in this config, and its value with its place.

use super::emperor::plugins;
use super::load::Loaded;
use super::place::{ConfigError, Entry};
use super::shellish;
use super::show::quoted;
use super::values::{Wrong, odd_flag};
use crate::options::{
    Fate, Kind, OptionSpec, Scope, Standing, UwsgiOption, instead, nearest, standing, uwsgi,
};

/// The option that an entry of `reader`'s config names; `None` for one that is ignored (`Loaded::advice` says why).
///
/// # Errors
/// Unknown, not supported yet, or somebody else's.
pub fn admit(entry: &Entry, reader: Scope) -> Result<Option<&'static OptionSpec>, ConfigError> {
    match standing(&entry.key) {
        Standing::Ours(group, option) if group.scope.admits(reader) => Ok(Some(option)),
        Standing::Ours(..) if reader == Scope::Vassal && is_ignored(&entry.key) => Ok(None),
        Standing::Ours(group, _) => Err(misplaced(entry, group.scope, reader)),
        Standing::Uwsgi(option) if option.is_ignored() => Ok(None),
        Standing::Uwsgi(option) => Err(foreign(entry, option, reader)),
        Standing::Unknown => Err(unknown(entry)),
    }
}

/// An option of ours, in a config where it means nothing.
fn misplaced(entry: &Entry, scope: Scope, reader: Scope) -> ConfigError {
    let key = quoted(&entry.key);
    let refuse = |cause: String| ConfigError::at(&entry.place, cause);
    // Those that read files have been carried out by `load`.
    if scope == Scope::General {
        return refuse(format!("{key} works on the command line only")).cure("leave it out of the file");
    }
    if reader == Scope::Emperor {
        let phase = ["hook-", "exec-", "mount-", "umount-"].iter().any(|verb| entry.key.starts_with(verb));
        return refuse(format!("{key} is an option of a vassal, not of the Emperor")).cure(match phase {
            true => {
                "move it to a vassal's config; the Emperor itself has `hook-emperor-start = exec:COMMAND`"
            }
            false => "move it to a vassal's config",
        });
    }
    if uwsgi(&entry.key).is_some_and(|option| option.part.word != "emperor") {
        return refuse(format!("{key} is supported for the Emperor only"))
            .cure("leave it out, or have vassals run by uwsgi: `binary-path` in the Emperor's config");
    }
    refuse(format!("{key} is an option of the Emperor, not of a vassal"))
        .cure("move it to the Emperor's config")
}

fn is_ignored(key: &str) -> bool {
    uwsgi(key).is_some_and(|option| option.is_ignored())
}

/// An option of uWSGI that we cannot do without and do not have.
fn foreign(entry: &Entry, option: UwsgiOption, reader: Scope) -> ConfigError {
    let key = quoted(&entry.key);
    if option.fate == Fate::Refused {
        return ConfigError::at(&entry.place, format!("{key} is refused")).cure(option.why());
    }
    if option.fate == Fate::Later {
        let error = ConfigError::at(&entry.place, format!("{key} is not supported yet"));
        return error.cure(match reader {
            Scope::Emperor => "leave it out: liege cannot do this, and does not pretend to",
            _ => "leave it out, or have vassals run by uwsgi: `binary-path` in the Emperor's config",
        });
    }
    let cause = format!("{key} configures uWSGI's application server, not the Emperor");
    ConfigError::at(&entry.place, cause)
        .cure("move it to a vassal's config: a vassal that has it is run by uwsgi")
}

fn unknown(entry: &Entry) -> ConfigError {
    let error = ConfigError::at(&entry.place, format!("unknown option {}", quoted(&entry.key)));
    error.cure(meant(&entry.key))
}

/// What to do about a name that nobody knows.
pub fn meant(key: &str) -> String {
    if let Some(here) = instead(key) {
        return format!("a word of supervisord; here: {here}");
    }
    match nearest(key) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "a placeholder of your own is used as `%(name)`, or its name begins with `x-`".to_owned(),
    }
}

/// That an option is ignored, and why.
fn ignored(entry: &Entry, is_emperors: bool) -> Option<ConfigError> {
    if is_emperors && plugins::is_idle(&entry.key) {
        let cause = format!("{} is ignored: {}", quoted(&entry.key), plugins::IDLE);
        return Some(ConfigError::at(&entry.place, cause));
    }
    match standing(&entry.key) {
        Standing::Uwsgi(option) if option.is_ignored() => {
            let cause = format!("{} is ignored: {}", quoted(&entry.key), option.why());
            Some(ConfigError::at(&entry.place, cause))
        }
        _ => None,
    }
}

/// That a flag is turned on by a word that does not look like it.
fn odd(entry: &Entry) -> Option<ConfigError> {
    match standing(&entry.key) {
        Standing::Ours(_, option) if option.kind == Kind::Flag => {
            let Wrong { cause, cure } = odd_flag(&entry.value)?;
            let error = ConfigError::at(&entry.value_place, format!("{}: {cause}", quoted(&entry.key)));
            Some(ConfigError { cure, ..error })
        }
        _ => None,
    }
}

impl Loaded {
    /// What is probably not meant, but harmless, each with its line. Not for a config that uwsgi reads.
    pub fn oddities(&self) -> Vec<ConfigError> {
        let odd = self.entries.iter().filter_map(|entry| odd(entry).or_else(|| shellish::unshelled(entry)));
        let odd = odd.chain(shellish::replaced(&self.entries));
        self.texts.explain(self.warnings.iter().cloned().chain(odd).collect())
    }

    /// The oddities, and what is ignored.
    pub fn advice(&self) -> Vec<ConfigError> {
        let is_emperors = self.entries.iter().any(|entry| entry.key == "emperor");
        let ignored = self.entries.iter().filter_map(|entry| ignored(entry, is_emperors)).collect();
        self.oddities().into_iter().chain(self.texts.explain(ignored)).collect()
    }
}

/// The value of an entry, typed.
///
/// # Errors
/// What is wrong with it, at the value's place.
pub fn value<T>(entry: &Entry, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Result<T, ConfigError> {
    parse(&entry.value).map_err(|Wrong { cause, cure }| {
        let error = ConfigError::at(&entry.value_place, format!("{}: {cause}", quoted(&entry.key)));
        ConfigError { cure, ..error }
    })
}
