//! Pure. Settings of a process that it passes on to all it starts: limits, priorities, masks.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SecureBits;

/// A setting that is inherited over fork and exec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// A session keyring of its own, empty (`keyrings(7)`).
    Keyring,
    /// Permissions that new files do not get (`umask(2)`).
    Umask(u32),
    /// A limit of one resource (`setrlimit(2)`).
    Limit(Resource, Limit),
    /// -20 (first) to 19 (last).
    Nice(i32),
    /// Priority of its I/O (`ioprio_set(2)`).
    Io(IoPriority),
    /// -1000 (never) to 1000 (first) to be killed when memory runs out (`proc_pid_oom_score_adj(5)`).
    OomScore(i32),
    /// The processors that it may run on.
    Processors(Vec<u16>),
    /// What being root is worth.
    SecureBits(SecureBits),
}

/// Soft and hard limit, in the unit of the resource; `u64::MAX` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// What counts.
    pub soft: u64,
    /// How far a process without rights may raise it.
    pub hard: u64,
}

/// A resource of `getrlimit(2)`; units are the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of getrlimit(2)")]
pub enum Resource {
    As,
    Core,
    Cpu,
    Data,
    Fsize,
    Locks,
    Memlock,
    Msgqueue,
    Nice,
    Nofile,
    Nproc,
    Rss,
    Rtprio,
    Rttime,
    Sigpending,
    Stack,
}

/// Class and level of `ioprio_set(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IoPriority {
    /// Before everybody else; 0 is first, 7 last.
    Realtime(u8),
    /// The ordinary class; 0 is first, 7 last.
    BestEffort(u8),
    /// When nobody else wants the disk.
    Idle,
}

impl Resource {
    /// All of them, with the names that `prlimit(1)` has.
    pub const ALL: [(&'static str, Self); 16] = [
        ("as", Self::As),
        ("core", Self::Core),
        ("cpu", Self::Cpu),
        ("data", Self::Data),
        ("fsize", Self::Fsize),
        ("locks", Self::Locks),
        ("memlock", Self::Memlock),
        ("msgqueue", Self::Msgqueue),
        ("nice", Self::Nice),
        ("nofile", Self::Nofile),
        ("nproc", Self::Nproc),
        ("rss", Self::Rss),
        ("rtprio", Self::Rtprio),
        ("rttime", Self::Rttime),
        ("sigpending", Self::Sigpending),
        ("stack", Self::Stack),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, one)| *one == self).map_or("", |(name, _)| name)
    }

    /// The resource of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(one, _)| *one == name).map(|(_, resource)| *resource)
    }

    /// True when its unit is the byte.
    pub fn is_size(self) -> bool {
        matches!(
            self,
            Self::As
                | Self::Core
                | Self::Data
                | Self::Fsize
                | Self::Memlock
                | Self::Msgqueue
                | Self::Rss
                | Self::Stack
        )
    }
}

impl Limit {
    /// No limit.
    pub const NONE: u64 = u64::MAX;

    /// The same for both.
    pub fn of(value: u64) -> Self {
        Self { soft: value, hard: value }
    }

    /// No core, neither as a file nor for a program that `core_pattern` names: that one gets cores in spite of a
    /// limit of 0, but not at 1 byte (`core(5)`, `do_coredump` of the kernel).
    pub fn no_core(hard: u64) -> Self {
        Self { soft: hard.min(1), hard }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", value(self.soft), value(self.hard))
    }
}

fn value(limit: u64) -> String {
    if limit == Limit::NONE { "unlimited".into() } else { limit.to_string() }
}

impl fmt::Display for IoPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realtime(level) => write!(f, "realtime:{level}"),
            Self::BestEffort(level) => write!(f, "best-effort:{level}"),
            Self::Idle => f.write_str("idle"),
        }
    }
}

impl fmt::Display for Setting {
    /// What is done, so that it reads well after "cannot".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring => f.write_str("join a new session keyring"),
            Self::Umask(mask) => write!(f, "set umask to {mask:04o}"),
            Self::Limit(resource, limit) => write!(f, "limit {} to {limit}", resource.name()),
            Self::Nice(nice) => write!(f, "set nice to {nice}"),
            Self::Io(priority) => write!(f, "set the I/O priority to {priority}"),
            Self::OomScore(score) => write!(f, "set oom_score_adj to {score}"),
            Self::Processors(list) => write!(f, "run on cpus {}", ranges(list)),
            Self::SecureBits(bits) => write!(f, "set the secure bits {bits}"),
        }
    }
}

/// `0-3,6`.
fn ranges(list: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &one in list {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == one => *last = one,
            _ => runs.push((one, one)),
        }
    }
    let shown = |(first, last): &(u16, u16)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    runs.iter().map(shown).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_shown_as_a_person_would_write_it() {
        let shown = [
            (
                Setting::Limit(Resource::Nofile, Limit { soft: 64, hard: Limit::NONE }),
                "limit nofile to 64:unlimited",
            ),
            (Setting::Umask(0o27), "set umask to 0027"),
            (Setting::Processors(vec![0, 1, 2, 6, 8, 9]), "run on cpus 0-2,6,8-9"),
            (Setting::Io(IoPriority::BestEffort(7)), "set the I/O priority to best-effort:7"),
        ];
        for (setting, text) in shown {
            assert_eq!(setting.to_string(), text);
        }
    }

    #[test]
    fn every_resource_has_its_name() {
        for (name, resource) in Resource::ALL {
            assert_eq!((resource.name(), Resource::named(name)), (name, Some(resource)));
        }
        assert_eq!(Resource::named("nofiles"), None);
    }

    #[test]
    fn no_core_never_asks_for_more_than_is_allowed() {
        assert_eq!(Limit::no_core(Limit::NONE), Limit { soft: 1, hard: Limit::NONE });
        assert_eq!(Limit::no_core(0), Limit { soft: 0, hard: 0 });
    }
}
