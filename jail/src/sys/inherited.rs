//! Descriptors that cross the border between two programs and are known there by number alone.
#![allow(unsafe_code, reason = "system calls, and descriptors by number")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// First number after standard input, output and error.
pub const FIRST: RawFd = 3;

/// Takes over a descriptor that another program left open for us; it is closed on exec from now on.
///
/// Must: be called once for a number, before this process opens or adopts anything under it.
///
/// # Errors
/// `EBADF` when the number is not open, or one of the standard descriptors.
pub fn adopt(number: RawFd) -> io::Result<OwnedFd> {
    if number < FIRST {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: F_SETFD touches no memory; a number that is not open is an error.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and the caller is its only owner.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Puts a copy of `descriptor` at `number`, open over exec; what was there is closed.
///
/// Must: be called by a process that is about to exec and uses nothing else at `number` any more.
///
/// # Errors
/// Those of `dup2(2)`.
pub fn place(descriptor: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: touches no memory; the caller gives up what was at `number`.
    match unsafe { libc::dup2(descriptor.as_raw_fd(), number) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Nothing from `first` on outlives the next exec.
///
/// # Errors
/// Those of `close_range(2)`.
pub fn close_on_exec_from(first: RawFd) -> io::Result<()> {
    // A negative number cannot be the first of anything.
    let from = u32::try_from(first).unwrap_or(0);
    // SAFETY: sets a flag of descriptors; closes nothing, touches no memory.
    match unsafe { libc::close_range(from, u32::MAX, libc::CLOSE_RANGE_CLOEXEC as i32) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
