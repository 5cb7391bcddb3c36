//! Descriptors by number: a plan names them so, and a child arranges them before it becomes its program.
#![allow(
    unsafe_code,
    reason = "closing and replacing descriptors by number is outside of Rust's ownership of them"
)]

use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::Errno;

use super::answer;

/// Lends a descriptor that a plan names.
///
/// # Errors
/// `EBADF` when nothing is open there.
pub(crate) fn borrow(fd: RawFd) -> Result<BorrowedFd<'static>, Errno> {
    if !is_open(fd) {
        return Err(Errno::BADF);
    }
    // SAFETY: it is open, and whoever planned with its number keeps it open until the step is over.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// True when `fd` is an open descriptor (`F_GETFD`).
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD changes nothing, whatever the number.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// A copy of `fd` at `lowest` or above, closed by exec (`F_DUPFD_CLOEXEC`).
///
/// # Errors
/// `EBADF`; `EINVAL` or `EMFILE` where the limit of descriptors is in the way.
pub(crate) fn duplicate_above(fd: RawFd, lowest: RawFd) -> Result<RawFd, Errno> {
    // SAFETY: makes a descriptor, touches none.
    let made = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, lowest) };
    answer(made.into()).map(|_| made)
}

/// Puts a copy of `fd` at the number `there`, kept over exec; what was there is closed (`dup3(2)`).
///
/// # Errors
/// `EBADF`; `EINVAL` when both are the same.
pub(crate) fn duplicate_to(fd: RawFd, there: RawFd) -> Result<(), Errno> {
    // SAFETY: only called for numbers that the plan gives to the program: nobody else owns them.
    let made = unsafe { libc::syscall(libc::SYS_dup3, fd, there, 0) };
    answer(made).map(|_| ())
}

/// Closes every descriptor from `first` to `last` (`close_range(2)`).
///
/// Must: be the child's last use of whatever it owned there; nothing is dropped afterwards.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
pub(crate) fn close_range(first: u32, last: u32) -> Result<(), Errno> {
    // SAFETY: the child ends by exec or exit and drops no owner of these.
    answer(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(|_| ())
}

/// Has exec close every descriptor from `first` up.
///
/// # Errors
/// `EINVAL` before Linux 5.11.
pub(crate) fn close_range_on_exec(first: u32) -> Result<(), Errno> {
    // SAFETY: sets a flag; closes nothing now.
    answer(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) })
        .map(|_| ())
}
