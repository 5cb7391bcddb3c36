//! Pure. What a config says of daemons beside its command: `attach-daemon` and its like.

mod command;
mod keys;
mod rules;
mod ssh;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::VassalConfig;
use super::health::Readiness;
use super::logs::Minding;
use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::show::quoted;
use crate::config::values::{Wrong, count, flag, text, wrong};

pub use command::Command;
pub use rules::{DAEMONS_MAX, NAME_MAX, Rules, is_name};
pub use ssh::{INSTALL_DROPBEAR, NO_DROPBEAR};

/// Seconds in which a daemon writes its pid file, when its config says nothing.
const FREQ_S: u32 = 10;
/// Seconds in which it ends, likewise.
const GRACE_S: u32 = 10;
/// Longest pause between two starts, in seconds.
const DELAY_MAX_S: u32 = 300;
/// `SIGTERM`.
const TERM: i32 = 15;

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Daemons {
    /// In the order written.
    pub list: Vec<Placed<Daemon>>,
    /// `daemons-honour-stdin`.
    pub keep_input: bool,
}

/// One daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// What it is called: as its program, unless it is given a name.
    pub name: String,
    /// What it runs.
    pub command: Command,
    /// Where its number is written, by itself or by us.
    pub pidfile: Option<PathBuf>,
    /// By us.
    pub daemonize: bool,
    /// The vassal stops when it ends.
    pub control: bool,
    /// A smart one is told when the vassal reloads.
    pub notify_pid: bool,
    /// How long its pid file is waited for, in seconds.
    pub freq_s: u32,
    /// Files that begin it anew when they change.
    pub touch: Vec<PathBuf>,
    /// Tells it to end.
    pub stop_signal: i32,
    /// Tells it to end when the vassal reloads.
    pub reload_signal: Option<i32>,
    /// It keeps our standard input.
    pub stdin: bool,
    /// Who it becomes: name or number.
    pub uid: Option<String>,
    /// Name or number.
    pub gid: Option<String>,
    /// A pid namespace of its own.
    pub ns_pid: bool,
    /// Its working directory.
    pub chdir: Option<PathBuf>,
    /// Longest pause between two starts, in seconds.
    pub delay_max_s: u32,
    /// How long it may take to end, in seconds.
    pub grace_s: Option<u32>,
    /// When it is ready.
    pub ready: Readiness,
    /// Variables of its own.
    pub env: Vec<(String, String)>,
    /// Where its output goes.
    pub log: Option<PathBuf>,
    /// What is done to that, as the vassal's words for its logs say it; added where the config is carried out.
    pub minding: Option<Minding>,
    /// It is `ssh`: where its root has no dropbear, it is the host's.
    pub ssh: bool,
}

impl Daemon {
    fn new(command: Command) -> Self {
        Self {
            name: String::new(),
            command,
            pidfile: None,
            daemonize: false,
            control: false,
            notify_pid: false,
            freq_s: FREQ_S,
            touch: Vec::new(),
            stop_signal: TERM,
            reload_signal: None,
            stdin: false,
            uid: None,
            gid: None,
            ns_pid: false,
            chdir: None,
            delay_max_s: DELAY_MAX_S,
            grace_s: None,
            ready: Readiness::Started,
            env: Vec::new(),
            log: None,
            minding: None,
            ssh: false,
        }
    }

    /// What its life depends on; `mercy_ms` is how long the vassal's command may take to end.
    pub fn rules(&self, mercy_ms: Option<u64>) -> Rules {
        let own = self.grace_s.map(|seconds| u64::from(seconds) * 1_000);
        Rules {
            // A smart one does not end with its first process.
            control: self.control && self.pidfile.is_none(),
            smart: self.pidfile.is_some(),
            notify_pid: self.notify_pid,
            stop_signal: self.stop_signal,
            reload_signal: self.reload_signal,
            grace_ms: own.or(mercy_ms).unwrap_or(u64::from(GRACE_S) * 1_000),
            delay_max_ms: u64::from(self.delay_max_s) * 1_000,
            ready: self.ready,
        }
    }
}

impl Daemons {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none, or a name that is another's.
    pub(in crate::config) fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        let daemon = match name {
            "attach-daemon" => Daemon::new(value(entry, command::parse)?),
            "attach-control-daemon" => Daemon { control: true, ..Daemon::new(value(entry, command::parse)?) },
            "smart-attach-daemon" => value(entry, smart)?,
            "smart-attach-daemon2" => Daemon { daemonize: true, ..value(entry, smart)? },
            "attach-daemon2" => keys::read(entry)?,
            "ssh" => value(entry, ssh::parse)?,
            "daemons-honour-stdin" => {
                self.keep_input = value(entry, flag)?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.add(entry, daemon).map(|()| true)
    }

    fn add(&mut self, entry: &Entry, daemon: Daemon) -> Result<(), ConfigError> {
        let wrong = |cause: String, cure: &str| Err(Wrong::new(cause, cure).at(&entry.place));
        if self.list.len() == DAEMONS_MAX {
            return wrong(
                format!("more than {DAEMONS_MAX} daemons"),
                "give some of them a vassal of their own",
            );
        }
        let name = match daemon.name.as_str() {
            "" => self.free_name(&daemon.command.name()),
            given if self.has(given) => {
                let cause = format!("two daemons are called {}", quoted(given));
                return wrong(cause, "give each `name=` a name of its own");
            }
            given => given.to_owned(),
        };
        self.list.push(entry.placed(Daemon { name, ..daemon }));
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.list.iter().any(|one| one.value.name == name)
    }

    /// The second one of a program is its number 2.
    fn free_name(&self, base: &str) -> String {
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        names.find(|name| !self.has(name)).expect("there are more numbers than daemons")
    }

    /// Whether there is one.
    pub fn is_any(&self) -> bool {
        !self.list.is_empty()
    }
}

/// What no single option shows.
pub(super) fn contradiction(config: &VassalConfig) -> Option<ConfigError> {
    let first = config.daemons.list.first()?;
    let patched = config.privileged_patch.is_some() || config.unprivileged_patch.is_some();
    patched.then(|| {
        let error = ConfigError::at(&first.place, "a daemon, and another program takes the vassal's place");
        error.cure("run that program by `command`: then the vassal stays, and minds its daemons")
    })
}

/// `PIDFILE[,FREQ] COMMAND`.
fn smart(value: &str) -> Result<Daemon, Wrong> {
    let Some((first, line)) = value.split_once(' ') else {
        return wrong(
            format!("{} has no command behind the pid file", quoted(value)),
            "write PIDFILE[,SECONDS] COMMAND",
        );
    };
    let (path, freq_s) = match first.split_once(',') {
        Some((path, seconds)) => (path, count(seconds)?),
        None => (first, FREQ_S),
    };
    let pidfile = Some(PathBuf::from(text(path)?));
    Ok(Daemon { pidfile, freq_s, ..Daemon::new(command::parse(line)?) })
}

/// A name for people and for `liege stop VASSAL/NAME`.
fn name(text: &str) -> Result<String, Wrong> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => {
            wrong(format!("{} is no name", quoted(text)), "use letters, digits, `.`, `_` and `-`, 64 at most")
        }
    }
}
