//! What a verdict costs: `cargo run --release -p routers --example chain` prints nanoseconds for each packet.
//!
//! Figures for a person to look at; nothing is asserted. Packets of many flows come from one peer, and either the last rule
//! means each of them, or none does.

use std::fs;
use std::hint::black_box;

use routers::tuntap::{Action, Admission, Chain, Chains, PeerId, Policy, Router, Rule, Settings};

/// Packets of one run.
const PACKETS: usize = 1_000_000;
/// Runs, of which the fastest counts: other work on the machine only ever adds.
const RUNS: usize = 7;
/// Destinations that packets go to, one after the other.
const FLOWS: u16 = 1024;

fn main() {
    println!("{:>6}  {:>14}  {:>14}", "rules", "last, ns", "none, ns");
    for rules in [0, 1, 10, 100, 1000, 4096] {
        println!("{rules:>6}  {:>14.1}  {:>14.1}", measure(rules, true), measure(rules, false));
    }
}

/// Nanoseconds for each packet with so many rules, of which the last one means everything, or nothing.
fn measure(rules: usize, meets_last: bool) -> f64 {
    let (mut router, id) = router(rules, meets_last);
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
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel with scheduler statistics");
    text.split(' ').next().and_then(|word| word.parse().ok()).expect("the first number is the time of work")
}

fn router(count: usize, meets_last: bool) -> (Router, PeerId) {
    let mut rules: Vec<Rule> = (0..count).map(rule).collect();
    if let Some(last) = rules.last_mut().filter(|_| meets_last) {
        *last = Rule::all(Action::Allow);
    }
    let chain = |rules| Chain::new(rules, Vec::new(), Action::Allow).expect("at most 4096 rules");
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
    (router, id)
}

/// Rules of many kinds about networks that no packet goes to, and ports of ones that some do.
fn rule(index: usize) -> Rule {
    let text = match index % 4 {
        0 => format!("deny any 198.{}.{}.0/24", index / 256, index % 256),
        1 => format!("deny 10.0.0.0/24 192.{}.{}.7 proto tcp", index / 256, index % 256),
        2 => format!("deny any 203.0.113.0/24 proto udp dport {}", 10_000 + index),
        _ => format!(
            "deny any 172.{}.{}.0/28 proto tcp dport {}-65535",
            16 + index / 256,
            index % 256,
            1024 + index
        ),
    };
    Rule::firewall(&text).expect("a rule of this file is one")
}

/// A datagram of version 4 to one of the destinations.
fn packet(flow: u16) -> Vec<u8> {
    let [high, low] = flow.to_be_bytes();
    let mut packet = vec![0x45, 0, 0, 64, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 5, 203, 0, 113 + high, low];
    packet.extend([0x30, low, 0, 53, 0, 44, 0, 0]);
    packet.resize(64, 0);
    packet
}
