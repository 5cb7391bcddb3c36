//! A last bound for a process that may be stuck in a system call.
#![allow(unsafe_code, reason = "rustix has no alarm(2)")]

/// SIGALRM for this process in so many seconds, also once it is another program. Unheard, it ends the process.
pub fn alarm(seconds: u32) {
    // SAFETY: sets a timer of the kernel, touches no memory, cannot fail.
    unsafe { libc::alarm(seconds) };
}
