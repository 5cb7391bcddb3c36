//! Pure. `attach-daemon2`: a daemon by its keys.

use std::path::PathBuf;

use super::{Daemon, command, name};
use crate::config::keyval::{self, Fault, Pair};
use crate::config::place::{ConfigError, Entry};
use crate::config::show::quoted;
use crate::config::values::{Wrong, count, flag, odd_flag, pair, path, text, wrong};
use crate::config::vassal::health::readiness;

const KNOWN: [&str; 28] = [
    "command",
    "cmd",
    "exec",
    "freq",
    "pidfile",
    "control",
    "daemonize",
    "daemon",
    "touch",
    "stopsignal",
    "stop_signal",
    "reloadsignal",
    "reload_signal",
    "stdin",
    "uid",
    "gid",
    "ns_pid",
    "chdir",
    "max_throttle",
    "notifypid",
    "name",
    "grace",
    "ready",
    "env",
    "log",
    "legion",
    "stop-signal",
    "reload-signal",
];
/// Signals of `signal(7)` that may be asked for.
const SIGNALS: [(&str, i32); 12] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("ALRM", 14),
    ("TERM", 15),
    ("CONT", 18),
    ("WINCH", 28),
    ("PWR", 30),
];

/// Reads its keys.
///
/// # Errors
/// What is wrong with one of them, or between them.
pub fn read(entry: &Entry) -> Result<Daemon, ConfigError> {
    let read = || {
        let pairs = keyval::parse(&entry.value, &KNOWN)?;
        let mut daemon = Daemon::new(command(&pairs)?);
        for pair in &pairs {
            apply(&mut daemon, pair).map_err(|wrong| fault(pair, wrong))?;
        }
        check(&daemon, &pairs)?;
        Ok(daemon)
    };
    read().map_err(|fault: Fault| fault.at(entry))
}

fn fault(pair: &Pair, wrong: Wrong) -> Fault {
    Fault {
        offset: pair.value_offset,
        wrong: Wrong { cause: format!("`{}`: {}", pair.key, wrong.cause), ..wrong },
    }
}

fn command(pairs: &[Pair]) -> Result<super::Command, Fault> {
    let mut given = pairs.iter().filter(|pair| ["command", "cmd", "exec"].contains(&pair.key.as_str()));
    let (Some(first), second) = (given.next(), given.next()) else {
        let wrong = Wrong::new("no `cmd`", "say what runs: cmd=PROGRAM ARGUMENTS");
        return Err(Fault { offset: 0, wrong });
    };
    if let Some(second) = second {
        let cause = format!("`{}` and `{}` are the same", first.key, second.key);
        return Err(Fault {
            offset: second.key_offset,
            wrong: Wrong::new(cause, "leave out one of the two"),
        });
    }
    command::parse(&first.value).map_err(|wrong| fault(first, wrong))
}

fn apply(daemon: &mut Daemon, Pair { key, value, .. }: &Pair) -> Result<(), Wrong> {
    match key.as_str() {
        "freq" => daemon.freq_s = count(value)?,
        "pidfile" => daemon.pidfile = Some(path(value)?),
        "control" => daemon.control = switch(value)?,
        "daemonize" | "daemon" => daemon.daemonize = switch(value)?,
        "touch" => {
            daemon.touch =
                value.split(';').filter(|path| !path.is_empty()).map(file).collect::<Result<_, _>>()?
        }
        "stopsignal" | "stop_signal" | "stop-signal" => daemon.stop_signal = signal(value)?,
        // As uWSGI means it: 0 is none.
        "reloadsignal" | "reload_signal" | "reload-signal" if value == "0" => daemon.reload_signal = None,
        "reloadsignal" | "reload_signal" | "reload-signal" => daemon.reload_signal = Some(signal(value)?),
        "stdin" => daemon.stdin = switch(value)?,
        "uid" => daemon.uid = Some(identity(value)?),
        "gid" => daemon.gid = Some(identity(value)?),
        "ns_pid" => daemon.ns_pid = switch(value)?,
        "chdir" => daemon.chdir = Some(path(value)?),
        "max_throttle" => daemon.delay_max_s = longest(value)?,
        "notifypid" => daemon.notify_pid = switch(value)?,
        "name" => daemon.name = name(value)?,
        "grace" => daemon.grace_s = Some(count(value)?),
        "ready" => daemon.ready = readiness(value)?,
        "env" => {
            daemon.env = value.split(';').filter(|one| !one.is_empty()).map(pair).collect::<Result<_, _>>()?
        }
        "log" => daemon.log = Some(path(value)?),
        "legion" => return wrong("there is no legion here", "leave it out: each node runs its own daemons"),
        // The command, read first.
        _ => {}
    }
    Ok(())
}

/// What no single key shows.
fn check(daemon: &Daemon, pairs: &[Pair]) -> Result<(), Fault> {
    let at = |keys: &[&str]| pairs.iter().find(|pair| keys.contains(&pair.key.as_str()));
    let refuse = |pair: Option<&Pair>, cause: &str, cure: &str| {
        let offset = pair.map_or(0, |pair| pair.key_offset);
        Err(Fault { offset, wrong: Wrong::new(cause, cure) })
    };
    if daemon.daemonize && daemon.pidfile.is_none() {
        let cause = "`daemonize` without `pidfile`: there is no file to write its number to";
        return refuse(at(&["daemonize", "daemon"]), cause, "add pidfile=PATH, or leave `daemonize` out");
    }
    if daemon.gid.is_some() && daemon.uid.is_none() {
        let cure = "add `uid`: groups are changed together with the user";
        return refuse(at(&["gid"]), "`gid` without `uid`", cure);
    }
    if daemon.control && daemon.pidfile.is_some() {
        let cause = "`control` with `pidfile`: a smart daemon is started again when it ends";
        return refuse(at(&["control"]), cause, "leave out one of the two");
    }
    Ok(())
}

fn file(text: &str) -> Result<PathBuf, Wrong> {
    match text.starts_with('/') {
        true => Ok(PathBuf::from(text)),
        false => wrong(format!("{} is no absolute path", quoted(text)), "write the path from `/` on"),
    }
}

/// A word that is neither would turn it on.
fn switch(text: &str) -> Result<bool, Wrong> {
    match odd_flag(text) {
        None => flag(text),
        Some(_) => wrong(format!("{} is neither true nor false", quoted(text)), "write true or false"),
    }
}

/// 0 is uWSGI's word for its longest.
fn longest(text: &str) -> Result<u32, Wrong> {
    count(text).map(|seconds| if seconds == 0 { super::DELAY_MAX_S } else { seconds })
}

/// 0 is uWSGI's word for no change; whoever may not be root is not made root by a word.
fn identity(value: &str) -> Result<String, Wrong> {
    match value {
        "0" | "root" => wrong("root is nobody to become", "leave it out: it runs as the vassal's user"),
        _ => text(value),
    }
}

fn signal(text: &str) -> Result<i32, Wrong> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let found = SIGNALS.iter().find(|(known, number)| *known == name || number.to_string() == name);
    found.map(|(_, number)| *number).ok_or_else(|| {
        let known = SIGNALS.map(|(name, _)| name).join(", ");
        Wrong::new(format!("{} is no signal to be told by", quoted(text)), format!("use one of {known}"))
    })
}
