//! Pure. `liege check`: what config files would do, or everything that is wrong with them.

use std::fmt;
use std::sync::Arc;

use super::load::{Loaded, load};
use super::place::{COMMAND_LINE, ConfigError, Entry, Place, Texts};
use super::show::printable;
use super::source::World;
use super::vassal::VassalKind;

/// What was found in each file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(pub Vec<Finding>);

/// What was found in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, as named.
    pub file: String,
    /// What it is.
    pub verdict: Verdict,
    /// What is probably not meant, but harmless.
    pub warnings: Vec<ConfigError>,
}

/// What a config file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A config of an Emperor.
    Emperor,
    /// A vassal run by liege.
    Own,
    /// A vassal run by uwsgi, because of this option.
    Uwsgi(String),
    /// Of no use before these errors are gone.
    Wrong(Vec<ConfigError>),
}

/// Checks files, each by itself. One with an `emperor` option is an Emperor's, any other a vassal's.
pub fn check(files: &[String], world: &dyn World) -> Report {
    Report(files.iter().map(|file| check_file(file, world)).collect())
}

fn check_file(file: &str, world: &dyn World) -> Finding {
    let place = Place { file: COMMAND_LINE.into(), line: 1, column: 1 };
    let entry = Entry { key: "include".into(), value: file.into(), value_place: place.clone(), place };
    let mut texts = Texts::default();
    texts.insert(&Arc::from(COMMAND_LINE), file);
    let loaded = load(vec![entry], texts, world);
    let warnings = loaded.texts.explain(loaded.warnings.clone());
    Finding { file: file.to_owned(), verdict: judge(&loaded), warnings }
}

fn judge(loaded: &Loaded) -> Verdict {
    if loaded.entries.iter().any(|entry| entry.key == "emperor") {
        return loaded.emperor().map_or_else(Verdict::Wrong, |_| Verdict::Emperor);
    }
    match loaded.vassal() {
        Ok(VassalKind::Own(_)) => Verdict::Own,
        Ok(VassalKind::Uwsgi(option)) => Verdict::Uwsgi(option),
        Err(errors) => Verdict::Wrong(errors),
    }
}

impl Report {
    /// 0 when every file can be used, else 1.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.0.iter().any(|finding| matches!(finding.verdict, Verdict::Wrong(_))))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|finding| write!(f, "{finding}"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = printable(&self.file);
        match &self.verdict {
            Verdict::Emperor => writeln!(f, "{file}: OK, an Emperor")?,
            Verdict::Own => writeln!(f, "{file}: OK, a vassal run by liege")?,
            Verdict::Uwsgi(option) => {
                writeln!(f, "{file}: OK, a vassal run by uwsgi, because of `{}`", printable(option))?;
            }
            Verdict::Wrong(errors) => errors.iter().try_for_each(|error| write_error(f, &file, error))?,
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

/// An error that has no place is about the file.
fn write_error(f: &mut fmt::Formatter<'_>, file: &str, error: &ConfigError) -> fmt::Result {
    let about = if error.place.is_none() { format!("{file}: ") } else { String::new() };
    writeln!(f, "error: {about}{error}")
}
