//! Pure. What the Emperor's config says of what vassals write to their standard output and error.

use std::path::PathBuf;

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::quantity::{seconds, size};
use crate::config::rotation::Rotation;
use crate::config::show::quoted;
use crate::config::values::{Wrong, count, flag, text, wrong};
use crate::config::vassal::logs::kept;

/// Where a host takes datagrams of syslog.
const SYSLOG: &str = "/dev/log";
/// Most lines of one vassal in a second, unless something else is said.
const RATE: u32 = 1_000;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VassalsLog {
    /// `vassals-log`.
    pub destination: Option<Placed<Destination>>,
    /// `vassals-log-rate`.
    pub rate: u32,
    /// `vassals-log-maxsize` and its kin.
    pub rotation: Rotation,
    /// `log-master`: one process writes what vassals say.
    master: Option<Placed<bool>>,
    /// Where the last word about files stands.
    of_files: Option<Placed<&'static str>>,
}

impl Default for VassalsLog {
    fn default() -> Self {
        Self { destination: None, rate: RATE, rotation: Rotation::default(), master: None, of_files: None }
    }
}

/// Where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Vassals have the Emperor's own standard output and error.
    Inherit,
    /// To the Emperor's standard error, each line behind the name of its vassal.
    Stderr,
    /// Nowhere.
    Nowhere,
    /// To the journal.
    Journal,
    /// To whoever takes datagrams at this path.
    Syslog(String),
    /// Into a file for each vassal, in this directory.
    Files(PathBuf),
}

/// Takes such an option; false for any other one.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(log: &mut VassalsLog, name: &'static str, entry: &Entry) -> Result<bool, ConfigError> {
    match name {
        "vassals-log" => log.destination = Some(entry.placed(value(entry, destination)?)),
        "vassals-log-rate" => log.rate = value(entry, count)?,
        "log-master" => log.master = Some(entry.placed(value(entry, flag)?)),
        _ => return of_files(log, name, entry),
    }
    Ok(true)
}

fn of_files(log: &mut VassalsLog, name: &'static str, entry: &Entry) -> Result<bool, ConfigError> {
    match name {
        "vassals-log-maxsize" => log.rotation.size = value(entry, size)?,
        "vassals-log-age" => log.rotation.age_s = value(entry, seconds)? / 1000,
        "vassals-log-keep" => log.rotation.keep = value(entry, kept)?,
        "vassals-log-compress" => log.rotation.compress = value(entry, flag)?,
        _ => return Ok(false),
    }
    log.of_files = Some(entry.placed(name));
    Ok(true)
}

/// What no single option shows.
pub(super) fn contradiction(log: &VassalsLog) -> Option<ConfigError> {
    let asked = log.destination.as_ref().map(|placed| &placed.value);
    if let Some(master) =
        log.master.as_ref().filter(|master| master.value && asked == Some(&Destination::Inherit))
    {
        let error = ConfigError::at(
            &master.place,
            "`log-master` beside `vassals-log = inherit`, by which vassals write for themselves",
        );
        return Some(error.cure("leave out one of the two"));
    }
    let Placed { value: option, place } = log.of_files.as_ref()?;
    (!matches!(asked, Some(Destination::Files(_)))).then(|| {
        let error = ConfigError::at(place, format!("`{option}`, and no files are written"));
        error.cure("say where they are: vassals-log = dir:/var/log/liege")
    })
}

fn destination(value: &str) -> Result<Destination, Wrong> {
    let value = text(value)?;
    Ok(match value.as_str() {
        "inherit" => Destination::Inherit,
        "stderr" => Destination::Stderr,
        "none" => Destination::Nowhere,
        "journal" => Destination::Journal,
        "syslog" => Destination::Syslog(SYSLOG.into()),
        other => match other.split_once(':') {
            Some(("syslog", path)) if path.starts_with('/') => Destination::Syslog(path.into()),
            Some(("dir", path)) if path.starts_with('/') => Destination::Files(path.into()),
            _ => {
                return wrong(
                    format!("{} is no place for lines", quoted(&value)),
                    "write stderr, none, journal, syslog, syslog:/PATH, dir:/DIRECTORY, or inherit",
                );
            }
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_word() {
        assert_eq!(destination("stderr").ok(), Some(Destination::Stderr));
        assert_eq!(destination("syslog").ok(), Some(Destination::Syslog(SYSLOG.into())));
        assert_eq!(destination("dir:/var/log/x").ok(), Some(Destination::Files("/var/log/x".into())));
        for wrong in ["", "file", "dir:x", "/var/log/x", "syslog:", "journal:"] {
            assert!(destination(wrong).is_err(), "{wrong}");
        }
    }
}
