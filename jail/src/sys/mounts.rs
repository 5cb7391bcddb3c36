//! `mount_setattr(2)`: attributes of a whole tree of mounts, all or none.
#![allow(unsafe_code, reason = "rustix has no mount_setattr")]

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
    // SAFETY: all zero is a valid mount_attr: nothing to set, nothing to clear.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = libc::MOUNT_ATTR_NOSUID;
    let (path, size) = (c"/".as_ptr(), size_of::<libc::mount_attr>());
    let flags = libc::AT_RECURSIVE;
    // SAFETY: the kernel reads a string and a whole mount_attr of the size given; both outlive the call.
    super::answer(unsafe {
        libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, path, flags, &raw const attributes, size)
    })
    .map(|_| ())
}
