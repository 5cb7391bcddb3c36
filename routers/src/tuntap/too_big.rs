//! Pure. What a sender is told whose packet is longer than its receiver takes, so that it sends shorter ones (RFC 1191, 8201).
//!
//! It comes from the receiver's own address: the sender's kernel takes nothing from its own, and we have none.

use super::packet::{ICMP, ICMPV6, Packet, Piece};
use super::segment::{fold, put, sum};

/// Longest answer of version 4 (RFC 1812, 4.3.2.3), and of version 6 (RFC 4443, 2.4): what no host has to cut.
pub const ANSWER_MAX: usize = 1280;
const V4_ANSWER_MAX: usize = 576;

const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
/// Bytes of the header of ICMP.
const HEADER: usize = 8;
/// Type and code: destination unreachable, fragmentation needed (RFC 792).
const NEEDS_FRAGMENTS: [u8; 2] = [3, 4];
/// Packet too big (RFC 4443, 3.2).
const TOO_BIG: [u8; 2] = [2, 0];
/// Precedence of what routers say (RFC 1812, 4.3.2.5).
const CONTROL: u8 = 0xc0;
const HOPS: u8 = 64;

/// The answer to a packet that was longer than `mtu` bytes; none to fragments, and none to errors (RFC 1812, 4.3.2.7; RFC 4443,
/// 2.4).
pub fn answer<'a>(packet: &[u8], mtu: u16, room: &'a mut [u8; ANSWER_MAX]) -> Option<&'a [u8]> {
    let (read, start) = Packet::locate(packet).ok()?;
    if read.piece != Piece::Whole || is_error(read.protocol, *packet.get(start)?) {
        return None;
    }
    if read.source.is_ipv4() { answer_v4(packet, mtu, room) } else { answer_v6(packet, mtu, room) }
}

/// Messages of ICMP that are no questions and no answers to any.
fn is_error(protocol: Option<u8>, kind: u8) -> bool {
    const ECHO: [u8; 2] = [0, 8];
    match protocol {
        Some(ICMP) => !ECHO.contains(&kind),
        Some(ICMPV6) => kind < 128,
        _ => false,
    }
}

fn answer_v4<'a>(packet: &[u8], mtu: u16, room: &'a mut [u8]) -> Option<&'a [u8]> {
    let quoted = packet.len().min(V4_ANSWER_MAX - V4_HEADER - HEADER);
    let length = V4_HEADER + HEADER + quoted;
    let answer = room.get_mut(..length)?;
    answer[..V4_HEADER + HEADER].fill(0);
    (answer[0], answer[1], answer[8], answer[9]) = (0x45, CONTROL, HOPS, ICMP);
    put(answer, 2, u16::try_from(length).ok()?)?;
    answer[12..16].copy_from_slice(packet.get(16..20)?);
    answer[16..20].copy_from_slice(packet.get(12..16)?);
    let header_sum = !fold(sum(&answer[..V4_HEADER]));
    put(answer, 10, header_sum)?;
    let message = &mut answer[V4_HEADER..];
    message[..2].copy_from_slice(&NEEDS_FRAGMENTS);
    put(message, 6, mtu)?;
    message[HEADER..].copy_from_slice(&packet[..quoted]);
    let message_sum = !fold(sum(message));
    put(message, 2, message_sum)?;
    Some(answer)
}

fn answer_v6<'a>(packet: &[u8], mtu: u16, room: &'a mut [u8]) -> Option<&'a [u8]> {
    let quoted = packet.len().min(ANSWER_MAX - V6_HEADER - HEADER);
    let length = V6_HEADER + HEADER + quoted;
    let answer = room.get_mut(..length)?;
    answer[..V6_HEADER + HEADER].fill(0);
    (answer[0], answer[6], answer[7]) = (0x60, ICMPV6, HOPS);
    put(answer, 4, u16::try_from(HEADER + quoted).ok()?)?;
    answer[8..24].copy_from_slice(packet.get(24..40)?);
    answer[24..40].copy_from_slice(packet.get(8..24)?);
    let pseudo = sum(&answer[8..V6_HEADER]) + (HEADER + quoted) as u64 + u64::from(ICMPV6);
    let message = &mut answer[V6_HEADER..];
    message[..2].copy_from_slice(&TOO_BIG);
    put(message, 6, mtu)?;
    message[HEADER..].copy_from_slice(&packet[..quoted]);
    let message_sum = !fold(pseudo + sum(message));
    put(message, 2, message_sum)?;
    Some(answer)
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};

    use super::*;

    const A: [u8; 4] = [10, 0, 0, 2];
    const B: [u8; 4] = [192, 0, 2, 1];

    fn answered(packet: &[u8]) -> Option<Vec<u8>> {
        answer(packet, 8192, &mut [0xee; ANSWER_MAX]).map(<[u8]>::to_vec)
    }

    fn datagram(is_v6: bool, payload: &[u8]) -> Vec<u8> {
        let builder = match is_v6 {
            true => PacketBuilder::ipv6([0xfd; 16], [0xfc; 16], 64),
            false => PacketBuilder::ipv4(A, B, 64),
        };
        let mut bytes = Vec::new();
        builder.udp(1000, 53).write(&mut bytes, payload).unwrap();
        bytes
    }

    #[test]
    fn a_sender_is_told_by_the_receiver_how_long_a_packet_may_be_and_which_one_was_not() {
        let sent = datagram(false, &[7; 9000]);
        let answer = answered(&sent).unwrap();
        assert_eq!(answer.len(), V4_ANSWER_MAX);
        let sliced = SlicedPacket::from_ip(&answer).unwrap();
        let Some(NetSlice::Ipv4(ip)) = sliced.net else { panic!("another version") };
        let header = ip.header().to_header();
        assert_eq!((header.source, header.destination), (B, A));
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        let Some(TransportSlice::Icmpv4(icmp)) = sliced.transport else { panic!("no ICMP") };
        assert_eq!((icmp.type_u8(), icmp.code_u8(), icmp.bytes5to8()), (3, 4, [0, 0, 0x20, 0]));
        assert_eq!(icmp.payload(), &sent[..548]);
        assert_eq!(fold(sum(icmp.slice())), 0xffff);
    }

    #[test]
    fn a_sender_of_version_6_is_told_so_too() {
        let sent = datagram(true, &[7; 9000]);
        let answer = answered(&sent).unwrap();
        assert_eq!(answer.len(), ANSWER_MAX);
        let sliced = SlicedPacket::from_ip(&answer).unwrap();
        let Some(NetSlice::Ipv6(ip)) = sliced.net else { panic!("another version") };
        let header = ip.header().to_header();
        assert_eq!((header.source, header.destination), ([0xfc; 16], [0xfd; 16]));
        let Some(TransportSlice::Icmpv6(icmp)) = sliced.transport else { panic!("no ICMP") };
        assert_eq!((icmp.type_u8(), icmp.code_u8(), icmp.bytes5to8()), (2, 0, [0, 0, 0x20, 0]));
        assert!(icmp.is_checksum_valid(header.source, header.destination));
        assert_eq!(icmp.payload(), &sent[..ANSWER_MAX - 48]);
    }

    #[test]
    fn nobody_is_told_of_a_fragment_an_error_or_what_is_no_packet() {
        let sent = datagram(false, &[7; 9000]);
        for place in [[0x20, 0], [0, 1]] {
            let mut fragment = sent.clone();
            fragment[6..8].copy_from_slice(&place);
            fragment.truncate(20 + 8000);
            fragment[2..4].copy_from_slice(&8020_u16.to_be_bytes());
            assert!(Packet::parse(&fragment).is_ok() && answered(&fragment).is_none());
        }
        for (kind, is_told) in [(0, true), (8, true), (3, false), (11, false), (4, false), (5, false)] {
            let mut message = sent.clone();
            (message[9], message[20]) = (ICMP, kind);
            assert_eq!(answered(&message).is_some(), is_told, "{kind}");
        }
        for (kind, is_told) in [(128, true), (129, true), (1, false), (2, false), (127, false)] {
            let mut message = datagram(true, &[7; 9000]);
            (message[6], message[40]) = (ICMPV6, kind);
            assert_eq!(answered(&message).is_some(), is_told, "{kind}");
        }
        assert!(answered(&[]).is_none() && answered(&[0x45; 30]).is_none());
    }
}
