use core::net::IpAddr;

use proptest::prelude::*;

use super::super::packet::Piece;
use super::super::prefix::Prefix;
use super::super::rule::Action;
use super::*;

const PEERS: [&str; 3] = ["shop", "blog", "nobody-asks"];

/// Addresses close to each other, so that rules and packets meet.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u8..3, 0u8..8).prop_map(|(network, host)| IpAddr::from([10, 0, network, host * 32])),
        (0u8..3, 0u16..4)
            .prop_map(|(network, host)| { IpAddr::from([0x2001, 0xdb8, network.into(), 0, 0, 0, 0, host]) }),
        any::<[u8; 4]>().prop_map(IpAddr::from),
    ]
}

fn network() -> impl Strategy<Value = Option<Prefix>> {
    let prefix = (address(), 0u8..=128).prop_map(|(address, length)| {
        Prefix::new(address, if address.is_ipv4() { length % 33 } else { length })
    });
    prop_oneof![1 => Just(None), 3 => prefix]
}

fn protocol() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![Just(None), Just(Some(TCP)), Just(Some(17)), any::<u8>().prop_map(Some)]
}

fn ports() -> impl Strategy<Value = Option<(u16, u16)>> {
    let span = (0u16..6, 0u16..6).prop_map(|(one, other)| Some((one.min(other), one.max(other))));
    prop_oneof![3 => Just(None), 1 => span, 1 => Just(Some((5, u16::MAX)))]
}

fn rule() -> impl Strategy<Value = Rule> {
    let peer = prop_oneof![3 => Just(None), 1 => prop::sample::select(&PEERS[..2]).prop_map(|name| Some(name.to_owned()))];
    let asked = (network(), network(), protocol(), ports(), ports(), any::<bool>(), peer);
    asked.prop_map(|(source, destination, protocol, source_ports, destination_ports, established, peer)| {
        Rule {
            action: Action::Deny,
            source,
            destination,
            protocol,
            source_ports,
            destination_ports,
            established,
            peer,
        }
    })
}

fn packet() -> impl Strategy<Value = Packet> {
    let port = || prop_oneof![0u16..7, Just(u16::MAX)];
    let ports = prop_oneof![Just(None), (port(), port()).prop_map(Some)];
    (address(), address(), protocol(), ports, any::<bool>()).prop_map(
        |(source, destination, protocol, ports, answer)| {
            let established = answer && protocol == Some(TCP);
            Packet { source, destination, protocol, ports, piece: Piece::Whole, established }
        },
    )
}

proptest! {
    #[test]
    fn it_finds_the_rule_that_a_walk_from_the_first_one_finds(
        rules in prop_oneof![
            prop::collection::vec(rule(), 0..10),
            prop::collection::vec(rule(), 60..200),
            prop::collection::vec(rule(), 500..700),
        ],
        packets in prop::collection::vec((packet(), prop::sample::select(&PEERS[..])), 1..40),
    ) {
        let compiled = Compiled::new(&rules);
        for (packet, peer) in packets {
            let walked = rules.iter().position(|rule| rule.matches(&packet, peer));
            prop_assert_eq!(compiled.find(&packet, compiled.peer(peer)), walked);
        }
    }
}

#[test]
fn as_many_rules_as_a_chain_may_have_are_made_ready() {
    let host = |index: usize| IpAddr::from(u32::try_from(index * 2).unwrap().to_be_bytes());
    let rule = |index| Rule { source: Some(Prefix::host(host(index))), ..Rule::all(Action::Deny) };
    let compiled = Compiled::new(&(0..RULES_MAX).map(rule).collect::<Vec<_>>());
    let from = |source| Packet {
        source,
        destination: source,
        protocol: None,
        ports: None,
        piece: Piece::Whole,
        established: false,
    };
    assert!((0..RULES_MAX).all(|index| compiled.find(&from(host(index)), None) == Some(index)));
    assert_eq!(compiled.find(&from(IpAddr::from([0, 0, 0, 1])), None), None);
}
