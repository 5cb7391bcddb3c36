//! `fork(2)` for a process with one thread.
#![allow(unsafe_code, reason = "system calls")]

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rustix::process::Pid;

/// Status of a child whose work panicked.
const PANICKED: i32 = 101;

/// Makes a child that does `work` and ends with the status it returns; it never comes back from here.
///
/// Must not: be called by a process with several threads, whose locks the child would find held for ever.
///
/// # Errors
/// Those of `fork(2)`.
pub fn fork(work: impl FnOnce() -> i32) -> io::Result<Pid> {
    // SAFETY: the caller has one thread, so the child's copy of memory and locks is consistent.
    match unsafe { libc::fork() } {
        0 => end(catch_unwind(AssertUnwindSafe(work)).unwrap_or(PANICKED)),
        pid => Pid::from_raw(pid.max(0)).ok_or_else(io::Error::last_os_error),
    }
}

fn end(status: i32) -> ! {
    // SAFETY: ends the process at once; nothing of the parent's (buffers, exit handlers) is touched.
    unsafe { libc::_exit(status) }
}
