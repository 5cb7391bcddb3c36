//! `SIOCGIFFLAGS`, `SIOCSIFFLAGS`: network interfaces up and down.
#![allow(unsafe_code, reason = "ioctls on a struct ifreq")]

use std::os::fd::AsRawFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Brings an interface of this thread's network namespace up or down; `lo` then has its addresses.
///
/// # Errors
/// `ENODEV` for a name that no interface has, `EINVAL` for one that none can have, `EPERM` without CAP_NET_ADMIN over
/// that namespace.
pub fn interface(name: &str, up: bool) -> Result<(), Errno> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: all zero is a valid ifreq: an empty name and no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0: it ends the name.
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(Errno::INVAL);
    }
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte as libc::c_char;
    }
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of one ifreq, which is whole and outlives the call.
    let got = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) };
    super::answer(got.into())?;
    // SAFETY: a successful SIOCGIFFLAGS has written this member.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let change = libc::IFF_UP as i16;
    request.ifr_ifru.ifru_flags = if up { flags | change } else { flags & !change };
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which is whole and outlives the call.
    let set = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    super::answer(set.into()).map(|_| ())
}
