//! `mount_setattr(2)`: attributes of a whole tree of mounts, all or none.
#![allow(unsafe_code, reason = "rustix has no mount_setattr")]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::io::Errno;

/// Sets `nosuid` on the root of this mount namespace and on every mount below it.
///
/// The kernel looks at all of them before it changes the first: after a success there is none without.
///
/// Must: run in a mount namespace of our own.
///
/// # Errors
/// `ENOSYS` before Linux 5.12, `EPERM` without CAP_SYS_ADMIN over this mount namespace.
pub(crate) fn nosuid_below_root() -> Result<(), Errno> {
    mount_setattr(libc::AT_FDCWD, c"/", libc::AT_RECURSIVE, libc::MOUNT_ATTR_NOSUID)
}

/// Sets attributes (`MOUNT_ATTR_*`) of the mount that `tree` is the root of, and with `recursive` of all below it.
///
/// # Errors
/// `ENOSYS` before Linux 5.12, `EPERM` without CAP_SYS_ADMIN over its mount namespace, `EINVAL` for no root.
pub fn set_mount_attributes(tree: BorrowedFd<'_>, set: u64, recursive: bool) -> Result<(), Errno> {
    let deep = if recursive { libc::AT_RECURSIVE } else { 0 };
    mount_setattr(tree.as_raw_fd(), c"", deep | libc::AT_EMPTY_PATH, set)
}

fn mount_setattr(directory: RawFd, path: &CStr, flags: i32, set: u64) -> Result<(), Errno> {
    // SAFETY: all zero is a valid mount_attr: nothing to set, nothing to clear.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = set;
    if set & libc::MOUNT_ATTR__ATIME != 0 {
        // The kinds of atime are one number, which has to be cleared as a whole.
        attributes.attr_clr = libc::MOUNT_ATTR__ATIME;
    }
    let size = size_of::<libc::mount_attr>();
    // SAFETY: the kernel reads a string and a whole mount_attr of the size given; both outlive the call.
    super::answer(unsafe {
        libc::syscall(libc::SYS_mount_setattr, directory, path.as_ptr(), flags, &raw const attributes, size)
    })
    .map(|_| ())
}
