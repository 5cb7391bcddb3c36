//! Pure. A set of namespaces, by the names that `emperor-use-clone` knows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A set of Linux namespaces (`namespaces(7)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces(u8);

/// Canonical names, in the order in which a set is printed.
const NAMES: [(&str, Namespaces); 8] = [
    ("fs", Namespaces::FS),
    ("net", Namespaces::NET),
    ("ipc", Namespaces::IPC),
    ("pid", Namespaces::PID),
    ("uts", Namespaces::UTS),
    ("user", Namespaces::USER),
    ("cgroup", Namespaces::CGROUP),
    ("time", Namespaces::TIME),
];

impl Namespaces {
    /// None.
    pub const NONE: Self = Self(0);
    /// Every one that has a name.
    pub const ALL: Self = Self(u8::MAX);
    /// Mounts.
    pub const FS: Self = Self(1);
    /// Network devices, addresses, ports, abstract sockets.
    pub const NET: Self = Self(2);
    /// System V IPC and POSIX message queues.
    pub const IPC: Self = Self(4);
    /// Process ids.
    pub const PID: Self = Self(8);
    /// Host name.
    pub const UTS: Self = Self(16);
    /// User and group ids, capabilities.
    pub const USER: Self = Self(32);
    /// The root of the cgroup tree.
    pub const CGROUP: Self = Self(64);
    /// What the clocks that count from the boot show.
    pub const TIME: Self = Self(128);

    /// True when every namespace of `other` is in this set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This set and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set less `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True for the empty set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, one at a time, in printing order.
    pub fn each(self) -> impl Iterator<Item = (&'static str, Self)> {
        NAMES.into_iter().filter(move |(_, one)| self.has(*one))
    }
}

/// A name in a namespace list that names none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownNamespace(String);

impl FromStr for Namespaces {
    type Err = UnknownNamespace;

    /// Parses a comma list (`fs,net,pid`); `ns`, `mount` and `mnt` mean `fs`.
    ///
    /// # Errors
    /// A name that is no namespace, with the reason.
    fn from_str(list: &str) -> Result<Self, Self::Err> {
        list.split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .try_fold(Self::NONE, |set, name| one(name).map(|namespace| set.with(namespace)))
    }
}

fn one(name: &str) -> Result<Namespaces, UnknownNamespace> {
    if let Some((_, namespace)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Ok(*namespace);
    }
    match name {
        "ns" | "mount" | "mnt" => Ok(Namespaces::FS),
        "files" | "io" | "sysvsem" | "parent" => Err(UnknownNamespace(format!(
            "`{name}` is a flag of clone(2), not a namespace: it would share, not separate"
        ))),
        _ => Err(UnknownNamespace(format!(
            "unknown namespace `{name}`: fs, net, ipc, pid, uts, user, cgroup, time"
        ))),
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.each().map(|(name, _)| name).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}
