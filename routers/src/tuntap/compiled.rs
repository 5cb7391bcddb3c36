//! Pure. Rules made ready for being asked millions of times.
//!
//! Each thing that rules ask for is an axis: its numbers fall into spans, and each span has the set of the rules that fit.
//! The rule that means a packet is the first one in the intersection of the packet's sets (Lakshman and Stiliadis, 1998).

use core::net::{IpAddr, Ipv4Addr};
use std::collections::{BTreeMap, HashMap};

use super::packet::{Packet, TCP};
use super::prefix::key;
use super::rule::Rule;

/// Most rules of a chain.
pub const RULES_MAX: usize = WORD * WORD;

/// Rules in a word of a set; a set has as many words at most, so that one more says which of them have any.
const WORD: usize = u64::BITS as usize;

/// What rules may ask for.
const AXES: usize = 6;
const SOURCE: usize = 0;
const DESTINATION: usize = 1;
/// Added to the number of TCP where a connection is there already.
const ESTABLISHED: u32 = 0x100;

/// Numbers on an axis, lowest and highest.
type Span = (u128, u128);

/// Rules that were made ready.
#[derive(Debug, Default)]
pub struct Compiled {
    rules: usize,
    /// All sets, one after the other: which words have any rule, as bits of one number, and then the words.
    sets: Vec<u64>,
    /// Only what some rule asks for.
    axes: Vec<Axis>,
    /// Names of peers in rules; a peer without a number is in none.
    peers: BTreeMap<String, u32>,
}

#[derive(Debug)]
struct Axis {
    which: usize,
    /// What fits into 32 bits: ports, protocols, peers, and addresses of version 4.
    narrow: Spans<u32>,
    /// Addresses of version 6.
    wide: Spans<u128>,
    /// The set of a packet that has no such number.
    unknown: u32,
}

/// Numbers in their order, and what holds from each of them on.
#[derive(Debug)]
struct Spans<N> {
    /// Where spans begin, the first at the lowest number.
    starts: Vec<N>,
    /// Where among all sets the set of each span begins.
    sets: Vec<u32>,
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
        let mut sets = Sets { width: rules.len().div_ceil(WORD), ..Sets::default() };
        let axes = (0..AXES).filter_map(|which| Axis::new(which, &asked, &mut sets)).collect();
        Self { rules: rules.len(), sets: sets.words, axes, peers }
    }

    /// The number of a peer by its name, for `find`.
    pub fn peer(&self, name: &str) -> Option<u32> {
        self.peers.get(name).copied()
    }

    /// The first rule that means this packet of this peer.
    ///
    /// It costs one search for each axis, and one look at each word that has a rule in all sets: never more than 64.
    pub fn find(&self, packet: &Packet, peer: Option<u32>) -> Option<usize> {
        let mut starts = [0; AXES];
        let numbers = narrow(packet, peer);
        for (start, axis) in starts.iter_mut().zip(&self.axes) {
            let set = match numbers[axis.which] {
                Some(number) => axis.narrow.set(number),
                None => wide(axis.which, packet).map_or(axis.unknown, |number| axis.wide.set(number)),
            };
            *start = set as usize;
        }
        let Some(starts) = starts.get(..self.axes.len()).filter(|starts| !starts.is_empty()) else {
            // No rule asks for anything.
            return (self.rules > 0).then_some(0);
        };
        let common = |at: usize| starts.iter().fold(u64::MAX, |common, start| common & self.sets[start + at]);
        let mut words = common(0);
        while words != 0 {
            let word = words.trailing_zeros() as usize;
            let rules = common(1 + word);
            if rules != 0 {
                return Some(word * WORD + rules.trailing_zeros() as usize);
            }
            words &= words - 1;
        }
        None
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

/// What a packet has on each axis, if it has any there that fits into 32 bits.
fn narrow(packet: &Packet, peer: Option<u32>) -> [Option<u32>; AXES] {
    let established = if packet.established { ESTABLISHED } else { 0 };
    [
        narrow_address(packet.source),
        narrow_address(packet.destination),
        packet.protocol.map(|number| u32::from(number) + established),
        packet.ports.map(|(port, _)| port.into()),
        packet.ports.map(|(_, port)| port.into()),
        peer,
    ]
}

fn narrow_address(address: IpAddr) -> Option<u32> {
    if let IpAddr::V4(address) = address { Some(address.to_bits()) } else { None }
}

/// What it has there that does not.
fn wide(axis: usize, packet: &Packet) -> Option<u128> {
    match axis {
        SOURCE => Some(key(packet.source)),
        DESTINATION => Some(key(packet.destination)),
        _ => None,
    }
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
    let established = u128::from(u32::from(TCP) + ESTABLISHED);
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
        let has_any = set.iter().enumerate().map(|(at, word)| u64::from(*word != 0) << at);
        self.words.push(has_any.sum());
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
        let mut wide = Spans { starts: Vec::new(), sets: Vec::new() };
        for (start, rules) in changes {
            rules.into_iter().for_each(|index| flip(&mut set, index));
            wide.starts.push(start);
            wide.sets.push(sets.keep(&set));
        }
        let first =
            if [SOURCE, DESTINATION].contains(&which) { key(Ipv4Addr::UNSPECIFIED.into()) } else { 0 };
        Some(Self { which, narrow: wide.narrow(first), wide, unknown })
    }
}

impl<N: Ord + Copy> Spans<N> {
    /// Where the set of a number begins.
    fn set(&self, number: N) -> u32 {
        self.sets[self.starts.partition_point(|start| *start <= number) - 1]
    }
}

impl Spans<u128> {
    /// The 2^32 numbers from this one on.
    fn narrow(&self, first: u128) -> Spans<u32> {
        let mut narrow = Spans { starts: vec![0], sets: vec![self.set(first)] };
        for (start, set) in self.starts.iter().zip(&self.sets).filter(|(start, _)| **start > first) {
            let Ok(start) = u32::try_from(start - first) else { break };
            narrow.starts.push(start);
            narrow.sets.push(*set);
        }
        narrow
    }
}

/// Takes a rule in, or out.
fn flip(set: &mut [u64], index: usize) {
    set[index / WORD] ^= 1 << (index % WORD);
}

#[cfg(test)]
#[path = "compiled_tests.rs"]
mod tests;
