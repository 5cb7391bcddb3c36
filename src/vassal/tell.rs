//! What a vassal says of itself, on standard error.

use std::io::Write;

use super::trouble::Trouble;
use crate::config::place::ConfigError;

/// Says it under the vassal's name.
#[derive(Clone, Debug)]
pub struct Teller {
    name: String,
}

impl Teller {
    /// A teller for the vassal of this name.
    pub fn new(name: &str) -> Self {
        // One event is one line, whatever the name.
        Self { name: name.escape_debug().to_string() }
    }

    /// Why the vassal cannot go on.
    pub fn trouble(&self, trouble: &Trouble) {
        self.line(&format!("vassal={} {trouble}", self.name));
    }

    /// Everything that is wrong with the config.
    pub fn errors(&self, errors: &[ConfigError]) {
        errors.iter().for_each(|error| self.line(&error.to_string()));
    }

    /// A bad config came while the command runs with a good one.
    pub fn kept(&self) {
        self.line(&format!(
            "vassal={} warning=\"the new config is not used, the command goes on with the old one\"",
            self.name
        ));
    }

    fn line(&self, text: &str) {
        // In one write, so that lines of several vassals do not mix. Nobody is left to tell when it fails.
        let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
    }
}
