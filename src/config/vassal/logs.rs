//! Pure. What a config says of the vassal's own log: where it is, and when it is put aside.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::daemons::Daemons;
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
    /// `log-master`: a process beside the command writes it, whatever else is said.
    by_process: bool,
    /// What is done to it, and to the logs of daemons, while they are written.
    pub minding: Minding,
    /// `log-backupname`: it gets this name, instead of numbers.
    pub backup: Option<PathBuf>,
    /// Something says when it is put aside, be it never.
    says_when: bool,
    /// Where what is put aside is told of, and by which name.
    asides: Vec<Placed<&'static str>>,
    /// Where the last word about the file stands.
    last: Option<Placed<&'static str>>,
}

/// What is done to a log while it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minding {
    /// `log-maxsize`, `log-age`, `log-keep`, `log-compress`; nothing is put aside unless one of the first two is given.
    pub rotation: Rotation,
    /// `touch-logrotate`: files that have it put aside now.
    pub rotates: Vec<PathBuf>,
    /// `touch-logreopen`: files that have it opened anew.
    pub reopens: Vec<PathBuf>,
}

impl Default for Minding {
    fn default() -> Self {
        let rotation = Rotation { size: 0, ..Rotation::default() };
        Self { rotation, rotates: Vec::new(), reopens: Vec::new() }
    }
}

impl Minding {
    /// Whether there is anything to be done.
    pub fn is_any(&self) -> bool {
        let rotates = self.rotation.size > 0 || self.rotation.age_s > 0 || !self.rotates.is_empty();
        rotates || !self.reopens.is_empty()
    }
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
            // Without a file, lines go to whoever reads those of all vassals.
            "log-master" => {
                self.by_process = value(entry, flag)?;
                return Ok(true);
            }
            "log-maxsize" => self.minding.rotation.size = value(entry, size)?,
            "log-age" => self.minding.rotation.age_s = value(entry, seconds)? / 1000,
            "log-keep" => self.minding.rotation.keep = value(entry, kept)?,
            "log-compress" => self.minding.rotation.compress = value(entry, flag)?,
            "log-backupname" => self.backup = Some(value(entry, path)?),
            "touch-logrotate" => self.minding.rotates.push(value(entry, path)?),
            "touch-logreopen" => self.minding.reopens.push(value(entry, path)?),
            _ => return Ok(false),
        }
        match name {
            "log-maxsize" | "log-age" | "touch-logrotate" => self.says_when = true,
            "log-keep" | "log-compress" | "log-backupname" => self.asides.push(entry.placed(name)),
            _ => {}
        }
        self.last = Some(entry.placed(name));
        Ok(true)
    }

    /// Whether somebody has to mind the file while it is written.
    pub fn is_minded(&self) -> bool {
        self.by_process || self.minding.is_any()
    }
}

/// What no single option shows.
pub(super) fn contradiction(logs: &Logs, daemons: &Daemons) -> Option<ConfigError> {
    let Placed { value: option, place } = logs.last.as_ref()?;
    let of_daemons = daemons.list.iter().any(|one| one.value.log.is_some());
    if logs.file.is_none() && !of_daemons {
        let error = ConfigError::at(place, format!("`{option}` without `logto`"));
        return Some(error.cure("say which file is meant: logto = FILE, or `log` of a daemon"));
    }
    let is_name = |one: &&Placed<&str>| one.value == "log-backupname";
    if let (None, Some(one)) = (&logs.file, logs.asides.iter().find(is_name)) {
        let error = ConfigError::at(&one.place, "`log-backupname` without `logto`");
        return Some(error.cure("leave it out: logs of daemons are numbered"));
    }
    if let Some(error) = shared(logs, daemons) {
        return Some(error);
    }
    let Placed { value: option, place } = logs.asides.last().filter(|_| !logs.says_when).or_else(|| {
        // What is kept may be of daemons.
        let named = logs.backup.as_ref().filter(|_| !of_daemons);
        named.and_then(|_| logs.asides.iter().find(|one| !is_name(one)))
    })?;
    let error = match logs.says_when {
        false => ConfigError::at(place, format!("`{option}`, and nothing puts the log aside"))
            .cure("say when: log-maxsize = 10M, log-age = 1d, or touch-logrotate = FILE"),
        true => ConfigError::at(
            place,
            format!("`{option}` beside `log-backupname`, by which one file is kept, as it is"),
        )
        .cure("leave out one of the two"),
    };
    Some(error)
}

/// Two who write the same file would put it aside from under each other.
fn shared(logs: &Logs, daemons: &Daemons) -> Option<ConfigError> {
    let mut known: BTreeSet<&PathBuf> = logs.file.iter().map(|file| &file.value).collect();
    let minded = daemons.list.iter().filter(|_| logs.minding.is_any());
    let mut logging = minded.filter_map(|one| one.value.log.as_ref().map(|log| (one, log)));
    let (one, _) = logging.find(|(_, log)| !known.insert(log))?;
    let cause = format!("the `log` of daemon {} is another's too, and is put aside", quoted(&one.value.name));
    let error = ConfigError::at(&one.place, cause);
    Some(error.cure("name a file of its own, or leave `log` out: then it writes where the vassal does"))
}

/// Each is renamed whenever one is put aside.
pub fn kept(text: &str) -> Result<u32, Wrong> {
    match count(text)? {
        number @ 0..=100 => Ok(number),
        _ => wrong(format!("{} files are more than are kept", quoted(text)), "keep 100 or fewer"),
    }
}
