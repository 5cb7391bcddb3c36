//! Pure. `declare-option`: a name of one's own for several options at once.

use std::sync::Arc;

use super::load::{Loader, Use};
use super::place::{ConfigError, Entry};
use super::show::quoted;
use super::values::Wrong;
use crate::options::{Standing, standing};

/// Options declared in one config.
pub const DECLARED_MAX: usize = 1_000;
/// A declared option may use one that uses one …, this deep.
pub const DEEP_MAX: usize = 8;

/// What a declared option stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// `key=value`, with `$1`, `$2` … for the words behind the option.
    parts: Arc<[(String, String)]>,
    /// True for `declare-option2`: its words are expanded before they are used.
    is_late: bool,
}

impl Loader<'_> {
    pub(super) fn declare(&mut self, entry: &Entry, is_late: bool) {
        match self.declaration(entry) {
            Ok((name, parts)) => {
                self.declared.insert(name, Declared { parts: parts.into(), is_late });
            }
            Err(error) => self.fail(error),
        }
    }

    fn declaration(&self, entry: &Entry) -> Result<(String, Vec<(String, String)>), ConfigError> {
        let at = |cause: String| ConfigError::at(&entry.value_place, cause);
        let cure = format!("write: {} = my-name=chdir=/srv/$1;env=NAME=$2", entry.key);
        let (name, template) = entry
            .value
            .split_once('=')
            .ok_or_else(|| at(format!("{}: no `=`", quoted(&entry.key))).cure(&*cure))?;
        let name = name.trim();
        if !matches!(standing(name), Standing::Unknown) {
            return Err(at(format!("{} is an option already", quoted(name))).cure("take another name"));
        }
        if self.declared.len() == DECLARED_MAX {
            return Err(at(format!("more than {DECLARED_MAX} declared options")).cure("declare fewer"));
        }
        let part = |text: &str| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (key.trim().to_owned(), value.trim().to_owned())
        };
        let parts = template.split(';').filter(|text| !text.trim().is_empty()).map(part).collect();
        Ok((name.to_owned(), parts))
    }

    /// Takes a line whose option was declared.
    pub(super) fn take_declared(&mut self, declared: &Declared, entry: Entry) {
        if declared.is_late && !self.is_late {
            return self.push(entry, Use::Declared(self.lists.clone()));
        }
        if self.deep == DEEP_MAX {
            let cause = format!("declared options use each other more than {DEEP_MAX} deep");
            return self.stop(ConfigError::at(&entry.place, cause).cure("take one out that uses itself"));
        }
        self.expander.define(&entry.key, &entry.value);
        self.deep += 1;
        let words: Vec<&str> = entry.value.split(' ').filter(|word| !word.is_empty()).collect();
        for (key, value) in declared.parts.iter() {
            if self.is_done() || !self.spend(1, &entry) {
                break;
            }
            match self.filled(value, &words) {
                Ok(value) => self.act(Entry { key: key.clone(), value, ..entry.clone() }),
                Err(wrong) => self.fail(wrong.at(&entry.value_place)),
            }
        }
        self.deep -= 1;
    }

    /// The text with `$1` … replaced by these words; one that is missing stays as it is.
    fn filled(&mut self, text: &str, words: &[&str]) -> Result<String, Wrong> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            let digits = behind.len() - behind.trim_start_matches(|one: char| one.is_ascii_digit()).len();
            let number: Option<usize> = behind[..digits].parse().ok();
            let word = number.and_then(|number| words.get(number.checked_sub(1)?));
            out.push_str(before);
            match word {
                Some(word) => out.push_str(word),
                None => out.extend(["$", &behind[..digits]]),
            }
            self.expander.charge(out.len())?;
            rest = &behind[digits..];
        }
        out.push_str(rest);
        Ok(out)
    }
}
