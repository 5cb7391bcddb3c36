//! Pure. Where an option was written, and what is wrong with it.

use std::fmt;
use std::sync::Arc;

/// A place in a config; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// File as it was named, or `command line`, `environment`.
    pub file: Arc<str>,
    /// Line; on the command line, the number of the argument.
    pub line: u32,
    /// Column in bytes.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One option as written, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of the option as written, without leading dashes.
    pub key: String,
    /// Its value, expanded; empty when there was none.
    pub value: String,
    /// Where it stands.
    pub place: Place,
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

impl fmt::Display for ConfigError {
    /// `file:line:column: cause`, the line with a caret below the column, and the cure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.cause)?;
        if let (Some(place), Some(line)) = (&self.place, &self.line) {
            write!(f, "\n  {line}\n  {:>width$}", '^', width = place.column as usize)?;
        }
        self.cure.as_ref().map_or(Ok(()), |cure| write!(f, "\n  {cure}"))
    }
}
