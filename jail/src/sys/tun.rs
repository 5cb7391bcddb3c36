//! `TUNSETIFF`, `TUNGETIFF`, `TUNSETOFFLOAD`: what becomes of an open `/dev/net/tun` (`Documentation/networking/tuntap.rst`).
#![allow(unsafe_code, reason = "ioctls on a struct ifreq")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// Packets of IP, without what a link would put in front of them.
pub const IFF_TUN: u16 = 0x0001;
/// Nothing else in front of a packet either.
pub const IFF_NO_PI: u16 = 0x1000;
/// A `struct virtio_net_hdr` of 10 bytes in front of a packet: what is left to do about its checksum and its length.
pub const IFF_VNET_HDR: u16 = 0x4000;

/// The reader completes checksums.
pub const TUN_F_CSUM: u32 = 0x01;
/// The reader takes segments of TCP over version 4 together, up to 64 KiB.
pub const TUN_F_TSO4: u32 = 0x02;
/// The same over version 6.
pub const TUN_F_TSO6: u32 = 0x04;
/// Such segments with ECN.
pub const TUN_F_TSO_ECN: u32 = 0x08;
/// Datagrams of UDP over version 4 together, Linux 6.2.
pub const TUN_F_USO4: u32 = 0x20;
/// The same over version 6.
pub const TUN_F_USO6: u32 = 0x40;

/// Makes the device of this name, in the network that this thread was in when it opened the descriptor; it goes with the
/// last descriptor.
///
/// # Errors
/// `EBUSY` when somebody has it, `EINVAL` for a name that none can have or that another kind of device has, `EPERM`
/// without CAP_NET_ADMIN over that network, `EBADFD` for a descriptor that has a device, `ENOTTY` for any other.
pub fn tun_make(tun: BorrowedFd<'_>, name: &str, flags: u16) -> Result<(), Errno> {
    let mut request = empty();
    // The last byte stays 0: it ends the name. A sign of percent would be a pattern.
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains('%') {
        return Err(Errno::INVAL);
    }
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = flags.cast_signed();
    // SAFETY: TUNSETIFF reads one ifreq and writes its name, which is whole and outlives the call.
    let made = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF as _, &raw mut request) };
    super::answer(made.into()).map(|_| ())
}

/// The flags that a device was made with.
///
/// # Errors
/// `EBADFD` for a descriptor without a device, `ENOTTY` or `EINVAL` for one that is none of a tun.
pub fn tun_flags(tun: BorrowedFd<'_>) -> Result<u16, Errno> {
    let mut request = empty();
    // SAFETY: TUNGETIFF writes one ifreq, which is whole and outlives the call.
    let got = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNGETIFF as _, &raw mut request) };
    super::answer(got.into())?;
    // SAFETY: a successful TUNGETIFF has written this member.
    Ok(unsafe { request.ifr_ifru.ifru_flags }.cast_unsigned())
}

/// What the reader of a device takes over from the kernel, bits of `TUN_F_…`.
///
/// # Errors
/// `EINVAL` for what this kernel does not know; then nothing has changed.
pub fn tun_offload(tun: BorrowedFd<'_>, bits: u32) -> Result<(), Errno> {
    // SAFETY: TUNSETOFFLOAD takes a number.
    let set = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETOFFLOAD as _, libc::c_ulong::from(bits)) };
    super::answer(set.into()).map(|_| ())
}

fn empty() -> libc::ifreq {
    // SAFETY: all zero is a valid ifreq: an empty name and no flags.
    unsafe { std::mem::zeroed() }
}
