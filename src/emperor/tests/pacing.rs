//! Deaths cost time, and only those who die pay.

use super::court::{ALICE, BOB, Court, spawns};
use crate::emperor::event::{Event, Moment};
use crate::emperor::order::{News, Order, from_vassal};
use crate::emperor::policy::Policy;

/// A vassal that has died twice in a row and waits.
fn cursed() -> Court {
    let mut court = Court::with_throttle(5_000).running("shop");
    court.exit("shop", 1);
    court.up("shop");
    court.exit("shop", 1);
    court
}

/// When it is started again.
fn next_start(court: &Court) -> Moment {
    court.view("shop").next_start.expect("it waits")
}

#[test]
fn the_first_death_costs_nothing() {
    let mut court = Court::with_throttle(5_000).running("shop");
    let first = court.which("shop");
    let orders = court.exit("shop", 1);
    assert_eq!(orders, [Order::Bury(first), Order::Spawn(court.which("shop"))]);
    assert_eq!(court.told(|what| matches!(what, News::Throttled { .. })), 0);
}

#[test]
fn a_cursed_vassal_is_not_spawned_before_its_time() {
    let mut court = cursed();
    let delay_ms = next_start(&court).ms_since(court.now);
    assert!((4_500..=5_000).contains(&delay_ms), "{delay_ms}");
    assert_eq!(court.wait_ms(delay_ms - 1), []);
    assert_eq!(spawns(&court.wait_ms(2)), 1);
    assert_eq!(court.told(|what| matches!(what, News::Throttled { times: 2, .. })), 1);
}

#[test]
fn a_cursed_vassal_is_on_the_blacklist() {
    let court = cursed();
    let blacklist = court.emperor.snapshot().blacklist;
    assert_eq!(blacklist.len(), 1);
    assert_eq!((blacklist[0].attempts, blacklist[0].last_attempt), (2, court.now));
}

#[test]
fn the_curse_of_one_is_not_the_delay_of_another() {
    let mut court = cursed();
    assert_eq!(spawns(&court.see("blog", 1)), 1);
    assert_eq!(spawns(&court.see_of("wiki", 1, BOB)), 1);
}

#[test]
fn delays_grow_and_stay_below_their_limit() {
    let mut court = Court::new(Policy::default()).running("shop");
    let mut delays = Vec::new();
    for _ in 0..12 {
        court.exit("shop", 1);
        delays.push(court.view("shop").next_start.map_or(0, |at| at.ms_since(court.now)));
        court.wait_ms(200_000);
        court.up("shop");
    }
    assert_eq!(delays[0], 0);
    assert!(delays[1..9].is_sorted_by(|one, other| one < other), "{delays:?}");
    assert!(delays.iter().all(|ms| *ms <= 180_000), "{delays:?}");
}

#[test]
fn a_loyal_vassal_starts_over() {
    let mut court = cursed();
    court.wait_ms(5_000);
    court.up("shop");
    court.say("shop", from_vassal::LOYAL);
    assert_eq!(spawns(&court.exit("shop", 1)), 1);
    assert_eq!(court.view("shop").deaths, 1);
}

#[test]
fn who_feigns_loyalty_still_may_not_spin() {
    let mut court = Court::with_throttle(5_000).running("shop");
    let mut starts = 0;
    let begin = court.now;
    while court.now.ms_since(begin) < 20_000 {
        court.say("shop", from_vassal::LOYAL);
        starts += spawns(&court.exit("shop", 1)) + spawns(&court.wait_ms(10));
        while court.state("shop") == "throttled" {
            starts += spawns(&court.wait_ms(10));
        }
        court.up("shop");
    }
    assert!((15..=24).contains(&starts), "{starts}");
}

#[test]
fn who_ran_for_long_starts_over() {
    let mut court = cursed();
    court.wait_ms(5_000);
    court.up("shop");
    court.wait_ms(60_000);
    assert_eq!(spawns(&court.exit("shop", 1)), 1);
}

#[test]
fn a_changed_config_ends_the_delay() {
    let mut court = cursed();
    assert_eq!(spawns(&court.see("shop", 2)), 1);
    assert_eq!(court.view("shop").deaths, 0);
}

#[test]
fn an_unchanged_config_does_not_end_the_delay() {
    let mut court = cursed();
    assert_eq!(court.see("shop", 1), []);
    assert_eq!(court.state("shop"), "throttled");
}

#[test]
fn who_changes_a_crashing_config_all_the_time_gets_one_start_a_second() {
    let mut court = Court::with_throttle(60_000);
    let mut starts = 0;
    for fingerprint in 0..2_000 {
        starts += spawns(&court.see("shop", fingerprint));
        if court.state("shop") == "starting" {
            court.up("shop");
            starts += spawns(&court.exit("shop", 1));
        }
        starts += spawns(&court.wait_ms(10));
    }
    assert!((10..=25).contains(&starts), "{starts}");
}

#[test]
fn a_cleared_blacklist_starts_those_who_wait() {
    let mut court = cursed();
    assert_eq!(spawns(&court.tell(Event::ClearBlacklist)), 1);
    assert_eq!(court.emperor.snapshot().blacklist, []);
}

#[test]
fn a_failed_spawn_is_a_death() {
    let mut court = Court::with_throttle(5_000);
    court.see("shop", 1);
    assert_eq!(spawns(&court.tell(Event::SpawnFailed(court.which("shop"), "no memory".into()))), 1);
    assert_eq!(court.tell(Event::SpawnFailed(court.which("shop"), "no memory".into())), []);
    assert_eq!(court.state("shop"), "throttled");
}

#[test]
fn without_a_blacklist_deaths_are_followed_by_starts() {
    let mut court = Court::new(Policy { no_blacklist: true, ..Policy::default() }).running("shop");
    let starts: usize = (0..4).map(|_| spawns(&court.exit("shop", 1)) + court.up("shop").len()).sum();
    assert_eq!(starts, 4);
    assert_eq!(court.exit("shop", 1).len(), 1);
    assert_eq!(spawns(&court.wait_ms(100)), 1);
}

#[test]
fn a_vassal_removed_while_it_waits_is_forgotten() {
    let mut court = cursed();
    let id = court.which("shop").id;
    assert_eq!(court.unsee("shop"), [Order::Forget(id)]);
    assert_eq!(court.emperor.next_deadline(), None);
}

#[test]
fn crash_looping_vassals_of_the_same_owner_do_not_delay_a_fresh_one() {
    let mut court = Court::new(Policy { starting_max: 2, no_blacklist: true, ..Policy::default() });
    for name in ["a", "b", "c", "d"] {
        court.see_of(name, 1, ALICE);
        court.up(name);
    }
    ["a", "b", "c", "d"].iter().for_each(|name| drop(court.exit(name, 1)));
    assert_eq!(spawns(&court.see_of("fresh", 1, ALICE)), 1);
    assert_eq!(spawns(&court.see_of("fresher", 1, ALICE)), 1);
}
