//! Every stop ends.

use super::court::{Court, spawns};
use crate::emperor::event::{Event, Exit};
use crate::emperor::order::{News, Order, to_vassal};
use crate::emperor::policy::Policy;

fn court() -> Court {
    Court::new(Policy::default()).running("shop")
}

#[test]
fn who_ignores_the_stop_is_killed_again_and_again_until_it_is_reaped() {
    let mut court = court();
    let which = court.which("shop");
    court.unsee("shop");
    assert_eq!(court.wait_ms(29_999), []);
    for ms in [1, 30_000, 30_000, 30_000] {
        assert_eq!(court.wait_ms(ms), [Order::Kill(which)]);
        assert_eq!(court.tell(Event::Killing(which)), []);
    }
    assert_eq!(
        court.tell(Event::Exited(which, Exit::Signal(9))),
        [Order::Bury(which), Order::Forget(which.id)]
    );
    assert_eq!(court.emperor.next_deadline(), None);
}

#[test]
fn without_tolerance_who_is_told_to_stop_is_killed_and_nobody_spins() {
    let mut court = Court::new(Policy { curse_tolerance_ms: 0, ..Policy::default() }).running("shop");
    court.unsee("shop");
    assert_eq!(court.wait_ms(999).len(), 1);
    assert_eq!(court.wait_ms(1).len(), 1);
}

#[test]
fn everything_stops_in_parallel_and_then_the_emperor_ends_once() {
    let mut court = court().running("blog").running("wiki");
    let orders = court.tell(Event::StopAll);
    assert_eq!(orders.len(), 3);
    assert!(orders.iter().all(|order| matches!(order, Order::Send(_, to_vassal::STOP))));
    assert_eq!(court.exit("blog", 0).len(), 1);
    assert_eq!(court.exit("wiki", 0).len(), 1);
    assert_eq!(court.exit("shop", 0), [Order::Bury(court.which("shop")), Order::Finish]);
    assert_eq!(court.tell(Event::StopAll), []);
}

#[test]
fn an_emperor_without_vassals_ends_at_once() {
    assert_eq!(Court::new(Policy::default()).tell(Event::StopAll), [Order::Finish]);
}

#[test]
fn nothing_is_started_once_everything_stops() {
    let mut court = court();
    court.see("waits", 1);
    court.tell(Event::StopAll);
    assert_eq!(spawns(&court.see("new", 1)), 0);
    assert_eq!(spawns(&court.see("shop", 2)), 0);
    assert_eq!(spawns(&court.exit("shop", 1)), 0);
    assert_eq!(court.tell(Event::ReloadAll), []);
}

#[test]
fn what_is_born_after_the_end_was_asked_for_is_stopped() {
    let mut court = court();
    court.see("late", 1);
    court.tell(Event::StopAll);
    court.exit("shop", 0);
    assert_eq!(court.born("late"), [Order::Send(court.which("late"), to_vassal::STOP)]);
    assert_eq!(court.exit("late", 0).last(), Some(&Order::Finish));
}

#[test]
fn the_end_waits_no_longer_than_the_mercy() {
    let policy = Policy { curse_tolerance_ms: 60_000, reload_mercy_ms: 5_000, ..Policy::default() };
    let mut court = Court::new(policy).running("shop").running("blog");
    court.unsee("blog");
    court.tell(Event::StopAll);
    assert_eq!(court.wait_ms(4_999), []);
    assert_eq!(court.wait_ms(1).len(), 2);
}

#[test]
fn who_asks_twice_for_the_end_gets_it_now() {
    let mut court = court().running("blog");
    court.see("late", 1);
    court.tell(Event::StopAll);
    let orders = court.tell(Event::StopAll);
    assert_eq!(orders, [Order::Kill(court.which("shop")), Order::Kill(court.which("blog"))]);
    assert_eq!(court.born("late"), [Order::Kill(court.which("late"))]);
}

#[test]
fn nothing_is_due_when_everything_has_stopped() {
    let mut court = Court::with_throttle(5_000).running("shop");
    court.exit("shop", 1);
    court.up("shop");
    court.exit("shop", 1);
    assert_eq!(court.tell(Event::StopAll), [Order::Finish]);
    assert_eq!(court.emperor.next_deadline(), None);
}

#[test]
fn a_stop_is_told_with_its_reason_and_its_end_is_no_surprise() {
    let mut court = court();
    court.unsee("shop");
    court.exit("shop", 0);
    assert_eq!(court.told(|what| matches!(what, News::Stopping { reason: "its config is gone", .. })), 1);
    assert_eq!(
        court.told(|what| matches!(what, News::Exited { expected: true, exit: Exit::Code(0), .. })),
        1
    );
}

#[test]
fn vassals_may_finish_their_work_when_everything_stops_gracefully() {
    let policy = Policy { graceful_shutdown: true, ..Policy::default() };
    let mut court = Court::new(policy).running("shop");
    let which = court.which("shop");
    assert_eq!(court.tell(Event::StopAll), [Order::Send(which, to_vassal::STOP_GRACEFULLY)]);
    court.say("shop", 1);
    assert_eq!(court.tell(Event::StopAll), [Order::Kill(which)]);
}

#[test]
fn a_vassal_may_finish_its_work_whyever_it_stops() {
    let policy = Policy { graceful_shutdown: true, ..Policy::default() };
    let mut court = Court::new(policy).running("shop");
    assert_eq!(court.unsee("shop"), [Order::Send(court.which("shop"), to_vassal::STOP_GRACEFULLY)]);
}
