//! `mount_setattr(2)`: attributes of a whole tree of mounts, all or none.
#![allow(unsafe_code, reason = "rustix has no mount_setattr")]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::io::Errno;

use crate::plan::Attributes;

/// Sets `nosuid` on the root of this mount namespace and on every mount below it.
///
/// The kernel looks at all of them before it changes the first: after a success there is none without.
///
/// Must: run in a mount namespace of our own.
///
/// # Errors
/// `ENOSYS` before Linux 5.12, `EPERM` without CAP_SYS_ADMIN over this mount namespace.
pub(crate) fn nosuid_below_root() -> Result<(), Errno> {
    set(libc::AT_FDCWD, c"/", libc::AT_RECURSIVE, &attributes(Attributes::NOSUID))
}

/// Sets attributes on the mount that `tree` is the root of, and on all mounts below it, and cuts them off from their peers.
///
/// # Errors
/// `ENOSYS` before Linux 5.12, `EINVAL` where `tree` is no root of a mount, `EPERM`.
pub(crate) fn set_attributes(tree: BorrowedFd<'_>, wanted: Attributes) -> Result<(), Errno> {
    set_private(tree, attributes(wanted))
}

/// The same, with files seen as the ids of the user namespace `users` are outside of it (`Attributes::IDMAPPED`).
///
/// # Errors
/// `EINVAL` where a file system of the tree cannot do that, or shows its files that way already; `EPERM`.
pub(crate) fn set_owners(
    tree: BorrowedFd<'_>,
    wanted: Attributes,
    users: BorrowedFd<'_>,
) -> Result<(), Errno> {
    let mut attributes = attributes(wanted);
    attributes.userns_fd = users.as_raw_fd().try_into().map_err(|_| Errno::BADF)?;
    set_private(tree, attributes)
}

fn set_private(tree: BorrowedFd<'_>, mut attributes: libc::mount_attr) -> Result<(), Errno> {
    attributes.propagation = libc::MS_PRIVATE;
    set(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &attributes)
}

/// Sets attributes (`MOUNT_ATTR_*`) of the mount that `tree` is the root of, and with `recursive` of all below it.
///
/// # Errors
/// `ENOSYS` before Linux 5.12, `EPERM` without CAP_SYS_ADMIN over its mount namespace, `EINVAL` for no root.
pub fn set_mount_attributes(tree: BorrowedFd<'_>, wanted: u64, recursive: bool) -> Result<(), Errno> {
    let deep = if recursive { libc::AT_RECURSIVE } else { 0 };
    let mut attributes = attributes(Attributes(wanted));
    if wanted & libc::MOUNT_ATTR__ATIME != 0 {
        // The kinds of atime are one number, which has to be cleared as a whole.
        attributes.attr_clr = libc::MOUNT_ATTR__ATIME;
    }
    set(tree.as_raw_fd(), c"", deep | libc::AT_EMPTY_PATH, &attributes)
}

fn attributes(wanted: Attributes) -> libc::mount_attr {
    // SAFETY: all zero is a valid mount_attr: nothing to set, nothing to clear.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = wanted.0;
    attributes
}

fn set(directory: RawFd, path: &CStr, flags: i32, attributes: &libc::mount_attr) -> Result<(), Errno> {
    let (path, size) = (path.as_ptr(), size_of::<libc::mount_attr>());
    // SAFETY: the kernel reads a string and a whole mount_attr of the size given; both outlive the call.
    super::answer(unsafe {
        libc::syscall(libc::SYS_mount_setattr, directory, path, flags, &raw const *attributes, size)
    })
    .map(|_| ())
}
