//! Pure. What an Emperor's config says of its own process: whether it goes into the background, where its log goes,
//! which files tell its pid, and what is around it.

use core::net::SocketAddr;
use std::path::PathBuf;

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Place, Placed};
use crate::config::show::quoted;
use crate::config::values::{Wrong, flag, pair, path, text, wrong};
use crate::config::vassal::limits::mask;
use crate::config::vassal::surroundings::variable;

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// `daemonize`: into the background, and the log goes there.
    pub background: Option<Placed<Log>>,
    /// `logto`.
    pub log: Option<Placed<Log>>,
    /// `logto2`: once privileges are given up.
    pub late_log: Option<Placed<Log>>,
    /// `log-reopen`: a reload of all vassals opens it anew.
    pub reopens_log: bool,
    /// `logfile-chown`: it is given to the user that the Emperor becomes.
    pub gives_log: bool,
    /// `pidfile` and its kin, each once.
    pub pidfiles: Vec<Pidfile>,
    /// `chdir`.
    pub directory: Option<Placed<PathBuf>>,
    /// `chdir2`: once everything is set up.
    pub last_directory: Option<Placed<PathBuf>>,
    /// `umask`.
    pub umask: Option<u32>,
    /// `env`, `unenv`, in the order written; the last word on a variable counts.
    pub variables: Vec<(String, Option<String>)>,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// To the end of this file.
    File(PathBuf),
    /// As datagrams.
    Udp(SocketAddr),
    /// Where standard output goes.
    Output,
    /// Where standard error goes.
    Error,
}

/// A file that tells the Emperor's pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pidfile {
    /// The option.
    pub option: &'static str,
    /// The file.
    pub path: PathBuf,
    /// Where that is written.
    pub place: Place,
    /// When it is made.
    pub made: Made,
}

/// When a file is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// With the first rights, below the directory in which the Emperor was started.
    First,
    /// Once privileges are given up, below `chdir`.
    Last,
}

/// Takes an option that is one of these; false when it is none.
///
/// # Errors
/// A value that is none.
pub(super) fn apply(process: &mut Process, name: &'static str, entry: &Entry) -> Result<bool, ConfigError> {
    match name {
        "daemonize" => process.background = Some(entry.placed(value(entry, log_behind)?)),
        "logto" => process.log = Some(entry.placed(value(entry, log)?)),
        "logto2" => process.late_log = Some(entry.placed(value(entry, log)?)),
        "log-reopen" => process.reopens_log = value(entry, flag)?,
        "logfile-chown" => process.gives_log = value(entry, flag)?,
        "pidfile" | "safe-pidfile" => process.add(name, Made::First, entry)?,
        "pidfile2" | "safe-pidfile2" => process.add(name, Made::Last, entry)?,
        "chdir" => process.directory = Some(entry.placed(value(entry, path)?)),
        "chdir2" => process.last_directory = Some(entry.placed(value(entry, path)?)),
        "umask" => process.umask = Some(value(entry, mask)?),
        "env" => {
            let (name, text) = value(entry, pair)?;
            process.variables.push((name, Some(text)));
        }
        "unenv" => process.variables.push((value(entry, variable)?, None)),
        _ => return Ok(false),
    }
    Ok(true)
}

impl Process {
    /// What a variable that was found, or none, becomes.
    pub fn variable(&self, name: &str, found: Option<String>) -> Option<String> {
        let said = self.variables.iter().rev().find(|(said, _)| said == name);
        said.map_or(found, |(_, value)| value.clone())
    }

    /// The environment `found`, changed as it was written.
    pub fn environment(&self, found: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
        let mut list: Vec<(String, String)> = found.collect();
        for (name, value) in &self.variables {
            list.retain(|(known, _)| known != name);
            list.extend(value.iter().map(|value| (name.clone(), value.clone())));
        }
        list
    }

    /// The last one of each option counts.
    fn add(&mut self, option: &'static str, made: Made, entry: &Entry) -> Result<(), ConfigError> {
        let path = value(entry, path)?;
        self.pidfiles.retain(|known| known.option != option);
        self.pidfiles.push(Pidfile { option, path, place: entry.value_place.clone(), made });
        Ok(())
    }
}

/// A path, or the address of somebody who takes datagrams.
fn log(value: &str) -> Result<Log, Wrong> {
    let value = text(value)?;
    match value.as_str() {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => return Ok(Log::Output),
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => return Ok(Log::Error),
        _ => {}
    }
    if !value.contains(':') || value.starts_with(['/', '.']) {
        return Ok(Log::File(value.into()));
    }
    value.parse().map(Log::Udp).or_else(|_| {
        wrong(
            format!("{} is neither a file nor an address", quoted(&value)),
            "write a path (one with a colon begins with `/` or `.`), or ADDRESS:PORT for UDP; names of hosts are not looked up",
        )
    })
}

/// One that is there in the background too.
fn log_behind(value: &str) -> Result<Log, Wrong> {
    match log(value)? {
        Log::Output | Log::Error => wrong(
            format!("{} is left behind in the foreground", quoted(value)),
            "name a file, or ADDRESS:PORT for UDP",
        ),
        other => Ok(other),
    }
}
