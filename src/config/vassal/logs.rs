//! Pure. What a config says of the vassal's own log: where it is, and when it is put aside.

use std::path::PathBuf;

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::quantity::{seconds, size};
use crate::config::rotation::Rotation;
use crate::config::show::quoted;
use crate::config::values::{Wrong, count, flag, path, wrong};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// `logto`, or `logto2`, which goes before it: standard output and error are appended to this file, opened with the
    /// vassal's ids.
    pub file: Option<Placed<PathBuf>>,
    /// That was `logto2`.
    is_late: bool,
    /// `log-maxsize`, `log-age`, `log-keep`, `log-compress`; nothing is put aside unless one of the first two is given.
    size: u64,
    age_s: u64,
    keep: Option<u32>,
    compress: bool,
    /// `log-backupname`: it gets this name, instead of numbers.
    pub backup: Option<PathBuf>,
    /// `touch-logrotate`: files that have it put aside now.
    pub rotates: Vec<PathBuf>,
    /// `touch-logreopen`: files that have it opened anew.
    pub reopens: Vec<PathBuf>,
    /// Where the last word about putting aside stands.
    last: Option<Placed<&'static str>>,
}

impl Logs {
    /// To this file.
    #[cfg(test)]
    pub fn to(file: Placed<PathBuf>) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub(super) fn apply(&mut self, name: &'static str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "logto" => {
                let file = entry.placed(value(entry, path)?);
                self.file = if self.is_late { self.file.take() } else { Some(file) };
                return Ok(true);
            }
            "logto2" => {
                (self.file, self.is_late) = (Some(entry.placed(value(entry, path)?)), true);
                return Ok(true);
            }
            "log-maxsize" => self.size = value(entry, size)?,
            "log-age" => self.age_s = value(entry, seconds)? / 1000,
            "log-keep" => self.keep = Some(value(entry, kept)?),
            "log-compress" => self.compress = value(entry, flag)?,
            "log-backupname" => self.backup = Some(value(entry, path)?),
            "touch-logrotate" => self.rotates.push(value(entry, path)?),
            "touch-logreopen" => self.reopens.push(value(entry, path)?),
            _ => return Ok(false),
        }
        self.last = Some(entry.placed(name));
        Ok(true)
    }

    /// Whether somebody has to mind the file while it is written.
    pub fn is_minded(&self) -> bool {
        self.size > 0 || self.age_s > 0 || !self.rotates.is_empty() || !self.reopens.is_empty()
    }

    /// When it is put aside.
    pub fn rotation(&self) -> Rotation {
        let keep = self.keep.unwrap_or(Rotation::default().keep);
        Rotation { size: self.size, age_s: self.age_s, keep, compress: self.compress }
    }
}

/// What no single option shows.
pub(super) fn contradiction(logs: &Logs) -> Option<ConfigError> {
    let Placed { value: option, place } = logs.last.as_ref()?;
    logs.file.is_none().then(|| {
        let error = ConfigError::at(place, format!("`{option}` without `logto`"));
        error.cure("say which file is meant: logto = FILE")
    })
}

/// Each is renamed whenever one is put aside.
pub fn kept(text: &str) -> Result<u32, Wrong> {
    match count(text)? {
        number @ 0..=100 => Ok(number),
        _ => wrong(format!("{} files are more than are kept", quoted(text)), "keep 100 or fewer"),
    }
}
