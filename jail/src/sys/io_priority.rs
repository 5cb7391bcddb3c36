//! `ioprio_set(2)` for ourselves.
#![allow(unsafe_code, reason = "rustix has no ioprio_set")]

use rustix::io::Errno;

/// `IOPRIO_WHO_PROCESS` of `linux/ioprio.h`.
const WHO_PROCESS: libc::c_long = 1;

/// Sets class and level of our I/O, as one number.
///
/// # Errors
/// `EPERM` (a class that needs CAP_SYS_NICE), `EINVAL`.
pub(crate) fn set_io_priority(value: i32) -> Result<(), Errno> {
    let own: libc::c_long = 0;
    // SAFETY: three numbers, no memory.
    super::answer(unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, own, libc::c_long::from(value)) })
        .map(|_| ())
}
