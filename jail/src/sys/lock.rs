//! `F_OFD_SETLK` of `fcntl_locking(2)`: a lock that goes with an open file, not with a process.
#![allow(unsafe_code, reason = "rustix has only locks of processes, which a fork loses")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// Locks a whole file for writing; until its last copy is closed. Others are met by locks of processes too.
///
/// # Errors
/// `EAGAIN` or `EACCES` while somebody else has it, `EBADF` for a file that is not open for writing.
pub fn lock(file: BorrowedFd<'_>) -> Result<(), Errno> {
    // SAFETY: all zero is a valid flock: from the beginning to the end, of no process.
    let mut whole: libc::flock = unsafe { std::mem::zeroed() };
    whole.l_type = libc::F_WRLCK as _;
    // SAFETY: the kernel reads one whole flock that outlives the call.
    let locked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const whole) };
    super::answer(locked.into()).map(|_| ())
}
