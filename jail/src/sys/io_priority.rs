//! `ioprio_set(2)` for ourselves, `ioprio_get(2)` for anybody.
#![allow(unsafe_code, reason = "rustix has neither")]

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

/// Class and level of a process's I/O, as one number.
///
/// # Errors
/// `ESRCH`, `EPERM`.
pub(crate) fn io_priority(pid: i32) -> Result<i32, Errno> {
    // SAFETY: two numbers, no memory.
    let answer = unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, libc::c_long::from(pid)) };
    super::answer(answer).map(|value| i32::try_from(value).unwrap_or(0))
}
