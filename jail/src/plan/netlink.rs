//! Pure. Requests of `rtnetlink(7)` as bytes, and what the kernel answers.

use core::net::IpAddr;

use super::network::{Link, LinkKind, Prefix, Route};

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
/// A request that wants an answer (`NLM_F_REQUEST | NLM_F_ACK`).
const ASK: u16 = 0x1 | 0x4;
/// For something that must not be there yet (`NLM_F_CREATE | NLM_F_EXCL`).
const CREATE: u16 = 0x400 | 0x200;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
/// The kernel makes up no address of version 6, and asks for none.
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
/// `IFLA_MACVLAN_MODE` and `IFLA_IPVLAN_MODE`.
const MODE: u16 = 1;
const IFF_UP: u32 = 1;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Usable at once: nobody else can have it yet, or somebody has configured it twice.
const IFA_F_NODAD: u8 = 0x02;
const SCOPE_LINK: u8 = 253;
const SCOPE_HOST: u8 = 254;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_METRICS: u16 = 8;
const RTAX_MTU: u16 = 2;
const RT_TABLE_MAIN: u8 = 254;
/// Set by an administrator (`RTPROT_STATIC`).
const STATIC: u8 = 4;
const UNICAST: u8 = 1;

const HEADER: usize = 16;
/// `nlmsghdr` of the answer, its error, and `nlmsghdr` of the request.
const ERROR_HEADER: usize = HEADER + 4 + HEADER;
const NLMSG_ERROR: u16 = 2;
/// More follows the error (`NLM_F_ACK_TLVS`).
const EXPLAINED: u16 = 0x200;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// A link in numbers: what its names mean where it is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers {
    /// The interface outside, unless it is to be made.
    pub outside: u32,
    /// The bridge, if any.
    pub bridge: u32,
    /// A process in the jail's network.
    pub process: u32,
}

/// The request that makes a link, or moves one, whole: both ends, names, bridge; or nothing.
pub fn link(link: &Link, numbers: Numbers) -> Vec<u8> {
    match &link.kind {
        LinkKind::Veth(_) => veth(link, numbers),
        LinkKind::Macvlan((_, mode)) => above(link, numbers, ("macvlan", &mode.to_ne_bytes())),
        LinkKind::Ipvlan((_, mode)) => above(link, numbers, ("ipvlan", &(*mode as u16).to_ne_bytes())),
        LinkKind::Moved => {
            let mut message = Message::new(NEW_LINK, ASK, &interface(numbers.outside, false));
            message.inside(link, numbers.process);
            message.bytes()
        }
    }
}

fn veth(link: &Link, numbers: Numbers) -> Vec<u8> {
    let mut message = Message::new(NEW_LINK, ASK | CREATE, &interface(0, true));
    message.text(IFLA_IFNAME, &link.outside);
    link.mtu.iter().for_each(|mtu| message.number(IFLA_MTU, *mtu));
    if numbers.bridge != 0 {
        message.number(IFLA_MASTER, numbers.bridge);
    }
    message.nest(IFLA_LINKINFO, |info| {
        info.text(IFLA_INFO_KIND, "veth");
        info.nest(IFLA_INFO_DATA, |end| {
            end.nest(VETH_INFO_PEER, |peer| {
                peer.0.extend(interface(0, false));
                peer.inside(link, numbers.process);
            });
        });
    });
    message.bytes()
}

/// An interface on top of another one.
fn above(link: &Link, numbers: Numbers, (kind, mode): (&str, &[u8])) -> Vec<u8> {
    let mut message = Message::new(NEW_LINK, ASK | CREATE, &interface(0, false));
    message.inside(link, numbers.process);
    message.number(IFLA_LINK, numbers.outside);
    message.nest(IFLA_LINKINFO, |info| {
        info.text(IFLA_INFO_KIND, kind);
        info.nest(IFLA_INFO_DATA, |data| data.attribute(MODE, mode));
    });
    message.bytes()
}

/// The request that gives an interface an address.
pub fn address(prefix: &Prefix, interface: u32) -> Vec<u8> {
    let scope = if prefix.address.is_loopback() { SCOPE_HOST } else { 0 };
    let mut header = vec![family(prefix.address), prefix.length, IFA_F_NODAD, scope];
    header.extend(interface.to_ne_bytes());
    let mut message = Message::new(NEW_ADDRESS, ASK | CREATE, &header);
    message.ip(IFA_LOCAL, prefix.address);
    message.ip(IFA_ADDRESS, prefix.address);
    message.bytes()
}

/// The request that sets the longest packet of an interface, in bytes.
pub fn mtu(number: u32, bytes: u32) -> Vec<u8> {
    let mut message = Message::new(NEW_LINK, ASK, &interface(number, false));
    message.number(IFLA_MTU, bytes);
    message.bytes()
}

/// The request by which an interface says nothing of version 6 until somebody gives it an address.
pub fn silence(number: u32) -> Vec<u8> {
    let mut message = Message::new(NEW_LINK, ASK, &interface(number, false));
    message.nest(IFLA_AF_SPEC, |families| {
        families.nest(libc::AF_INET6 as u16, |v6| {
            v6.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
        });
    });
    message.bytes()
}

/// The request that adds a route; interface 0 is the one of the gateway.
pub fn route(route: &Route, interface: u32) -> Vec<u8> {
    let Route { to, gateway, .. } = route;
    let scope = if gateway.is_none() && to.address.is_ipv4() { SCOPE_LINK } else { 0 };
    let mut header = vec![family(to.address), to.length, 0, 0, RT_TABLE_MAIN, STATIC, scope, UNICAST];
    header.extend([0; 4]);
    let mut message = Message::new(NEW_ROUTE, ASK | CREATE, &header);
    if to.length > 0 {
        message.ip(RTA_DST, to.address);
    }
    gateway.iter().for_each(|gateway| message.ip(RTA_GATEWAY, *gateway));
    if interface != 0 {
        message.number(RTA_OIF, interface);
    }
    if let Some(mtu) = route.mtu {
        message.nest(RTA_METRICS, |metrics| metrics.number(RTAX_MTU, mtu));
    }
    message.bytes()
}

/// What the kernel answered: an error number, 0 for none, and its own words.
pub fn answer(wire: &[u8]) -> Option<(i32, String)> {
    let kind = u16::from_ne_bytes(*wire.get(4..)?.first_chunk()?);
    let flags = u16::from_ne_bytes(*wire.get(6..)?.first_chunk()?);
    let error = i32::from_ne_bytes(*wire.get(HEADER..)?.first_chunk()?);
    if kind != NLMSG_ERROR {
        return None;
    }
    let words = if flags & EXPLAINED == 0 { None } else { wire.get(ERROR_HEADER..).and_then(words) };
    Some((-error, words.unwrap_or_default()))
}

/// The text among the attributes behind an error.
fn words(mut attributes: &[u8]) -> Option<String> {
    while !attributes.is_empty() {
        let length = usize::from(u16::from_ne_bytes(*attributes.first_chunk()?));
        let kind = u16::from_ne_bytes(*attributes.get(2..)?.first_chunk()?);
        let value = attributes.get(4..length)?;
        if kind == NLMSGERR_ATTR_MSG {
            let text = value.split(|byte| *byte == 0).next()?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// `ifinfomsg`: the interface of this number, or a new one; up or as it is.
fn interface(number: u32, up: bool) -> Vec<u8> {
    let flags = if up { IFF_UP } else { 0 };
    [[0; 4], number.to_ne_bytes(), flags.to_ne_bytes(), flags.to_ne_bytes()].concat()
}

fn family(address: IpAddr) -> u8 {
    (if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

/// A request that grows; everything in it begins at a multiple of four bytes.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16, header: &[u8]) -> Self {
        let mut message = Self(vec![0; HEADER]);
        message.0[4..6].copy_from_slice(&kind.to_ne_bytes());
        message.0[6..8].copy_from_slice(&flags.to_ne_bytes());
        message.0.extend(header);
        message
    }

    fn bytes(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0
    }

    /// What is the same for each interface of a jail.
    fn inside(&mut self, link: &Link, process: u32) {
        self.text(IFLA_IFNAME, &link.inside);
        self.number(IFLA_NET_NS_PID, process);
        link.mac.iter().for_each(|mac| self.attribute(IFLA_ADDRESS, mac));
        link.mtu.iter().for_each(|mtu| self.number(IFLA_MTU, *mtu));
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |inner| inner.0.extend(value));
    }

    fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_ne_bytes());
    }

    fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, &[value.as_bytes(), b"\0"].concat());
    }

    fn ip(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend(kind.to_ne_bytes());
        fill(self);
        // Names and addresses are short: it fits (`nla_len` counts no padding).
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_asked_for_in_the_form_of_the_manual() {
        let prefix = Prefix { address: "10.0.0.2".parse().expect("address"), length: 24 };
        let head = [vec![40, 0, 0, 0, 20, 0], vec![5, 6], vec![0; 8]].concat();
        let body =
            [vec![2, 24, 2, 0, 7, 0, 0, 0], vec![8, 0, 2, 0, 10, 0, 0, 2], vec![8, 0, 1, 0, 10, 0, 0, 2]];
        assert_eq!(address(&prefix, 7), [head, body.concat()].concat());
    }

    #[test]
    fn what_is_not_a_multiple_of_four_is_filled_up() {
        let mut message = Message::new(1, 2, &[]);
        message.text(IFLA_IFNAME, "eth0");
        assert_eq!(message.bytes()[HEADER..], [9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0]);
    }

    #[test]
    fn the_words_of_the_kernel_are_found_and_nonsense_is_not() {
        let mut wire = vec![0; ERROR_HEADER];
        wire[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        wire[16..20].copy_from_slice(&(-17_i32).to_ne_bytes());
        assert_eq!(answer(&wire), Some((17, String::new())));
        wire[6..8].copy_from_slice(&EXPLAINED.to_ne_bytes());
        wire.extend([8, 0, 2, 0, 1, 1, 1, 1]);
        wire.extend([7, 0, 1, 0, b'h', b'i', 0, 0]);
        assert_eq!(answer(&wire), Some((17, "hi".into())));
        for length in 0..wire.len() {
            // No length of it makes us read beyond.
            let _ = answer(&wire[..length]);
        }
        let end = wire.len() - 8;
        wire[end] = 3;
        assert_eq!(answer(&wire), Some((17, String::new())));
        assert_eq!(answer(b"short"), None);
    }
}
