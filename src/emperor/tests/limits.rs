//! Nobody takes more than their share.

use super::court::{ALICE, BOB, Court, spawns};
use crate::emperor::event::{Event, Fingerprint, Owner};
use crate::emperor::order::{News, Order, to_vassal};
use crate::emperor::policy::Policy;
use crate::emperor::vassal::Vassal;

fn two_each() -> Court {
    Court::new(Policy { tenant_max: 2, ..Policy::default() }).running("a").running("b")
}

#[test]
fn one_vassal_too_many_is_told_once_and_waits_for_room() {
    let mut court = two_each();
    assert_eq!(court.see("c", 1), []);
    court.see("c", 1);
    court.see("c", 2);
    assert_eq!((court.state("c"), court.emperor.next_deadline()), ("too-many", None));
    assert_eq!(court.told(|what| matches!(what, News::TooMany { owner: ALICE, max: 2 })), 1);
    court.unsee("a");
    assert_eq!(spawns(&court.exit("a", 0)), 1);
    assert_eq!(court.state("c"), "starting");
}

#[test]
fn who_waits_longest_for_room_gets_it() {
    let mut court = two_each();
    court.see("c", 1);
    court.see("d", 1);
    court.unsee("a");
    court.exit("a", 0);
    assert_eq!((court.state("c"), court.state("d")), ("starting", "too-many"));
}

#[test]
fn a_refused_config_takes_no_room() {
    let mut court = two_each();
    court.see("c", 1);
    court.see_refused("b", 2, "writable by anybody");
    assert_eq!(spawns(&court.exit("b", 0)), 1);
    court.see("b", 3);
    assert_eq!(court.state("b"), "too-many");
}

#[test]
fn the_limit_is_one_for_each_owner_and_none_for_root() {
    let mut court = two_each();
    assert_eq!(spawns(&court.see_of("c", 1, BOB)), 1);
    let root = Owner { uid: 0, gid: 0 };
    let starts: usize = ["r1", "r2", "r3"].iter().map(|name| spawns(&court.see_of(name, 1, root))).sum();
    assert_eq!(starts, 3);
}

#[test]
fn with_a_new_owner_there_may_be_room() {
    let mut court = two_each();
    court.see("c", 1);
    assert_eq!(spawns(&court.see_of("c", 1, BOB)), 1);
}

#[test]
fn a_process_that_turns_out_to_be_of_an_owner_with_too_many_is_stopped() {
    let mut court = two_each();
    court.see_of("c", 1, BOB);
    court.born("c");
    court.tell(Event::Running(court.which("c"), Fingerprint(2), ALICE));
    assert_eq!(court.state("c"), "stopping");
    court.see("c", 2);
    court.exit("c", 0);
    assert_eq!(court.state("c"), "too-many");
}

#[test]
fn who_has_to_stop_for_two_reasons_is_told_so_once() {
    let mut court = two_each();
    court.see_of("c", 1, BOB);
    court.born("c");
    court.see_of("c", 2, Owner { uid: 7, gid: 7 });
    let orders = court.tell(Event::Running(court.which("c"), Fingerprint(3), ALICE));
    assert_eq!(orders, [Order::Send(court.which("c"), to_vassal::STOP)]);
}

#[test]
fn no_more_starts_are_under_way_than_may_be() {
    let mut court = Court::new(Policy { starting_max: 4, ..Policy::default() });
    let names: Vec<String> = (0..10).map(|number| format!("v{number}")).collect();
    let starts: usize = names.iter().map(|name| spawns(&court.see(name, 1))).sum();
    assert_eq!(starts, 4);
    court.born("v0");
    assert_eq!(court.state("v4"), "queued");
    let orders = court.runs("v0");
    assert_eq!(orders, [Order::Spawn(court.which("v4"))]);
}

#[test]
fn a_start_that_hangs_gives_its_slot_to_the_next_one() {
    let mut court = Court::new(Policy { starting_max: 1, ..Policy::default() });
    court.see("slow", 1);
    court.see("next", 1);
    court.born("slow");
    assert_eq!(court.wait_ms(9_999), []);
    assert_eq!(court.wait_ms(1), [Order::Spawn(court.which("next"))]);
    assert_eq!(court.state("slow"), "stepping");
}

#[test]
fn a_start_that_is_not_answered_gives_its_slot_to_the_next_one_and_takes_none_later() {
    let mut court = Court::new(Policy { starting_max: 1, ..Policy::default() });
    court.see("slow", 1);
    court.see("next", 1);
    court.see("last", 1);
    assert_eq!(court.wait_ms(999), []);
    assert_eq!(court.wait_ms(1), [Order::Spawn(court.which("next"))]);
    assert_eq!(court.state("slow"), "starting");
    assert_eq!([court.born("slow"), court.runs("slow")], [[], []], "it has none to give");
    assert_eq!(spawns(&court.up("next")), 1);
}

#[test]
fn a_vassal_fits_into_its_share_of_memory() {
    let size = size_of::<Vassal>();
    assert!(size <= 448, "{size} bytes");
}
