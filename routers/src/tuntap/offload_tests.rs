use proptest::prelude::*;

use super::*;

/// What a kernel writes in front of a packet: flags, kind, size of segments, and where the checksum is.
fn header(flags: u8, kind: u8, (size, start, field): (u16, u16, u16)) -> [u8; OFFLOAD_HEADER] {
    let mut header = [flags, kind, 0, 0, 0, 0, 0, 0, 0, 0];
    header[4..6].copy_from_slice(&size.to_ne_bytes());
    header[6..8].copy_from_slice(&start.to_ne_bytes());
    header[8..].copy_from_slice(&field.to_ne_bytes());
    header
}

/// A packet of TCP or UDP that carries so many bytes; version 6 has an extension header.
fn packet(version: u8, protocol: u8, carried: usize) -> Vec<u8> {
    let mut upper = if protocol == TCP { vec![0; 20] } else { vec![0; 8] };
    if protocol == TCP {
        upper[12..14].copy_from_slice(&[0x50, 0x10]);
    }
    upper.resize(upper.len() + carried, 7);
    if version == 6 {
        upper.splice(..0, [protocol, 0, 1, 4, 0, 0, 0, 0]);
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, 60, 64];
        packet[4..6].copy_from_slice(&u16::try_from(upper.len()).unwrap().to_be_bytes());
        packet.extend([0xfd; 32]);
        return [packet, upper].concat();
    }
    let mut packet = vec![0x45, 0, 0, 0, 0, 9, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
    packet[2..4].copy_from_slice(&u16::try_from(20 + upper.len()).unwrap().to_be_bytes());
    [packet, upper].concat()
}

/// All that a kernel asks for, with the packet that it asks it for.
fn honest() -> [([u8; OFFLOAD_HEADER], Vec<u8>); 6] {
    [
        (header(1, GSO_NONE, (0, 20, 16)), packet(4, TCP, 100)),
        (header(1, GSO_NONE, (0, 48, 6)), packet(6, UDP, 100)),
        (header(1, GSO_TCPV4, (1460, 20, 16)), packet(4, TCP, 60_000)),
        (header(1, GSO_TCPV6 | GSO_ECN, (1440, 48, 16)), packet(6, TCP, 60_000)),
        (header(1, GSO_UDP_L4, (1000, 20, 6)), packet(4, UDP, 60_000)),
        (header(1, GSO_UDP_L4, (1000, 48, 6)), packet(6, UDP, 60_000)),
    ]
}

#[test]
fn what_a_kernel_asks_for_is_passed_on_with_nothing_else() {
    for (asked, bytes) in honest() {
        let mut with_hints = asked;
        with_hints[0] |= DATA_VALID;
        with_hints[2..4].copy_from_slice(&60_000_u16.to_ne_bytes());
        let offload = Offload::parse(&with_hints, &bytes).unwrap();
        let mut passed = offload.header();
        let headers = u16::from_ne_bytes([passed[2], passed[3]]);
        passed[2..4].fill(0);
        assert_eq!(passed, asked);
        assert_eq!(Offload::parse(&offload.header(), &bytes), Ok(offload));
        assert!(
            offload.longest(bytes.len()) <= 1600 && offload.packets(bytes.len()) >= 1 && !offload.is_done()
        );
        assert!((28..100).contains(&headers));
    }
}

#[test]
fn a_packet_that_asks_for_nothing_is_passed_on_whatever_it_is() {
    let plain = Offload::parse(&[0; OFFLOAD_HEADER], b"no packet").unwrap();
    assert!(plain.is_done() && plain.header() == [0; OFFLOAD_HEADER]);
    assert_eq!((plain.packets(1500), plain.longest(1500)), (1, 1500));
    let looked_at = header(DATA_VALID, GSO_NONE, (9, 9, 9));
    assert_eq!(Offload::parse(&looked_at, b"no packet"), Ok(plain));
}

#[test]
fn one_segment_is_no_segment() {
    for carried in [0, 1459, 1460] {
        let bytes = packet(4, TCP, carried);
        let offload = Offload::parse(&header(1, GSO_TCPV4, (1460, 20, 16)), &bytes).unwrap();
        let mut whole = header(1, GSO_NONE, (0, 20, 16));
        whole[2..4].copy_from_slice(&40_u16.to_ne_bytes());
        assert_eq!(offload.header(), whole);
        assert_eq!(offload.packets(bytes.len()), 1);
    }
}

/// Row W3.
#[test]
fn a_checksum_is_written_over_nothing_that_was_judged() {
    for (asked, bytes) in honest() {
        for at in 0..200_u16 {
            for (start, field) in [(at, 16), (at, 6), (20, at), (48, at), (at, 0)] {
                let mut other = asked;
                other[6..8].copy_from_slice(&start.to_ne_bytes());
                other[8..].copy_from_slice(&field.to_ne_bytes());
                let is_the_kernels = other == asked;
                assert_eq!(Offload::parse(&other, &bytes).is_ok(), is_the_kernels, "{start} {field}");
            }
        }
    }
    let icmp = packet(4, super::super::packet::ICMP, 100);
    assert_eq!(Offload::parse(&header(1, GSO_NONE, (0, 20, 2)), &icmp), Err(Reason::Offload));
}

/// Row W3.
#[test]
fn segments_are_those_of_the_packets_own_protocol() {
    for (asked, bytes) in honest().iter().skip(2) {
        for kind in (0..=255).filter(|kind| kind & !GSO_ECN != asked[1] & !GSO_ECN && *kind != GSO_NONE) {
            let mut other = *asked;
            other[1] = kind;
            assert_eq!(Offload::parse(&other, bytes), Err(Reason::Offload), "{kind}");
        }
    }
    let (datagrams, bytes) = &honest()[4];
    let mut with_ecn = *datagrams;
    with_ecn[1] |= GSO_ECN;
    assert_eq!(Offload::parse(&with_ecn, bytes), Err(Reason::Offload));
}

/// Row W6.
#[test]
fn a_packet_does_not_stand_for_more_than_a_kernel_sends() {
    let parse = |kind, size, bytes: &[u8]| {
        let field = if kind == GSO_UDP_L4 { 6 } else { 16 };
        Offload::parse(&header(1, kind, (size, 20, field)), bytes)
    };
    let (stream, datagrams) = (packet(4, TCP, 60_000), packet(4, UDP, 60_000));
    assert!(parse(GSO_TCPV4, 36, &stream).is_ok());
    for size in [0, 1, 8, 30] {
        assert_eq!(parse(GSO_TCPV4, size, &stream), Err(Reason::Offload), "{size}");
    }
    assert_eq!(parse(GSO_UDP_L4, 469, &datagrams).map(|offload| offload.packets(60_028)), Ok(128));
    assert_eq!(parse(GSO_UDP_L4, 468, &datagrams), Err(Reason::Offload));
}

/// Row W3.
#[test]
fn fragments_flags_and_headers_that_no_kernel_offloads_are_refused() {
    let asked = header(1, GSO_TCPV4, (1000, 20, 16));
    let changed = |at: usize, byte: u8| {
        let mut bytes = packet(4, TCP, 8_004);
        bytes[at] = byte;
        Offload::parse(&asked, &bytes)
    };
    assert!(changed(8, 63).is_ok());
    // A first fragment, a header of TCP that is too short, too long, SYN, RST.
    for (at, byte) in [(6, 0x20), (32, 0x40), (33, 0x02), (33, 0x14)] {
        assert_eq!(changed(at, byte), Err(Reason::Offload), "{at}");
    }
    let mut all_header = packet(4, TCP, 4);
    all_header[32] = 0xf0;
    assert_eq!(Offload::parse(&asked, &all_header), Err(Reason::Offload));
    for flags in 3..=255 {
        let bytes = packet(4, TCP, 100);
        let answer = Offload::parse(&header(flags, GSO_NONE, (0, 20, 16)), &bytes);
        assert_eq!(answer.is_ok(), flags == 3, "{flags}");
    }
    assert_eq!(
        Offload::parse(&header(0, GSO_TCPV4, (1000, 20, 16)), &packet(4, TCP, 8_000)),
        Err(Reason::Offload)
    );
    assert_eq!(Offload::parse(&asked, b"packet"), Err(Reason::Version));
}

proptest! {
    /// Row W3.
    #[test]
    fn whatever_stands_there_a_checksum_stays_within_the_header_of_its_protocol(
        which in 0..6_usize,
        changes in proptest::collection::vec((0..60_usize, any::<u8>()), 0..4),
        front in proptest::collection::vec((0..OFFLOAD_HEADER, any::<u8>()), 0..4),
    ) {
        let (mut asked, mut bytes) = honest()[which].clone();
        changes.iter().for_each(|(at, byte)| bytes[*at] = *byte);
        front.iter().for_each(|(at, byte)| asked[*at] = *byte);
        if let Ok(offload) = Offload::parse(&asked, &bytes) && !offload.is_done() {
            let (packet, start) = Packet::locate(&bytes).unwrap();
            let Checksum { start: from, field, headers } = offload.checksum().unwrap();
            prop_assert!(usize::from(headers) <= bytes.len());
            prop_assert_eq!(usize::from(from), start);
            prop_assert_eq!(field, if packet.protocol == Some(TCP) { 16 } else { 6 });
            prop_assert!(start + usize::from(field) + 2 <= bytes.len());
            prop_assert_eq!(packet.piece, Piece::Whole);
            prop_assert!(offload.packets(bytes.len()) <= SEGMENTS_MAX);
        }
    }
}
