//! Pure. The network of a jail: its interfaces, their addresses, its routes.

use core::net::{IpAddr, Ipv4Addr};
use std::fmt;

/// An interface that a jail gets from the network that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is.
    pub kind: LinkKind,
    /// Its name in the jail.
    pub inside: String,
    /// Outside: the other end of a `veth`, else the interface that it stands on, or was.
    pub outside: String,
    /// Its hardware address in the jail; the kernel's choice if none.
    pub mac: Option<[u8; 6]>,
    /// Bytes of its longest packet; the kernel's choice if none.
    pub mtu: Option<u32>,
}

/// What an interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// One end of a pair; the other one is outside.
    Veth(VethEnd),
    /// A further hardware address of an interface.
    Macvlan(Mode),
    /// A further user of the hardware address of an interface.
    Ipvlan(Mode),
    /// The interface itself.
    Moved,
}

/// The end of a pair that stays outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VethEnd {
    /// Bridge that it is a port of.
    pub bridge: Option<String>,
    /// Its own address.
    pub address: Option<Prefix>,
}

/// How the users of one interface see each other: name and number (`linux/if_link.h`).
pub type Mode = (&'static str, u32);

/// Modes of a `macvlan`, the usual one first.
pub const MACVLAN_MODES: [Mode; 4] = [("bridge", 4), ("private", 1), ("vepa", 2), ("passthru", 8)];
/// Modes of an `ipvlan`, the usual one first.
pub const IPVLAN_MODES: [Mode; 3] = [("l2", 0), ("l3", 1), ("l3s", 2)];

/// An address and the length of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network: 0 to 32 or 128.
    pub length: u8,
}

/// An address of an interface of the jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address and its network.
    pub prefix: Prefix,
    /// Name of the interface.
    pub interface: String,
}

/// A route of the jail; it has a gateway, an interface, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to; length 0 is anywhere.
    pub to: Prefix,
    /// The next router.
    pub gateway: Option<IpAddr>,
    /// Name of the interface.
    pub interface: Option<String>,
    /// Bytes of the longest packet that goes this way; what the interface has if none.
    pub mtu: Option<u32>,
}

impl Prefix {
    /// Bits of an address of this family.
    pub fn bits(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }

    /// The network alone: no bit behind its length is set.
    pub fn is_network(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => {
                u32::from(address).checked_shl(self.length.into()).unwrap_or_default() == 0
            }
            IpAddr::V6(address) => {
                u128::from(address).checked_shl(self.length.into()).unwrap_or_default() == 0
            }
        }
    }

    /// True when this address lies in that network.
    pub fn has(&self, address: IpAddr) -> bool {
        let behind = u32::from(Self::bits(self.address).saturating_sub(self.length));
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (u32::from(ours) ^ u32::from(other)).checked_shr(behind).unwrap_or_default() == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                (u128::from(ours) ^ u128::from(other)).checked_shr(behind).unwrap_or_default() == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// This address alone.
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: Self::bits(address) }
    }

    /// Anywhere, in this family.
    pub fn anywhere(family: IpAddr) -> Self {
        let address = if family.is_ipv4() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED)
        };
        Self { address, length: 0 }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inside, outside) = (&self.inside, &self.outside);
        match &self.kind {
            LinkKind::Veth(end) => {
                write!(f, "veth {inside}, its other end {outside} outside")?;
                end.bridge.iter().try_for_each(|bridge| write!(f, " in bridge {bridge}"))?;
                end.address.iter().try_for_each(|address| write!(f, " with address {address}"))?;
            }
            LinkKind::Macvlan((mode, _)) => write!(f, "macvlan {inside} on {outside}, mode {mode}")?,
            LinkKind::Ipvlan((mode, _)) => write!(f, "ipvlan {inside} on {outside}, mode {mode}")?,
            LinkKind::Moved => write!(f, "interface {outside} itself, as {inside}")?,
        }
        if let Some([a, b, c, d, e, g]) = self.mac {
            write!(f, ", mac {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")?;
        }
        self.mtu.map_or(Ok(()), |mtu| write!(f, ", mtu {mtu}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.prefix, self.interface)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to.length {
            0 => f.write_str("default")?,
            _ => write!(f, "{}", self.to)?,
        }
        self.gateway.iter().try_for_each(|gateway| write!(f, " via {gateway}"))?;
        self.interface.iter().try_for_each(|interface| write!(f, " dev {interface}"))?;
        self.mtu.map_or(Ok(()), |mtu| write!(f, " mtu {mtu}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lies_in_the_networks_of_its_own_family() {
        let has = |network: &str, length, address: &str| {
            let network = Prefix { address: network.parse().expect("address"), length };
            network.has(address.parse().expect("address"))
        };
        assert!(
            has("10.0.0.2", 24, "10.0.0.1")
                && has("10.0.0.2", 0, "192.0.2.1")
                && has("fd00::2", 64, "fd00::1")
        );
        assert!(has("10.0.0.2", 32, "10.0.0.2") && has("fd00::2", 0, "2001:db8::1"));
        assert!(
            !has("10.0.0.2", 32, "10.0.0.1")
                && !has("10.0.0.2", 24, "10.0.1.1")
                && !has("fd00::2", 128, "fd00::1")
        );
        assert!(!has("10.0.0.2", 0, "fd00::1") && !has("::", 0, "10.0.0.1"));
    }

    #[test]
    fn a_network_has_nothing_behind_its_length() {
        let prefix = |address: &str, length| Prefix { address: address.parse().expect("address"), length };
        for (address, length) in
            [("10.0.0.0", 8), ("0.0.0.0", 0), ("10.0.0.1", 32), ("fd00::", 64), ("::", 0)]
        {
            assert!(prefix(address, length).is_network(), "{address}/{length}");
        }
        for (address, length) in [("10.0.0.1", 8), ("10.0.0.0", 0), ("fd00::1", 64), ("::1", 0)] {
            assert!(!prefix(address, length).is_network(), "{address}/{length}");
        }
    }
}
