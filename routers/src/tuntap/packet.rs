//! Pure. What a router must know of an IP packet to judge it; whatever could be read in two ways is no packet.
//!
//! Checksums are left to the receiver: a packet between two kernels with offloads has none yet.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reason::Reason;

/// Number of ICMP (RFC 792).
pub const ICMP: u8 = 1;
/// Number of TCP (RFC 9293).
pub const TCP: u8 = 6;
/// Number of UDP (RFC 768).
pub const UDP: u8 = 17;
/// Number of ICMP for version 6 (RFC 4443).
pub const ICMPV6: u8 = 58;

/// Most extension headers in front of what a packet carries; real ones have two at most.
const EXTENSIONS_MAX: usize = 8;
/// Longest packet that fragments may make up (RFC 791).
const ASSEMBLED_MAX: usize = 65_535;
/// Bytes that offsets of fragments count in; ports fit into the first of them.
const UNIT: usize = 8;

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const LOOSE_ROUTE: u8 = 131;
const STRICT_ROUTE: u8 = 137;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// An IP packet, as far as rules ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Who it says has sent it.
    pub source: IpAddr,
    /// Whom it is for.
    pub destination: IpAddr,
    /// What it carries; none where a later fragment does not tell.
    pub protocol: Option<u8>,
    /// Ports of source and destination, where the protocol has any and the packet is its beginning.
    pub ports: Option<(u16, u16)>,
    /// How much of what was sent is in it.
    pub piece: Piece,
    /// A whole packet of a TCP connection that somebody has opened already: it has ACK or RST.
    pub established: bool,
}

/// How much of what was sent a packet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// All of it.
    Whole,
    /// The first fragment.
    First,
    /// A further fragment.
    Later,
}

/// What stands behind the headers of the internet protocol.
struct Upper<'a> {
    protocol: Option<u8>,
    payload: &'a [u8],
    piece: Piece,
}

impl Packet {
    /// Reads a packet of either version, without anything before or behind it.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Reason> {
        Self::locate(bytes).map(|(packet, _)| packet)
    }

    /// The same, with the offset in bytes of what the packet carries.
    pub(super) fn locate(bytes: &[u8]) -> Result<(Self, usize), Reason> {
        match bytes.first().map(|byte| byte >> 4) {
            Some(4) => v4(bytes),
            Some(6) => v6(bytes),
            Some(_) => Err(Reason::Version),
            None => Err(Reason::Short),
        }
    }

    /// Why it cannot go from one host to one other, whoever they are.
    pub fn unroutable(&self) -> Option<Reason> {
        if is_multicast(self.destination) {
            return Some(Reason::Multicast);
        }
        let strange = is_martian(self.source) || is_multicast(self.source) || is_martian(self.destination);
        strange.then_some(Reason::Martian)
    }

    fn new(source: IpAddr, destination: IpAddr, upper: &Upper) -> Result<Self, Reason> {
        let Upper { protocol, payload, piece } = *upper;
        let (ports, established) = match (protocol, piece) {
            (Some(protocol), Piece::Whole | Piece::First) => transport(protocol, payload, piece)?,
            (None, _) | (_, Piece::Later) => (None, false),
        };
        Ok(Self { source, destination, protocol, ports, piece, established })
    }
}

/// An address that no packet between hosts has.
pub fn is_martian(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.octets()[0] == 0,
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unspecified() || address.to_ipv4_mapped().is_some()
        }
    }
}

/// An address of many hosts.
pub fn is_multicast(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn v4(bytes: &[u8]) -> Result<(Packet, usize), Reason> {
    let header: &[u8; V4_HEADER] = bytes.first_chunk().ok_or(Reason::Short)?;
    let length = usize::from(header[0] & 0x0f) * 4;
    if length < V4_HEADER {
        return Err(Reason::HeaderLength);
    }
    if usize::from(number(header, 2)) != bytes.len() {
        return Err(Reason::Length);
    }
    let options = bytes.get(V4_HEADER..length).ok_or(Reason::HeaderLength)?;
    judge_options(options)?;
    let place = number(header, 6);
    let payload = &bytes[length..];
    let piece = piece(usize::from(place & 0x1fff) * UNIT, place & 0x2000 != 0, payload.len())?;
    let upper = Upper { protocol: Some(header[9]), payload, piece };
    let packet = Packet::new(v4_address(header, 12).into(), v4_address(header, 16).into(), &upper)?;
    Ok((packet, length))
}

/// Options of version 4 (RFC 791): each within the header, none that chooses the way.
fn judge_options(mut options: &[u8]) -> Result<(), Reason> {
    while let [kind, rest @ ..] = options {
        options = match (*kind, rest) {
            (0, _) => return Ok(()),
            (1, _) => rest,
            (LOOSE_ROUTE | STRICT_ROUTE, _) => return Err(Reason::SourceRoute),
            (_, [length, ..]) if *length >= 2 => {
                options.get(usize::from(*length)..).ok_or(Reason::Options)?
            }
            (_, _) => return Err(Reason::Options),
        };
    }
    Ok(())
}

fn v6(bytes: &[u8]) -> Result<(Packet, usize), Reason> {
    let header: &[u8; V6_HEADER] = bytes.first_chunk().ok_or(Reason::Short)?;
    // A length of 0 would be a jumbogram (RFC 2675): no interface of ours takes one.
    if V6_HEADER + usize::from(number(header, 4)) != bytes.len() {
        return Err(Reason::Length);
    }
    let upper = walk(header[6], &bytes[V6_HEADER..])?;
    let packet = Packet::new(v6_address(header, 8).into(), v6_address(header, 24).into(), &upper)?;
    Ok((packet, bytes.len() - upper.payload.len()))
}

/// Walks along the extension headers (RFC 8200) to what the packet carries.
///
/// Mobility, HIP and shim6 are extension headers on paper; a kernel takes them for what is carried, and so do we.
fn walk(first: u8, payload: &[u8]) -> Result<Upper<'_>, Reason> {
    let (mut next, mut rest, mut piece) = (first, payload, Piece::Whole);
    for index in 0..=EXTENSIONS_MAX {
        let length = match next {
            HOP_BY_HOP if index > 0 => return Err(Reason::Extensions),
            HOP_BY_HOP | DESTINATION => extension_length(rest)?,
            ROUTING => routing_length(rest)?,
            AUTHENTICATION => (usize::from(*rest.get(1).ok_or(Reason::Extensions)?) + 2) * 4,
            FRAGMENT if piece == Piece::Whole => {
                piece = fragment(rest)?;
                UNIT
            }
            // A fragment of a fragment.
            FRAGMENT => return Err(Reason::Extensions),
            protocol => return Ok(Upper { protocol: Some(protocol), payload: rest, piece }),
        };
        next = *rest.first().ok_or(Reason::Extensions)?;
        rest = rest.get(length..).ok_or(Reason::Extensions)?;
        if piece == Piece::Later {
            return Ok(Upper { protocol: (!is_extension(next)).then_some(next), payload: rest, piece });
        }
    }
    Err(Reason::Extensions)
}

fn is_extension(number: u8) -> bool {
    [HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION].contains(&number)
}

/// Bytes of an extension header of the common form.
fn extension_length(header: &[u8]) -> Result<usize, Reason> {
    header.get(1).map(|length| (usize::from(*length) + 1) * UNIT).ok_or(Reason::Extensions)
}

/// Bytes of a routing header that has nowhere left to go.
fn routing_length(header: &[u8]) -> Result<usize, Reason> {
    let segments_left = *header.get(3).ok_or(Reason::Extensions)?;
    if segments_left > 0 { Err(Reason::SourceRoute) } else { extension_length(header) }
}

fn fragment(rest: &[u8]) -> Result<Piece, Reason> {
    let (header, payload) = rest.split_first_chunk::<UNIT>().ok_or(Reason::Extensions)?;
    let place = number(header, 2);
    piece(usize::from(place >> 3) * UNIT, place & 1 != 0, payload.len())
}

/// What a fragment at this offset is; only the last one may end anywhere.
fn piece(offset: usize, more: bool, length: usize) -> Result<Piece, Reason> {
    if (more && !length.is_multiple_of(UNIT)) || offset + length > ASSEMBLED_MAX {
        return Err(Reason::Fragment);
    }
    Ok(match (offset, more) {
        (0, false) => Piece::Whole,
        (0, true) => Piece::First,
        (_, _) => Piece::Later,
    })
}

/// Ports, and whether it belongs to a connection that is there.
///
/// The flags of TCP lie behind the first eight bytes: a second fragment could write over them (RFC 1858).
fn transport(protocol: u8, payload: &[u8], piece: Piece) -> Result<(Option<(u16, u16)>, bool), Reason> {
    let Some(least) = header_length(protocol) else { return Ok((None, false)) };
    let (least, short) = match piece {
        Piece::First => (UNIT, Reason::Fragment),
        Piece::Whole | Piece::Later => (least, Reason::Transport),
    };
    let header = payload.get(..least).ok_or(short)?;
    let ports = (number(header, 0), number(header, 2));
    let established = protocol == TCP && piece == Piece::Whole && header[13] & (ACK | RST) != 0;
    Ok((Some(ports), established))
}

/// Least bytes of the header of a protocol that begins with two ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
pub(super) fn header_length(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(20),
        UDP | 136 => Some(8),
        33 | 132 => Some(12),
        _ => None,
    }
}

fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn v4_address(header: &[u8; V4_HEADER], at: usize) -> Ipv4Addr {
    let octets: [u8; 4] = header[at..at + 4].try_into().expect("four of twenty bytes");
    octets.into()
}

fn v6_address(header: &[u8; V6_HEADER], at: usize) -> Ipv6Addr {
    let octets: [u8; 16] = header[at..at + 16].try_into().expect("sixteen of forty bytes");
    octets.into()
}

#[cfg(test)]
#[path = "packet_tests.rs"]
mod tests;
