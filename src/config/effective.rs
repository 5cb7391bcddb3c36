//! Pure. `liege show-config`: every option that counts, expanded, in order, and where it came from.

use std::fmt;

use serde_json::{Value, json};

use super::check::{VERSION, complaints, place};
use super::load::Loaded;
use super::place::{ConfigError, Entry};
use super::show::printable;

/// The options of a config as they count.
#[derive(Clone, Debug)]
pub struct Effective<'a> {
    options: &'a [Entry],
    placeholders: &'a [Entry],
}

impl Loaded {
    /// The options as they count.
    ///
    /// # Errors
    /// What could not be read or expanded, each with its line.
    pub fn effective(&self) -> Result<Effective<'_>, Vec<ConfigError>> {
        match self.errors.is_empty() {
            true => Ok(Effective { options: &self.entries, placeholders: &self.placeholders }),
            false => Err(self.texts.explain(self.errors.clone())),
        }
    }
}

impl Effective<'_> {
    /// For machines; `docs/configs.md` describes it.
    pub fn json(&self, warnings: &[ConfigError]) -> Value {
        let [options, placeholders] =
            [self.options, self.placeholders].map(|entries| entries.iter().map(option).collect::<Vec<_>>());
        json!({
            "version": VERSION,
            "options": options,
            "placeholders": placeholders,
            "warnings": complaints(warnings),
        })
    }
}

fn option(entry: &Entry) -> Value {
    let mut value = place(Some(&entry.place));
    value["name"] = json!(entry.key);
    value["value"] = json!(entry.value);
    value
}

impl fmt::Display for Effective<'_> {
    /// An ini file: each option below the place that it came from, for ini knows no comment behind a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[uwsgi]")?;
        for Entry { key, value, place, .. } in self.placeholders {
            writeln!(f, "; {place}: %({}) is {}", printable(key), printable(value))?;
        }
        for Entry { key, value, place, .. } in self.options {
            writeln!(f, "; {place}")?;
            match value.is_empty() {
                true => writeln!(f, "{}", printable(key))?,
                false => writeln!(f, "{} = {}", printable(key), printable(value))?,
            }
        }
        Ok(())
    }
}
