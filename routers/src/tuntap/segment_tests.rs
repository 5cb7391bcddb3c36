use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;
use crate::tuntap::offload::OFFLOAD_HEADER;

const TCPV4: u8 = 1;
const TCPV6: u8 = 4;
const UDP_L4: u8 = 5;

/// What asks for segments of this size; `start` is where the header of the protocol begins.
fn offload(kind: u8, (size, start): (u16, u16), packet: &[u8]) -> Offload {
    let mut header = [1, kind, 0, 0, 0, 0, 0, 0, 0, 0];
    let field: u16 = if kind == UDP_L4 { 6 } else { 16 };
    header[4..6].copy_from_slice(&size.to_ne_bytes());
    header[6..8].copy_from_slice(&start.to_ne_bytes());
    header[8..OFFLOAD_HEADER].copy_from_slice(&field.to_ne_bytes());
    Offload::parse(&header, packet).unwrap()
}

/// A packet of a stream with all flags that segments share unequally, its checksum wrong.
fn stream(is_v6: bool, payload: &[u8]) -> Vec<u8> {
    let ip = if is_v6 {
        PacketBuilder::ipv6([0xfd; 16], [0xfc; 16], 64)
    } else {
        PacketBuilder::ipv4([10, 0, 0, 2], [192, 0, 2, 1], 64)
    };
    let mut tcp = ip.tcp(1000, 80, u32::MAX - 2_000, 500).ack(7).psh().fin();
    tcp = tcp.options_raw(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]).unwrap();
    let mut bytes = Vec::new();
    tcp.write(&mut bytes, payload).unwrap();
    let start = if is_v6 { 40 } else { 20 };
    bytes[start + 13] |= CWR;
    bytes[start + 16..start + 18].fill(0xaa);
    bytes
}

fn datagrams(is_v6: bool, payload: &[u8]) -> Vec<u8> {
    let ip = if is_v6 {
        PacketBuilder::ipv6([0xfd; 16], [0xfc; 16], 64)
    } else {
        PacketBuilder::ipv4([10, 0, 0, 2], [192, 0, 2, 1], 64)
    };
    let mut bytes = Vec::new();
    ip.udp(1000, 53).write(&mut bytes, payload).unwrap();
    bytes
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}

/// All segments, each proved to be a packet with right checksums by somebody else's reading.
fn segments(packet: &[u8], offload: Offload) -> Vec<Vec<u8>> {
    let mut room = vec![0xee; 65_535];
    let mut all = Segments::new(packet, offload);
    let mut segments = Vec::new();
    while let Some(segment) = all.next_into(&mut room) {
        prove(segment);
        segments.push(segment.to_vec());
    }
    assert!(all.next_into(&mut room).is_none());
    segments
}

fn prove(segment: &[u8]) {
    let sliced = SlicedPacket::from_ip(segment).unwrap();
    let transport = sliced.transport.unwrap();
    let (given, right) = match (sliced.net.unwrap(), transport) {
        (NetSlice::Ipv4(ip), transport) => {
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            assert_eq!(usize::from(header.total_len), segment.len());
            match transport {
                TransportSlice::Tcp(tcp) => {
                    (tcp.checksum(), tcp.to_header().calc_checksum_ipv4(&header, tcp.payload()).unwrap())
                }
                TransportSlice::Udp(udp) => {
                    assert_eq!(usize::from(udp.length()), udp.payload().len() + 8);
                    (udp.checksum(), udp.to_header().calc_checksum_ipv4(&header, udp.payload()).unwrap())
                }
                _ => panic!("another protocol"),
            }
        }
        (NetSlice::Ipv6(ip), transport) => {
            let header = ip.header().to_header();
            assert_eq!(usize::from(header.payload_length) + 40, segment.len());
            match transport {
                TransportSlice::Tcp(tcp) => {
                    (tcp.checksum(), tcp.to_header().calc_checksum_ipv6(&header, tcp.payload()).unwrap())
                }
                TransportSlice::Udp(udp) => {
                    assert_eq!(usize::from(udp.length()), udp.payload().len() + 8);
                    (udp.checksum(), udp.to_header().calc_checksum_ipv6(&header, udp.payload()).unwrap())
                }
                _ => panic!("another protocol"),
            }
        }
        _ => panic!("another version"),
    };
    // 0 and 0xffff are the same sum.
    assert_eq!(given % 0xffff, right % 0xffff);
}

fn tcp_of(segment: &[u8]) -> etherparse::TcpHeader {
    match SlicedPacket::from_ip(segment).unwrap().transport {
        Some(TransportSlice::Tcp(tcp)) => tcp.to_header(),
        _ => panic!("not of TCP"),
    }
}

#[test]
fn segments_of_a_stream_are_that_stream() {
    for (is_v6, kind, start) in [(false, TCPV4, 20), (true, TCPV6, 40)] {
        let sent = payload(5_000);
        let packet = stream(is_v6, &sent);
        let segments = segments(&packet, offload(kind, (1_400, start), &packet));
        let headers = usize::from(start) + 32;
        assert_eq!(
            segments.iter().map(Vec::len).collect::<Vec<_>>(),
            [1_400, 1_400, 1_400, 800].map(|n| n + headers)
        );
        assert_eq!(
            segments.iter().flat_map(|segment| &segment[headers..]).copied().collect::<Vec<_>>(),
            sent
        );
        for (number, segment) in segments.iter().enumerate() {
            let tcp = tcp_of(segment);
            assert_eq!(tcp.sequence_number, (u32::MAX - 2_000).wrapping_add(number as u32 * 1_400));
            assert_eq!((tcp.fin, tcp.psh, tcp.cwr), (number == 3, number == 3, number == 0));
            assert_eq!((tcp.ack, tcp.acknowledgment_number), (true, 7));
        }
    }
}

#[test]
fn each_segment_of_version_4_has_a_number_of_its_own() {
    let mut packet = stream(false, &payload(3_000));
    packet[4..6].fill(0xff);
    let segments = segments(&packet, offload(TCPV4, (1_000, 20), &packet));
    let numbers: Vec<[u8; 2]> = segments.iter().map(|segment| [segment[4], segment[5]]).collect();
    assert_eq!(numbers, [[0xff, 0xff], [0, 0], [0, 1]]);
}

#[test]
fn datagrams_that_were_sent_together_are_whole_ones() {
    for (is_v6, start) in [(false, 20), (true, 40)] {
        let sent = payload(2_500);
        let packet = datagrams(is_v6, &sent);
        let segments = segments(&packet, offload(UDP_L4, (1_000, start), &packet));
        assert_eq!(segments.len(), 3);
        let headers = usize::from(start) + 8;
        assert_eq!(
            segments.iter().flat_map(|segment| &segment[headers..]).copied().collect::<Vec<_>>(),
            sent
        );
    }
}

#[test]
fn a_packet_alone_has_its_checksum_completed_and_nothing_else_done() {
    let packet = stream(true, b"hello");
    let alone = segments(&packet, offload(0, (0, 40), &packet));
    assert_eq!(alone.len(), 1);
    assert_eq!((&alone[0][..56], &alone[0][58..]), (&packet[..56], &packet[58..]));
    let untouched = {
        let mut room = [0; 200];
        Segments::new(&packet, Offload::default()).next_into(&mut room).unwrap().to_vec()
    };
    assert_eq!(untouched, packet);
}

#[test]
fn a_datagram_never_says_that_it_has_no_checksum() {
    // One of these sums is zero.
    let mut zeros = 0;
    for number in 0..=u16::MAX {
        let packet = datagrams(false, &number.to_be_bytes());
        let mut room = [0; 64];
        let mut all = Segments::new(&packet, udp_alone(&packet));
        let segment = all.next_into(&mut room).unwrap();
        assert_ne!(segment[26..28], [0, 0]);
        zeros += u32::from(segment[26..28] == [0xff, 0xff]);
    }
    assert_eq!(zeros, 1);
}

fn udp_alone(packet: &[u8]) -> Offload {
    let mut header = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header[6..8].copy_from_slice(&20_u16.to_ne_bytes());
    header[8..].copy_from_slice(&6_u16.to_ne_bytes());
    Offload::parse(&header, packet).unwrap()
}

#[test]
fn without_room_there_is_no_segment() {
    let packet = stream(false, &payload(3_000));
    let mut all = Segments::new(&packet, offload(TCPV4, (1_000, 20), &packet));
    assert_eq!(all.next_into(&mut [0; 1_000]), None);
}

proptest! {
    #[test]
    fn any_size_gives_all_bytes_once(length in 1..9_000_usize, size in 40..3_000_u16, is_v6 in any::<bool>()) {
        let sent = payload(length);
        let packet = stream(is_v6, &sent);
        let start = if is_v6 { 40 } else { 20 };
        let offload = offload(if is_v6 { TCPV6 } else { TCPV4 }, (size, start), &packet);
        let segments = segments(&packet, offload);
        prop_assert_eq!(segments.len(), offload.packets(packet.len()));
        prop_assert!(segments.iter().all(|segment| segment.len() <= offload.longest(packet.len())));
        let headers = usize::from(start) + 32;
        let got: Vec<u8> = segments.iter().flat_map(|segment| &segment[headers..]).copied().collect();
        prop_assert_eq!(got, sent);
    }
}
