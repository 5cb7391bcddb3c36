//! Signal mask and dispositions, by system call: a child that shares our memory must not touch what libc
//! remembers of them.
#![allow(unsafe_code, reason = "rustix leaves signal masks to libc")]

use rustix::io::Errno;

use super::answer;

/// Bytes of the kernel's `sigset_t`: 64 signals.
const SET_SIZE: usize = 8;
/// The highest signal number.
const LAST: i32 = 64;

/// A signal mask of this thread, bit N-1 for signal N.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask(u64);

/// Blocks every signal; returns the mask to go back to.
///
/// # Errors
/// None that the call is documented to give for these arguments.
pub(crate) fn block_all() -> Result<Mask, Errno> {
    set_mask(u64::MAX).map(Mask)
}

/// Goes back to an earlier mask.
pub(crate) fn restore_mask(mask: Mask) {
    set_mask(mask.0).expect("the kernel takes its own mask back");
}

/// Blocks nothing.
///
/// # Errors
/// None that the call is documented to give for these arguments.
pub(crate) fn unblock_all() -> Result<(), Errno> {
    set_mask(0).map(|_| ())
}

fn set_mask(mask: u64) -> Result<u64, Errno> {
    let mut before = 0_u64;
    let (new, old) = (&raw const mask, &raw mut before);
    // SAFETY: both are whole sets of SET_SIZE bytes, one readable, one writable.
    answer(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, new, old, SET_SIZE) })?;
    Ok(before)
}

/// Gives every signal its default disposition: `clone3` has reset handlers, but what is ignored stays ignored
/// over it and over exec.
///
/// # Errors
/// None that the call is documented to give for these arguments.
pub(crate) fn default_dispositions() -> Result<(), Errno> {
    let changeable = (1..=LAST).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal));
    changeable.into_iter().try_for_each(set_default)
}

fn set_default(signal: i32) -> Result<(), Errno> {
    // SIG_DFL is 0, and so is every other field; no architecture's struct is longer than this.
    let default = [0_u64; 8];
    // SAFETY: the kernel reads one `struct sigaction` (32 bytes at most) and writes none.
    answer(unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), SET_SIZE)
    })
    .map(|_| ())
}
