//! Pure. One step of a jail, and the list of them that a plan is.

use std::ffi::CString;
use std::os::fd::RawFd;

use super::{Capabilities, Identity, Namespaces, Program, UserMap};

/// What is done to make one process, in order. `liege plan` prints it and a failure names its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Made by `clone3(2)` together with the process.
    pub namespaces: Namespaces,
    /// Walked by the child, first to last; the last one replaces it.
    pub steps: Vec<Step>,
    /// The whole environment of the program and of the hooks.
    pub environment: Vec<CString>,
}

impl Plan {
    /// True when a step may take its time (it runs a program), so that the child needs a memory of its own:
    /// the spawner is held up by nobody.
    pub fn can_wait(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Run(..)))
    }
}

/// When a program of a config is run; the names are those of the options (`exec-as-root` → `AsRoot`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is documented by the option of its name")]
pub enum Phase {
    AsEmperor,
    AsVassalBeforeDrop,
    AsVassal,
    PreJail,
    PostJail,
    InJail,
    AsRoot,
    AsUser,
    AsUserAtexit,
}

/// One step. Each is about one system call; `order.rs` says why it stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Own session (`setsid(2)`).
    NewSession,
    /// Single-id maps of the user namespace.
    MapUser(UserMap),
    /// Into a network namespace made beforehand.
    JoinNetwork(RawFd),
    /// New namespaces for a process that is already there (`unshare(2)`).
    Unshare(Namespaces),
    /// Mounts of ours are seen by nobody else, and nobody's new ones by us.
    PrivateMounts,
    /// A fresh `/proc`: nosuid, nodev, noexec.
    MountProc,
    /// `lo` up.
    LoopbackUp,
    /// Host name.
    Hostname(String),
    /// A program of the administrator, run to its end; a status other than 0 ends the jail.
    Run(Phase, Program),
    /// Working directory.
    Directory(RawFd),
    /// Working directory by path, taken with the rights the process has then.
    ChangeDirectory(CString),
    /// Bounding set reduced to these.
    Bound(Capabilities),
    /// Supplementary groups, gid, uid, in this order, keeping these capabilities.
    Identity(Identity, Capabilities),
    /// Permitted, effective, inheritable and ambient set are exactly these.
    Capabilities(Capabilities),
    /// No program run from here on gains privileges.
    NoNewPrivs,
    /// SIGKILL when the parent dies.
    DieWithParent,
    /// Signal dispositions and mask as a fresh process has them.
    DefaultSignals,
    /// These descriptors, as (here, there), and no other.
    Descriptors(Vec<(RawFd, RawFd)>),
    /// Becomes the program.
    Exec(Program),
}
