//! Packets of either version: read, and read again when they have been cut or have more behind them. What stands in front
//! of them in the input is what a tenant asks a kernel for: whatever is granted comes apart into packets.

#![no_main]

use libfuzzer_sys::fuzz_target;
use routers::tuntap::{OFFLOAD_HEADER, Offload, Packet, Piece, Segments};

fuzz_target!(|bytes: &[u8]| {
    if let Some((header, rest)) = bytes.split_first_chunk::<OFFLOAD_HEADER>() {
        offload(header, rest);
    }
    let Ok(packet) = Packet::parse(bytes) else { return };
    assert_eq!(packet.source.is_ipv4(), packet.destination.is_ipv4());
    assert!(packet.ports.is_none() || packet.piece != Piece::Later);
    assert!(!packet.established || packet.piece == Piece::Whole);
    // A packet says how long it is: no part of it is one, nor is it with anything more.
    assert!(Packet::parse(&bytes[..bytes.len() - 1]).is_err());
    assert!(Packet::parse(&[bytes, &[0]].concat()).is_err());
});

fn offload(header: &[u8; OFFLOAD_HEADER], bytes: &[u8]) {
    let Ok(offload) = Offload::parse(header, bytes) else { return };
    assert_eq!(Offload::parse(&offload.header(), bytes), Ok(offload));
    if offload.is_done() {
        return;
    }
    let packet = Packet::parse(bytes).expect("nothing is granted to what is no packet");
    let mut room = vec![0; bytes.len()];
    let mut segments = Segments::new(bytes, offload);
    let mut count = 0;
    while let Some(segment) = segments.next_into(&mut room) {
        count += 1;
        assert!(segment.len() <= offload.longest(bytes.len()));
        let segment = Packet::parse(segment).expect("a segment is a packet");
        assert_eq!((segment.source, segment.destination), (packet.source, packet.destination));
        assert_eq!((segment.protocol, segment.ports), (packet.protocol, packet.ports));
    }
    assert_eq!(count, offload.packets(bytes.len()));
}
