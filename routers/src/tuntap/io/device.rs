//! Devices that tenants have lent: somebody else may have a copy of each, and does with it what he likes.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::sys::{IFF_NO_PI, IFF_TUN, IFF_VNET_HDR, tun_flags};
use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags, fcntl_getfl, fcntl_setfl, statx};
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev2};

use super::super::OFFLOAD_HEADER;

/// `/dev/net/tun` (`Documentation/admin-guide/devices.txt`).
const TUN_NUMBER: (u32, u32) = (10, 200);
/// Where a file without a place is read and written.
const NOWHERE: u64 = u64::MAX;

/// A device of tun, proved to be one.
#[derive(Debug)]
pub(super) struct Device(OwnedFd);

impl Device {
    /// Takes a descriptor for the device that it should be, or gives it back with what is wrong.
    ///
    /// Must not: ask anything of a file whose answer could be somebody's program's (a file of FUSE).
    pub(super) fn prove(descriptor: OwnedFd) -> Result<Self, (OwnedFd, &'static str)> {
        match proved(descriptor.as_fd()) {
            Ok(()) => Ok(Self(descriptor)),
            Err(wrong) => Err((descriptor, wrong)),
        }
    }

    /// The next packet behind its header, `EAGAIN` when there is none. Never waits, whatever flags the owner of a
    /// copy may set.
    pub(super) fn read(&self, room: &mut [u8]) -> Result<usize, Errno> {
        match preadv2(&self.0, &mut [IoSliceMut::new(room)], NOWHERE, ReadWriteFlags::NOWAIT) {
            Err(Errno::OPNOTSUPP) => rustix::io::read(&self.0, room),
            read => read,
        }
    }

    /// Hands a packet to the tenant's kernel: behind its header, or without anything left to do about it.
    pub(super) fn write(&self, whole: Option<&[u8]>, packet: &[u8]) -> Result<usize, Errno> {
        let parts = match whole {
            Some(whole) => [IoSlice::new(whole), IoSlice::new(&[])],
            None => [IoSlice::new(&[0; OFFLOAD_HEADER]), IoSlice::new(packet)],
        };
        let parts = if whole.is_some() { &parts[..1] } else { &parts };
        match pwritev2(&self.0, parts, NOWHERE, ReadWriteFlags::NOWAIT) {
            Err(Errno::OPNOTSUPP) => rustix::io::writev(&self.0, parts),
            written => written,
        }
    }

    /// Its descriptor, to be closed where that may take long.
    pub(super) fn into_descriptor(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn proved(descriptor: BorrowedFd<'_>) -> Result<(), &'static str> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let seen = statx(descriptor, c"", flags, StatxFlags::TYPE).map_err(|_| "it is no device")?;
    let kind = FileType::from_raw_mode(seen.stx_mode.into());
    if kind != FileType::CharacterDevice || (seen.stx_rdev_major, seen.stx_rdev_minor) != TUN_NUMBER {
        return Err("it is no device of /dev/net/tun");
    }
    // IFF_NO_PI cannot be asked for: TUNGETIFF has IFF_NOFILTER in its place. A device without it spoils what its own
    // tenant sends and gets, and nothing else.
    match tun_flags(descriptor) {
        Ok(flags) if flags == IFF_TUN | IFF_NO_PI | IFF_VNET_HDR => {}
        Ok(_) => return Err("it was not made with IFF_TUN, IFF_NO_PI and IFF_VNET_HDR alone"),
        Err(_) => return Err("no device was made with it"),
    }
    let flags = fcntl_getfl(descriptor).map_err(|_| "it cannot be read and written")?;
    if flags & OFlags::RWMODE != OFlags::RDWR {
        return Err("it cannot be read and written");
    }
    fcntl_setfl(descriptor, flags | OFlags::NONBLOCK).map_err(|_| "it cannot be told not to wait")
}
