//! What one router is given, opened while there is the right to.

use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};
use routers::parking::Role;
use routers::tuntap::Policy;
use routers::tuntap::charter::Charter;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use rustix::process::{Resource, getrlimit};

use super::{device, leases, listener, nameservers};
use crate::config::emperor::tuntap::Router;
use crate::config::vassal::Address;
use crate::emperor::event::Owner;
use crate::spawner::charter::Leftover;
use crate::stats;

/// Everybody may connect: the kernel says who does.
const PEERS_MODE: u32 = 0o666;
/// Who may read its stats: whoever the Emperor is.
const STATS_MODE: u32 = 0o600;
/// Bytes that a router may leave to the next one: it stands in two places, far apart.
pub(super) const STATE_MAX: u64 = 512 << 20;
/// Addresses that come and go (`RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`, `rtnetlink(7)`).
const ADDRESSES: u32 = 0x10 | 0x100;

/// What all routers of an Emperor have in common.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Whom the Emperor is about to become.
    pub owner: Option<Owner>,
    /// `stats-http`.
    pub stats_http: bool,
}

/// Everything that a router needs, and its Emperor keeps for the next one.
pub struct Opened {
    /// What it is told.
    pub charter: Charter,
    /// What it is given.
    pub given: Vec<(Role, OwnedFd)>,
    /// The file of its socket.
    pub socket: Leftover,
    /// The file of its stats, if that is one.
    pub stats: Option<Leftover>,
}

impl Opened {
    /// Opens all of it.
    ///
    /// Must: run before any right is given up, and before the spawner is started, which shows vassals the socket.
    ///
    /// # Errors
    /// What cannot be had, with the place of the router in the config; then nothing of it stays.
    pub fn open(router: &Router, setting: Setting) -> Result<Self> {
        Self::of(router, setting)
            .with_context(|| format!("{}: cannot open the router {}", router.place, router.device))
    }

    fn of(router: &Router, setting: Setting) -> Result<Self> {
        let (listener, socket) = listener::listen(&router.socket, setting.owner, PEERS_MODE)?;
        let socket = Guard(Some(socket));
        let mut given = vec![(Role::Device, device::make(router)?), (Role::Listener, listener)];
        let stats = router.stats.as_ref().map(|address| stats(address, setting.owner).context("its stats"));
        let (socket_of_stats, file) = stats.transpose()?.unwrap_or_default();
        let stats = Guard(file);
        given.extend(socket_of_stats.map(|socket| (Role::Stats, socket)));
        if let Some(address) = router.gateway {
            let socket =
                UdpSocket::bind(address).with_context(|| format!("cannot bind the gateway {address}"))?;
            socket.set_nonblocking(true)?;
            given.push((Role::Gateway, socket.into()));
        }
        given.push((Role::State, state()?));
        if let Some(file) = &router.leases {
            let opened = leases::open(&file.value, setting.owner);
            let opened = opened.with_context(|| format!("{}: tuntap-router-leases", file.place))?;
            given.push((Role::Leases, opened));
        }
        given.push((Role::Addresses, addresses().context("cannot listen to the addresses of this host")?));
        let (socket, stats) = (socket.keep().expect("it was made"), stats.keep());
        Ok(Self { charter: charter(router, setting, &socket.path), given, socket, stats })
    }

    /// What each of its descriptors is, in order.
    pub fn roles(&self) -> Vec<Role> {
        self.given.iter().map(|(role, _)| *role).collect()
    }

    /// Those descriptors.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.given.iter().map(|(_, descriptor)| descriptor.as_fd()).collect()
    }

    /// Forgets what earlier processes have written for the next one.
    ///
    /// # Errors
    /// Those of `memfd_create(2)`.
    pub fn forget_state(&mut self) -> Result<()> {
        for (_, memory) in self.given.iter_mut().filter(|(role, _)| *role == Role::State) {
            *memory = state()?;
        }
        Ok(())
    }

    /// The charter for one process: nobody who reads it can change it for the next one.
    ///
    /// # Errors
    /// Those of `memfd_create(2)`.
    pub fn papers(&self) -> Result<OwnedFd> {
        let memory = memfd_create("charter", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let mut file = std::fs::File::from(memory);
        std::io::Write::write_all(&mut file, &postcard::to_stdvec(&self.charter)?)?;
        std::io::Seek::rewind(&mut file)?;
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(file.into())
    }
}

/// A socket file that goes unless the rest can be had too.
struct Guard(Option<Leftover>);

impl Guard {
    fn keep(mut self) -> Option<Leftover> {
        self.0.take()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.iter().for_each(Leftover::remove);
    }
}

/// Where its stats are served.
fn stats(address: &Address, owner: Option<Owner>) -> Result<(Option<OwnedFd>, Option<Leftover>)> {
    match address {
        Address::Unix(path) => {
            let (socket, file) = listener::listen(path, owner, STATS_MODE)?;
            owner.map_or(Ok(()), |owner| stats::give(Path::new(&file.path), owner))?;
            Ok((Some(socket), Some(file)))
        }
        _ => stats::listen(address, owner, STATS_MODE).map(|(socket, _)| (socket, None)),
    }
}

/// Memory that grows no more, whoever writes to it; what nobody has written costs nothing.
fn state() -> Result<OwnedFd> {
    let memory = memfd_create("state", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
    let memory = memory.context("cannot make its memory")?;
    // To ask for more than we may have would end us.
    let most = getrlimit(Resource::Fsize).current.unwrap_or(STATE_MAX);
    ftruncate(&memory, STATE_MAX.min(most)).context("cannot give its memory a length")?;
    fcntl_add_seals(&memory, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(memory)
}

fn addresses() -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, ADDRESSES))?;
    Ok(socket)
}

fn charter(router: &Router, setting: Setting, socket: &str) -> Charter {
    let nameservers = match router.nameservers.is_empty() {
        true => nameservers::of_host(),
        false => router.nameservers.clone(),
    };
    Charter {
        device: router.device.clone(),
        socket: socket.to_owned(),
        addresses: router.addresses.clone(),
        mtu: router.mtu,
        mtu_beyond: router.mtu_beyond,
        policy: word(router.policy).to_owned(),
        open: router.open,
        credentials: router.credentials,
        peers: router.peers.clone(),
        firewall_in: router.firewall_in.clone(),
        firewall_out: router.firewall_out.clone(),
        routes: router.routes.clone(),
        nameservers,
        peers_max: router.peers_max,
        peers_of_user_max: router.peers_of_user_max,
        queue_bytes: router.queue_bytes,
        owner: setting.owner.map_or_else(|| rustix::process::geteuid().as_raw(), |owner| owner.uid),
        stats_http: setting.stats_http,
    }
}

fn word(policy: Policy) -> &'static str {
    match policy {
        Policy::Allow => "allow",
        Policy::Deny => "deny",
        Policy::Standard => "standard",
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::{Errno, pwrite};

    use super::*;

    /// Row W8.
    #[test]
    fn what_a_router_leaves_to_the_next_one_has_an_end() {
        let memory = state().expect("memory");
        assert_eq!(pwrite(&memory, b"last", STATE_MAX - 4), Ok(4));
        assert_eq!(pwrite(&memory, b"more", STATE_MAX), Err(Errno::PERM));
        assert_eq!(ftruncate(&memory, STATE_MAX + 1), Err(Errno::PERM));
        assert_eq!(ftruncate(&memory, 0), Err(Errno::PERM), "no place of it is taken away");
    }
}
