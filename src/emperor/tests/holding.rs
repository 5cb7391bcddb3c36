//! A program that would miss a reload is not told of it before it can take it.

use super::court::Court;
use crate::emperor::event::Event;
use crate::emperor::order::{News, Order, from_vassal, to_vassal};
use crate::emperor::policy::Policy;

/// One that has just begun to run.
fn fresh(policy: Policy) -> Court {
    let mut court = Court::new(policy);
    court.see("shop", 1);
    court.up("shop");
    court
}

fn reload(court: &Court) -> [Order; 1] {
    [Order::Send(court.which("shop"), to_vassal::RELOAD)]
}

#[test]
fn another_program_is_told_to_reload_once_it_accepts_and_has_settled() {
    for (policy, words) in [
        (Policy::default(), &[from_vassal::BECOMES, from_vassal::SPAWNED][..]),
        (Policy { foreign: true, ..Policy::default() }, &[from_vassal::SPAWNED]),
        (Policy { foreign: true, ..Policy::default() }, &[]),
    ] {
        let mut court = fresh(policy);
        words.iter().for_each(|byte| drop(court.say("shop", *byte)));
        assert_eq!(court.see("shop", 2), []);
        assert_eq!(court.wait_ms(20_000), []);
        court.say("shop", from_vassal::ACCEPTING);
        assert_eq!(court.wait_ms(249), []);
        assert_eq!(court.wait_ms(1), reload(&court));
        // And again before it has come back.
        assert_eq!(court.see("shop", 3), []);
        court.say("shop", from_vassal::ACCEPTING);
        assert_eq!(court.wait_ms(250), reload(&court));
        assert_eq!(court.view("shop").respawns, 2);
    }
}

#[test]
fn one_that_has_accepted_for_a_while_is_told_at_once() {
    let mut court = fresh(Policy { foreign: true, ..Policy::default() });
    court.say("shop", from_vassal::ACCEPTING);
    court.wait_ms(250);
    assert_eq!(court.see("shop", 2), reload(&court));
}

#[test]
fn one_that_never_accepts_is_told_in_the_end() {
    let mut court = fresh(Policy { foreign: true, ..Policy::default() });
    court.see("shop", 2);
    assert_eq!(court.wait_ms(29_999), []);
    assert_eq!(court.wait_ms(1), reload(&court));
}

#[test]
fn our_own_master_is_told_at_once_as_soon_as_it_is_known() {
    let mut court = fresh(Policy::default());
    assert_eq!(court.see("shop", 2), []);
    court.say("shop", from_vassal::SPAWNED);
    assert_eq!(court.wait_ms(0), reload(&court));
    let mut court = fresh(Policy::default());
    court.see("shop", 2);
    assert_eq!(court.wait_ms(1_000), reload(&court), "it takes its steps for so long already");
}

#[test]
fn a_vassal_that_accepts_is_ready() {
    let mut court = fresh(Policy { foreign: true, ..Policy::default() });
    court.say("shop", from_vassal::SPAWNED);
    court.say("shop", from_vassal::ACCEPTING);
    court.wait_ms(1_000);
    court.see("shop", 2);
    assert!(!court.view("shop").ready);
    court.say("shop", from_vassal::ACCEPTING);
    assert!(court.view("shop").ready && court.view("shop").accepting);
}

#[test]
fn a_reload_that_is_not_answered_is_told() {
    let mut court = Court::new(Policy::default()).running("shop");
    court.say("shop", from_vassal::SPAWNED);
    court.see("shop", 2);
    court.wait_ms(30_000);
    assert_eq!(court.told(|what| matches!(what, News::Unanswered { .. })), 1);
    assert_eq!(court.tell(Event::Byte(court.which("shop"), from_vassal::ACCEPTING)), []);
}
