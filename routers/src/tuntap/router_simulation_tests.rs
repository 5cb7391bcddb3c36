//! Tenants who connect, leave, send anything and upload any rules, beside a router where nobody uploads any.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

const ADDRESSES: [&str; 8] = [
    "10.0.0.1",
    "10.0.0.5",
    "10.0.0.6",
    "10.0.0.7",
    "10.0.0.8",
    "192.0.2.1",
    "203.0.113.7",
    "169.254.169.254",
];
/// What was given, and to whom; the last one is outside of all networks.
const GIVEN: [(&str, u32); 4] =
    [("10.0.0.5", SHOP), ("10.0.0.6", BLOG), ("10.0.0.8", BLOG), ("203.0.113.7", 1003)];
const USERS: [u32; 4] = [SHOP, BLOG, 1003, 1004];
/// Places where a tenant's connection can be.
const SEATS: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    Connect(usize, u32),
    Leave(usize),
    Send(usize, Vec<u8>),
    Arrive(Vec<u8>),
    Upload(usize, Vec<u8>),
    Replace(usize),
}

fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let ends = (prop::sample::select(&ADDRESSES[..]), prop::sample::select(&ADDRESSES[..]));
    let real = (ends, prop_oneof![Just(0x02u8), Just(0x10)]);
    prop_oneof![
        9 => real.prop_map(|((source, destination), flags)| packet(source, destination, flags)),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ]
}

fn table() -> impl Strategy<Value = Vec<u8>> {
    let word =
        prop_oneof![6 => Just(0), 1 => Just(0x0a00_0005_u32), 1 => Just(0xffff_ff00), 1 => any::<u32>()];
    let record = (any::<bool>(), [word.clone(), word.clone(), word.clone(), word], 0u8..4);
    let record = record.prop_map(|(outgoing, numbers, action)| {
        let numbers: Vec<u8> = numbers.into_iter().flat_map(u32::to_ne_bytes).collect();
        [&[u8::from(outgoing)][..], &numbers, &[action, 198, 51, 100, 1, 0x13, 0x88]].concat()
    });
    prop::collection::vec(record, 0..4).prop_map(|records| records.concat())
}

fn step() -> impl Strategy<Value = Step> {
    let seat = || 0..SEATS;
    prop_oneof![
        2 => (seat(), prop::sample::select(&USERS[..])).prop_map(|(seat, uid)| Step::Connect(seat, uid)),
        1 => seat().prop_map(Step::Leave),
        8 => (seat(), datagram()).prop_map(|(seat, bytes)| Step::Send(seat, bytes)),
        5 => datagram().prop_map(Step::Arrive),
        2 => (seat(), table()).prop_map(|(seat, table)| Step::Upload(seat, table)),
        1 => (0..RULES.len()).prop_map(Step::Replace),
    ]
}

/// What administrators change their minds to.
const RULES: [[&[&str]; 2]; 4] = [
    [&[], &[]],
    [&["deny 192.0.2.1 10.0.0.5"], &["allow 10.0.0.5 10.0.0.6"]],
    [&["allow any any peer shop"], &["deny peer 10.0.0.7", "allow any any"]],
    [&["deny"], &["deny any any dport 80"]],
];

struct World {
    policy: Policy,
    router: Router,
    /// The same, without any rules of peers.
    calm: Router,
    seats: [Option<PeerId>; SEATS],
    /// Packets that peers have sent, that went on to peers, and that came from outside.
    sent: u64,
    crossed: u64,
    arrived: u64,
    /// Who has ever had rules of its own.
    uploaded: BTreeSet<PeerId>,
    /// What has become of packets, by the first word of it or the reason.
    seen: BTreeSet<&'static str>,
}

impl World {
    fn new(policy: Policy, admission: Admission) -> Self {
        let settings = settings(policy, admission);
        let build = || {
            let mut router = Router::new(settings.clone(), Self::chains(policy, 0));
            router.give(Grant::parse("uid=1001 addr=10.0.0.5 name=shop").unwrap()).unwrap();
            router.give(Grant::parse("uid=1002 addr=10.0.0.6,10.0.0.8 name=blog").unwrap()).unwrap();
            router.give(Grant::parse("uid=1003 addr=203.0.113.7").unwrap()).unwrap();
            router
        };
        let (router, calm) = (build(), build());
        let (seats, uploaded, seen) = ([None; SEATS], BTreeSet::new(), BTreeSet::new());
        Self { policy, router, calm, seats, sent: 0, crossed: 0, arrived: 0, uploaded, seen }
    }

    fn chains(policy: Policy, index: usize) -> Chains {
        chains(&settings(policy, Admission::Open), RULES[index])
    }

    fn walk(&mut self, step: Step) {
        match step {
            Step::Connect(seat, uid) => self.connect(seat, uid),
            Step::Leave(seat) => self.leave(seat),
            Step::Send(seat, bytes) => self.seats[seat].into_iter().for_each(|id| self.send(id, &bytes)),
            Step::Arrive(bytes) => self.arrive(&bytes),
            Step::Upload(seat, table) => {
                for id in self.seats[seat].into_iter().filter(|_| !table.is_empty()) {
                    self.uploaded.insert(id);
                    self.router.upload(id, &table).unwrap();
                }
            }
            Step::Replace(index) => {
                self.router.replace(Self::chains(self.policy, index));
                self.calm.replace(Self::chains(self.policy, index));
            }
        }
    }

    fn connect(&mut self, seat: usize, uid: u32) {
        self.leave(seat);
        let (one, other) = (self.router.connect(uid), self.calm.connect(uid));
        assert_eq!(one, other);
        self.seats[seat] = one.ok();
    }

    fn leave(&mut self, seat: usize) {
        if let Some(id) = self.seats[seat].take() {
            self.router.disconnect(id);
            self.calm.disconnect(id);
        }
    }

    fn send(&mut self, id: PeerId, bytes: &[u8]) {
        let (verdict, calm) = (self.router.from_peer(id, bytes), self.calm.from_peer(id, bytes));
        self.sent += 1;
        self.crossed += u64::from(matches!(verdict, Verdict::Peer(_)));
        self.check_verdict(verdict, calm, bytes);
        if !matches!(verdict, Verdict::Drop(_)) {
            let source = Packet::parse(bytes).unwrap().source;
            assert!(
                self.router.peers().get(id).unwrap().addresses().contains(&source),
                "it has sent from {source}"
            );
        }
    }

    fn arrive(&mut self, bytes: &[u8]) {
        let (verdict, calm) = (self.router.from_tun(bytes), self.calm.from_tun(bytes));
        self.arrived += 1;
        self.check_verdict(verdict, calm, bytes);
    }

    /// Rules of a peer change a verdict to one way: away.
    fn check_verdict(&mut self, verdict: Verdict, calm: Verdict, bytes: &[u8]) {
        self.seen.insert(match verdict {
            Verdict::Tun => "tun",
            Verdict::Peer(_) => "peer",
            Verdict::Gateway(_) => "gateway",
            Verdict::Drop(reason) => reason.name(),
        });
        let away = matches!(verdict, Verdict::Drop(Reason::OwnRule | Reason::NoGateway));
        if !away {
            assert_eq!(verdict, calm);
        }
        let Ok(packet) = Packet::parse(bytes) else { return };
        let ends =
            [self.router.peers().holder(packet.source), self.router.peers().holder(packet.destination)];
        let has_rules = |id: &PeerId| self.uploaded.contains(id);
        assert!(!away || ends.iter().flatten().any(has_rules), "nobody's rule has dropped it");
        if let Verdict::Peer(other) = verdict {
            assert_eq!(ends[1], Some(other), "it went to somebody else");
        }
    }

    fn check(&self) {
        let mut held = BTreeSet::new();
        for (id, peer) in self.router.peers().all() {
            for address in peer.addresses() {
                assert!(held.insert(*address), "{address} is held twice");
                assert_eq!(self.router.peers().holder(*address), Some(id));
                let given = GIVEN.iter().find(|(given, _)| super::address(given) == *address);
                assert!(given.is_none_or(|(_, uid)| *uid == peer.uid()), "{address} was given away");
                assert_ne!(*address, super::address("10.0.0.1"));
            }
        }
        let (mut sent, mut received) = (0, 0);
        for (_, account) in self.router.accounts().all() {
            sent += account.sent.passed.packets + account.sent.dropped_packets();
            received += account.received.passed.packets + account.received.dropped_packets();
        }
        assert_eq!((sent, received), (self.sent, self.arrived + self.crossed));
    }
}

/// What a life is made of.
fn life() -> impl Strategy<Value = (Policy, Admission, Vec<Step>)> {
    let policy = prop::sample::select(&[Policy::Allow, Policy::Deny, Policy::Standard][..]);
    let admission = prop::sample::select(&[Admission::Open, Admission::Granted][..]);
    (policy, admission, prop::collection::vec(step(), 1..120))
}

fn live((policy, admission, steps): (Policy, Admission, Vec<Step>)) -> World {
    let mut world = World::new(policy, admission);
    for step in steps {
        world.walk(step);
        world.check();
    }
    world
}

proptest! {
    /// Rows W2, W3, W4.
    #[test]
    fn whatever_tenants_do_each_has_its_own_and_touches_nobody_else(life in life()) {
        live(life);
    }
}

#[test]
fn these_lives_have_everything_in_them_that_can_become_of_a_packet() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        seen.extend(live(life().new_tree(&mut runner).unwrap().current()).seen);
    }
    let expected =
        ["tun", "peer", "spoofed", "not-granted", "neighbour", "denied", "own-rule", "no-gateway", "no-peer"];
    let missing: Vec<_> = expected.iter().filter(|kind| !seen.contains(**kind)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
}
