//! Pure. How a vassal's command tells that it is well, how it is told to reload, and how it is told to stop.

use serde::{Deserialize, Serialize};

use super::super::show::quoted;
use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry};
use crate::config::values::{Wrong, count, flag};

/// Signals that a command may be told by, `signal(7)`.
const SIGNALS: [(&str, i32); 7] =
    [("HUP", 1), ("INT", 2), ("QUIT", 3), ("USR1", 10), ("USR2", 12), ("TERM", 15), ("WINCH", 28)];
/// `SIGTERM`.
const TERM: i32 = 15;

/// When a command counts as ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Readiness {
    /// As soon as it runs.
    #[default]
    Started,
    /// When it has lived so many milliseconds.
    Lived(u64),
    /// When it says `READY=1` (`sd_notify(3)`).
    Notify,
}

/// All of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// `ready`.
    pub ready: Readiness,
    /// `notify`: it gets a `NOTIFY_SOCKET`.
    pub notify: bool,
    /// `heartbeat`: how often it is to say `WATCHDOG=1` at least, in seconds; 0: not asked for.
    pub heartbeat_s: u32,
    /// `idle`: how long nobody may need it, in seconds, before it waits for a connection again; 0: for ever.
    pub idle_s: u32,
    /// `stop-signal`.
    pub stop_signal: i32,
    /// `reload-signal`.
    pub reload_signal: Option<i32>,
    /// `reload-mercy`: how long it may take to end before it is killed, in ms; `None`: as long as its Emperor lets it.
    pub mercy_ms: Option<u64>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            ready: Readiness::Started,
            notify: false,
            heartbeat_s: 0,
            idle_s: 0,
            stop_signal: TERM,
            reload_signal: None,
            mercy_ms: None,
        }
    }
}

impl Health {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub(super) fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "ready" => self.ready = value(entry, readiness)?,
            "notify" => self.notify = value(entry, flag)?,
            "heartbeat" => self.heartbeat_s = value(entry, count)?,
            "idle" => self.idle_s = value(entry, count)?,
            "stop-signal" => self.stop_signal = value(entry, signal)?,
            "reload-signal" => self.reload_signal = Some(value(entry, signal)?),
            "reload-mercy" => self.mercy_ms = Some(u64::from(value(entry, count)?) * 1_000),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether it gets a `NOTIFY_SOCKET`: it was said so, or something else takes one.
    pub fn listens(&self) -> bool {
        self.notify || self.ready == Readiness::Notify || self.heartbeat_s > 0
    }
}

/// `started`, `notify`, `lived:SECONDS`.
///
/// # Errors
/// Anything else.
pub(super) fn readiness(text: &str) -> Result<Readiness, Wrong> {
    let odd = || Wrong {
        cause: format!("{} is no readiness", quoted(text)),
        cure: Some("use `started`, `notify` or `lived:SECONDS`".to_owned()),
    };
    match (text, text.strip_prefix("lived:")) {
        ("started", _) => Ok(Readiness::Started),
        ("notify", _) => Ok(Readiness::Notify),
        (_, Some(seconds)) => Ok(Readiness::Lived(u64::from(count(seconds)?) * 1_000)),
        _ => Err(odd()),
    }
}

fn signal(text: &str) -> Result<i32, Wrong> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let found = SIGNALS.iter().find(|(known, number)| *known == name || number.to_string() == name);
    found.map(|(_, number)| *number).ok_or_else(|| {
        let known = SIGNALS.map(|(name, _)| name).join(", ");
        Wrong {
            cause: format!("{} is no signal to be told by", quoted(text)),
            cure: Some(format!("use one of {known}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_name_or_a_number() {
        for text in ["HUP", "SIGHUP", "1"] {
            assert_eq!(signal(text).expect("a signal"), 1, "{text}");
        }
        for text in ["KILL", "9", "hup", "", "STOP"] {
            assert!(signal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_command_is_ready_when_its_config_says_so() {
        assert_eq!(readiness("lived:3").expect("valid"), Readiness::Lived(3_000));
        assert_eq!(readiness("notify").expect("valid"), Readiness::Notify);
        assert!(readiness("lived:").is_err() && readiness("soon").is_err());
    }
}
