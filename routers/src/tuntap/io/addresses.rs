//! The host's addresses: all at the beginning, and again at each change.

use core::net::IpAddr;
use std::collections::BTreeSet;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::super::netlink::{self, News};
use super::life::Service;

/// Most addresses of a host that are kept from peers.
const HOSTS_MAX: usize = 1024;
/// Packets of the kernel that are read at once.
const READS_MAX: usize = 64;

/// What was said so far.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    heard: BTreeSet<IpAddr>,
    /// An answer is on its way.
    is_asked: bool,
    /// It will not be true any more.
    is_stale: bool,
}

impl Service {
    /// Asks for all of them, or does so once the answer to the question before is there.
    pub(super) fn ask_addresses(&mut self) {
        let Some(socket) = &self.ports.addresses else { return };
        if self.addresses.is_asked {
            self.addresses.is_stale = true;
            return;
        }
        let asked = send(socket, &netlink::QUESTION, SendFlags::DONTWAIT);
        self.addresses = Addresses { is_asked: asked.is_ok(), ..Addresses::default() };
    }

    pub(super) fn hear_addresses(&mut self) {
        let mut room = [0; 32 * 1024];
        for _ in 0..READS_MAX {
            let Some(socket) = &self.ports.addresses else { return };
            match recv(socket, &mut room[..], RecvFlags::DONTWAIT) {
                Ok((read, _)) => self.hear_packet(&room[..read]),
                // Some of what was said is lost.
                Err(Errno::NOBUFS) => {
                    self.addresses.is_asked = false;
                    self.ask_addresses();
                }
                Err(_) => return,
            }
        }
    }

    fn hear_packet(&mut self, packet: &[u8]) {
        let mut is_done = false;
        let addresses = &mut self.addresses;
        netlink::read(packet, |news| match news {
            News::Address(address) => {
                if addresses.heard.len() < HOSTS_MAX {
                    addresses.heard.insert(address);
                }
            }
            News::Changed => addresses.is_stale = true,
            News::Done => is_done = true,
        });
        if is_done {
            self.addresses.is_asked = false;
            self.set_hosts();
        }
        if self.addresses.is_stale && !self.addresses.is_asked {
            self.ask_addresses();
        }
    }

    /// Nobody takes what is the host's, and the standard policy keeps everybody from what listens there.
    fn set_hosts(&mut self) {
        let mut hosts = std::mem::take(&mut self.addresses.heard);
        hosts.extend(self.charter.addresses.iter().map(|(address, _)| *address));
        let hosts: Vec<IpAddr> = hosts.into_iter().collect();
        if hosts == self.router.settings().hosts {
            return;
        }
        if let Err(wrong) = self.router.set_hosts(hosts) {
            self.telling.warn(&format!("cannot keep peers from all addresses of the host: {wrong}"));
        }
    }
}
