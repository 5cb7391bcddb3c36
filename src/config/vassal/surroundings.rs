//! Pure. What is around the programs of a vassal: variables from files, files with a text, locks, the shell.

use std::path::PathBuf;

use crate::config::admit::value;
use crate::config::hook::path;
use crate::config::place::{ConfigError, Entry};
use crate::config::show::quoted;
use crate::config::values::{Wrong, text, wrong};

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `unenv`: names of variables.
    pub unset: Vec<String>,
    /// `envdir`.
    pub environments: Vec<PathBuf>,
    /// `file-write`: file and text, with the end of its line.
    pub files: Vec<(PathBuf, String)>,
    /// `flock`, `flock-wait`: before anything else.
    pub locks: Vec<Lock>,
    /// `flock2`, `flock-wait2`: after the asap phase.
    pub late_locks: Vec<Lock>,
    /// `chdir2`.
    pub last_directory: Option<PathBuf>,
    /// `binsh`: the first one that can be run is the shell.
    pub shells: Vec<PathBuf>,
}

/// A file that only one vassal at a time may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The file; it is there already.
    pub file: PathBuf,
    /// Whether somebody else's lock is waited for.
    pub held: Held,
}

/// What is done about a lock that somebody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The vassal ends.
    End,
    /// The vassal waits.
    Wait,
}

impl Surroundings {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub(super) fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        let lock = |held| value(entry, path).map(|file| Lock { file, held });
        match name {
            "unenv" => self.unset.push(value(entry, variable)?),
            "envdir" => self.environments.push(value(entry, path)?),
            "file-write" => self.files.push(value(entry, file)?),
            "flock" => self.locks.push(lock(Held::End)?),
            "flock-wait" => self.locks.push(lock(Held::Wait)?),
            "flock2" => self.late_locks.push(lock(Held::End)?),
            "flock-wait2" => self.late_locks.push(lock(Held::Wait)?),
            "chdir2" => self.last_directory = Some(value(entry, path)?),
            "binsh" => self.shells.push(value(entry, path)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The name of a variable.
///
/// # Errors
/// Nothing, or what no name has.
pub fn variable(name: &str) -> Result<String, Wrong> {
    let name = text(name)?;
    match name.contains(['=', '\0']) {
        true => wrong(format!("{} is no name of a variable", quoted(&name)), "write the name alone"),
        false => Ok(name),
    }
}

/// `FILE=TEXT`; uWSGI ends the line and refuses an empty text.
fn file(value: &str) -> Result<(PathBuf, String), Wrong> {
    match value.split_once('=') {
        Some((file, text)) if !text.is_empty() => Ok((path(file)?, format!("{text}\n"))),
        _ => wrong(
            format!("{} is not FILE=TEXT", quoted(value)),
            "write the file, `=`, and what it is to hold",
        ),
    }
}
