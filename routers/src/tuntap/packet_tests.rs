use proptest::prelude::*;

use super::*;

/// A packet of version 4 with these options and payload; its place is flags and offset.
fn v4(protocol: u8, (options, payload): (&[u8], &[u8]), place: u16) -> Vec<u8> {
    let words = u8::try_from(5 + options.len() / 4).unwrap();
    let length = u16::try_from(20 + options.len() + payload.len()).unwrap();
    let mut packet = vec![0x40 | words, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 1]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, protocol, 0, 0, 10, 0, 0, 2, 192, 0, 2, 1]);
    [&packet, options, payload].concat()
}

fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([next, 64]);
    packet.extend("2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
    packet.extend("2001:db8:1::1".parse::<Ipv6Addr>().unwrap().octets());
    [&packet, payload].concat()
}

/// A header of TCP from port 1000 to port 80.
fn tcp(flags: u8) -> Vec<u8> {
    let mut header = vec![0x03, 0xe8, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags];
    header.extend([0; 6]);
    header
}

/// A datagram from port 1000 to port 53.
const DATAGRAM: [u8; 8] = [0x03, 0xe8, 0, 53, 0, 8, 0, 0];

/// A fragment header of version 6.
fn fragment(next: u8, offset: u16, more: bool) -> [u8; 8] {
    let [high, low] = ((offset << 3) | u16::from(more)).to_be_bytes();
    [next, 0, high, low, 0, 0, 0, 1]
}

#[test]
fn a_datagram_of_either_version_has_addresses_and_ports() {
    for (bytes, source) in [(v4(UDP, (&[], &DATAGRAM), 0), "10.0.0.2"), (v6(UDP, &DATAGRAM), "2001:db8::2")] {
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.source, source.parse::<IpAddr>().unwrap());
        assert_eq!((packet.protocol, packet.ports), (Some(UDP), Some((1000, 53))));
        assert_eq!((packet.piece, packet.established), (Piece::Whole, false));
        assert_eq!(packet.unroutable(), None);
    }
}

#[test]
fn a_connection_is_there_when_somebody_has_answered() {
    for (flags, established) in
        [(0x02, false), (0x12, true), (0x10, true), (0x04, true), (0x01, false), (0, false)]
    {
        for bytes in [v4(TCP, (&[], &tcp(flags)), 0), v6(TCP, &tcp(flags))] {
            assert_eq!(Packet::parse(&bytes).unwrap().established, established, "{flags:#x}");
        }
    }
}

/// Row W3.
#[test]
fn a_first_fragment_has_ports_and_proves_no_connection() {
    let first = Packet::parse(&v4(TCP, (&[], &[tcp(0x10), vec![0; 4]].concat()), 0x2000)).unwrap();
    assert_eq!((first.ports, first.piece, first.established), (Some((1000, 80)), Piece::First, false));
    let first = [&fragment(TCP, 0, true)[..], &tcp(0x10), &[0; 4]].concat();
    let first = Packet::parse(&v6(FRAGMENT, &first)).unwrap();
    assert_eq!((first.ports, first.piece, first.established), (Some((1000, 80)), Piece::First, false));
}

/// Row W3.
#[test]
fn a_later_fragment_has_addresses_and_no_ports() {
    for bytes in
        [v4(UDP, (&[], &[1; 16]), 0x2001), v6(FRAGMENT, &[&fragment(UDP, 1, true)[..], &[1; 16]].concat())]
    {
        let later = Packet::parse(&bytes).unwrap();
        assert_eq!((later.protocol, later.ports, later.piece), (Some(UDP), None, Piece::Later));
    }
    let hidden = v6(FRAGMENT, &[&fragment(60, 1, false)[..], &[1; 16]].concat());
    assert_eq!(Packet::parse(&hidden).unwrap().protocol, None);
}

/// Row W3.
#[test]
fn a_fragment_of_its_own_is_a_whole_packet() {
    let atomic = v6(FRAGMENT, &[&fragment(UDP, 0, false)[..], &DATAGRAM].concat());
    let packet = Packet::parse(&atomic).unwrap();
    assert_eq!((packet.ports, packet.piece), (Some((1000, 53)), Piece::Whole));
}

/// Row W3.
#[test]
fn extension_headers_hide_nothing() {
    let option = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let authentication = [60, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let headers = [&option(AUTHENTICATION)[..], &authentication, &option(UDP), &DATAGRAM].concat();
    assert_eq!(Packet::parse(&v6(HOP_BY_HOP, &headers)).unwrap().ports, Some((1000, 53)));
    let chain = |count: usize| {
        let mut headers = [option(60)].repeat(count - 1).concat();
        headers.extend(option(UDP));
        headers.extend(DATAGRAM);
        Packet::parse(&v6(60, &headers))
    };
    assert_eq!(chain(EXTENSIONS_MAX).unwrap().ports, Some((1000, 53)));
    assert_eq!(chain(EXTENSIONS_MAX + 1), Err(Reason::Extensions));
}

/// Row W3.
#[test]
fn what_a_kernel_takes_for_a_protocol_is_one() {
    for carried in [50, 59, 135, 139, 140] {
        let packet =
            Packet::parse(&v6(carried, &[&[UDP, 0, 0, 0, 0, 0, 0, 0][..], &DATAGRAM].concat())).unwrap();
        assert_eq!((packet.protocol, packet.ports), (Some(carried), None));
    }
}

/// Row W3.
#[test]
fn nobody_chooses_the_way_of_a_packet() {
    for kind in [LOOSE_ROUTE, STRICT_ROUTE] {
        let options = [1, kind, 7, 4, 10, 0, 0, 3];
        assert_eq!(Packet::parse(&v4(UDP, (&options, &DATAGRAM), 0)), Err(Reason::SourceRoute));
    }
    for kind in [0, 2, 4] {
        let routing = |left: u8| [&[UDP, 0, kind, left, 0, 0, 0, 0][..], &DATAGRAM].concat();
        assert_eq!(Packet::parse(&v6(ROUTING, &routing(1))), Err(Reason::SourceRoute));
        assert_eq!(Packet::parse(&v6(ROUTING, &routing(0))).unwrap().ports, Some((1000, 53)));
    }
}

/// Row W1.
#[test]
fn whatever_is_not_exactly_a_packet_has_a_reason() {
    let good = v4(UDP, (&[], &DATAGRAM), 0);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    for (bytes, reason) in [
        (vec![], Reason::Short),
        (good[..19].to_vec(), Reason::Short),
        (good[..27].to_vec(), Reason::Length),
        ([&good[..], &[0]].concat(), Reason::Length),
        (with(0, 0x25), Reason::Version),
        (with(0, 0x44), Reason::HeaderLength),
        (with(0, 0x4f), Reason::HeaderLength),
        (v4(UDP, (&[7, 9, 0, 0], &DATAGRAM), 0), Reason::Options),
        (v4(UDP, (&[7, 1, 0, 0], &DATAGRAM), 0), Reason::Options),
        (v4(UDP, (&[1, 1, 1, 7], &DATAGRAM), 0), Reason::Options),
        (v4(UDP, (&[], &DATAGRAM[..7]), 0), Reason::Transport),
        (v4(TCP, (&[], &tcp(2)[..19]), 0), Reason::Transport),
        (v4(TCP, (&[], &tcp(2)[..12]), 0x2000), Reason::Fragment),
        (v4(TCP, (&[], &[]), 0x2000), Reason::Fragment),
        (v4(UDP, (&[], &[0; 16]), 0x1fff), Reason::Fragment),
        (v6(UDP, &DATAGRAM)[..39].to_vec(), Reason::Short),
        ([&v6(UDP, &DATAGRAM)[..], &[0]].concat(), Reason::Length),
        (v6(UDP, &DATAGRAM[..7]), Reason::Transport),
        (v6(60, &[]), Reason::Extensions),
        (v6(60, &[UDP, 1, 0, 0, 0, 0, 0, 0]), Reason::Extensions),
        (v6(60, &[HOP_BY_HOP, 0, 1, 4, 0, 0, 0, 0]), Reason::Extensions),
        (v6(ROUTING, &[UDP, 0, 0]), Reason::Extensions),
        (v6(FRAGMENT, &fragment(UDP, 0, true)[..7]), Reason::Extensions),
        (v6(FRAGMENT, &[&fragment(FRAGMENT, 0, true)[..], &[0; 8]].concat()), Reason::Extensions),
        (
            v6(FRAGMENT, &[&fragment(60, 0, true)[..], &[UDP, 1, 0, 0, 0, 0, 0, 0]].concat()),
            Reason::Extensions,
        ),
        (v6(FRAGMENT, &fragment(UDP, 0, true)), Reason::Fragment),
        (v6(FRAGMENT, &[&fragment(UDP, 0, true)[..], &[0; 9]].concat()), Reason::Fragment),
    ] {
        assert_eq!(Packet::parse(&bytes), Err(reason), "{bytes:?}");
    }
}

#[test]
fn some_addresses_never_travel() {
    let with = |source: &str, destination: &str| {
        let packet = Packet::parse(&v4(UDP, (&[], &DATAGRAM), 0)).unwrap();
        Packet { source: source.parse().unwrap(), destination: destination.parse().unwrap(), ..packet }
            .unroutable()
    };
    let host = "10.0.0.2";
    for strange in ["127.0.0.1", "0.0.0.0", "0.1.2.3", "::", "::1", "::ffff:10.0.0.1"] {
        assert_eq!(with(strange, host), Some(Reason::Martian), "{strange}");
        assert_eq!(with(host, strange), Some(Reason::Martian), "{strange}");
    }
    for many in ["224.0.0.1", "255.255.255.255", "ff02::1"] {
        assert_eq!(with(host, many), Some(Reason::Multicast), "{many}");
        assert_eq!(with(many, host), Some(Reason::Martian), "{many}");
    }
    // What a kernel says by itself as soon as an interface is up ends nobody's connection.
    assert_eq!(with("::", "ff02::16"), Some(Reason::Multicast));
}

/// Source, destination and ports.
type Ends = (IpAddr, IpAddr, Option<(u16, u16)>);

/// What another reader sees in a packet.
fn other_opinion(bytes: &[u8]) -> Option<Ends> {
    let sliced = etherparse::SlicedPacket::from_ip(bytes).ok()?;
    let (source, destination) = match sliced.net? {
        etherparse::NetSlice::Ipv4(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        etherparse::NetSlice::Ipv6(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        etherparse::NetSlice::Arp(_) => return None,
    };
    let ports = match sliced.transport {
        Some(etherparse::TransportSlice::Tcp(tcp)) => Some((tcp.source_port(), tcp.destination_port())),
        Some(etherparse::TransportSlice::Udp(udp)) => Some((udp.source_port(), udp.destination_port())),
        _ => None,
    };
    Some((source, destination, ports))
}

/// Bytes that are almost a packet: what a real one has, with a few of them changed.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    let headers = prop_oneof![
        Just(v4(UDP, (&[], &DATAGRAM), 0)),
        Just(v4(TCP, (&[1, 1, 1, 0, 7, 3, 0, 0], &tcp(2)), 0)),
        Just(v6(TCP, &tcp(0x10))),
        Just(v6(
            HOP_BY_HOP,
            &[&[60, 0, 1, 4, 0, 0, 0, 0][..], &[UDP, 0, 1, 4, 0, 0, 0, 0], &DATAGRAM].concat()
        )),
        Just(v6(FRAGMENT, &[&fragment(UDP, 0, false)[..], &DATAGRAM].concat())),
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (headers, changes).prop_map(|(mut bytes, changes)| {
        changes.into_iter().for_each(|(at, byte)| *at.get_mut(&mut bytes) = byte);
        bytes
    })
}

proptest! {
    /// Row W1.
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Packet::parse(&bytes);
    }

    /// Row W3.
    #[test]
    fn another_reader_sees_the_same(bytes in almost()) {
        if let (Ok(packet), Some((source, destination, ports))) = (Packet::parse(&bytes), other_opinion(&bytes)) {
            prop_assert_eq!((packet.source, packet.destination), (source, destination));
            if packet.piece == Piece::Whole && matches!(packet.protocol, Some(TCP | UDP)) {
                prop_assert_eq!(packet.ports, ports);
            } else {
                prop_assert_eq!(ports, None);
            }
        }
    }
}
