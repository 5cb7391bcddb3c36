//! Hooks that mount and unmount. The place is an open directory (or file) before anything is done to it.

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use jail::sys;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_change, mount_remount,
    move_mount, open_tree,
};
use rustix::process::fchdir;

use super::spot::{Last, find};
use crate::config::hook::{Depth, Mount, MountKind, Unmount};

/// Rounds of unmounting: in each, what was below the mounts of the one before can go.
const ROUNDS_MAX: usize = 32;
/// The longest table of mounts that is read.
const TABLE_MAX: u64 = 16 << 20;

type Base<'a> = Option<&'a OwnedFd>;

/// Changes the tree of mounts.
///
/// # Errors
/// Those of `find`, and of mount(2), move_mount(2), open_tree(2) and mount_setattr(2).
pub fn mount(base: Base<'_>, mount: &Mount) -> Result<(), Errno> {
    let at = find(base, &mount.at, Last::Followed)?.look()?;
    match &mount.kind {
        MountKind::Bind(what, depth) => bind(base, (what, *depth), &at, mount.flags),
        MountKind::Move(what) => place(&find(base, what, Last::Followed)?.look()?, &at),
        MountKind::New(fs, what, data) => inside(&at, || {
            let data = CString::new(data.as_str()).map_err(|_| Errno::INVAL)?;
            rustix::mount::mount(what, ".", fs, mount.flags, data.as_c_str())
        }),
        MountKind::Remount(data) => inside(&at, || {
            let data = CString::new(data.as_str()).map_err(|_| Errno::INVAL)?;
            mount_remount(".", mount.flags, &data)
        }),
        MountKind::Propagation(kind) => inside(&at, || mount_change(".", *kind)),
    }
}

/// Takes a mount away, and with `rec` first all below it.
///
/// # Errors
/// Those of `find` and umount2(2); with `rec`, no `/proc` to find the mounts by.
pub fn unmount(base: Base<'_>, unmount: &Unmount) -> Result<(), Errno> {
    if unmount.depth == Depth::Below {
        for _ in 0..ROUNDS_MAX {
            let top = shown(base, &unmount.at)?;
            let below: Vec<PathBuf> =
                mounts()?.into_iter().filter(|at| *at != top && at.starts_with(&top)).collect();
            // The youngest first: it may stand on another one.
            let gone = below.iter().rev().filter(|at| take(None, at, unmount.flags).is_ok()).count();
            if gone == 0 {
                break;
            }
        }
    }
    take(base, &unmount.at, unmount.flags)
}

/// What is mounted at a name in an open directory. An open mount point itself would be busy.
fn take(base: Base<'_>, at: &Path, flags: UnmountFlags) -> Result<(), Errno> {
    let spot = find(base, at, Last::Followed)?;
    inside(&spot.directory, || rustix::mount::unmount(&spot.name, flags | UnmountFlags::NOFOLLOW))
}

/// The attributes hold before anybody sees the mount.
fn bind(base: Base<'_>, (what, depth): (&Path, Depth), at: &OwnedFd, flags: MountFlags) -> Result<(), Errno> {
    let what = find(base, what, Last::Followed)?.look()?;
    let deep = if depth == Depth::Below { OpenTreeFlags::AT_RECURSIVE } else { OpenTreeFlags::empty() };
    let copy =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(&what, "", copy | deep)?;
    let attributes = attributes(flags);
    if !attributes.is_empty() {
        sys::set_mount_attributes(tree.as_fd(), attributes.bits().into(), depth == Depth::Below)?;
    }
    place(&tree, at)
}

fn place(tree: &OwnedFd, at: &OwnedFd) -> Result<(), Errno> {
    let by_descriptor = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", at, "", by_descriptor)
}

/// The same attributes for mount_setattr(2); the others are those of a file system, which a bind does not change.
fn attributes(flags: MountFlags) -> MountAttrFlags {
    let table = [
        (MountFlags::RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (MountFlags::NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (MountFlags::NODEV, MountAttrFlags::MOUNT_ATTR_NODEV),
        (MountFlags::NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (MountFlags::NOATIME, MountAttrFlags::MOUNT_ATTR_NOATIME),
        (MountFlags::STRICTATIME, MountAttrFlags::MOUNT_ATTR_STRICTATIME),
        (MountFlags::NODIRATIME, MountAttrFlags::MOUNT_ATTR_NODIRATIME),
        (MountFlags::NOSYMFOLLOW, MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW),
    ];
    table.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, attribute)| *attribute).collect()
}

/// Does it with this working directory, and comes back: the old calls know no descriptors.
fn inside(directory: &OwnedFd, act: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    let before = openat(CWD, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    fchdir(directory)?;
    let done = act();
    fchdir(&before).and(done)
}

/// A path as the table of mounts has it.
fn shown(base: Base<'_>, path: &Path) -> Result<PathBuf, Errno> {
    let file = find(base, path, Last::Followed)?.look()?;
    let link = rustix::fs::readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new())?;
    Ok(OsString::from_vec(link.into_bytes()).into())
}

/// Where mounts are, the oldest first.
fn mounts() -> Result<Vec<PathBuf>, Errno> {
    let table = File::open("/proc/self/mountinfo").map_err(|_| Errno::NOENT)?;
    let mut text = Vec::new();
    table.take(TABLE_MAX).read_to_end(&mut text).map_err(|_| Errno::IO)?;
    let place = |line: &[u8]| line.split(|byte| *byte == b' ').nth(4).map(unescaped);
    Ok(text.split(|byte| *byte == b'\n').filter_map(place).collect())
}

/// `\040` and the like, as proc(5) writes blanks, tabs, newlines and backslashes.
fn unescaped(text: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(text.len());
    let mut left = text;
    while let Some((byte, rest)) = left.split_first() {
        let octal = rest
            .get(..3)
            .filter(|digits| *byte == b'\\' && digits.iter().all(|one| matches!(one, b'0'..=b'7')));
        let code = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        path.push(code.unwrap_or(*byte));
        left = if code.is_some() { &rest[3..] } else { rest };
    }
    PathBuf::from(OsStr::from_bytes(&path))
}
