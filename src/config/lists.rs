//! Pure. `blacklist` and `whitelist`: which options the lines behind them may use.
//!
//! A list is ended or replaced only by the file that began it, so that a file which is included cannot free itself.

use std::sync::Arc;

use super::place::{ConfigError, Entry};
use super::show::quoted;
use crate::options::find;

/// What is in force at one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists(Vec<Arc<List>>);

#[derive(Debug, PartialEq, Eq)]
struct List {
    kind: Kind,
    names: Vec<String>,
    opening: Entry,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Everything but these.
    Black,
    /// Nothing but these.
    White,
}

impl Lists {
    /// Begins a list, in place of an earlier one of the same file.
    pub fn begin(&mut self, kind: Kind, opening: Entry) {
        self.0.retain(|list| !list.is(kind, &opening));
        let names = opening.value.split_ascii_whitespace().map(|name| proper(name).to_owned()).collect();
        self.0.push(Arc::new(List { kind, names, opening }));
    }

    /// Ends the list that this file began.
    ///
    /// # Errors
    /// It began none.
    pub fn end(&mut self, kind: Kind, entry: &Entry) -> Result<(), ConfigError> {
        let before = self.0.len();
        self.0.retain(|list| !list.is(kind, entry));
        if self.0.len() < before {
            return Ok(());
        }
        let cause = format!("{} ends nothing: this file has begun no such list", quoted(&entry.key));
        Err(ConfigError::at(&entry.place, cause).cure("take it out"))
    }

    /// Whether the option of a line may be used.
    ///
    /// # Errors
    /// A list forbids it.
    pub fn admit(&self, entry: &Entry) -> Result<(), ConfigError> {
        let name = proper(&entry.key);
        let Some(list) = self.0.iter().find(|list| list.forbids(name)) else { return Ok(()) };
        let cause = match list.kind {
            Kind::Black => format!("{} is on the blacklist of {}", quoted(&entry.key), list.opening.place),
            Kind::White => {
                format!("{} is not on the whitelist of {}", quoted(&entry.key), list.opening.place)
            }
        };
        Err(ConfigError::at(&entry.place, cause).cure("leave it out, or ask whoever made the list"))
    }
}

impl List {
    fn is(&self, kind: Kind, entry: &Entry) -> bool {
        self.kind == kind && self.opening.place.file == entry.place.file
    }

    /// The words that make lists are never forbidden.
    fn forbids(&self, name: &str) -> bool {
        let makes_lists = matches!(name, "blacklist" | "end-blacklist" | "whitelist" | "end-whitelist");
        let is_named = self.names.iter().any(|known| known == name);
        !makes_lists && is_named == (self.kind == Kind::Black)
    }
}

/// The option's own name, when this is another one for it.
fn proper(name: &str) -> &str {
    find(name).map_or(name, |(_, option)| option.name)
}
