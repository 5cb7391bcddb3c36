//! Pure. Rules that a peer sends about its own traffic: 24 bytes each, of version 4 alone.
//!
//! Numbers are in the order of the machine that both ends are on; the gateway is in that of the network. Masks are taken as
//! they come: a client of uWSGI sends `/24` as ff000000, and never clears the host's bits, so such a rule of it means nobody.

use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use super::frame::Breach;
use super::packet::Packet;
use super::prefix::Prefix;
use super::rule::{Action, Direction, Rule};

/// Bytes of a record.
pub const RECORD: usize = 24;
/// Most rules that a peer may have: each of its packets is held against all of them.
pub const RECORDS_MAX: usize = 64;

const ALLOW: u8 = 0;
const DENY: u8 = 1;
const GATEWAY: u8 = 2;

/// One rule of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    direction: Direction,
    source: Masked,
    destination: Masked,
    action: Action,
}

/// A network and the bits that count, which need not be the first ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Masked {
    network: u32,
    mask: u32,
}

impl Record {
    /// All rules of a table; bytes behind the last whole one are nothing.
    ///
    /// # Errors
    /// More rules than a peer may have.
    pub fn parse_all(payload: &[u8]) -> Result<Vec<Self>, Breach> {
        let (records, _) = payload.as_chunks::<RECORD>();
        if records.len() > RECORDS_MAX {
            return Err(Breach::Rules(records.len()));
        }
        Ok(records.iter().map(Self::parse).collect())
    }

    /// A direction or an action that is not known denies: a peer may only narrow what it can do.
    fn parse(bytes: &[u8; RECORD]) -> Self {
        let number = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let target = Ipv4Addr::new(bytes[18], bytes[19], bytes[20], bytes[21]);
        let port = u16::from_be_bytes([bytes[22], bytes[23]]);
        Self {
            direction: if bytes[0] == 0 { Direction::In } else { Direction::Out },
            source: Masked { network: number(1), mask: number(5) },
            destination: Masked { network: number(9), mask: number(13) },
            action: match bytes[17] {
                ALLOW => Action::Allow,
                GATEWAY => Action::Gateway(SocketAddrV4::new(target, port).into()),
                _ => Action::Deny,
            },
        }
    }

    /// The record of a rule of `tuntap-device-rule`; none if it asks for more than a record can say.
    pub fn new(direction: Direction, rule: &Rule) -> Option<Self> {
        let source = Masked::new(rule.source)?;
        let destination = Masked::new(rule.destination)?;
        let plain = Rule { source: rule.source, destination: rule.destination, ..Rule::all(rule.action) };
        (plain == *rule).then_some(Self { direction, source, destination, action: rule.action })
    }

    /// Its bytes.
    pub fn bytes(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[0] = u8::from(self.direction == Direction::Out);
        let numbers =
            [self.source.network, self.source.mask, self.destination.network, self.destination.mask];
        for (index, number) in numbers.iter().enumerate() {
            bytes[1 + 4 * index..5 + 4 * index].copy_from_slice(&number.to_ne_bytes());
        }
        bytes[17] = match self.action {
            Action::Allow => ALLOW,
            Action::Deny => DENY,
            Action::Gateway(_) => GATEWAY,
        };
        if let Action::Gateway(SocketAddr::V4(target)) = self.action {
            bytes[18..22].copy_from_slice(&target.ip().octets());
            bytes[22..].copy_from_slice(&target.port().to_be_bytes());
        }
        bytes
    }

    fn matches(&self, direction: Direction, packet: &Packet) -> bool {
        let (IpAddr::V4(source), IpAddr::V4(destination)) = (packet.source, packet.destination) else {
            return false;
        };
        self.direction == direction && self.source.has(source) && self.destination.has(destination)
    }
}

/// What the first rule that means it says about a packet: it goes on if there is none.
pub fn judge(records: &[Record], direction: Direction, packet: &Packet) -> Action {
    let first = records.iter().find(|record| record.matches(direction, packet));
    first.map_or(Action::Allow, |record| record.action)
}

impl Masked {
    /// A network with the bits of hosts cleared; none for one of version 6.
    fn new(prefix: Option<Prefix>) -> Option<Self> {
        let Some(prefix) = prefix else { return Some(Self { network: 0, mask: 0 }) };
        let (IpAddr::V4(first), IpAddr::V4(last)) = (prefix.network(), prefix.last()) else { return None };
        Some(Self { network: first.to_bits(), mask: !(first.to_bits() ^ last.to_bits()) })
    }

    /// Network 0 is anybody, whatever the mask.
    fn has(self, address: Ipv4Addr) -> bool {
        self.network == 0 || address.to_bits() & self.mask == self.network
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
