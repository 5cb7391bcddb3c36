//! What programs find in their environment: those of vassals, and those that do what is done as Emperor.

use std::ffi::OsString;

use crate::config::emperor::process::Process;
use crate::spawner::birth::SEARCH;

/// Variables that a vassal inherits from whoever started the Emperor.
const INHERITED: [&str; 3] = ["LANG", "LANGUAGE", "TZ"];

/// `NAME=value` of the vassals.
pub fn of_vassals(process: &Process) -> Vec<String> {
    environment(process.environment(readable(std::env::vars_os())).into_iter())
}

/// What the config itself sets: for what is done as Emperor.
pub fn own(process: &Process) -> Vec<String> {
    let set = process.environment(std::iter::empty());
    set.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Without what is no UTF-8.
fn readable(ours: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (String, String)> {
    ours.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// That of the vassals: a fixed `PATH`, the locale, and what the administrator meant for vassals
/// (`UWSGI_VASSAL_FOO` arrives as `UWSGI_FOO`).
fn environment(ours: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut list = vec![format!("PATH={}", SEARCH.join(":"))];
    for (name, value) in ours {
        if let Some(rest) = name.strip_prefix("UWSGI_VASSAL_") {
            list.push(format!("UWSGI_{rest}={value}"));
        } else if INHERITED.contains(&name.as_str()) || name.starts_with("LC_") {
            list.push(format!("{name}={value}"));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::environment;

    #[test]
    fn a_vassal_inherits_the_locale_and_what_is_meant_for_it() {
        let ours = [
            ("SECRET", "s"),
            ("LANG", "C"),
            ("UWSGI_VASSAL_SOCKET", ":1"),
            ("UWSGI_SOCKET", ":2"),
            ("LD_PRELOAD", "x"),
        ];
        let ours = ours.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let list = environment(ours);
        assert_eq!(list[1..], ["LANG=C", "UWSGI_SOCKET=:1"]);
        assert!(list[0].starts_with("PATH=/usr/local/sbin:"));
    }
}
