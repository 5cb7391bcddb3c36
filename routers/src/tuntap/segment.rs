//! Pure. A packet that stands for many becomes these, and each has its checksum, for whoever takes packets one by one.
//!
//! As Linux does it (`Documentation/networking/segmentation-offloads.rst`); no memory is asked for.

use super::offload::{Checksum, Offload, Split};

const CWR: u8 = 0x80;
const PSH: u8 = 0x08;
const FIN: u8 = 0x01;

/// The packets that one packet stands for, one after the other.
#[derive(Debug)]
pub struct Segments<'a> {
    packet: &'a [u8],
    offload: Offload,
    /// How many went out.
    count: u16,
    is_over: bool,
}

/// One segment among its like.
struct Part {
    headers: usize,
    /// Number of the segment.
    number: u16,
    /// Bytes that came before it.
    before: usize,
    is_last: bool,
}

impl<'a> Segments<'a> {
    /// The packets of this one; `offload` was proved to fit it.
    pub fn new(packet: &'a [u8], offload: Offload) -> Self {
        Self { packet, offload, count: 0, is_over: false }
    }

    /// Writes the next one, which may go as it is; none after the last, or when there is no room for it.
    pub fn next_into<'b>(&mut self, room: &'b mut [u8]) -> Option<&'b [u8]> {
        if self.is_over {
            return None;
        }
        let length = match self.offload.split() {
            Some(split) => self.cut(split, room)?,
            None => {
                self.is_over = true;
                room.get_mut(..self.packet.len())?.copy_from_slice(self.packet);
                self.packet.len()
            }
        };
        let segment = room.get_mut(..length)?;
        if let Some(checksum) = self.offload.checksum() {
            complete(segment, checksum)?;
        }
        Some(segment)
    }

    fn cut(&mut self, split: Split, room: &mut [u8]) -> Option<usize> {
        let (headers, size) = (usize::from(split.headers), usize::from(split.size));
        let before = usize::from(self.count) * size;
        let rest = self.packet.get(headers + before..)?;
        let carried = &rest[..size.min(rest.len())];
        let segment = room.get_mut(..headers + carried.len())?;
        segment[..headers].copy_from_slice(&self.packet[..headers]);
        segment[headers..].copy_from_slice(carried);
        self.is_over = rest.len() <= size;
        let part = Part { headers, number: self.count, before, is_last: self.is_over };
        self.count += 1;
        let start = usize::from(self.offload.checksum()?.start);
        number_network(segment, &part, start)?;
        if split.is_tcp() {
            number_tcp(segment.get_mut(start..)?, &part)?
        } else {
            measure_udp(segment.get_mut(start..)?)?
        }
        Some(headers + carried.len())
    }
}

/// Length, identification and checksum of the internet header.
fn number_network(segment: &mut [u8], part: &Part, start: usize) -> Option<()> {
    const V6_HEADER: usize = 40;
    let length = segment.len();
    if segment.first()? >> 4 == 6 {
        put(segment, 4, u16::try_from(length - V6_HEADER).ok()?)
    } else {
        let first = u16::from_be_bytes([*segment.get(4)?, *segment.get(5)?]);
        put(segment, 2, u16::try_from(length).ok()?)?;
        put(segment, 4, first.wrapping_add(part.number))?;
        put(segment, 10, 0)?;
        // `start` is where the header with its options ends.
        let header_sum = !fold(sum(segment.get(..start.min(part.headers))?));
        put(segment, 10, header_sum)
    }
}

/// Sequence number and flags.
fn number_tcp(tcp: &mut [u8], part: &Part) -> Option<()> {
    let sequence: &mut [u8; 4] = tcp.get_mut(4..8)?.try_into().ok()?;
    let first = u32::from_be_bytes(*sequence);
    *sequence = first.wrapping_add(u32::try_from(part.before).ok()?).to_be_bytes();
    let flags = tcp.get_mut(13)?;
    if part.number > 0 {
        *flags &= !CWR;
    }
    if !part.is_last {
        *flags &= !(FIN | PSH);
    }
    Some(())
}

fn measure_udp(udp: &mut [u8]) -> Option<()> {
    put(udp, 4, u16::try_from(udp.len()).ok()?)
}

/// Completes the checksum of TCP or UDP, over their pseudo-header too (RFC 9293, 768, 8200).
fn complete(packet: &mut [u8], checksum: Checksum) -> Option<()> {
    let (start, field) = (usize::from(checksum.start), usize::from(checksum.field));
    let addresses = if packet.first()? >> 4 == 6 { packet.get(8..40)? } else { packet.get(12..20)? };
    let pseudo = sum(addresses) + (packet.len().checked_sub(start)?) as u64 + protocol(checksum);
    put(packet, start + field, 0)?;
    let total = !fold(pseudo + sum(packet.get(start..)?));
    // To UDP a checksum of 0 is none at all; to TCP both are the same.
    put(packet, start + field, if total == 0 { 0xffff } else { total })
}

/// The number of the protocol that has its checksum there.
fn protocol(checksum: Checksum) -> u64 {
    if checksum.is_of_tcp() { super::packet::TCP.into() } else { super::packet::UDP.into() }
}

/// The sum of numbers of 16 bits, not yet folded; at most 64 KiB of them.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let whole: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    whole + u64::from(u32::from_be_bytes(last))
}

/// The ones' complement sum in 16 bits (RFC 1071).
pub(super) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Writes a number in the order of the network.
pub(super) fn put(bytes: &mut [u8], at: usize, number: u16) -> Option<()> {
    bytes.get_mut(at..at + 2)?.copy_from_slice(&number.to_be_bytes());
    Some(())
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
