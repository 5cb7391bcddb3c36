//! What a vassal says of itself, on standard error: in the form of the log, under its name.

use std::io::Write;

use super::trouble::Trouble;
use crate::config::place::ConfigError;
use crate::log::{self, Level};

/// Says it under the vassal's name.
#[derive(Clone, Debug)]
pub struct Teller {
    /// `vassal`, or `about`.
    key: &'static str,
    name: String,
}

impl Teller {
    /// A teller for the vassal of this name.
    pub fn new(name: &str) -> Self {
        Self { key: "vassal", name: name.to_owned() }
    }

    /// One for what is the Emperor's own.
    pub fn about(what: &str) -> Self {
        Self { key: "about", name: what.to_owned() }
    }

    /// What the vassal is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why the vassal cannot go on.
    pub fn trouble(&self, trouble: &Trouble) {
        write(&self.text(Level::Error, &trouble.to_string()));
    }

    /// Everything that is wrong with the config.
    pub fn errors(&self, errors: &[ConfigError]) {
        errors.iter().for_each(|error| self.config(Level::Error, error));
    }

    /// What is odd in the config.
    pub fn warnings(&self, warnings: &[ConfigError]) {
        warnings.iter().for_each(|warning| self.config(Level::Warn, warning));
    }

    /// What the config itself wants to be said.
    pub fn said(&self, text: &str) {
        write(&self.text(Level::Info, text));
    }

    /// That the config is given up for another one.
    pub fn fallen(&self, file: &str) {
        write(&self.text(Level::Warn, &format!("going on with {}", crate::config::quoted(file))));
    }

    /// What goes wrong and ends nothing.
    pub fn nuisance(&self, trouble: &Trouble) {
        write(&self.text(Level::Warn, &trouble.to_string()));
    }

    /// Somebody speaks to the command's `NOTIFY_SOCKET` who is no member. Told once.
    pub fn strangers(&self) {
        let message =
            "messages to NOTIFY_SOCKET are ignored that are too long or of a process outside of the vassal";
        write(&self.text(Level::Warn, message));
    }

    /// A bad config came while the command runs with a good one.
    pub fn kept(&self) {
        let message = "the new config is not used, the command goes on with the old one";
        write(&self.text(Level::Warn, message));
    }

    /// The excerpt with its caret and the cure stand below the line.
    fn config(&self, level: Level, error: &ConfigError) {
        let text = error.to_string();
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let below = if rest.is_empty() { String::new() } else { format!("{rest}\n") };
        write(&format!("{}{below}", self.text(level, first)));
    }

    fn text(&self, level: Level, message: &str) -> String {
        log::text(level, &[(self.key, &self.name)], message)
    }
}

/// In one write, so that lines of several vassals do not mix. Nobody is left to tell when it fails.
fn write(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
