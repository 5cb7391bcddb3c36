//! What a netlink socket is told that rustix has no function for.
#![allow(unsafe_code, reason = "setsockopt(2)")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// `NETLINK_CAP_ACK` and `NETLINK_EXT_ACK` of `netlink(7)`, Linux 4.3 and 4.12.
const OPTIONS: [libc::c_int; 2] = [10, 11];

/// Answers come without a copy of the request, and refusals with the kernel's own words.
///
/// # Errors
/// `ENOPROTOOPT` for another socket, or an older kernel.
pub(crate) fn explain_refusals(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let on: libc::c_int = 1;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    OPTIONS.into_iter().try_for_each(|option| {
        // SAFETY: the kernel reads one int.
        let result = unsafe {
            libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option, (&raw const on).cast(), size)
        };
        super::answer(result.into()).map(|_| ())
    })
}
