//! `fchmodat2(2)`: the mode of a file that is only named (`O_PATH`), without `/proc`.
#![allow(unsafe_code, reason = "rustix has no fchmodat2")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// Its number, the same on every architecture that we are built for.
const FCHMODAT2: libc::c_long = 452;

/// Sets the mode of an open file, whatever it was opened for.
///
/// # Errors
/// `ENOSYS` before Linux 6.6 and where a filter hides it; else those of `chmod(2)`.
pub fn fchmodat2(file: BorrowedFd<'_>, mode: u32) -> Result<(), Errno> {
    // SAFETY: the kernel reads an empty string, which outlives the call.
    let result =
        unsafe { libc::syscall(FCHMODAT2, file.as_raw_fd(), c"".as_ptr(), mode, libc::AT_EMPTY_PATH) };
    super::answer(result).map(|_| ())
}
