//! Whether a config may run, and as whom: judged by what is open, not by what was named.
//!
//! The spawner examines a config and runs the very descriptor that came out of it; a monitor examines it to see changes.

mod errand;
mod examine;
mod fingerprint;
mod judge;
mod mount_table;
mod name;
mod reach;
mod stat;
mod walk;

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::emperor::event::{Owner, Sight};

pub use errand::{Entry, Place, Report, Seen, Task, cut};
pub use examine::{denied, examine, find, refused_name, trouble};
pub use judge::Kind;
pub use name::{NameFault, judge_name};
pub use reach::{AWAY, Mounts, Reach};
pub use stat::{Stat, proc_path, stat};
pub use walk::{PATH_MAX, open_below, open_path};

/// Largest config, in bytes.
pub const CONFIG_MAX: u64 = 1 << 20;

/// What the admin allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrustPolicy {
    /// `emperor-tyrant`: vassals run as the owner of their config.
    pub tyrant: bool,
    /// `emperor-nofollow`: a link is a config of its own; it changes when the link does.
    pub nofollow: bool,
    /// `emperor-tyrant-nofollow`: the owner of the link counts.
    pub tyrant_nofollow: bool,
    /// Vassals may get rights that the authors of configs lack: false only where an ordinary user runs everything.
    pub privileged: bool,
}

/// How far a config is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// The file and everything on the way to it belong to root and are writable by root alone.
    Trusted,
    /// Somebody else can write it, or tyrant mode is on.
    Tenant(Owner),
}

/// A config that may run.
#[derive(Debug)]
pub struct Examined {
    /// The config, open for reading, at its start.
    pub file: OwnedFd,
    /// The same, as it was read: what the fingerprint is of.
    pub content: Vec<u8>,
    /// Who owns it (of the link, with `tyrant_nofollow`).
    pub owner: Owner,
    /// How far it is trusted.
    pub trust: Trust,
    /// What a monitor says of it.
    pub sight: Sight,
    /// Where the followed link led; empty for a plain file.
    pub targets: Vec<Target>,
}

/// A name on the way of a followed link that may come to mean something else: the file, another link on the way, or
/// what is missing. To be watched.
#[derive(Debug)]
pub struct Target {
    /// The directory that it is in (`O_PATH`).
    pub directory: OwnedFd,
    /// Its name there.
    pub name: String,
}

/// Why there is no `Examined`.
#[derive(Debug)]
pub enum Refusal {
    /// Nothing has this name.
    Absent,
    /// This process could not look: a more privileged one may (`EACCES`), or this one later (`EIO`).
    Denied(Errno),
    /// It may not run as it is. The sight bears the reason.
    Refused(Sight, Vec<Target>),
}

impl Refusal {
    /// The reason as one sentence.
    pub fn reason(&self) -> Arc<str> {
        match self {
            Self::Absent => "there is no such file".into(),
            Self::Denied(errno) => trouble("cannot open it", *errno).into(),
            Self::Refused(sight, _) => sight.refusal.clone().unwrap_or_else(|| "refused".into()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
