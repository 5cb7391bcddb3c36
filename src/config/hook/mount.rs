//! Pure. Mounts of hooks: `FS WHAT WHERE [FLAGS [DATA]]`, and `WHERE [FLAGS]` of what is unmounted.
//!
//! Flags are those of mount(8), each of a table of its own: none of `umount` means something in a mount. What they become are
//! sets of the kernel's bits, of the crate that also has its calls: numbers, of which nothing here is a call.

use std::path::PathBuf;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::{path, words};
use crate::config::show::quoted;
use crate::config::values::{Wrong, wrong};

const GRAMMAR: &str = "write FS WHAT WHERE [FLAGS [DATA]], such as: tmpfs none /tmp nosuid,nodev size=64m";
const FLAGS: &str =
    "use flags of mount(8): ro, nosuid, nodev, noexec, noatime, bind, rbind, rec, remount, move, private, …";

const DATA: &str = "options of the file system stand behind the flags: tmpfs none /tmp defaults size=64m";

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What kind of change it is.
    pub kind: MountKind,
    /// Where it is seen.
    pub at: PathBuf,
    /// Its attributes (`ro`, `nosuid` …).
    pub flags: MountFlags,
}

/// What is done to the tree of mounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// A file system: its type, its device, its own options.
    New(String, String, String),
    /// What is there is seen here as well, with what is mounted below it if `rec`.
    Bind(PathBuf, Depth),
    /// A mount is taken from there to here.
    Move(PathBuf),
    /// Attributes of the mount that is there (with `bind`) or of its file system, with its own options.
    Remount(String),
    /// Who sees mounts that are made here later.
    Propagation(MountPropagationFlags),
}

/// How far a bind goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// This mount alone.
    Alone,
    /// With all mounts below it.
    Below,
}

/// A mount less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmount {
    /// Where it is.
    pub at: PathBuf,
    /// `force`, `detach`.
    pub flags: UnmountFlags,
    /// `rec`: with all mounts below it.
    pub depth: Depth,
}

/// Flags as written, sorted by what they mean.
struct Flags {
    on: MountFlags,
    change: Option<Change>,
    recursive: bool,
    propagation: Option<MountPropagationFlags>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Bind,
    Move,
    Remount,
    RemountBind,
}

/// Reads a mount.
///
/// # Errors
/// Missing words, unknown flags, flags that contradict each other.
pub fn mount(text: &str) -> Result<Mount, Wrong> {
    // uWSGI lets the type of a bind be nothing at all.
    let named = if text.starts_with(' ') { format!("none{text}") } else { text.to_owned() };
    let found = words(&named);
    let [fs, what, at, rest @ ..] = &found[..] else {
        return wrong("a mount has three words or more", GRAMMAR);
    };
    let flags = flags(rest.first().copied().unwrap_or("defaults"))?;
    let data = rest.get(1..).unwrap_or_default().join(" ");
    Ok(Mount { kind: kind(fs, what, data, &flags)?, at: path(at)?, flags: flags.attributes() })
}

/// Reads what is to be unmounted.
///
/// # Errors
/// No place, or unknown flags.
pub fn unmount(text: &str) -> Result<Unmount, Wrong> {
    let cure = "write WHERE [FLAGS], with flags: force, detach, rec";
    let (at, names) = match words(text)[..] {
        [at] => (at, ""),
        [at, names] => (at, names),
        _ => return wrong("an umount has one word or two", cure),
    };
    let mut unmount = Unmount { at: path(at)?, flags: UnmountFlags::empty(), depth: Depth::Alone };
    for name in names.split(',').filter(|name| !name.is_empty()) {
        match name {
            "force" => unmount.flags |= UnmountFlags::FORCE,
            "detach" | "lazy" => unmount.flags |= UnmountFlags::DETACH,
            "rec" | "recursive" => unmount.depth = Depth::Below,
            _ => return wrong(format!("{} is no flag of umount", quoted(name)), cure),
        }
    }
    Ok(unmount)
}

fn kind(fs: &str, what: &str, data: String, flags: &Flags) -> Result<MountKind, Wrong> {
    let depth = if flags.recursive { Depth::Below } else { Depth::Alone };
    match (flags.change, flags.propagation) {
        (Some(_), Some(_)) => wrong(
            "a mount cannot be made and its propagation changed at once",
            "write two mounts, one after the other",
        ),
        (None, Some(kind)) if flags.recursive => {
            Ok(MountKind::Propagation(kind | MountPropagationFlags::REC))
        }
        (None, Some(kind)) => Ok(MountKind::Propagation(kind)),
        (Some(Change::Bind), None) => path(what).map(|what| MountKind::Bind(what, depth)),
        (Some(Change::Move), None) => path(what).map(MountKind::Move),
        (Some(Change::Remount | Change::RemountBind), None) => Ok(MountKind::Remount(data)),
        (None, None) if flags.recursive => wrong("`rec` without `bind` or a propagation", FLAGS),
        (None, None) => Ok(MountKind::New(fs.to_owned(), what.to_owned(), data)),
    }
}

fn flags(text: &str) -> Result<Flags, Wrong> {
    let mut flags = Flags { on: MountFlags::empty(), change: None, recursive: false, propagation: None };
    for name in text.split(',') {
        if !(flags.attribute(name) || flags.shape(name) || flags.propagate(name)) {
            let cure = if name.contains('=') { DATA } else { FLAGS };
            return wrong(format!("{} is no flag of a mount", quoted(name)), cure);
        }
    }
    Ok(flags)
}

impl Flags {
    /// Attributes to set; of two that contradict each other the later one counts, as in mount(8).
    fn attributes(&self) -> MountFlags {
        let of_mount = matches!(self.change, Some(Change::RemountBind));
        self.on | if of_mount { MountFlags::BIND } else { MountFlags::empty() }
    }

    fn attribute(&mut self, name: &str) -> bool {
        let (flag, on) = match name {
            "ro" | "rdonly" | "readonly" => (MountFlags::RDONLY, true),
            "rw" => (MountFlags::RDONLY, false),
            "nosuid" => (MountFlags::NOSUID, true),
            "suid" => (MountFlags::NOSUID, false),
            "nodev" => (MountFlags::NODEV, true),
            "dev" => (MountFlags::NODEV, false),
            "noexec" => (MountFlags::NOEXEC, true),
            "exec" => (MountFlags::NOEXEC, false),
            "sync" => (MountFlags::SYNCHRONOUS, true),
            "async" => (MountFlags::SYNCHRONOUS, false),
            "dirsync" => (MountFlags::DIRSYNC, true),
            "mand" | "mandlock" => (MountFlags::PERMIT_MANDATORY_FILE_LOCKING, true),
            "nomand" => (MountFlags::PERMIT_MANDATORY_FILE_LOCKING, false),
            "noatime" => (MountFlags::NOATIME, true),
            "atime" => (MountFlags::NOATIME, false),
            "nodiratime" => (MountFlags::NODIRATIME, true),
            "diratime" => (MountFlags::NODIRATIME, false),
            "relatime" => (MountFlags::RELATIME, true),
            "norelatime" => (MountFlags::RELATIME, false),
            "strictatime" => (MountFlags::STRICTATIME, true),
            "nostrictatime" => (MountFlags::STRICTATIME, false),
            "lazytime" => (MountFlags::LAZYTIME, true),
            "nolazytime" => (MountFlags::LAZYTIME, false),
            "nosymfollow" => (MountFlags::NOSYMFOLLOW, true),
            "silent" => (MountFlags::SILENT, true),
            "loud" => (MountFlags::SILENT, false),
            _ => return name == "defaults",
        };
        self.on.set(flag, on);
        true
    }

    fn shape(&mut self, name: &str) -> bool {
        let change = match name {
            "bind" | "rbind" => Change::Bind,
            "move" => Change::Move,
            "remount" => Change::Remount,
            "rec" | "recursive" => {
                self.recursive = true;
                return true;
            }
            _ => return false,
        };
        self.recursive |= name == "rbind";
        self.change = Some(match (self.change, change) {
            (Some(Change::Bind), Change::Remount) | (Some(Change::Remount), Change::Bind) => {
                Change::RemountBind
            }
            (Some(Change::RemountBind), Change::Bind | Change::Remount) => Change::RemountBind,
            _ => change,
        });
        true
    }

    fn propagate(&mut self, name: &str) -> bool {
        let kind = match name.strip_prefix('r').unwrap_or(name) {
            "private" => MountPropagationFlags::PRIVATE,
            "shared" => MountPropagationFlags::SHARED,
            "slave" => MountPropagationFlags::DOWNSTREAM,
            "unbindable" => MountPropagationFlags::UNBINDABLE,
            _ => return false,
        };
        self.recursive |= name.starts_with('r');
        self.propagation = Some(kind);
        true
    }
}
