//! Makes the device of a network by a router.

use std::os::fd::{AsFd, OwnedFd};

use jail::sys;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::super::hooks::wait;
use super::super::state::Vassal;
use super::super::trouble::Trouble;

/// Looks, one every 50 ms, at a name that the vassal before us may still have.
const LOOKS_MAX: usize = 60;
/// What routers of ours take over from the kernel, and of that what Linux before 6.2 does not know.
const TSO: u32 = sys::TUN_F_CSUM | sys::TUN_F_TSO4 | sys::TUN_F_TSO6 | sys::TUN_F_TSO_ECN;
const USO: u32 = sys::TUN_F_USO4 | sys::TUN_F_USO6;

/// Makes it, not blocking, in the network of this process; it goes with its last descriptor.
///
/// # Errors
/// What the kernel refuses.
pub fn make(vassal: &mut Vassal, name: &str) -> Result<OwnedFd, Trouble> {
    let flags = sys::IFF_TUN | sys::IFF_NO_PI | sys::IFF_VNET_HDR;
    let told = |errno| trouble(name, errno);
    // The network of a device is the one that its descriptor was opened in.
    let open = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let device = openat(CWD, c"/dev/net/tun", open, Mode::empty()).map_err(told)?;
    for _ in 0..LOOKS_MAX {
        match sys::tun_make(device.as_fd(), name, flags) {
            Err(Errno::BUSY) => wait::briefly(vassal, &format!("make {name}"))?,
            done => return done.map(|()| device).map_err(told),
        }
    }
    Err(told(Errno::BUSY))
}

/// Packets come as they are sent: together, and with what is left to do about them.
///
/// # Errors
/// The kernel takes none of it.
pub fn offload(device: impl AsFd) -> Result<(), Errno> {
    let device = device.as_fd();
    sys::tun_offload(device, TSO | USO).or_else(|_| sys::tun_offload(device, TSO))
}

/// Packets come one by one and whole.
///
/// # Errors
/// None that is documented.
pub fn plain(device: impl AsFd) -> Result<(), Errno> {
    sys::tun_offload(device.as_fd(), 0)
}

fn trouble(name: &str, errno: Errno) -> Trouble {
    let trouble = Trouble::errno(format!("make the device {name}"), errno);
    match errno {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => trouble
            .advise("there is no /dev/net/tun: `modprobe tun` on the host, and give the jail the device"),
        Errno::ACCESS => trouble.advise("/dev/net/tun must be open to the vassal (mode 0666)"),
        Errno::BUSY => trouble.advise("somebody in this network has that name: choose another one"),
        Errno::PERM => trouble.advise("this needs `net_admin` over this network (see `emperor-cap`)"),
        _ => trouble,
    }
}
