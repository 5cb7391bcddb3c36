//! `unshare(2)`, for namespaces alone.
#![allow(unsafe_code, reason = "rustix's is unsafe because it can also unshare the descriptors")]

use rustix::io::Errno;

use super::clone::namespace_bits;
use crate::plan::Namespaces;

/// Makes new namespaces for this thread (`pid`: for its future children).
///
/// # Errors
/// `EPERM`, `ENOSPC` (limit of namespaces), `EINVAL` (several threads and `user`).
pub(crate) fn unshare(namespaces: Namespaces) -> Result<(), Errno> {
    // SAFETY: namespace bits only: neither memory nor descriptors change hands.
    super::answer(unsafe { libc::syscall(libc::SYS_unshare, namespace_bits(namespaces)) }).map(|_| ())
}
