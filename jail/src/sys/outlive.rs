//! Signals that end what we have started, and not us.
#![allow(unsafe_code, reason = "rustix leaves handlers of signals to libc")]

use rustix::io::Errno;
use rustix::process::Signal;

use super::answer;

extern "C" fn do_nothing(_: libc::c_int) {}

/// Has this signal do nothing here; calls that it interrupts go on. A program that is executed has what is usual for it: what is
/// caught is no more caught there, while what is ignored or blocked would be so there, too.
///
/// # Errors
/// `EINVAL` for a signal that cannot be caught.
pub fn outlive(signal: Signal) -> Result<(), Errno> {
    let handler: extern "C" fn(libc::c_int) = do_nothing;
    // SAFETY: with zeros alone it is valid: no flags, no signals blocked, the default disposition.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the action is whole, is read alone, and its handler touches nothing.
    answer(unsafe { libc::sigaction(signal.as_raw(), &raw const action, std::ptr::null_mut()) }.into())
        .map(drop)
}
