//! Pure. What a vassal's config says, typed.

pub mod cgroups;
pub mod daemons;
pub mod health;
pub mod limits;
pub mod logs;
pub mod net;
pub mod phases;
mod read;
pub mod rootfs;
pub mod separation;
pub mod signing;
pub mod sub_emperor;
pub mod subscriptions;
pub mod surroundings;
pub mod terminals;
pub mod ties;
pub mod tuntap;
pub mod waits;
pub mod zerg;

use std::path::PathBuf;

use jail::plan::standard::Strictness;
use jail::{Capabilities, Namespaces, Phase};

use super::confine::Confinement;
use super::hook::Hook;
use super::place::{Place, Placed};

/// What runs a vassal's config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VassalKind {
    /// Our own vassal master.
    Own(Box<VassalConfig>),
    /// The `uwsgi` binary: this option belongs to its application server (or the file is of a format
    /// that only it reads).
    Uwsgi(String),
}

/// A config for our own vassal master.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VassalConfig {
    /// `command`: argv, split like a shell splits words, no shell involved.
    pub command: Option<Placed<Vec<String>>>,
    /// `privileged-binary-patch` and `-arg`: after the pre-jail programs, in our place.
    pub privileged_patch: Option<Placed<Patch>>,
    /// `unprivileged-binary-patch` and `-arg`: after the as-user programs, in our place.
    pub unprivileged_patch: Option<Placed<Patch>>,
    /// `exec-*` options: phase and shell command, in the order written.
    pub programs: Vec<(Phase, Placed<String>)>,
    /// `hook-*`, `mount-*` and `umount-*` options, in the order written.
    pub hooks: Vec<(Phase, Placed<Hook>)>,
    /// `hook-touch`: a file, and what is done when it is touched.
    pub touches: Vec<(PathBuf, Placed<Hook>)>,
    /// `uid`: name or number.
    pub uid: Option<Placed<String>>,
    /// `gid`: name or number.
    pub gid: Option<Placed<String>>,
    /// `add-gid`: names or numbers.
    pub add_gid: Vec<Placed<String>>,
    /// `no-initgroups`: no groups but `gid` and `add-gid`.
    pub no_initgroups: bool,
    /// `cap`: kept over the drop and over exec.
    pub cap: Option<Placed<Capabilities>>,
    /// `seccomp`, `landlock-…`, `no-new-privs`.
    pub confine: Confinement,
    /// `jail`.
    pub jail: Option<Placed<Option<Strictness>>>,
    /// `unshare`.
    pub unshare: Namespaces,
    /// Where the last `unshare` stands.
    pub unshare_at: Option<Place>,
    /// `unshare2`, `setns`, `refork`, …
    pub separation: separation::Separation,
    /// `chdir`: before the command.
    pub chdir: Option<Placed<PathBuf>>,
    /// `env`: `NAME=value`, in order; a later one replaces an earlier one.
    pub env: Vec<(String, String)>,
    /// `socket`: bound before the ids drop.
    pub sockets: Vec<Placed<Address>>,
    /// `chmod-socket`: default 0660.
    pub socket_mode: Option<u32>,
    /// `chown-socket`: `user[:group]`, default the vassal's ids.
    pub socket_owner: Option<Placed<String>>,
    /// `hostname`.
    pub hostname: Option<Placed<String>>,
    /// `cgroup`, `cgroup-opt`, `cgroup-dir-mode`.
    pub cgroups: cgroups::Cgroups,
    /// `rlimit-*`, `nice` and whatever else is inherited.
    pub limits: limits::Limits,
    /// Its own log.
    pub logs: logs::Logs,
    /// What it sees as its file system.
    pub rootfs: rootfs::RootfsConfig,
    /// Its network.
    pub net: net::NetConfig,
    /// Devices of uWSGI's router.
    pub tuntap: tuntap::Tuntap,
    /// Variables from files, locks, the shell.
    pub surroundings: surroundings::Surroundings,
    /// Readiness, heartbeat, and the signals that it is told by.
    pub health: health::Health,
    /// Routers that it is announced to.
    pub subscriptions: subscriptions::Subscriptions,
    /// `wait-for-…`.
    pub waits: waits::Waits,
    /// Sockets shared with others.
    pub zerg: zerg::Zerg,
    /// Terminals for whoever connects.
    pub terminals: terminals::Terminals,
    /// Daemons beside its command.
    pub daemons: daemons::Daemons,
    /// What goes between it and its Emperor.
    pub ties: ties::Ties,
    /// `tuntap-use-credentials`.
    pub use_credentials: bool,
}

/// A program put in our place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// A program, run with our arguments.
    Program(String),
    /// A shell command (`-arg`).
    Shell(String),
}

/// Where a socket listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP: `127.0.0.1:3031`, `[::1]:3031`, `:3031` (any IPv4 address).
    Tcp(std::net::SocketAddr),
    /// Unix stream socket at a path.
    Unix(PathBuf),
    /// Unix stream socket with an abstract name (`@name`).
    Abstract(String),
    /// A socket that listens already, left open by whoever started us: `fd://N`.
    Inherited(i32),
}
