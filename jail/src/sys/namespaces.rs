//! Which namespace a descriptor names (`ioctl_nsfs(2)`).
#![allow(unsafe_code, reason = "ioctl")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{FsWord, fstatfs};
use rustix::io::Errno;

use super::clone::bit;
use crate::plan::Namespaces;

/// `NSFS_MAGIC` of `linux/magic.h`.
const NSFS: FsWord = 0x6e73_6673;
/// `NS_GET_NSTYPE` of `linux/nsfs.h`.
const KIND: libc::c_ulong = 0xb703;

/// Its kind, or `None` for one that is not ours to know.
///
/// # Errors
/// `EINVAL`: it names no namespace.
pub(crate) fn namespace_kind(namespace: BorrowedFd<'_>) -> Result<Option<Namespaces>, Errno> {
    // To anything else the same number may mean anything.
    if fstatfs(namespace)?.f_type != NSFS {
        return Err(Errno::INVAL);
    }
    // SAFETY: the command takes no argument and writes no memory.
    let kind = super::answer(unsafe { libc::ioctl(namespace.as_raw_fd(), KIND as _) }.into())?;
    Ok(Namespaces::ALL.each().map(|(_, one)| one).find(|one| i64::from(bit(*one)) == kind))
}
