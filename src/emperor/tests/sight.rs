//! Configs come, change and go.

use super::court::{ALICE, BOB, Court, spawns};
use crate::emperor::event::{Event, Fingerprint, Owner};
use crate::emperor::order::{News, Order, from_vassal, to_vassal};
use crate::emperor::policy::Policy;

fn court() -> Court {
    Court::new(Policy::default())
}

#[test]
fn a_config_seen_is_started_at_once() {
    let mut court = court();
    assert_eq!(court.see("shop", 1), [Order::Spawn(court.which("shop"))]);
    court.up("shop");
    assert_eq!(court.state("shop"), "running");
    assert_eq!(court.told(|what| matches!(what, News::Started { pid: 4_711, owner: ALICE, start: 1 })), 1);
}

#[test]
fn the_same_fingerprint_means_no_change() {
    let mut court = court().running("shop");
    assert_eq!(court.see("shop", 1), []);
    assert_eq!(court.state("shop"), "running");
}

#[test]
fn a_changed_config_is_reloaded() {
    let mut court = court().running("shop");
    assert_eq!(court.see("shop", 2), [Order::Send(court.which("shop"), to_vassal::RELOAD)]);
}

#[test]
fn a_config_that_is_newer_than_the_sight_is_not_reloaded_when_it_is_seen() {
    let mut court = court();
    court.see("shop", 1);
    court.born("shop");
    court.tell(Event::Running(court.which("shop"), Fingerprint(2), ALICE));
    assert_eq!([court.say("shop", from_vassal::SPAWNED), court.see("shop", 2)], [[], []]);
    assert_eq!(court.see("shop", 3), [Order::Send(court.which("shop"), to_vassal::RELOAD)]);
}

#[test]
fn a_change_during_the_start_is_not_lost() {
    let mut court = court();
    court.see("shop", 1);
    court.born("shop");
    court.see("shop", 2);
    assert_eq!(court.tell(Event::Running(court.which("shop"), Fingerprint(1), ALICE)), []);
    court.say("shop", from_vassal::SPAWNED);
    assert_eq!(court.wait_ms(0), [Order::Send(court.which("shop"), to_vassal::RELOAD)]);
}

#[test]
fn a_change_during_the_start_that_the_process_got_already_is_not_reloaded() {
    let mut court = court();
    court.see("shop", 1);
    court.born("shop");
    court.see("shop", 2);
    assert_eq!(court.tell(Event::Running(court.which("shop"), Fingerprint(2), ALICE)), []);
}

#[test]
fn a_vassal_without_config_is_stopped_buried_and_forgotten() {
    let mut court = court().running("shop");
    let which = court.which("shop");
    assert_eq!(court.unsee("shop"), [Order::Send(which, to_vassal::STOP)]);
    assert_eq!(court.exit("shop", 0), [Order::Bury(which), Order::Forget(which.id)]);
    assert_eq!(court.emperor.key(which.id), None);
    assert_eq!(court.told(|what| *what == News::Removed), 1);
}

#[test]
fn a_config_that_comes_back_during_the_stop_is_started_after_it() {
    let mut court = court().running("shop");
    let first = court.which("shop");
    court.unsee("shop");
    assert_eq!(court.see("shop", 1), []);
    let orders = court.exit("shop", 0);
    assert_eq!(orders, [Order::Bury(first), Order::Spawn(court.which("shop"))]);
}

#[test]
fn a_config_that_goes_during_the_spawn_is_stopped_when_it_is_born() {
    let mut court = court();
    court.see("shop", 1);
    assert_eq!(court.unsee("shop"), []);
    assert_eq!(court.born("shop"), [Order::Send(court.which("shop"), to_vassal::STOP)]);
    assert_eq!(court.runs("shop"), []);
    let which = court.which("shop");
    assert_eq!(court.exit("shop", 0), [Order::Bury(which), Order::Forget(which.id)]);
}

#[test]
fn a_config_that_comes_back_before_its_process_is_born_keeps_that_process() {
    let mut court = court();
    court.see("shop", 1);
    court.unsee("shop");
    court.see("shop", 1);
    assert_eq!(court.up("shop"), []);
    assert_eq!(court.state("shop"), "running");
}

#[test]
fn a_changed_owner_stops_the_process_and_starts_one_of_the_new_owner() {
    let mut court = court().running("shop");
    let first = court.which("shop");
    assert_eq!(court.see_of("shop", 1, BOB), [Order::Send(first, to_vassal::STOP)]);
    assert_eq!(court.told(|what| matches!(what, News::OwnerChanged { from: ALICE, to: BOB })), 1);
    let orders = court.exit("shop", 0);
    assert_eq!(orders, [Order::Bury(first), Order::Spawn(court.which("shop"))]);
}

#[test]
fn a_changed_group_is_a_changed_owner() {
    let mut court = court().running("shop");
    court.see_of("shop", 1, Owner { gid: 7, ..ALICE });
    assert_eq!(court.state("shop"), "stopping");
}

#[test]
fn a_refused_config_is_told_once_for_each_version() {
    let mut court = court();
    assert_eq!(court.see_refused("shop", 1, "owned by root"), []);
    court.see_refused("shop", 1, "owned by root");
    court.see_refused("shop", 1, "owned by root");
    assert_eq!(court.told(|what| matches!(what, News::Refused { .. })), 1);
    court.see_refused("shop", 2, "owned by root");
    assert_eq!(court.told(|what| matches!(what, News::Refused { .. })), 2);
    assert_eq!(court.state("shop"), "refused");
}

#[test]
fn a_refused_config_is_started_when_the_reason_is_gone() {
    let mut court = court();
    court.see_refused("shop", 1, "writable by anybody");
    assert_eq!(spawns(&court.see("shop", 1)), 1);
}

#[test]
fn a_running_vassal_whose_config_may_not_run_any_more_is_stopped() {
    let mut court = court().running("shop");
    court.see_refused("shop", 1, "writable by anybody");
    assert_eq!(court.state("shop"), "stopping");
    court.exit("shop", 0);
    assert_eq!(court.state("shop"), "refused");
    assert_eq!(court.told(|what| matches!(what, News::Refused { .. })), 1);
}

#[test]
fn what_the_spawner_refuses_is_not_tried_again_before_it_changes() {
    let mut court = court();
    court.see("shop", 1);
    assert_eq!(court.tell(Event::Refused(court.which("shop"), "not a regular file".into())), []);
    assert_eq!((court.state("shop"), court.see("shop", 1).len()), ("refused", 0));
    assert_eq!(court.emperor.next_deadline(), None);
    assert_eq!(spawns(&court.see("shop", 2)), 1);
}

#[test]
fn what_the_spawner_refuses_is_tried_again_when_it_changed_meanwhile() {
    let mut court = court();
    court.see("shop", 1);
    court.see("shop", 2);
    assert_eq!(spawns(&court.tell(Event::Refused(court.which("shop"), "empty".into()))), 1);
}

#[test]
fn two_sources_may_use_the_same_name() {
    let mut court = court();
    court.see("shop", 1);
    let twin = crate::emperor::event::Key {
        monitor: crate::emperor::event::MonitorId(1),
        ..super::court::key("shop")
    };
    assert_eq!(spawns(&court.tell(Event::Seen(twin, super::court::sight(1, ALICE)))), 1);
    assert_eq!(court.emperor.snapshot().vassals.len(), 2);
}
