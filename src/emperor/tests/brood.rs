//! Zergs come when a vassal asks for them, and go with it.

use super::court::{ALICE, BOB, Court, key, spawns};
use crate::emperor::event::{Command, Event, Exit, Incarnation, VassalId};
use crate::emperor::order::{News, Order, from_vassal, to_vassal};
use crate::emperor::policy::Policy;

fn court(broodlord: u32) -> Court {
    Court::new(Policy { broodlord, ..Policy::default() }).running("shop")
}

/// The zergs, by their numbers.
fn zergs(court: &Court) -> Vec<VassalId> {
    court.emperor.snapshot().vassals.into_iter().filter(|view| view.zerg).map(|view| view.id).collect()
}

fn first(id: VassalId) -> Incarnation {
    Incarnation { id, attempt: 1 }
}

/// A process of a zerg that runs.
fn up(court: &mut Court, id: VassalId) -> Vec<Order> {
    let config = court.emperor.vassals[&id].config.clone();
    court.tell(Event::Born(first(id), 4_712));
    court.tell(Event::Running(first(id), config.fingerprint, config.owner))
}

/// Asks until it gets no more, with time between.
fn ask_for_all(court: &mut Court) -> Vec<VassalId> {
    for _ in 0..10 {
        court.say("shop", from_vassal::SOS);
        court.wait_ms(1_000);
    }
    let zergs = zergs(court);
    zergs.iter().for_each(|id| _ = up(court, *id));
    zergs
}

fn stops(orders: &[Order]) -> Vec<Incarnation> {
    let stop = |order: &Order| match order {
        Order::Send(one, to_vassal::STOP) => Some(*one),
        _ => None,
    };
    orders.iter().filter_map(stop).collect()
}

#[test]
fn a_vassal_that_asks_gets_a_zerg_of_its_own_config_and_owner() {
    let mut court = court(2);
    assert_eq!(spawns(&court.say("shop", from_vassal::SOS)), 1);
    let id = zergs(&court)[0];
    assert_eq!(court.emperor.config_of(id), Some((&key("shop"), Some(1))));
    assert_eq!(court.emperor.key(id), Some(&key("shop:zerg")));
    assert_eq!(court.emperor.vassals[&id].config.owner, ALICE);
    assert_eq!(court.told(|what| matches!(what, News::Reinforced { number: 1 })), 1);
}

#[test]
fn without_a_broodlord_nobody_is_sent() {
    let mut court = court(0);
    assert_eq!(court.say("shop", from_vassal::SOS), []);
}

/// Row C8 of the attacks.
#[test]
fn a_flood_of_calls_brings_one_zerg_a_second_and_no_more_than_there_may_be() {
    let mut court = court(3);
    let spawned: usize = (0..10_000).map(|_| spawns(&court.say("shop", from_vassal::SOS))).sum();
    assert_eq!(spawned, 1);
    assert_eq!(ask_for_all(&mut court).len(), 3);
}

#[test]
fn a_zerg_asks_for_its_vassal_and_not_for_a_zerg_of_its_own() {
    let mut court = court(2);
    court.say("shop", from_vassal::SOS);
    let id = zergs(&court)[0];
    up(&mut court, id);
    court.wait_ms(1_000);
    court.tell(Event::Byte(first(id), from_vassal::SOS));
    let second = zergs(&court)[1];
    assert_eq!(court.emperor.config_of(second), Some((&key("shop"), Some(2))));
    assert_eq!(court.emperor.key(second), Some(&key("shop:zerg")));
}

#[test]
fn a_zerg_that_asks_to_be_stopped_goes_and_makes_room() {
    let mut court = court(1);
    let id = ask_for_all(&mut court)[0];
    assert_eq!(stops(&court.tell(Event::Byte(first(id), from_vassal::GOODBYE))), [first(id)]);
    assert_eq!(court.say("shop", from_vassal::SOS), [], "it is still there");
    let orders = court.tell(Event::Exited(first(id), Exit::Code(0)));
    assert_eq!(orders, [Order::Bury(first(id)), Order::Forget(id)]);
    assert_eq!(spawns(&court.say("shop", from_vassal::SOS)), 1);
}

#[test]
fn a_zerg_that_dies_is_not_started_again_and_the_next_one_waits_longer_each_time() {
    let mut court = court(1);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let mut waited_ms = 0;
        while zergs(&court).is_empty() {
            court.say("shop", from_vassal::SOS);
            waited_ms += 100;
            court.wait_ms(100);
        }
        waits.push(waited_ms);
        let id = zergs(&court)[0];
        up(&mut court, id);
        let orders = court.tell(Event::Exited(first(id), Exit::Signal(11)));
        assert_eq!((spawns(&orders), zergs(&court)), (0, vec![]));
    }
    assert!(waits.is_sorted() && waits[3] > 3 * waits[1], "{waits:?}");
    assert_eq!(court.state("shop"), "running");
}

#[test]
fn zergs_end_when_their_vassal_does_whatever_the_reason() {
    let ends: [fn(&mut Court) -> Vec<Order>; 6] = [
        |court| court.unsee("shop"),
        |court| court.exit("shop", 1),
        |court| court.say("shop", from_vassal::GOODBYE),
        |court| court.see_of("shop", 1, BOB),
        |court| court.tell(Event::Silent(court.which("shop"))),
        |court| court.tell(Event::Commanded(court.which("shop").id, Command::Stop)),
    ];
    for end in ends {
        let mut court = court(2);
        let zergs = ask_for_all(&mut court);
        let stopped = stops(&end(&mut court));
        assert!(zergs.iter().all(|id| stopped.contains(&first(*id))), "{stopped:?}");
        assert_eq!(court.say("shop", from_vassal::SOS), []);
    }
}

#[test]
fn a_reload_of_the_vassal_ends_its_zergs_and_reloads_none_of_them() {
    let mut court = court(2);
    let zergs = ask_for_all(&mut court);
    let orders = court.see("shop", 2);
    assert_eq!(stops(&orders), zergs.iter().map(|id| first(*id)).collect::<Vec<_>>());
    let reloads = |order: &&Order| matches!(order, Order::Send(_, to_vassal::RELOAD));
    assert_eq!(orders.iter().filter(reloads).count(), 1);
}

#[test]
fn a_zerg_that_is_no_longer_wanted_before_its_birth_is_stopped_when_it_is_born() {
    let mut court = court(1);
    court.say("shop", from_vassal::SOS);
    let id = zergs(&court)[0];
    court.exit("shop", 1);
    assert_eq!(stops(&court.tell(Event::Born(first(id), 4_712))), [first(id)]);
}

#[test]
fn the_zergs_of_one_vassal_take_nothing_from_another_of_the_same_owner() {
    let policy = Policy { broodlord: 2, tenant_max: 2, ..Policy::default() };
    let mut court = Court::new(policy).running("shop");
    assert_eq!(ask_for_all(&mut court).len(), 2);
    assert_eq!(spawns(&court.see("blog", 1)), 1);
    court.up("blog");
    court.wait_ms(1_000);
    assert_eq!(spawns(&court.say("blog", from_vassal::SOS)), 1);
}

#[test]
fn zergs_cannot_be_named_in_commands_or_seen_by_monitors() {
    let mut court = court(1);
    ask_for_all(&mut court);
    assert_eq!(court.emperor.named("shop:zerg"), []);
    assert_eq!(court.unsee("shop:zerg"), []);
}
