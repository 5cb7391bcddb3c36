//! Asks the kernel for interfaces, addresses and routes: one request, one answer, no thread and no run-time.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};

use crate::plan::netlink::{self, Numbers};
use crate::plan::{Address, Failure, Link, LinkKind, Prefix, Route};
use crate::sys;

/// Bytes of an answer: an error, the head of the request, a sentence.
const ANSWER_MAX: usize = 4096;
/// Interfaces that come, go or change (`RTMGRP_LINK`).
const LINKS: u32 = 1;

/// The network that this thread was in when it was opened, wherever the thread goes later.
#[derive(Debug)]
pub struct NetworkEnd(OwnedFd);

impl NetworkEnd {
    /// Of the network that this thread is in.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    pub fn open() -> Result<Self, Errno> {
        Self::lent(socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?)
    }

    /// One that somebody has opened in the network that he was in.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`: it is none.
    pub fn lent(end: OwnedFd) -> Result<Self, Errno> {
        sys::explain_refusals(end.as_fd())?;
        Ok(Self(end))
    }

    /// The same, which becomes readable whenever an interface changes.
    ///
    /// # Errors
    /// Those of `socket(2)` and `bind(2)`.
    pub fn listening() -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let end = Self(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?);
        bind(&end.0, &SocketAddrNetlink::new(0, LINKS))?;
        Ok(end)
    }

    /// Gives the network of this process a link from this one.
    ///
    /// Must: run in the jail's network, with this end opened in the one outside.
    ///
    /// # Errors
    /// What the kernel refuses; then nothing of it is left outside.
    pub fn give(&self, link: &Link) -> Result<(), Failure> {
        let mut numbers = Numbers { process: std::process::id(), ..Numbers::default() };
        match &link.kind {
            LinkKind::Veth(end) => {
                numbers.bridge = end.bridge.as_ref().map_or(Ok(0), |bridge| self.number(bridge))?;
                self.ask(&netlink::link(link, numbers))?;
                // A failure ends the jail, and its end of the pair takes this one along.
                end.address.map_or(Ok(()), |address| self.address_of(&address, &link.outside))
            }
            _ => {
                numbers.outside = self.number(&link.outside)?;
                self.ask(&netlink::link(link, numbers))
            }
        }
    }

    /// Gives an interface of this network an address.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn address(&self, address: &Address) -> Result<(), Failure> {
        self.address_of(&address.prefix, &address.interface)
    }

    /// Adds a route to this network.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn route(&self, route: &Route) -> Result<(), Failure> {
        let interface = route.interface.as_ref().map_or(Ok(0), |name| self.number(name))?;
        self.ask(&netlink::route(route, interface))
    }

    /// Sets the longest packet of an interface of this network, in bytes.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn mtu(&self, interface: &str, bytes: u32) -> Result<(), Failure> {
        self.ask(&netlink::mtu(self.number(interface)?, bytes))
    }

    /// An interface of this network, down still, says nothing of version 6 until somebody gives it such an address.
    ///
    /// # Errors
    /// What the kernel refuses, `EAFNOSUPPORT` where it has no version 6.
    pub fn silence(&self, interface: &str) -> Result<(), Failure> {
        self.ask(&netlink::silence(self.number(interface)?))
    }

    /// True when this network has an interface of this name.
    pub fn has(&self, name: &str) -> bool {
        name_to_index(&self.0, name).is_ok()
    }

    /// Forgets what was told so far; what is told later makes it readable anew.
    pub fn forget_news(&self) {
        let mut news = [0; ANSWER_MAX];
        // More than fits is cut, more than is kept is an error: either way it is gone.
        while !matches!(recv(&self.0, &mut news[..], RecvFlags::DONTWAIT), Err(Errno::AGAIN)) {}
    }

    fn address_of(&self, prefix: &Prefix, interface: &str) -> Result<(), Failure> {
        self.ask(&netlink::address(prefix, self.number(interface)?))
    }

    fn number(&self, name: &str) -> Result<u32, Failure> {
        let unknown = |errno| Failure { detail: format!("interface {name}"), ..Failure::from(errno) };
        name_to_index(&self.0, name).map_err(unknown)
    }

    fn ask(&self, request: &[u8]) -> Result<(), Failure> {
        send(&self.0, request, SendFlags::empty())?;
        let mut wire = [0; ANSWER_MAX];
        // The kernel has answered before `send` came back.
        let (_, length) = recv(&self.0, &mut wire[..], RecvFlags::DONTWAIT)?;
        match netlink::answer(&wire[..length.min(ANSWER_MAX)]) {
            Some((0, _)) => Ok(()),
            Some((errno, detail)) => Err(Failure { errno, detail, ..Failure::default() }),
            None => Err("the kernel gave no answer that we know".into()),
        }
    }
}

impl AsFd for NetworkEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
