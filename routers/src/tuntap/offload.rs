//! Pure. What is left to do about a packet between two kernels: its checksum, and its segments.
//!
//! A `struct virtio_net_hdr` in front of each packet says so (virtio 1.2, 5.1.6.2), in the byte order of the machine as
//! `IFF_VNET_HDR` has it. A tenant writes his own: whatever it has, no kernel behind us may write over what was judged.

use super::packet::{Packet, Piece, TCP, UDP};
use super::reason::Reason;

/// Bytes of the header.
pub const OFFLOAD_HEADER: usize = 10;
/// Most segments of one packet: 64 KiB at the least size of a segment of TCP that Linux sends (`tcp_min_snd_mss`, with
/// time stamps).
pub const SEGMENTS_MAX: usize = 1_900;
/// Most datagrams of one packet (`UDP_MAX_SEGMENTS`).
pub const DATAGRAMS_MAX: usize = 128;

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`: the checksum is to be completed.
const NEEDS_CHECKSUM: u8 = 1;
/// `VIRTIO_NET_HDR_F_DATA_VALID`: the sender's kernel has looked at it; ours does not care.
const DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
/// Beside one of TCP: the first segment alone may have CWR (RFC 3168).
const GSO_ECN: u8 = 0x80;

/// Where the checksum is in the headers of TCP and UDP.
const TCP_CHECKSUM: u16 = 16;
const UDP_CHECKSUM: u16 = 6;
/// Bytes of the header of UDP.
const UDP_HEADER: usize = 8;

/// What is left to do about one packet; proved to fit it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    checksum: Option<Checksum>,
    split: Option<Split>,
}

/// A checksum to be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    /// Offset of the header of TCP or UDP, from where on it counts.
    pub(super) start: u16,
    /// Its offset in that header.
    pub(super) field: u16,
    /// Bytes of all headers: a kernel that knows them keeps them in one piece, and need not look for them later.
    headers: u16,
}

/// A packet that stands for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    kind: u8,
    /// Bytes of all headers.
    pub(super) headers: u16,
    /// Bytes that each segment carries, but for the last one.
    pub(super) size: u16,
}

/// The header, as it stands there.
struct Raw {
    flags: u8,
    gso_type: u8,
    gso_size: u16,
    csum_start: u16,
    csum_offset: u16,
}

impl Offload {
    /// Reads what stands in front of a packet, and proves that it fits that packet.
    ///
    /// # Errors
    /// `Reason::Offload` where it does not; where it asks for anything, also why the packet is none.
    pub fn parse(header: &[u8; OFFLOAD_HEADER], bytes: &[u8]) -> Result<Self, Reason> {
        let raw = Raw::new(header);
        if raw.flags & !(NEEDS_CHECKSUM | DATA_VALID) != 0 {
            return Err(Reason::Offload);
        }
        match (raw.flags & NEEDS_CHECKSUM != 0, raw.gso_type) {
            (false, GSO_NONE) => Ok(Self::default()),
            // Linux completes the checksums of segments only where it is told to.
            (false, _) => Err(Reason::Offload),
            (true, kind) => {
                let (packet, start) = Packet::locate(bytes)?;
                let checksum = raw.checksum((&packet, start), bytes)?;
                let split = if kind == GSO_NONE { None } else { raw.split((&packet, start), bytes)? };
                Ok(Self { checksum: Some(checksum), split })
            }
        }
    }

    /// The header anew, with nothing in it but what was proved.
    pub fn header(&self) -> [u8; OFFLOAD_HEADER] {
        let mut header = [0; OFFLOAD_HEADER];
        if let Some(Checksum { start, field, headers }) = self.checksum {
            header[0] = NEEDS_CHECKSUM;
            header[2..4].copy_from_slice(&headers.to_ne_bytes());
            header[6..8].copy_from_slice(&start.to_ne_bytes());
            header[8..].copy_from_slice(&field.to_ne_bytes());
        }
        if let Some(Split { kind, headers, size }) = self.split {
            header[1] = kind;
            header[2..4].copy_from_slice(&headers.to_ne_bytes());
            header[4..6].copy_from_slice(&size.to_ne_bytes());
        }
        header
    }

    /// Whether the packet can go as it is to where nobody completes anything.
    pub fn is_done(&self) -> bool {
        self.checksum.is_none()
    }

    /// How many packets this one of so many bytes stands for.
    pub fn packets(&self, bytes: usize) -> usize {
        match self.split {
            Some(split) => bytes.saturating_sub(split.headers.into()).div_ceil(split.size.into()).max(1),
            None => 1,
        }
    }

    /// Bytes of the longest of these packets; `bytes` has the one that stands for them.
    pub fn longest(&self, bytes: usize) -> usize {
        self.split.map_or(bytes, |split| bytes.min(usize::from(split.headers) + usize::from(split.size)))
    }

    pub(super) fn checksum(&self) -> Option<Checksum> {
        self.checksum
    }

    pub(super) fn split(&self) -> Option<Split> {
        self.split
    }
}

impl Checksum {
    pub(super) fn is_of_tcp(self) -> bool {
        self.field == TCP_CHECKSUM
    }
}

impl Split {
    pub(super) fn is_tcp(self) -> bool {
        self.kind != GSO_UDP_L4
    }
}

impl Raw {
    fn new(header: &[u8; OFFLOAD_HEADER]) -> Self {
        let number = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        // Bytes 2 and 3 are a hint for who allocates memory: we give a better one.
        Self {
            flags: header[0],
            gso_type: header[1],
            gso_size: number(4),
            csum_start: number(6),
            csum_offset: number(8),
        }
    }

    /// A checksum where TCP and UDP have theirs, and nowhere else: it would be written over something.
    fn checksum(&self, (packet, start): (&Packet, usize), bytes: &[u8]) -> Result<Checksum, Reason> {
        let field = match (packet.protocol, packet.piece) {
            (Some(TCP), Piece::Whole) => TCP_CHECKSUM,
            (Some(UDP), Piece::Whole) => UDP_CHECKSUM,
            (_, _) => return Err(Reason::Offload),
        };
        if (usize::from(self.csum_start), self.csum_offset) != (start, field) {
            return Err(Reason::Offload);
        }
        let end = start + if field == TCP_CHECKSUM { tcp_length(&bytes[start..]) } else { UDP_HEADER };
        let headers = u16::try_from(end.min(bytes.len())).map_err(|_| Reason::Offload)?;
        Ok(Checksum { start: self.csum_start, field, headers })
    }

    /// Segments of the packet's own protocol and version; none where it is but one.
    fn split(&self, (packet, start): (&Packet, usize), bytes: &[u8]) -> Result<Option<Split>, Reason> {
        let (protocol, is_of_version, most) = match self.gso_type & !GSO_ECN {
            GSO_TCPV4 => (TCP, packet.source.is_ipv4(), SEGMENTS_MAX),
            GSO_TCPV6 => (TCP, packet.source.is_ipv6(), SEGMENTS_MAX),
            // ECN is a thing of TCP.
            GSO_UDP_L4 => (UDP, self.gso_type == GSO_UDP_L4, DATAGRAMS_MAX),
            _ => return Err(Reason::Offload),
        };
        if packet.protocol != Some(protocol) || !is_of_version || self.gso_size == 0 {
            return Err(Reason::Offload);
        }
        let headers = start + transport_length(protocol, &bytes[start..])?;
        let carried = bytes.len().checked_sub(headers).ok_or(Reason::Offload)?;
        if carried.div_ceil(self.gso_size.into()) > most {
            return Err(Reason::Offload);
        }
        let headers = u16::try_from(headers).map_err(|_| Reason::Offload)?;
        let split = Split { kind: self.gso_type, headers, size: self.gso_size };
        Ok((carried > self.gso_size.into()).then_some(split))
    }
}

/// Bytes of the header of TCP, as it says.
fn tcp_length(header: &[u8]) -> usize {
    header.get(12).map_or(0, |byte| usize::from(byte >> 4) * 4)
}

/// Bytes of the header of a packet that stands for many: what opens or breaks a connection does not.
fn transport_length(protocol: u8, header: &[u8]) -> Result<usize, Reason> {
    const SYN_OR_RST: u8 = 0x06;
    if protocol == UDP {
        return Ok(UDP_HEADER);
    }
    let length = tcp_length(header);
    if length < 20 || header[13] & SYN_OR_RST != 0 { Err(Reason::Offload) } else { Ok(length) }
}

#[cfg(test)]
#[path = "offload_tests.rs"]
mod tests;
