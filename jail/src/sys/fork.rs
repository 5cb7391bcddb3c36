//! `fork(2)` for a process with one thread.
#![allow(unsafe_code, reason = "system calls")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::io::Errno;
use rustix::process::Pid;

use super::clone::{CloneFlags, clone_apart};
use super::{answer, exit_now};

/// Status of a child whose work panicked.
const PANICKED: i32 = 101;

/// Makes a child that does `work` and ends with the status it returns; it never comes back from here.
///
/// Must not: be called by a process with several threads, whose locks the child would find held for ever.
///
/// # Errors
/// Those of `fork(2)`.
pub fn fork(work: impl FnOnce() -> i32) -> Result<Pid, Errno> {
    // SAFETY: the caller has one thread, so the child's copy of memory and locks is consistent.
    let pid = unsafe { libc::fork() };
    match Pid::from_raw(answer(pid.into()).map(|_| pid)?) {
        Some(child) => Ok(child),
        None => exit_now(catch_unwind(AssertUnwindSafe(work)).unwrap_or(PANICKED)),
    }
}

/// The same for a child of our parent instead of ours, which is reaped by that one.
///
/// Must not: be called by a process with several threads, whose locks the child would find held for ever.
///
/// # Errors
/// Those of `clone3(2)`.
pub fn fork_beside(work: impl FnOnce() -> i32) -> Result<(), Errno> {
    let flags = CloneFlags { sibling: true, ..CloneFlags::default() };
    clone_apart(flags, || exit_now(catch_unwind(AssertUnwindSafe(work)).unwrap_or(PANICKED))).map(drop)
}
