//! `exit_group(2)`: the end of a child, without what a library wants to do at exit.
#![allow(unsafe_code, reason = "std::process::exit runs exit handlers, which belong to the parent")]

/// Ends this process at once: no destructor, no exit handler, no flush.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: ends the process; there is nothing after it to be unsound.
    unsafe { libc::_exit(status) }
}
