//! Pure. Where an option was written, and what is wrong with it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::show;

/// Name that stands for a file where an option was given on the command line.
pub const COMMAND_LINE: &str = "command line";
/// Name that stands for a file where an option was given as `UWSGI_…` in the environment.
pub const ENVIRONMENT: &str = "environment";

/// A place in a config; line and column count from 1, and are 0 for a file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File as it was named, or `command line`, `environment`.
    pub file: Arc<str>,
    /// Line; on the command line, the number of the argument.
    pub line: u32,
    /// Column in bytes.
    pub column: u32,
}

impl Place {
    /// A file as a whole.
    pub fn whole(file: &Arc<str>) -> Self {
        Self { file: Arc::clone(file), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&show::printable(&self.file));
        }
        write!(f, "{}:{}:{}", show::printable(&self.file), self.line, self.column)
    }
}

/// One option as written, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of the option as written, without leading dashes.
    pub key: String,
    /// Its value, expanded; empty when there was none.
    pub value: String,
    /// Where its name stands.
    pub place: Place,
    /// Where its value stands; behind the name when there is none.
    pub value_place: Place,
}

impl Entry {
    /// Something found in this entry's value, with the value's place.
    pub fn placed<T>(&self, value: T) -> Placed<T> {
        Placed { value, place: self.value_place.clone() }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// What is wrong with a config: place, the line itself, cause, cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Where, if it is at a place.
    pub place: Option<Place>,
    /// The text of that line, if it is known.
    pub line: Option<String>,
    /// What is wrong, one sentence without a full stop.
    pub cause: String,
    /// What to do about it.
    pub cure: Option<String>,
}

impl ConfigError {
    /// An error at a place, without a cure.
    pub fn at(place: &Place, cause: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), line: None, cause: cause.into(), cure: None }
    }

    /// An error about a config as a whole.
    pub fn whole(cause: impl Into<String>) -> Self {
        Self { place: None, line: None, cause: cause.into(), cure: None }
    }

    /// This error with its cure.
    #[must_use]
    pub fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }
}

impl fmt::Display for ConfigError {
    /// `file:line:column: cause`, the line with a caret below the column, and the cure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.cause)?;
        if let (Some(place), Some(line)) = (&self.place, &self.line) {
            let (excerpt, caret) = show::excerpt(line, place.column);
            write!(f, "\n  {excerpt}\n  {:>width$}", '^', width = caret + 1)?;
        }
        self.cure.as_ref().map_or(Ok(()), |cure| write!(f, "\n  {cure}"))
    }
}

/// The texts that options were read from, by the name in `Place::file`: errors show their line.
#[derive(Clone, Debug, Default)]
pub struct Texts(BTreeMap<Arc<str>, Arc<str>>);

impl Texts {
    /// Remembers the text of a file.
    pub fn insert(&mut self, file: &Arc<str>, text: impl Into<Arc<str>>) {
        self.0.insert(Arc::clone(file), text.into());
    }

    /// The line of a place.
    pub fn line(&self, place: &Place) -> Option<&str> {
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        self.0.get(&place.file)?.split('\n').nth(index).map(|line| line.trim_end_matches('\r'))
    }

    /// These errors, each with its line.
    pub fn explain(&self, errors: Vec<ConfigError>) -> Vec<ConfigError> {
        errors.into_iter().map(|error| self.explain_one(error)).collect()
    }

    fn explain_one(&self, error: ConfigError) -> ConfigError {
        let known = error.place.as_ref().and_then(|place| self.line(place));
        let line = error.line.clone().or(known.map(str::to_owned));
        ConfigError { line, ..error }
    }
}
