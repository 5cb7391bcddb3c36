//! Pure. Rules made ready for being asked millions of times.
//!
//! Each thing that rules ask for is an axis: its numbers fall into spans, and each span has the set of the rules that fit.
//! The rule that means a packet is the first one in the intersection of the packet's sets (Lakshman and Stiliadis, 1998).

use std::collections::{BTreeMap, HashMap};

use super::packet::{Packet, TCP};
use super::prefix::key;
use super::rule::Rule;

/// Most rules of a chain.
pub const RULES_MAX: usize = 4096;

/// What rules may ask for.
const AXES: usize = 6;
/// Added to the number of TCP where a connection is there already.
const ESTABLISHED: u128 = 0x100;

/// Numbers on an axis, lowest and highest.
type Span = (u128, u128);

/// Rules that were made ready.
#[derive(Debug, Default)]
pub struct Compiled {
    rules: usize,
    /// Words of a set.
    width: usize,
    /// All sets, one after the other.
    sets: Vec<u64>,
    /// Only what some rule asks for.
    axes: Vec<Axis>,
    /// Names of peers in rules; a peer without a number is in none.
    peers: BTreeMap<String, u32>,
}

#[derive(Debug)]
struct Axis {
    which: usize,
    /// Where spans begin, the first at 0.
    starts: Vec<u128>,
    /// Where in `sets` the set of each span begins.
    spans: Vec<u32>,
    /// The set of a packet that has no such number.
    unknown: u32,
}

impl Compiled {
    /// Makes rules ready.
    pub fn new(rules: &[Rule]) -> Self {
        let mut peers = BTreeMap::new();
        for name in rules.iter().filter_map(|rule| rule.peer.as_ref()) {
            let next = u32::try_from(peers.len()).expect("a chain has few rules");
            peers.entry(name.clone()).or_insert(next);
        }
        let asked: Vec<_> = rules.iter().map(|rule| asked(rule, &peers)).collect();
        let mut sets = Sets { width: rules.len().div_ceil(64), ..Sets::default() };
        let axes = (0..AXES).filter_map(|which| Axis::new(which, &asked, &mut sets)).collect();
        Self { rules: rules.len(), width: sets.width, sets: sets.words, axes, peers }
    }

    /// The number of a peer by its name, for `find`.
    pub fn peer(&self, name: &str) -> Option<u32> {
        self.peers.get(name).copied()
    }

    /// The first rule that means this packet of this peer.
    pub fn find(&self, packet: &Packet, peer: Option<u32>) -> Option<usize> {
        let keys = keys(packet, peer);
        let mut starts = [0; AXES];
        for (start, axis) in starts.iter_mut().zip(&self.axes) {
            *start = axis.set(keys[axis.which]) as usize;
        }
        let starts = &starts[..self.axes.len()];
        (0..self.width).find_map(|word| {
            let common = starts.iter().fold(u64::MAX, |common, start| common & self.sets[start + word]);
            (common != 0).then(|| word * 64 + common.trailing_zeros() as usize)
        })
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules == 0
    }
}

/// What a packet has on each axis.
fn keys(packet: &Packet, peer: Option<u32>) -> [Option<u128>; AXES] {
    let established = if packet.established { ESTABLISHED } else { 0 };
    [
        Some(key(packet.source)),
        Some(key(packet.destination)),
        packet.protocol.map(|number| u128::from(number) + established),
        packet.ports.map(|(port, _)| port.into()),
        packet.ports.map(|(_, port)| port.into()),
        peer.map(u128::from),
    ]
}

/// What a rule asks for on each axis; none if it does not ask.
fn asked(rule: &Rule, peers: &BTreeMap<String, u32>) -> [Option<Vec<Span>>; AXES] {
    let one = |(low, high): (u16, u16)| vec![(low.into(), high.into())];
    [
        rule.source.map(|network| network.spans()),
        rule.destination.map(|network| network.spans()),
        protocols(rule),
        rule.source_ports.map(one),
        rule.destination_ports.map(one),
        rule.peer.as_ref().map(|name| vec![(peers[name].into(), peers[name].into())]),
    ]
}

fn protocols(rule: &Rule) -> Option<Vec<Span>> {
    let established = u128::from(TCP) + ESTABLISHED;
    match (rule.protocol, rule.established) {
        (None, false) => None,
        (None | Some(TCP), true) => Some(vec![(established, established)]),
        (Some(_), true) => Some(Vec::new()),
        (Some(TCP), false) => Some(vec![(TCP.into(), TCP.into()), (established, established)]),
        (Some(other), false) => Some(vec![(other.into(), other.into())]),
    }
}

/// Sets of rules, each kept once.
#[derive(Default)]
struct Sets {
    width: usize,
    words: Vec<u64>,
    known: HashMap<Vec<u64>, u32>,
}

impl Sets {
    fn keep(&mut self, set: &[u64]) -> u32 {
        if let Some(start) = self.known.get(set) {
            return *start;
        }
        let start = u32::try_from(self.words.len()).expect("4096 rules have fewer than 2^25 words");
        self.words.extend(set);
        self.known.insert(set.to_vec(), start);
        start
    }
}

impl Axis {
    /// Walks along the axis with the set of rules that fit, from one change to the next.
    fn new(which: usize, asked: &[[Option<Vec<Span>>; AXES]], sets: &mut Sets) -> Option<Self> {
        if asked.iter().all(|rule| rule[which].is_none()) {
            return None;
        }
        let mut set = vec![0; sets.width];
        let mut changes = BTreeMap::from([(0, Vec::new())]);
        for (index, rule) in asked.iter().enumerate() {
            let Some(spans) = &rule[which] else {
                flip(&mut set, index);
                continue;
            };
            for (low, high) in spans {
                changes.entry(*low).or_default().push(index);
                high.checked_add(1).into_iter().for_each(|end| changes.entry(end).or_default().push(index));
            }
        }
        let unknown = sets.keep(&set);
        let mut axis = Self { which, starts: Vec::new(), spans: Vec::new(), unknown };
        for (start, rules) in changes {
            rules.into_iter().for_each(|index| flip(&mut set, index));
            axis.starts.push(start);
            axis.spans.push(sets.keep(&set));
        }
        Some(axis)
    }

    /// Where the set of a number begins.
    fn set(&self, number: Option<u128>) -> u32 {
        let Some(number) = number else { return self.unknown };
        self.spans[self.starts.partition_point(|start| *start <= number) - 1]
    }
}

/// Takes a rule in, or out.
fn flip(set: &mut [u64], index: usize) {
    set[index / 64] ^= 1 << (index % 64);
}

#[cfg(test)]
#[path = "compiled_tests.rs"]
mod tests;
