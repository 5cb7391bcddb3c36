//! What a verdict costs: `cargo run --release -p routers --example chain` prints nanoseconds for each packet.
//!
//! Figures for a person to look at, and for `cargo xtask bench network`; nothing is asserted. Packets of both versions and of
//! many flows come from one peer; rules have networks, protocols and ports of both.

use std::fs;
use std::hint::black_box;

use routers::tuntap::record::{RECORDS_MAX, Record};
use routers::tuntap::{Action, Admission, Chain, Chains, PeerId, Policy, RULES_MAX, Router, Rule, Settings};

/// Packets of one run.
const PACKETS: usize = 200_000;
/// Runs, of which the fastest counts: other work on the machine only ever adds.
const RUNS: usize = 7;
/// Packets that come one after the other, each of another flow.
const FLOWS: usize = 1024;

/// Which rule means every packet, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meets {
    First,
    Last,
    None,
}

fn main() {
    show("0 rules", measure(router(Vec::new(), 0)));
    for rules in [10, 100, 1000, RULES_MAX] {
        for (meets, what) in [
            (Meets::First, "the first means all"),
            (Meets::Last, "the last means all"),
            (Meets::None, "none means any"),
        ] {
            show(&format!("{rules} rules, {what}"), measure(router(chain(rules, meets), 0)));
        }
    }
    for rules in [10, RECORDS_MAX] {
        show(&format!("{rules} rules of the peer's own"), measure(router(Vec::new(), rules)));
    }
    let both = router(chain(1000, Meets::None), RECORDS_MAX);
    show(&format!("1000 rules, and {RECORDS_MAX} of the peer's own"), measure(both));
    let alike = (0..RULES_MAX).map(alike).collect();
    show(&format!("{RULES_MAX} rules, each but for one thing what the packet is"), measure(router(alike, 0)));
}

fn show(name: &str, ns: f64) {
    println!("{ns:>8.1} ns  {name}");
}

/// Nanoseconds for each packet.
fn measure((mut router, id): (Router, PeerId)) -> f64 {
    let packets: Vec<Vec<u8>> = (0..FLOWS).map(packet).collect();
    let runs = (0..RUNS).map(|_| {
        let start = worked_ns();
        for packet in packets.iter().cycle().take(PACKETS) {
            black_box(router.from_peer(id, black_box(packet)));
        }
        (worked_ns() - start) as f64 / PACKETS as f64
    });
    runs.fold(f64::INFINITY, f64::min)
}

/// Nanoseconds that this thread has had a processor, other work on the machine aside.
fn worked_ns() -> u64 {
    // The kernel writes the figure down when it looks at the thread.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel with scheduler statistics");
    text.split(' ').next().and_then(|word| word.parse().ok()).expect("the first number is the time of work")
}

/// A router with these rules for what comes from peers, and a peer with so many rules of its own.
fn router(rules: Vec<Rule>, own: usize) -> (Router, PeerId) {
    let chain =
        |rules| Chain::new(rules, Vec::new(), Action::Allow).expect("at most as many as there may be");
    let settings = Settings {
        policy: Policy::Allow,
        admission: Admission::Open,
        hosts: Vec::new(),
        networks: Vec::new(),
        nameservers: Vec::new(),
        peers_max: 1,
        peers_of_user_max: 1,
    };
    let chains = Chains { incoming: chain(Vec::new()), outgoing: chain(rules), routes: None };
    let mut router = Router::new(settings, chains);
    let id = router.connect(1000).expect("the first peer finds a place");
    let records: Vec<u8> = (0..own).flat_map(record).collect();
    router.upload(id, &records).expect("as many as a peer may have");
    (router, id)
}

fn chain(count: usize, meets: Meets) -> Vec<Rule> {
    let mut rules: Vec<Rule> = (0..count).map(rule).collect();
    match meets {
        Meets::First => rules[0] = Rule::all(Action::Allow),
        Meets::Last => rules[count - 1] = Rule::all(Action::Allow),
        Meets::None => {}
    }
    rules
}

/// Rules of many kinds about networks that no packet goes to, and ports of ones that some do.
fn rule(index: usize) -> Rule {
    let (high, low) = (index / 256, index % 256);
    firewall(&match index % 6 {
        0 => format!("deny any 198.{high}.{low}.0/24"),
        1 => format!("deny 10.0.0.0/24 192.{high}.{low}.7 proto tcp"),
        2 => format!("deny any 203.0.113.0/24 proto udp dport {}", 10_000 + index),
        3 => format!("deny any 172.{}.{low}.0/28 proto tcp dport {}-65535", 16 + high, 1024 + index),
        4 => format!("deny any 2001:db8:{index:x}::/48 proto udp sport {}", 20_000 + index),
        _ => format!("deny fd00::/64 2001:db8:f000::{index:x} dport {}", 10_000 + index),
    })
}

/// Rules of which each means every packet but for one thing, each of them another: the longest way that there is.
fn alike(index: usize) -> Rule {
    let (version_4, number) = (index % 8 < 4, index / 4);
    firewall(&match (index % 4, version_4) {
        (0, true) => format!("deny 198.51.{}.{} any proto udp", number / 256, number % 256),
        (0, false) => format!("deny 2001:db8::{number:x} any proto udp"),
        (1, true) => format!("deny any 198.51.{}.{} proto udp", number / 256, number % 256),
        (1, false) => format!("deny any 2001:db8::{number:x} proto udp"),
        (2, _) => format!("deny proto udp sport {}", 1 + number),
        (_, _) => format!("deny proto udp dport {}", 1000 + number),
    })
}

fn firewall(text: &str) -> Rule {
    Rule::firewall(text).expect("a rule of this file is one")
}

fn record(index: usize) -> [u8; 24] {
    let rule = format!("out 10.0.0.0/24 198.51.{index}.0/24 deny");
    let (direction, rule) = Rule::device(&rule).expect("a rule of this file is one");
    Record::new(direction, &rule).expect("it asks for networks alone").bytes()
}

/// A datagram to one of the destinations, of version 6 every second time.
fn packet(flow: usize) -> Vec<u8> {
    let [high, low] = u16::try_from(flow).expect("few flows").to_be_bytes();
    let mut packet = if flow.is_multiple_of(2) {
        vec![0x45, 0, 0, 64, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 5, 203, 0, 113 + high, low]
    } else {
        let mut packet =
            vec![0x60, 0, 0, 0, 0, 24, 17, 64, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        packet.extend([0x20, 0x01, 0x0d, 0xb8, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0, high, low]);
        packet
    };
    packet.extend([0x30, low, 0, 53, 0, 44, 0, 0]);
    packet.resize(64, 0);
    packet
}
