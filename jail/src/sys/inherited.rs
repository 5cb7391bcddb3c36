//! Descriptors that cross the border between two programs and are known there by number alone.
#![allow(unsafe_code, reason = "a number that another program left us becomes an owned descriptor")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use super::{borrow, close_range, close_range_on_exec, duplicate_to};

/// First number after standard input, output and error.
pub const FIRST: RawFd = 3;

/// Takes over a descriptor that another program left open for us; it is closed on exec from now on.
///
/// Must: be called once for a number, before this process opens or adopts anything under it.
///
/// # Errors
/// `EBADF` when the number is not open, or one of the standard descriptors.
pub fn adopt(number: RawFd) -> Result<OwnedFd, Errno> {
    if number < FIRST {
        return Err(Errno::BADF);
    }
    fcntl_setfd(borrow(number)?, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and the caller is its only owner.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A copy of a descriptor that another program left open for us, closed on exec.
///
/// # Errors
/// `EBADF` when the number is not open, or one of the standard descriptors; those of `fcntl(2)`.
pub fn copy_of(number: RawFd) -> Result<OwnedFd, Errno> {
    if number < FIRST {
        return Err(Errno::BADF);
    }
    fcntl_dupfd_cloexec(borrow(number)?, FIRST)
}

/// Leaves a descriptor open over the next exec (no flags), or has it closed (`CLOEXEC`).
///
/// # Errors
/// `EBADF` when the number is not open.
pub fn set_flags(number: RawFd, flags: FdFlags) -> Result<(), Errno> {
    fcntl_setfd(borrow(number)?, flags)
}

/// Puts a copy of `descriptor` at another number, open over exec; what was there is closed.
///
/// Must: be called by a process that is about to exec and uses nothing else at `number` any more.
///
/// # Errors
/// Those of `dup3(2)`.
pub fn place(descriptor: BorrowedFd<'_>, number: RawFd) -> Result<(), Errno> {
    duplicate_to(descriptor.as_raw_fd(), number)
}

/// No descriptor but the standard ones outlives the next exec.
///
/// # Errors
/// `EINVAL` before Linux 5.11.
pub fn close_on_exec_from_first() -> Result<(), Errno> {
    close_range_on_exec(FIRST.unsigned_abs())
}

/// Closes all but these and the standard descriptors.
///
/// Must: be called by the child of a `fork`, which ends without dropping an owner of the others.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
pub fn close_all_but(kept: &[RawFd]) -> Result<(), Errno> {
    let mut kept: Vec<u32> = kept.iter().map(|number| number.unsigned_abs()).collect();
    kept.sort_unstable();
    let mut next = FIRST.unsigned_abs();
    for number in kept.into_iter().filter(|number| *number >= FIRST.unsigned_abs()) {
        if next < number {
            close_range(next, number - 1)?;
        }
        next = number + 1;
    }
    close_range(next, u32::MAX)
}
