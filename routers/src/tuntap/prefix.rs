//! Pure. Networks: an address and how many of its bits count.

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;

/// Bits in front of an address of version 4 where both versions are one row of numbers (`::ffff:0:0/96`).
const MAPPED_BITS: u8 = 96;

/// A network; bits behind its length are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// A network, unless it is longer than its addresses.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        (length <= bits(address)).then_some(Self { address, length })
    }

    /// One address alone.
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: bits(address) }
    }

    /// Its lowest address.
    pub fn network(&self) -> IpAddr {
        address(self.span().0, self.address.is_ipv4())
    }

    /// Its highest address: the broadcast of version 4.
    pub fn last(&self) -> IpAddr {
        address(self.span().1, self.address.is_ipv4())
    }

    /// How many addresses it has; no more than are counted here.
    pub(super) fn size(&self) -> usize {
        let (first, last) = self.span();
        usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1)
    }

    /// Bits that count.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether an address is of it; one of the other version never is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (first, last) = self.span();
        self.address.is_ipv4() == address.is_ipv4() && (first..=last).contains(&key(address))
    }

    /// All of its addresses, by `key`.
    pub(super) fn spans(&self) -> Vec<(u128, u128)> {
        let (first, last) = self.span();
        let (mapped, end) = (key([0; 4].into()), key([255; 4].into()));
        // A network of version 6 as wide as that has none of version 4 in its midst.
        if self.address.is_ipv6() && first < mapped && end < last {
            return vec![(first, mapped - 1), (end + 1, last)];
        }
        vec![(first, last)]
    }

    fn span(&self) -> (u128, u128) {
        let length = if self.address.is_ipv4() { MAPPED_BITS + self.length } else { self.length };
        let behind = u128::MAX.checked_shr(length.into()).unwrap_or(0);
        (key(self.address) & !behind, key(self.address) | behind)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Where an address stands in the row of both versions; no packet has one of version 6 that is one of version 4.
pub(super) fn key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address at a place in that row.
pub(super) fn address(key: u128, is_v4: bool) -> IpAddr {
    let address = Ipv6Addr::from_bits(key);
    if is_v4 { address.to_canonical() } else { address.into() }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(address: &str, length: u8) -> Prefix {
        Prefix::new(address.parse().unwrap(), length).unwrap()
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let network = prefix("10.1.2.3", 24);
        assert!(
            network.contains("10.1.2.0".parse().unwrap()) && network.contains("10.1.2.255".parse().unwrap())
        );
        assert!(
            !network.contains("10.1.3.0".parse().unwrap())
                && !network.contains("10.1.1.255".parse().unwrap())
        );
        assert_eq!(network.network(), IpAddr::from([10, 1, 2, 0]));
        assert_eq!(network.last(), IpAddr::from([10, 1, 2, 255]));
    }

    #[test]
    fn no_bit_at_all_is_everybody_of_that_version() {
        assert!(prefix("10.0.0.0", 0).contains("203.0.113.9".parse().unwrap()));
        assert!(!prefix("10.0.0.0", 0).contains("2001:db8::1".parse().unwrap()));
        assert!(prefix("2001:db8::", 0).contains("::1".parse().unwrap()));
        assert!(!prefix("::", 0).contains("203.0.113.9".parse().unwrap()));
        let spans = prefix("::", 0).spans();
        let covered = |address: [u8; 4]| spans.iter().any(|(a, b)| (*a..=*b).contains(&key(address.into())));
        assert!(!covered([0; 4]) && !covered([203, 0, 113, 9]) && !covered([255; 4]));
    }

    #[test]
    fn a_network_is_not_longer_than_its_addresses() {
        assert_eq!(Prefix::new([10, 0, 0, 1].into(), 33), None);
        assert_eq!(Prefix::new("::1".parse().unwrap(), 129), None);
        assert!(Prefix::host([10, 0, 0, 1].into()).contains([10, 0, 0, 1].into()));
    }
}
