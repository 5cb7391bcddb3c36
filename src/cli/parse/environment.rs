//! Pure. Which variables are options.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use super::super::verb::Verb;
use super::Parser;
use crate::config::place::{ENVIRONMENT, Entry, Place};

/// Variables that are no options: they are how an Emperor and its vassals talk.
const RESERVED: [&str; 10] = [
    "RELOADS",
    "VASSALS_DIR",
    "EMPEROR_FD",
    "BROODLORD_NUM",
    "EMPEROR_FD_CONFIG",
    "EMPEROR_PROXY",
    "JAIL_PID",
    "ORIGINAL_PROC_NAME",
    "HOOK_CONTEXT",
    "VASSAL_CONFIG",
];

impl Parser {
    pub(super) fn take_environment(&mut self, environment: &[(OsString, OsString)]) {
        let file: Arc<str> = ENVIRONMENT.into();
        let mut lines = Vec::new();
        let mut entries = Vec::new();
        for (name, value) in environment {
            let Some(key) = option_of_variable(name, self.verb) else { continue };
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
            lines.push(format!("{name}={value}").replace('\n', " "));
            let line = u32::try_from(lines.len()).unwrap_or(u32::MAX);
            let place = Place { file: Arc::clone(&file), line, column: 1 };
            let column = u32::try_from(name.len() + 2).unwrap_or(u32::MAX);
            entries.push(Entry {
                key,
                value: value.to_owned(),
                value_place: Place { column, ..place.clone() },
                place,
            });
        }
        self.texts.insert(&file, lines.join("\n"));
        self.entries.splice(0..0, entries);
    }
}

/// `UWSGI_FOO_BAR` is `foo-bar`. What begins with `UWSGI_VASSAL_` is for the vassals of an Emperor.
fn option_of_variable(name: &OsStr, verb: Verb) -> Option<String> {
    let name = name.to_str()?.strip_prefix("UWSGI_")?;
    let for_vassals = verb == Verb::Run && name.starts_with("VASSAL_");
    let is_option = !name.is_empty() && !for_vassals && !RESERVED.contains(&name);
    is_option.then(|| name.to_ascii_lowercase().replace('_', "-"))
}
