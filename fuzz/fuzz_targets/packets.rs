//! Packets of either version: read, and read again when they have been cut or have more behind them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use routers::tuntap::{Packet, Piece};

fuzz_target!(|bytes: &[u8]| {
    let Ok(packet) = Packet::parse(bytes) else { return };
    assert_eq!(packet.source.is_ipv4(), packet.destination.is_ipv4());
    assert!(packet.ports.is_none() || packet.piece != Piece::Later);
    assert!(!packet.established || packet.piece == Piece::Whole);
    // A packet says how long it is: no part of it is one, nor is it with anything more.
    assert!(Packet::parse(&bytes[..bytes.len() - 1]).is_err());
    assert!(Packet::parse(&[bytes, &[0]].concat()).is_err());
});
