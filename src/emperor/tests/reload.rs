//! Reloads are answered, or not, and never escape the pacing.

use super::court::{Court, spawns};
use crate::emperor::event::{Event, Fingerprint};
use crate::emperor::order::{News, Order, from_vassal, to_vassal};
use crate::emperor::policy::Policy;

fn court() -> Court {
    Court::with_throttle(5_000).running("shop")
}

fn reloads(orders: &[Order]) -> usize {
    orders.iter().filter(|order| matches!(order, Order::Send(_, to_vassal::RELOAD))).count()
}

#[test]
fn a_vassal_that_ends_for_a_reload_is_started_at_once_and_pays_nothing() {
    let mut court = court();
    court.see("shop", 2);
    assert_eq!(spawns(&court.exit("shop", 0)), 1);
    assert_eq!(court.view("shop").deaths, 0);
    assert_eq!(court.told(|what| matches!(what, News::Exited { expected: true, .. })), 1);
}

#[test]
fn one_reload_excuses_one_end() {
    let mut court = court();
    court.see("shop", 2);
    court.exit("shop", 0);
    court.up("shop");
    court.exit("shop", 0);
    assert_eq!(court.view("shop").deaths, 1);
}

#[test]
fn a_vassal_that_stays_after_a_reload_is_told_to_accept_again() {
    let mut court = court();
    court.say("shop", from_vassal::ACCEPTING);
    court.see("shop", 2);
    assert_eq!((court.state("shop"), court.view("shop").accepting), ("reloading", false));
    court.say("shop", from_vassal::ACCEPTING);
    assert_eq!((court.state("shop"), court.view("shop").accepting), ("running", true));
    assert_eq!(court.told(|what| matches!(what, News::Accepting { .. })), 2);
    assert_eq!(court.view("shop").respawns, 1);
}

#[test]
fn a_byte_sent_before_the_reload_does_not_make_its_end_a_death() {
    let mut court = court();
    court.see("shop", 2);
    court.say("shop", from_vassal::ACCEPTING);
    assert_eq!(spawns(&court.exit("shop", 0)), 1);
    assert_eq!(court.view("shop").deaths, 0);
}

#[test]
fn who_never_spoke_and_does_not_answer_a_reload_is_stopped_and_started() {
    let mut court = court();
    court.see("shop", 2);
    assert_eq!(court.wait_ms(29_999), []);
    assert_eq!(court.wait_ms(1), [Order::Send(court.which("shop"), to_vassal::STOP)]);
    assert_eq!(spawns(&court.exit("shop", 0)), 1);
}

#[test]
fn who_once_spoke_may_take_its_time_for_a_reload() {
    let mut court = court();
    court.say("shop", from_vassal::SPAWNED);
    court.see("shop", 2);
    assert_eq!(court.wait_ms(1_000_000), []);
    assert_eq!((court.state("shop"), court.emperor.next_deadline()), ("running", None));
}

#[test]
fn a_storm_of_changes_becomes_three_reloads_and_then_one_a_second() {
    let mut court = court();
    court.say("shop", from_vassal::SPAWNED);
    let at_once: usize = (2..1_000).map(|fingerprint| reloads(&court.see("shop", fingerprint))).sum();
    assert_eq!(at_once, 3);
    assert_eq!(reloads(&court.wait_ms(10_000)), 1);
}

#[test]
fn the_last_change_of_a_storm_is_the_one_that_counts() {
    let mut court = court();
    court.say("shop", from_vassal::SPAWNED);
    (2..1_000).for_each(|fingerprint| drop(court.see("shop", fingerprint)));
    court.wait_ms(10_000);
    assert_eq!(court.see("shop", 999), []);
    assert_eq!(court.emperor.vassals[&court.which("shop").id].process.fingerprint, Fingerprint(999));
}

#[test]
fn a_reload_forgets_the_heartbeat() {
    let mut court = court();
    court.say("shop", from_vassal::HEARTBEAT);
    court.see("shop", 2);
    assert_eq!(court.wait_ms(100_000), []);
    assert_eq!(court.state("shop"), "running");
}

#[test]
fn a_goodbye_that_crosses_a_reload_does_not_lose_the_new_config() {
    let mut court = court();
    court.see("shop", 2);
    court.say("shop", from_vassal::GOODBYE);
    assert_eq!(spawns(&court.exit("shop", 0)), 1);
}

#[test]
fn an_exile_that_crosses_a_reload_does_not_lose_the_new_config() {
    let mut court = court();
    court.see("shop", 2);
    assert_eq!(spawns(&court.exit("shop", 26)), 1);
    court.up("shop");
    court.exit("shop", 26);
    assert_eq!(court.state("shop"), "exiled");
}

#[test]
fn an_exile_during_its_start_does_not_lose_a_config_that_changed_meanwhile() {
    let mut court = Court::new(Policy::default());
    court.see("shop", 1);
    court.born("shop");
    court.see("shop", 2);
    assert_eq!(spawns(&court.exit("shop", 26)), 1);
}

#[test]
fn all_that_run_are_reloaded_together_and_those_at_rest_wake_up() {
    let mut court = court().running("blog").running("wiki");
    court.see("new", 1);
    court.say("wiki", from_vassal::GOODBYE);
    court.exit("wiki", 0);
    let orders = court.tell(Event::ReloadAll);
    assert_eq!((reloads(&orders), spawns(&orders)), (2, 1));
}

#[test]
fn reloading_everything_leaves_those_alone_who_wait_for_their_time() {
    let mut court = court();
    court.exit("shop", 1);
    court.up("shop");
    court.exit("shop", 1);
    assert_eq!(court.tell(Event::ReloadAll), []);
    assert_eq!(court.state("shop"), "throttled");
}

#[test]
fn a_slow_reload_that_ends_late_is_still_one() {
    let mut court = Court::new(Policy::default()).running("shop");
    court.see("shop", 2);
    court.wait_ms(29_000);
    assert_eq!(spawns(&court.exit("shop", 0)), 1);
    assert_eq!(court.view("shop").deaths, 0);
}

#[test]
fn a_reload_of_one_that_is_only_just_started_takes_place_once_it_runs() {
    for is_born in [false, true] {
        let mut court = Court::new(Policy::default());
        court.see("shop", 1);
        if is_born {
            court.born("shop");
        }
        // It has told so by another way than the one by which its birth is told.
        court.say("shop", from_vassal::SPAWNED);
        assert_eq!(reloads(&court.tell(Event::ReloadAll)) + reloads(&court.tell(Event::ReloadAll)), 0);
        let mut orders = if is_born { court.runs("shop") } else { court.up("shop") };
        orders.append(&mut court.wait_ms(0));
        assert_eq!(reloads(&orders), 1);
        assert_eq!(reloads(&court.wait_ms(60_000)), 0, "both were one");
    }
}

#[test]
fn a_reload_that_waits_for_its_program_is_over_with_it() {
    let mut court = Court::new(Policy::default());
    court.see("shop", 1);
    court.born("shop");
    court.tell(Event::ReloadAll);
    assert_eq!(
        spawns(&court.exit("shop", 26)),
        1,
        "by what it had read it cannot speak for what there is now"
    );
    court.up("shop");
    assert_eq!((reloads(&court.wait_ms(60_000)), court.state("shop")), (0, "running"));
}
