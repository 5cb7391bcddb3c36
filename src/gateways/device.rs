//! The device of a router on the host.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result, anyhow};
use jail::plan::{Address, Prefix};
use jail::run::NetworkEnd;
use jail::sys::{
    IFF_NO_PI, IFF_TUN, IFF_VNET_HDR, TUN_F_CSUM, TUN_F_TSO_ECN, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4,
    TUN_F_USO6, interface, tun_make, tun_offload,
};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::config::emperor::tuntap::Router;

/// What a router takes over from the kernel; the second one where the kernel is older than Linux 6.2.
const OFFLOADS: [u32; 2] = [SEGMENTS | TUN_F_USO4 | TUN_F_USO6, SEGMENTS];
const SEGMENTS: u32 = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

/// Makes the device; with addresses it is up, without them that is left to the administrator.
///
/// Must not: leave anything behind when it fails: the device goes with its only descriptor.
///
/// # Errors
/// What the kernel refuses, with its cure.
pub fn make(router: &Router) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let tun = open("/dev/net/tun", flags, Mode::empty()).map_err(closed)?;
    let name = &router.device;
    tun_make(tun.as_fd(), name, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR).map_err(|errno| unmade(name, errno))?;
    offload(tun.as_fd()).with_context(|| format!("cannot set the offloads of {name}"))?;
    furnish(router)?;
    Ok(tun)
}

fn closed(errno: Errno) -> anyhow::Error {
    let cure = match errno {
        Errno::NOENT => "modprobe tun; mkdir -p /dev/net; mknod -m 666 /dev/net/tun c 10 200",
        Errno::NODEV | Errno::NXIO => "modprobe tun",
        Errno::ACCESS | Errno::PERM => "start liege as root, in a container with this device",
        _ => "`liege doctor` looks at it",
    };
    anyhow!("cannot open /dev/net/tun: {errno}: {cure}")
}

fn unmade(name: &str, errno: Errno) -> anyhow::Error {
    let cure = match errno {
        Errno::BUSY => "another router has it, or another Emperor: choose another name, or end that one",
        Errno::PERM => "start liege as root, or with CAP_NET_ADMIN",
        Errno::INVAL => "another kind of interface is called so: choose another name",
        _ => "`liege doctor` looks at what it takes",
    };
    anyhow!("cannot make the device {name}: {errno}: {cure}")
}

fn offload(tun: BorrowedFd<'_>) -> Result<(), Errno> {
    let [all, fewer] = OFFLOADS;
    tun_offload(tun, all).or_else(|_| tun_offload(tun, fewer))
}

fn furnish(router: &Router) -> Result<()> {
    let name = &router.device;
    let failed = |deed: String| {
        move |failure: jail::Failure| anyhow!("cannot {deed} {}: {}", router.device, failure.cause())
    };
    let network = NetworkEnd::open().context("cannot open a netlink socket")?;
    // A kernel without version 6 has nothing to keep silent.
    let _ = network.silence(name);
    deaf(name);
    network.mtu(name, router.mtu).map_err(failed(format!("set the mtu {} of", router.mtu)))?;
    for (address, length) in &router.addresses {
        let prefix = Prefix { address: *address, length: *length };
        let added = network.address(&Address { prefix, interface: name.clone() });
        // One that was made beforehand may have it.
        let there = Errno::EXIST.raw_os_error();
        let added = added.or_else(|failure| if failure.errno == there { Ok(()) } else { Err(failure) });
        added.map_err(failed(format!("give the address {address}/{length} to")))?;
    }
    match router.addresses.is_empty() {
        true => Ok(()),
        false => interface(name, true).with_context(|| format!("cannot bring {name} up")),
    }
}

/// No tenant who poses as a router of version 6 gives this host addresses and routes.
fn deaf(name: &str) {
    for knob in ["accept_ra", "autoconf", "accept_redirects"] {
        // Not there without version 6.
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/{knob}"), "0");
    }
    let _ = std::fs::write(format!("/proc/sys/net/ipv4/conf/{name}/accept_redirects"), "0");
}
