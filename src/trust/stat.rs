//! statx(2), as facts to be judged.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Statx, StatxAttributes, StatxFlags, fstatfs, getxattr, readlink, statx};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::fingerprint::Identity;
use super::judge::{Facts, Kind};
use crate::emperor::event::Owner;
use crate::names;

/// File systems whose files are made up when they are read: reading may wait, and means nothing.
const MADE_UP: [(u32, &str); 8] = [
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x6270_6673, "bpf"),
    (0x7363_6673, "securityfs"),
    (0x6367_7270, "cgroup2"),
    (0x0027_e0eb, "cgroup"),
];

/// One thing in the file system, as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// What is judged.
    pub facts: Facts,
    /// What a change is seen by.
    pub identity: Identity,
    /// Change time: seconds and nanoseconds. Nothing about an inode changes without it.
    pub ctime: (i64, u32),
    /// The mount that it was reached by.
    pub mount: u64,
    /// It is where that mount begins.
    pub mount_root: bool,
}

/// Stats what `path` names below `at` without following a link; the descriptor itself when `path` is empty.
pub fn stat(at: BorrowedFd<'_>, path: &CStr) -> Result<Stat, Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let found = statx(at, path, flags, StatxFlags::BASIC_STATS | StatxFlags::MNT_ID)?;
    Ok(Stat {
        facts: facts(&found),
        identity: identity(&found),
        ctime: (found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec),
        mount: found.stx_mnt_id,
        mount_root: found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
    })
}

/// The name of the made-up file system that this is on, if it is.
pub fn made_up(file: BorrowedFd<'_>, stat: &Stat) -> Result<Option<&'static str>, Errno> {
    if stat.identity.device.0 != 0 {
        return Ok(None);
    }
    // The field is as wide as a word; the magic numbers have 32 bits.
    let magic = fstatfs(file)?.f_type as u32;
    Ok(MADE_UP.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name))
}

/// Whether group-write on a directory harms nobody: the group is the owner's own, and no access list widens it.
pub fn has_private_group(path: &CStr, facts: &Facts) -> bool {
    let listed = getxattr(path, c"system.posix_acl_access", &mut [0u8; 1024][..]);
    let plain = matches!(listed, Err(Errno::NODATA | Errno::OPNOTSUPP));
    plain && names::is_private_group(facts.owner.uid, facts.owner.gid)
}

/// Where the kernel says that an open file is, fit to be shown.
pub fn path_of(file: BorrowedFd<'_>) -> String {
    let path = readlink(proc_path(file), Vec::new());
    path.map_or_else(|_| "?".into(), |path| path.to_string_lossy().escape_debug().to_string())
}

/// The name that leads to the very inode of a descriptor, and to nothing else.
pub fn proc_path(file: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn facts(found: &Statx) -> Facts {
    Facts {
        kind: kind(found.stx_mode),
        owner: Owner { uid: found.stx_uid, gid: found.stx_gid },
        mode: u32::from(found.stx_mode) & 0o7777,
        links: found.stx_nlink,
        size: found.stx_size,
        private_group: false,
    }
}

fn identity(found: &Statx) -> Identity {
    Identity {
        device: (found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
        mtime: (found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec),
    }
}

fn kind(mode: u16) -> Kind {
    match FileType::from_raw_mode(mode.into()) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Device,
        FileType::Unknown => Kind::Unknown,
    }
}
