//! A descriptor that was given to this process by number.
#![allow(unsafe_code, reason = "a number becomes a descriptor that is owned")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

/// Which of the first 64 numbers were taken.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// Takes over descriptor `number`, which whoever started this process gave to it; from here on it is closed by exec.
///
/// # Errors
/// `EBADF` when it is not open, was taken before, or is beyond 63.
pub fn inherited(number: RawFd) -> Result<OwnedFd, Errno> {
    let bit = u32::try_from(number).ok().filter(|number| *number < 64).map(|number| 1 << number).ok_or(Errno::BADF)?;
    if !super::is_open(number) || TAKEN.fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        return Err(Errno::BADF);
    }
    // SAFETY: it is open, and nobody in this process owns it: it came with exec, and is handed out once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC)?;
    Ok(descriptor)
}
