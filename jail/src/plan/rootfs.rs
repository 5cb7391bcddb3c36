//! Pure. The root file system of a jail: what is mounted where, in which order, with which attributes.

use std::fmt;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

/// What a jail sees as its file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rootfs {
    /// What `/` is.
    pub root: Root,
    /// What is mounted below it, first to last: what lies below another comes after it.
    pub mounts: Vec<Mount>,
    /// What becomes of the root that was there before; only where `root` is another one.
    pub old: Old,
}

/// What `/` is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Root {
    /// The root that is there stays.
    #[default]
    Present,
    /// This directory with all mounts below it.
    Directory(PathBuf, Attributes),
    /// The same, and whose its files are.
    Owned(PathBuf, Attributes, Owners),
    /// This directory as it is now and then; changes go to memory and end with the jail.
    Overlay(PathBuf, Attributes),
}

/// What becomes of the old root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Old {
    /// It is left behind at once.
    #[default]
    Left,
    /// It is found at this path of the new root until somebody leaves it (`OldRoot::leave`).
    Kept(PathBuf),
}

/// One thing below the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Absolute, in the new root.
    pub target: PathBuf,
    /// What is there.
    pub source: Source,
    /// What it has at least, also in the mounts below it.
    pub attributes: Attributes,
}

/// What is mounted, or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory or file of the old root.
    Tree(PathBuf, Depth),
    /// A directory or file of the old root whose files are somebody else's on disk.
    Owned(PathBuf, Depth, Owners),
    /// A directory of the old root with all mounts below it, as it was before any of this was done.
    Before(PathBuf),
    /// Memory that ends with the jail; bytes at most (none: a tenth of the machine's), and mode of its root.
    Memory(Option<u64>, u32),
    /// Processes of our pid namespace; those of others are hidden from each user.
    Proc,
    /// Terminals of its own; they are this group's where it has a number in our user namespace.
    Terminals(u32),
    /// What is there already, only with other attributes.
    Itself(Presence),
    /// Nothing, in the place of what is there.
    Nothing,
    /// A file with this text.
    Text(String),
    /// A file with what this file of the old root has in it now.
    Copy(PathBuf),
    /// A device that is nobody's: no mount, except where devices cannot be made.
    Device(Device, Made),
    /// A symbolic link: no mount.
    Link(&'static str),
    /// An empty directory: no mount.
    Directory,
    /// What is mounted there gets the attributes, alone or with all mounts below it: no mount of its own.
    Sealed(Presence, Depth),
    /// A mount that was made beforehand and is nowhere yet ([`crate::run::lend`]).
    Lent(RawFd),
}

/// Whose files are: on disk, and as the jail sees them. Nobody else has any there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owners {
    /// First uid and gid on disk.
    pub disk: u32,
    /// How many follow each other, at least one.
    pub count: u32,
    /// First uid and gid that are seen, once they are known.
    pub seen: Option<(u32, u32)>,
}

/// How much of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// One mount.
    One,
    /// All mounts below it too.
    All,
}

/// Whether something has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is an error if it is not.
    Needed,
    /// Nothing is done if it is not.
    Optional,
}

/// How a device gets into a jail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// `mknod(2)`.
    New,
    /// That of the old root: root of a user namespace makes no devices.
    Bound,
}

/// Files, directories and links that memory of so many bytes may have. The kernel counts no byte of an empty one, but each costs it
/// about a KiB. Whatever has content takes a page, so that programs meet the bound of bytes first.
pub fn files_max(bytes: u64) -> u64 {
    FILES_AT_LEAST + bytes / PAGE
}

/// Even where there is room for a few bytes only.
const FILES_AT_LEAST: u64 = 1024;
/// Bytes of the smallest page that any machine has.
const PAGE: u64 = 4096;

/// A character device of `/dev` with major and minor number (`devices.txt` of the kernel).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name below `/dev`.
    pub name: &'static str,
    /// Major and minor number.
    pub number: (u32, u32),
}

/// The devices that a program may expect anywhere.
pub const DEVICES: [Device; 6] = [
    Device { name: "null", number: (1, 3) },
    Device { name: "zero", number: (1, 5) },
    Device { name: "full", number: (1, 7) },
    Device { name: "random", number: (1, 8) },
    Device { name: "urandom", number: (1, 9) },
    Device { name: "tty", number: (5, 0) },
];

/// Where network devices in user space are made (`Documentation/networking/tuntap.rst`): by whoever has CAP_NET_ADMIN over the network
/// that he is in, so that to open it gives nobody anything.
pub const TUN: Device = Device { name: "net/tun", number: (10, 200) };

/// Symbolic links of a minimal `/dev`.
pub const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Attributes of a mount; the bits are those of `mount_setattr(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub u64);

impl Attributes {
    /// None.
    pub const NONE: Self = Self(0);
    /// Nobody writes to it by this mount.
    pub const RO: Self = Self(1);
    /// Setuid bits and capabilities of files mean nothing.
    pub const NOSUID: Self = Self(2);
    /// Devices cannot be opened.
    pub const NODEV: Self = Self(4);
    /// Nothing is executed.
    pub const NOEXEC: Self = Self(8);
    /// Files are somebody else's than on disk.
    pub const IDMAPPED: Self = Self(0x0010_0000);
    const NAMES: [(&'static str, Self); 5] = [
        ("ro", Self::RO),
        ("nosuid", Self::NOSUID),
        ("nodev", Self::NODEV),
        ("noexec", Self::NOEXEC),
        ("idmapped", Self::IDMAPPED),
    ];

    /// These and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These less `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True when all of `other` are among them.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The attribute of this name: `ro`, `nosuid`, `nodev`, `noexec`, `idmapped`.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, one)| *one)
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> =
            Self::NAMES.iter().filter(|(_, one)| self.has(*one)).map(|(name, _)| *name).collect();
        f.write_str(&names.join(","))
    }
}

/// For what has no business to change rights or reach hardware.
pub const HARMLESS: Attributes = Attributes::NOSUID.with(Attributes::NODEV);
/// The same for what holds no programs either.
pub const INERT: Attributes = HARMLESS.with(Attributes::NOEXEC);

impl Rootfs {
    /// True when `/` becomes another directory.
    pub fn moves(&self) -> bool {
        self.root != Root::Present
    }

    /// The same, with all that is somebody else's on disk seen as of this uid and gid, if nothing else is known.
    #[must_use]
    pub fn seen_as(&self, ids: (u32, u32)) -> Self {
        let mut rootfs = self.clone();
        if let Root::Owned(_, _, owners) = &mut rootfs.root {
            owners.seen.get_or_insert(ids);
        }
        for mount in &mut rootfs.mounts {
            if let Source::Owned(_, _, owners) = &mut mount.source {
                owners.seen.get_or_insert(ids);
            }
        }
        rootfs
    }

    /// Descriptors that it needs.
    pub fn lent(&self) -> impl Iterator<Item = RawFd> {
        self.mounts.iter().filter_map(|mount| match mount.source {
            Source::Lent(fd) => Some(fd),
            _ => None,
        })
    }

    /// True when something has to be kept ready outside of the new root while it is built.
    pub fn needs_stage(&self) -> bool {
        let staged =
            |mount: &Mount| matches!(mount.source, Source::Nothing | Source::Text(_) | Source::Copy(_));
        matches!(self.root, Root::Overlay(..)) || self.mounts.iter().any(staged)
    }
}

impl fmt::Display for Rootfs {
    /// One line for each thing that is done, in order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("build the file system")?;
        match &self.root {
            Root::Present => {}
            Root::Directory(path, attributes) => {
                write!(f, "\n    root: {}{}", path.display(), bracketed(*attributes))?;
            }
            Root::Owned(path, attributes, owners) => {
                write!(f, "\n    root: {}, {owners}{}", path.display(), bracketed(*attributes))?;
            }
            Root::Overlay(path, attributes) => {
                write!(f, "\n    root: {}, changes in memory{}", path.display(), bracketed(*attributes))?;
            }
        }
        self.mounts.iter().try_for_each(|mount| write!(f, "\n    {mount}"))?;
        match (&self.old, self.moves()) {
            (_, false) => {}
            (Old::Left, true) => f.write_str("\n    leave the old root behind")?,
            (Old::Kept(path), true) => write!(f, "\n    keep the old root at {} for now", path.display())?,
        }
        f.write_str("\n    read back what was mounted")
    }
}

impl fmt::Display for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |first: u32| match self.count {
            0 | 1 => format!("id {first}"),
            more => format!("ids {first} to {}", first.saturating_add(more - 1)),
        };
        write!(f, "files of {} on disk seen as ", ids(self.disk))?;
        match self.seen {
            None => f.write_str("the vassal's"),
            Some((uid, _)) => write!(f, "of {}", ids(uid)),
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.target.display();
        match &self.source {
            Source::Tree(path, Depth::One) => write!(f, "{target}: {}", path.display())?,
            Source::Tree(path, Depth::All) => {
                write!(f, "{target}: {} with all mounts below it", path.display())?
            }
            Source::Owned(path, depth, owners) => {
                let below = if *depth == Depth::All { " with all mounts below it" } else { "" };
                write!(f, "{target}: {}{below}, {owners}", path.display())?;
            }
            Source::Before(path) => write!(f, "{target}: {} as it was before", path.display())?,
            Source::Memory(None, _) => write!(f, "{target}: memory, at most a tenth of the machine's")?,
            Source::Memory(Some(size), _) => write!(f, "{target}: memory, at most {size} bytes")?,
            Source::Proc => write!(f, "{target}: proc of this pid namespace")?,
            Source::Terminals(_) => write!(f, "{target}: terminals of its own")?,
            Source::Itself(_) => write!(f, "{target}: as it is")?,
            Source::Nothing => write!(f, "{target}: hidden")?,
            Source::Text(_) => write!(f, "{target}: a file made for it")?,
            Source::Copy(path) => write!(f, "{target}: a copy of {}", path.display())?,
            Source::Device(device, Made::New) => return write!(f, "{target}: device {}", device.in_words()),
            Source::Device(device, Made::Bound) => {
                write!(f, "{target}: device {} as it is outside", device.in_words())?
            }
            Source::Link(to) => return write!(f, "{target}: link to {to}"),
            Source::Directory => return write!(f, "{target}: an empty directory"),
            Source::Sealed(_, Depth::All) => write!(f, "{target}: as it is")?,
            Source::Sealed(_, Depth::One) => write!(f, "{target}: nothing is made there any more")?,
            Source::Lent(_) => write!(f, "{target}: as it is outside")?,
        }
        f.write_str(&bracketed(self.attributes))
    }
}

impl Device {
    fn in_words(self) -> String {
        format!("{}:{}", self.number.0, self.number.1)
    }

    /// Where it is in every file system.
    pub fn path(self) -> PathBuf {
        Path::new("/dev").join(self.name)
    }
}

fn bracketed(attributes: Attributes) -> String {
    if attributes == Attributes::NONE { String::new() } else { format!(" ({attributes})") }
}
