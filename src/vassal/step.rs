//! Pure. One step of a vassal, from its first instruction to its command.

use std::fmt;
use std::path::PathBuf;

use jail::plan::{ClockOffset, Extent, Filter, Rootfs, Setting};
use jail::{Capabilities, Namespaces, Phase};

use super::confine;
use super::daemons;
use super::logs;
use super::net::NetStep;
use super::notify::Reach;
use super::surroundings::FileStep;
use super::terminals::TerminalStep;
use super::zerg::ZergStep;
use crate::config::hook::{Action, Hook};
use crate::config::vassal::cgroups::Cgroups;
use crate::config::vassal::daemons::Daemon;
use crate::config::vassal::separation::Refork;
use crate::config::vassal::subscriptions::Subscriptions;
use crate::config::vassal::waits::Thing;
use crate::config::vassal::{Address, Patch};

/// Who the config wants to be; names are resolved when the step is done, since a program may have made the
/// user in the meantime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `uid`.
    pub uid: Option<String>,
    /// `gid`; the user's primary group when missing.
    pub gid: Option<String>,
    /// `add-gid`, beside the groups that the user is in.
    pub add_gid: Vec<String>,
    /// `no-initgroups`: not beside them.
    pub no_initgroups: bool,
}

impl Wanted {
    /// Who a daemon is to become, if anybody.
    pub fn of_daemon(daemon: &Daemon) -> Option<Self> {
        let (uid, gid) = (Some(daemon.uid.clone()?), daemon.gid.clone());
        Some(Self { uid, gid, ..Self::default() })
    }
}

/// A socket to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Where it listens.
    pub address: Address,
    /// Mode of a socket file.
    pub mode: u32,
    /// `user[:group]` of a socket file; `None` is the vassal itself.
    pub owner: Option<String>,
    /// Who the vassal will be.
    pub vassal: Wanted,
}

/// One step of a vassal, from its first instruction to its command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A shell command of the config, to its end.
    Run(Phase, String),
    /// A hook, done by the vassal itself.
    Hook(Phase, Hook),
    /// Variables, files and locks.
    File(FileStep),
    /// Another program takes our place.
    Become(Patch),
    /// New namespaces.
    Unshare(Namespaces),
    /// A new user namespace with these ids, as its root.
    NewUser(Vec<Extent>),
    /// A new time namespace, whose clocks are ahead by these.
    NewTime(Vec<ClockOffset>),
    /// Into the namespaces that are served on this socket.
    Join(PathBuf),
    /// Ours are taken, to be served, except those named.
    OpenNamespaces(Vec<String>),
    /// Serves them.
    Serve(Socket),
    /// Mounts made from here on are ours alone.
    PrivateMounts,
    /// `lo` of the new network namespace up.
    LoopbackUp,
    /// Its network.
    Net(NetStep),
    /// Go on when this is there, after so many seconds at most.
    Wait(Thing, u32),
    /// A child goes on as PID 1 of the new pid namespace.
    Fork,
    /// A child goes on.
    Refork(Refork),
    /// Host name.
    Hostname(String),
    /// Uid, gid and groups are looked up by the names of the host.
    LookUp(Wanted),
    /// The host's dropbear is opened, for a root that may have none.
    LendSsh,
    /// Another file system.
    Enter(Rootfs),
    /// `chroot(2)`, where the mounts are everybody's.
    Chroot(PathBuf),
    /// Away from the old root, which the as-root programs could still see.
    LeaveOldRoot,
    /// A listening socket, handed on to the command.
    Bind(Socket),
    /// Sockets shared with others.
    Zerg(ZergStep),
    /// Terminals for whoever connects.
    Terminals(TerminalStep),
    /// A daemon beside the command, or in its place.
    Daemon(Box<daemons::Wanted>),
    /// A line to the Emperor for a program that runs elsewhere.
    Proxy(Socket),
    /// The Emperor is asked for help when so many wait.
    CountWaiting(u32),
    /// A limit, a priority, a mask.
    Set(Setting),
    /// Into cgroups of version 1.
    EnterCgroups(Cgroups),
    /// Bounding set.
    Bound(Capabilities),
    /// Groups, gid, uid, keeping these capabilities.
    Identity(Wanted, Capabilities),
    /// Root of a user namespace becomes the owner of its config, without any right.
    Owner(u32, u32),
    /// No change: the process has these ids already, or the step fails.
    Already(Wanted),
    /// Root keeps exactly these capabilities.
    Capabilities(Capabilities),
    /// Root keeps these, which whoever it becomes does not inherit.
    RootCapabilities(Capabilities),
    /// Nothing run from here on gains privileges.
    NoNewPrivs,
    /// System calls are filtered from here on.
    Filter(Filter),
    /// A limit of the command.
    Confine(confine::Limit),
    /// SIGKILL when the Emperor dies.
    DieWithParent,
    /// Working directory of the command.
    Directory(PathBuf),
    /// Output of the command goes to this file.
    LogTo(PathBuf),
    /// The same, by a process that minds the file.
    WriteLog(Box<logs::Wanted>),
    /// The command, as a child of ours.
    Start(Vec<String>),
    /// Makes the command's `NOTIFY_SOCKET`; it is told to send a heartbeat every so many seconds, if not 0.
    Listen(Reach, u32),
    /// Gets ready what routers will be told.
    Subscribe(Subscriptions),
}

impl Step {
    /// What a failure of something that the config itself wants to be done means; `None` for steps of our own, without
    /// which there is no vassal.
    pub fn failure(&self) -> Option<&'static str> {
        match self {
            // In the order of a life: from here on it has had its command.
            Self::Run(phase, _) | Self::Hook(phase, _) if *phase >= Phase::Touch => Some("a failure is told"),
            Self::Hook(_, hook) if matches!(hook.action, Action::SafeExec(_)) => Some("a failure is told"),
            Self::Run(..) | Self::Hook(..) => Some("a failure ends the vassal"),
            _ => None,
        }
    }
}

impl Step {
    /// True when paths mean something else after it.
    pub fn changes_root(&self) -> bool {
        match self {
            Self::Enter(rootfs) => rootfs.moves(),
            // What is joined may have mounts of its own.
            Self::Chroot(_) | Self::Join(_) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(phase, text) => write!(f, "run exec-{} `{text}`", phase.name()),
            Self::Hook(phase, hook) => write!(f, "do {}", hook.named(*phase)),
            Self::File(step) => step.fmt(f),
            Self::Become(Patch::Program(program)) => write!(f, "become `{program}`"),
            Self::Become(Patch::Shell(text)) => write!(f, "become `/bin/sh -c {text}`"),
            Self::Unshare(namespaces) => write!(f, "unshare {namespaces}"),
            Self::NewUser(ids) => {
                f.write_str("enter a new user namespace as its root")?;
                ids.iter().try_for_each(|ids| write!(f, ", {}", Range(ids)))
            }
            Self::NewTime(offsets) => {
                f.write_str("enter a new time namespace")?;
                offsets.iter().try_for_each(|offset| write!(f, ", {offset}"))
            }
            Self::Join(socket) => write!(f, "join the namespaces served on {}", socket.display()),
            Self::OpenNamespaces(skip) if skip.is_empty() => f.write_str("take our namespaces"),
            Self::OpenNamespaces(skip) => write!(f, "take our namespaces but {}", skip.join(", ")),
            Self::Serve(socket) => write!(f, "serve our namespaces on {socket}"),
            Self::PrivateMounts => f.write_str("make all mounts private"),
            Self::LoopbackUp => f.write_str("bring lo up"),
            Self::Net(step) => step.fmt(f),
            Self::Wait(thing, seconds) => write!(f, "wait for {thing}, at most {seconds} s"),
            Self::Fork => f.write_str("go on as PID 1 of the new pid namespace"),
            Self::Refork(at) => write!(f, "go on in a child ({})", at.name()),
            Self::Hostname(name) => write!(f, "set host name {name}"),
            Self::LookUp(wanted) => write!(f, "look up {wanted}"),
            Self::LendSsh => f.write_str("open the host's dropbear"),
            Self::Enter(rootfs) => write!(f, "{rootfs}"),
            Self::Chroot(path) => write!(f, "change root to {}", path.display()),
            Self::LeaveOldRoot => f.write_str("leave the old root behind"),
            Self::Bind(socket) => write!(f, "bind {socket}"),
            Self::Zerg(step) => step.fmt(f),
            Self::Terminals(step) => step.fmt(f),
            Self::Daemon(wanted) => {
                write!(f, "start daemon {} `{}`", wanted.daemon.name, wanted.daemon.command)
            }
            Self::Proxy(socket) => write!(f, "let a program speak with the Emperor on {socket}"),
            Self::CountWaiting(most) => write!(f, "ask for a zerg when {most} connections wait"),
            Self::Set(setting) => setting.fmt(f),
            Self::EnterCgroups(cgroups) => write!(f, "enter cgroups {}", cgroups.paths.join(", ")),
            Self::Bound(keep) => write!(f, "reduce the bounding set to {keep}"),
            Self::Identity(wanted, keep) => write!(f, "become {wanted} (keeps capabilities: {keep})"),
            Self::Owner(uid, gid) => {
                write!(f, "become uid {uid} gid {gid} in one more user namespace (keeps capabilities: none)")
            }
            Self::Already(wanted) => write!(f, "check that we are {wanted}"),
            Self::Capabilities(keep) | Self::RootCapabilities(keep) => {
                write!(f, "reduce capabilities to {keep}")
            }
            Self::NoNewPrivs => f.write_str("forbid new privileges"),
            Self::Filter(filter) => write!(f, "filter system calls ({})", filter.refused),
            Self::Confine(limit) => limit.fmt(f),
            Self::DieWithParent => f.write_str("die when the Emperor dies"),
            Self::Directory(path) => write!(f, "change directory to {}", path.display()),
            Self::LogTo(path) => write!(f, "log to {}", path.display()),
            Self::WriteLog(wanted) => wanted.fmt(f),
            Self::Listen(..) => f.write_str("make a NOTIFY_SOCKET"),
            Self::Subscribe(subscriptions) => {
                let keys: Vec<&str> = subscriptions.list.iter().map(|one| one.value.key.as_str()).collect();
                write!(f, "announce {}", keys.join(", "))
            }
            Self::Start(argv) => write!(f, "start `{}`", argv.join(" ")),
        }
    }
}

/// Ids of a user namespace and what they are outside.
struct Range<'a>(&'a Extent);

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extent { inside, outside, count } = *self.0;
        match count.saturating_sub(1) {
            0 => write!(f, "{inside} is {outside} outside"),
            more => write!(f, "{inside} to {} are {outside} to {} outside", inside + more, outside + more),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uid = self.uid.as_ref().map(|uid| format!("uid={uid}"));
        let gid = self.gid.as_ref().map(|gid| format!("gid={gid}"));
        let groups = self.add_gid.iter().map(|gid| format!("add-gid={gid}"));
        let alone = self.no_initgroups.then(|| "no-initgroups".to_owned());
        let words: Vec<String> = uid.into_iter().chain(gid).chain(groups).chain(alone).collect();
        f.write_str(&words.join(" "))
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Tcp(address) => write!(f, "{address}"),
            Address::Abstract(name) => write!(f, "@{name}"),
            Address::Inherited(number) => write!(f, "fd://{number}"),
            Address::Unix(path) => {
                write!(f, "{} (mode {:04o}", path.display(), self.mode)?;
                self.owner.as_ref().map_or(Ok(()), |owner| write!(f, ", owner {owner}"))?;
                f.write_str(")")
            }
        }
    }
}
