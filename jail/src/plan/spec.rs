//! Pure. What a jail should be, before it is put into order.

use std::ffi::CString;
use std::os::fd::RawFd;
use std::path::PathBuf;

use super::{Awaited, Capabilities, Errand, Filter, Namespaces, Phase, Rootfs, Scopes, Setting};

/// One process to be born: its namespaces, its identity, what it may do, and what it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Namespaces made together with the process.
    pub namespaces: Namespaces,
    /// Where a network namespace comes from; only read when `namespaces` has `net`.
    pub network: Network,
    /// Written by the child itself; needed when `namespaces` has `user`.
    pub user_map: Option<UserMap>,
    /// A fresh `/proc`; needs `fs` and `pid` namespaces.
    pub proc: bool,
    /// A file system of its own, in the place of that `/proc`; needs an `fs` namespace.
    pub mounts: Option<Rootfs>,
    /// Who makes what is made for those mounts, in the process's own user namespace.
    pub file_ids: Option<(u32, u32)>,
    /// Host name inside; needs a `uts` namespace.
    pub hostname: Option<String>,
    /// Programs of the administrator run before the identity is taken (`Phase::AsVassalBeforeDrop`) and
    /// after it (`Phase::AsVassal`), in this order, each to its end.
    pub hooks: Vec<(Phase, Program)>,
    /// Done outside, by whoever holds the other end, before anything of the vassal's runs.
    pub awaited: Option<Awaited>,
    /// Done by a program of ours, before those programs of the same phase, in this order.
    pub errands: Vec<Errand>,
    /// `None` keeps the identity of the parent.
    pub identity: Option<Identity>,
    /// The bounding set is reduced to these and to what is kept, which needs `CAP_SETPCAP` (a fresh user
    /// namespace gives it); `None` leaves it as it is, for a process that has no right to give away.
    pub bounding: Option<Capabilities>,
    /// Kept over the change of identity and over exec (permitted, effective, inheritable, ambient).
    pub keep: Capabilities,
    /// Gains no privileges by whatever it runs (`PR_SET_NO_NEW_PRIVS`, and `nosuid` for mounts of its own).
    pub no_new_privs: bool,
    /// What reaches nobody outside of the jail; only with `no_new_privs`.
    pub scopes: Scopes,
    /// What it may ask of the kernel; only with `no_new_privs`, without which a filter would need CAP_SYS_ADMIN.
    pub filters: Vec<Filter>,
    /// Killed when its parent (the emperor) dies.
    pub dies_with_parent: bool,
    /// Own session, so that no terminal of ours can be reached.
    pub session: bool,
    /// Made before anything else is done, in this order.
    pub settings: Vec<Setting>,
    /// Working directory, as a descriptor of the parent.
    pub directory: Option<RawFd>,
    /// Working directory by path, entered last and with the rights of the program.
    pub arrival: Option<CString>,
    /// The path of that directory: it is entered in the mounts of the process itself.
    pub directory_path: Option<PathBuf>,
    /// Descriptors of the parent that stay open, as (here, there): 0, 1 and 2 are given the same way.
    /// Everything not listed is closed.
    pub descriptors: Vec<(RawFd, RawFd)>,
    /// What is run at the end.
    pub program: Program,
    /// The whole environment of the program, each `NAME=value`.
    pub environment: Vec<CString>,
}

/// Where the network namespace of a jail comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Made together with the process, `lo` brought up inside.
    #[default]
    Fresh,
    /// A namespace never used before, made beforehand with `lo` up; this descriptor names it. Together with a
    /// user namespace a fresh one is made all the same: root of that may enter none that it does not own.
    Pooled(RawFd),
}

/// Who a process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// User id, in the process's own user namespace.
    pub uid: u32,
    /// Group id, in the process's own user namespace.
    pub gid: u32,
    /// Supplementary groups: exactly these.
    pub groups: Vec<u32>,
}

/// The ids of a user namespace (`user_namespaces(7)`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserMap {
    /// User ids.
    pub uid: Vec<Extent>,
    /// Group ids.
    pub gid: Vec<Extent>,
    /// False where the writer lacks `CAP_SETGID` outside and must give up `setgroups(2)`.
    pub groups: bool,
}

/// Ids of a user namespace that follow each other, and what they are outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// First id inside.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl Extent {
    /// One id.
    pub const fn one(inside: u32, outside: u32) -> Self {
        Self { inside, outside, count: 1 }
    }
}

/// A program and its arguments (`argv[0]` included).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// An open executable, run by descriptor (`execveat(2)`, `AT_EMPTY_PATH`).
    Descriptor(RawFd, Vec<CString>),
    /// A path, or a name that is looked up in these directories.
    Path {
        /// Name or path.
        file: CString,
        /// Absolute directories, tried in order, for a name without `/`.
        search: Vec<CString>,
        /// Arguments, `argv[0]` first.
        argv: Vec<CString>,
    },
    /// Several, tried in this order: the first one that can be run is.
    First(Vec<Program>),
}

impl Default for Program {
    fn default() -> Self {
        Self::Path { file: CString::default(), search: Vec::new(), argv: Vec::new() }
    }
}
