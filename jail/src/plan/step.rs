//! Pure. One step of a jail, and the list of them that a plan is.

use std::ffi::CString;
use std::os::fd::RawFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    Awaited, Capabilities, ClockOffset, Errand, Fence, Filter, Identity, Namespaces, Program, Rootfs,
    Setting, UserMap,
};

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
    /// True when the child may take its time, or somebody may hold it up or tear it apart, so that it needs a
    /// memory of its own and nobody waits for it:
    ///
    /// - it runs a program of the administrator, or waits until its user map is written;
    /// - it takes another user's ids: from then on that user's processes may stop it (which would stop
    ///   everybody's spawns) or kill it between two instructions (which would leave shared memory half
    ///   written). Nothing a tenant can do to its own child may reach the spawner;
    /// - it gets clocks of its own, which the kernel gives to nobody who shares his memory;
    /// - it makes a network: that takes longer than all else together, and the next child can be made meanwhile.
    pub fn can_wait(&self) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Run(..) | Step::Errand(_) | Step::Await(_) | Step::MapUser(_) | Step::NewTime(_) => true,
            Step::Unshare(namespaces) => namespaces.has(Namespaces::NET),
            Step::Identity(who, _) | Step::IdentityKeepingGroups(who, _) => who.uid != 0,
            _ => false,
        })
    }

    /// The map that somebody outside must write, if there is one.
    pub fn map_from_outside(&self) -> Option<&UserMap> {
        self.steps.iter().find_map(|step| match step {
            Step::MapUser(map) if map.groups => Some(map),
            _ => None,
        })
    }
}

/// When something of a config is done; the names are those of the options (`exec-as-root` → `AsRoot`), and their order is that of a
/// life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is documented by the option of its name")]
pub enum Phase {
    EmperorStart,
    AsEmperorBeforeVassal,
    AsVassalBeforeDrop,
    AsVassal,
    AsEmperor,
    AsEmperorSetns,
    AsOnDemandVassal,
    AsOnConfigVassal,
    Asap,
    PreJail,
    PostJail,
    InJail,
    AsRoot,
    AsUser,
    PreApp,
    PostApp,
    MasterStart,
    Accepting,
    AcceptingOnce,
    Accepting1,
    Accepting1Once,
    Touch,
    EmperorReload,
    EmperorStop,
    EmperorLost,
    AsUserAtexit,
}

/// One step. Each is about one system call; `order.rs` says why it stands where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Own session (`setsid(2)`).
    NewSession,
    /// A limit, a priority, a mask, a keyring: whatever is passed on to all that is run.
    Set(Setting),
    /// The ids of the user namespace. Where `groups` stays allowed, the kernel wants them written from
    /// outside: the spawner does so, and the child waits for it here.
    MapUser(UserMap),
    /// Into a network namespace made beforehand.
    JoinNetwork(RawFd),
    /// New namespaces for a process that is already there (`unshare(2)`).
    Unshare(Namespaces),
    /// Into a new time namespace whose clocks are ahead by these, each named once.
    NewTime(Vec<ClockOffset>),
    /// Mounts of ours are seen by nobody else, and nobody's new ones by us.
    PrivateMounts,
    /// A fresh `/proc`: nosuid, nodev, noexec.
    MountProc,
    /// Files are made as this user and group of the user namespace.
    FileIds(u32, u32),
    /// A file system of its own.
    Mounts(Rootfs),
    /// `lo` up.
    LoopbackUp,
    /// Host name.
    Hostname(String),
    /// No mount that we see honours setuid bits, setgid bits and capabilities of files.
    NosuidMounts,
    /// A program of the administrator, run to its end; a status other than 0 ends the jail.
    Run(Phase, Program),
    /// The same by a program of ours.
    Errand(Errand),
    /// Somebody outside does something first.
    Await(Awaited),
    /// Working directory.
    Directory(RawFd),
    /// The same among the process's own mounts; `/` where it has another path there, or none.
    DirectoryAmongOurs(RawFd),
    /// Working directory by the path that it has in the process's own mounts; `/` where it has none there.
    DirectoryBelow(RawFd, PathBuf),
    /// Working directory by path, taken with the rights the process has then.
    ChangeDirectory(CString),
    /// Bounding set reduced to these.
    Bound(Capabilities),
    /// Supplementary groups, gid, uid, in this order, keeping these capabilities; root's are not inheritable.
    Identity(Identity, Capabilities),
    /// Gid and uid, keeping these capabilities, in a user namespace whose map gave up `setgroups(2)`: the
    /// supplementary groups of whoever made it stay, for nobody can change them there.
    IdentityKeepingGroups(Identity, Capabilities),
    /// Permitted, effective, inheritable and ambient set are exactly these.
    Capabilities(Capabilities),
    /// Permitted and effective set are exactly these, inheritable and ambient set empty: of root, which has them again in
    /// what it runs, as far as the bounding set goes.
    RootCapabilities(Capabilities),
    /// No program run from here on gains privileges.
    NoNewPrivs,
    /// Behind a fence from here on.
    Landlock(Fence),
    /// System calls are filtered from here on, also for every program that is run.
    Filter(Filter),
    /// SIGKILL when the parent dies.
    DieWithParent,
    /// Signal dispositions and mask as a fresh process has them.
    DefaultSignals,
    /// These descriptors, as (here, there), and no other.
    Descriptors(Vec<(RawFd, RawFd)>),
    /// Becomes the program.
    Exec(Program),
}
