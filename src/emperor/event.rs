//! Pure. What happens to the Emperor.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::on_demand::Listener;

/// A point on the monotonic clock, in nanoseconds since some start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// This many milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// Milliseconds since `earlier`; 0 when that lies ahead.
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }
}

/// One `--emperor` source, by its place on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorId(pub u16);

/// A vassal is known by its monitor and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The source that named it.
    pub monitor: MonitorId,
    /// File name (dir), matched path (glob) or whatever the source calls it.
    pub name: Arc<str>,
}

/// A vassal as long as its config exists; never used twice in one run of the Emperor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VassalId(pub u32);

/// One process of a vassal: messages of an earlier one are recognised and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// The vassal.
    pub id: VassalId,
    /// Counts its processes from 1.
    pub attempt: u32,
}

/// Everything about a config that a change is judged by: two equal ones mean no change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

/// Of the text of a config alone: what a vassal that has read it can name it by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(pub u64);

impl Digest {
    /// Letters of its form.
    pub const LETTERS: usize = 16;

    /// Of this text. The keys are fixed: vassal and spawner must come to the same number. Who can find two texts with one
    /// number is told wrongly which of his own configs he uses.
    pub fn of(text: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        ("text", text).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Reads its form, which is that of [`Display`](fmt::Display).
    pub fn parse(letters: &str) -> Option<Self> {
        let is_form = letters.len() == Self::LETTERS && letters.bytes().all(|one| one.is_ascii_hexdigit());
        u64::from_str_radix(letters, 16).ok().filter(|_| is_form).map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Who owns a config.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// What a monitor saw of one config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Changes whenever the config does.
    pub fingerprint: Fingerprint,
    /// Owner of the config file (of the link, with `emperor-tyrant-nofollow`).
    pub owner: Owner,
    /// Modification time, unix seconds, as the stats show it.
    pub mtime_s: i64,
    /// Why it may not run, if so; told once for each fingerprint.
    pub refusal: Option<Arc<str>>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// `exit(3)` status.
    Code(i32),
    /// Signal number.
    Signal(i32),
}

impl Exit {
    /// It has ended; nobody saw how.
    pub const UNKNOWN: Self = Self::Signal(0);

    /// For people.
    pub fn words(self) -> String {
        match self {
            Self::UNKNOWN => "an end that nobody saw".into(),
            Self::Code(code) => format!("exit status {code}"),
            Self::Signal(signal) => format!("signal {signal}"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit:{code}"),
            Self::Signal(number) => write!(f, "signal:{number}"),
        }
    }
}

/// By whose word a vassal is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// By that of root or the Emperor's user: nobody else enables it.
    Master,
    /// By that of the owner of its config, with this uid: it counts as long as the config is his.
    Owner(u32),
}

/// What a person, or a router on behalf of one, wants of a vassal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Start it if it waits for that, or was stopped.
    Spawn,
    /// Reload it.
    Respawn,
    /// Stop it; it is not started again before `Spawn`.
    Stop,
    /// Stop it, then start it; start it if there is nothing to stop.
    Restart,
    /// Stop it; nothing starts it again before `Enable`, `Spawn` neither.
    Disable(Whose),
    /// Start it, and forget that it was disabled.
    Enable,
}

/// What the Emperor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A monitor saw a config: new, changed, or unchanged.
    Seen(Key, Sight),
    /// Root has disabled whatever is this user's, by whatever name.
    OwnerDisabled(u32),
    /// And enables it again.
    OwnerEnabled(u32),
    /// A config is gone. Not sent when its source cannot be read.
    Unseen(Key),
    /// The process was born with this pid; its program may not run yet.
    Born(Incarnation, i32),
    /// Its program runs. `Fingerprint` is of the config it was given, which may be newer than the one last seen.
    Running(Incarnation, Fingerprint, Owner),
    /// No process was made, or it failed before its program ran: the sentence for people. When a pid was born its
    /// `Exited` follows.
    SpawnFailed(Incarnation, Arc<str>),
    /// The spawner will not run this config as it is now: nothing is tried again before it changes.
    Refused(Incarnation, Arc<str>),
    /// No process was made: the config is one on demand, and a listener was bound for it.
    Listening(Incarnation, Listener),
    /// The file beside this config that says where it listens was written, made or removed.
    AddressWritten(Key),
    /// It listens elsewhere, or at all, from now on: a listener was bound for it.
    Moved(VassalId, Listener),
    /// It is to have no listener any more.
    Unlistened(VassalId),
    /// What its file says cannot be: for people. Nothing else changes.
    Misaddressed(VassalId, Arc<str>),
    /// Somebody connects to the listener of a vassal that waits for it.
    Connected(VassalId),
    /// A limit of its cgroup was reached: somebody in it was killed, or could not be started. For people.
    Strained(Incarnation, Arc<str>),
    /// The spawner said something, whatever it was.
    Answered,
    /// The spawner has done what it could to kill the process; `Exited` follows when the kernel has ended it.
    Killing(Incarnation),
    /// A byte came on the vassal's control descriptor.
    Byte(Incarnation, u8),
    /// It says what keeps it from going on. For people.
    Troubled(Incarnation, Arc<str>),
    /// With the reload that was sent it can read this config, which has this text.
    Given(Incarnation, Digest, Fingerprint),
    /// It says why it does not use the config of this text, or that it does. Without a text: the newest one.
    Kept(Incarnation, Option<Digest>, Option<Arc<str>>),
    /// It begins anew with the config of this text.
    Takes(Incarnation, Digest),
    /// The vassal closed its control descriptor.
    Silent(Incarnation),
    /// The process was reaped.
    Exited(Incarnation, Exit),
    /// SIGTERM, SIGINT, SIGQUIT: everything stops, then the Emperor ends.
    StopAll,
    /// SIGHUP.
    ReloadAll,
    /// Somebody who may has given a command.
    Commanded(VassalId, Command),
    /// SIGURG.
    ClearBlacklist,
}
