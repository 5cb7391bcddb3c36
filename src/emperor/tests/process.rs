//! Processes are born, speak and end.

use super::court::{Court, spawns};
use crate::emperor::event::{Event, Exit, Incarnation};
use crate::emperor::order::{News, Order, from_vassal, to_vassal};
use crate::emperor::policy::Policy;

fn court() -> Court {
    Court::new(Policy::default()).running("shop")
}

#[test]
fn what_a_vassal_says_is_shown_and_told_once() {
    let mut court = court();
    for _ in 0..1_000 {
        court.say("shop", from_vassal::SPAWNED);
        court.say("shop", from_vassal::ACCEPTING);
        court.say("shop", from_vassal::LOYAL);
    }
    let view = court.view("shop");
    assert!(view.ready && view.accepting && view.loyal);
    assert_eq!(court.told(|what| matches!(what, News::Spawned { .. })), 1);
    assert_eq!(court.told(|what| matches!(what, News::Accepting { .. })), 1);
    assert_eq!(court.told(|what| matches!(what, News::Loyal { .. })), 1);
}

#[test]
fn unknown_bytes_and_calls_for_help_do_nothing() {
    let mut court = court();
    let orders: Vec<Order> = (0..=255)
        .filter(|byte| *byte != from_vassal::GOODBYE)
        .flat_map(|byte| court.say("shop", byte))
        .collect();
    assert_eq!((orders, court.state("shop")), (vec![], "running"));
}

#[test]
fn the_bytes_of_a_former_process_are_not_those_of_this_one() {
    let mut court = court();
    let former = court.which("shop");
    court.exit("shop", 1);
    court.up("shop");
    assert_eq!(court.tell(Event::Byte(former, from_vassal::GOODBYE)), []);
    assert_eq!(court.tell(Event::Exited(former, Exit::Code(0))), []);
    assert_eq!(court.tell(Event::Silent(former)), []);
    assert_eq!((court.state("shop"), court.view("shop").cursed), ("running", None));
}

#[test]
fn the_messages_of_a_vassal_nobody_knows_are_dropped() {
    let mut court = court();
    let nobody = Incarnation { id: crate::emperor::event::VassalId(99), attempt: 1 };
    assert_eq!(court.tell(Event::Born(nobody, 1)), []);
    assert_eq!(court.tell(Event::Exited(nobody, Exit::Signal(9))), []);
}

#[test]
fn a_process_is_buried_once_even_if_its_end_is_told_twice() {
    let mut court = Court::with_throttle(5_000);
    court.see("shop", 1);
    court.tell(Event::SpawnFailed(court.which("shop"), "no memory".into()));
    let which = court.which("shop");
    court.up("shop");
    let orders =
        [court.tell(Event::Exited(which, Exit::Code(1))), court.tell(Event::Exited(which, Exit::Code(1)))];
    assert_eq!(orders, [vec![Order::Bury(which)], vec![]]);
}

#[test]
fn a_vassal_that_says_goodbye_rests_until_its_config_changes() {
    let mut court = court();
    assert_eq!(court.say("shop", from_vassal::GOODBYE), [Order::Send(court.which("shop"), to_vassal::STOP)]);
    let which = court.which("shop");
    assert_eq!(court.exit("shop", 0), [Order::Bury(which)]);
    assert_eq!((court.state("shop"), court.emperor.next_deadline()), ("stopped", None));
    assert_eq!(court.see("shop", 1), []);
    assert_eq!(spawns(&court.see("shop", 2)), 1);
}

#[test]
fn a_vassal_that_says_goodbye_before_its_birth_is_known_is_stopped_then() {
    let mut court = Court::new(Policy::default());
    court.see("shop", 1);
    assert_eq!(court.say("shop", from_vassal::GOODBYE), []);
    assert_eq!(court.born("shop"), [Order::Send(court.which("shop"), to_vassal::STOP)]);
    court.exit("shop", 0);
    assert_eq!(court.state("shop"), "stopped");
}

#[test]
fn an_exile_is_told_and_rests_until_its_config_changes() {
    let mut court = court();
    court.exit("shop", 26);
    assert_eq!((court.state("shop"), court.emperor.next_deadline()), ("exiled", None));
    assert_eq!(court.told(|what| matches!(what, News::Resting { .. })), 1);
    assert_eq!(court.tell(Event::ReloadAll), []);
    assert_eq!(spawns(&court.see("shop", 2)), 1);
}

#[test]
fn a_vassal_that_stops_its_heartbeat_is_asked_to_end_then_killed_and_started_again() {
    let mut court = court();
    court.say("shop", from_vassal::HEARTBEAT);
    court.wait_ms(29_000);
    court.say("shop", from_vassal::HEARTBEAT);
    assert_eq!(court.wait_ms(29_999), []);
    assert_eq!(court.wait_ms(1), [Order::Send(court.which("shop"), to_vassal::STOP)]);
    assert_eq!(court.wait_ms(30_000), [Order::Kill(court.which("shop"))]);
    assert_eq!(spawns(&court.tell(Event::Exited(court.which("shop"), Exit::Signal(9)))), 1);
}

#[test]
fn a_vassal_that_never_sent_a_heartbeat_need_not_send_one() {
    let mut court = court();
    assert_eq!(court.wait_ms(1_000_000_000), []);
    assert_eq!(court.emperor.next_deadline(), None);
}

#[test]
fn no_heartbeat_is_asked_for_when_none_is_required() {
    let mut court = Court::new(Policy { required_heartbeat_ms: 0, ..Policy::default() }).running("shop");
    court.say("shop", from_vassal::HEARTBEAT);
    assert_eq!(court.emperor.next_deadline(), None);
}

#[test]
fn a_silent_vassal_has_its_grace_and_is_killed_then() {
    let mut court = court();
    assert_eq!(court.tell(Event::Silent(court.which("shop"))), []);
    assert_eq!(court.wait_ms(29_999), []);
    assert_eq!(court.wait_ms(1), [Order::Kill(court.which("shop"))]);
    assert_eq!(spawns(&court.exit("shop", 0)), 1);
}

#[test]
fn a_silent_vassal_that_never_runs_is_killed_too() {
    let mut court = Court::new(Policy::default());
    court.see("shop", 1);
    court.born("shop");
    court.tell(Event::Silent(court.which("shop")));
    assert_eq!(court.wait_ms(30_000), [Order::Kill(court.which("shop"))]);
}

#[test]
fn a_config_that_changes_while_its_vassal_says_goodbye_is_started() {
    let mut court = court();
    court.say("shop", from_vassal::GOODBYE);
    assert_eq!(court.see("shop", 2), []);
    assert_eq!(spawns(&court.exit("shop", 0)), 1);
}

#[test]
fn nothing_is_sent_to_a_vassal_that_cannot_hear() {
    let mut court = court();
    court.tell(Event::Silent(court.which("shop")));
    assert_eq!(court.see("shop", 2), []);
    assert_eq!(court.unsee("shop"), []);
    assert_eq!(court.state("shop"), "stopping");
    assert_eq!(court.wait_ms(30_000), [Order::Kill(court.which("shop"))]);
}

#[test]
fn a_failed_step_is_told_once_and_its_end_is_awaited() {
    let mut court = Court::with_throttle(5_000);
    court.see("shop", 1);
    court.born("shop");
    assert_eq!(court.tell(Event::SpawnFailed(court.which("shop"), "cannot mount".into())), []);
    let which = court.which("shop");
    assert_eq!(court.exit("shop", 1)[0], Order::Bury(which));
    assert_eq!(court.told(|what| matches!(what, News::SpawnFailed { .. })), 1);
    assert_eq!(court.told(|what| matches!(what, News::Exited { .. })), 0);
}

#[test]
fn an_answer_that_overtakes_the_birth_is_not_lost() {
    let mut court = Court::new(Policy::default());
    court.see("shop", 1);
    court.runs("shop");
    assert_eq!(court.told(|what| matches!(what, News::Started { .. })), 0);
    court.born("shop");
    assert_eq!(
        (court.state("shop"), court.told(|what| matches!(what, News::Started { .. }))),
        ("running", 1)
    );
}

#[test]
fn a_note_says_why_a_vassal_is_down_and_when_it_is_tried_again() {
    let mut court = Court::with_throttle(5_000).running("shop");
    let note = |court: &Court| court.view("shop").note(court.now);
    assert_eq!(note(&court), "");
    for code in 1..=3 {
        court.exit("shop", code);
        court.up("shop");
    }
    assert_eq!(court.state("shop"), "throttled");
    assert_eq!(note(&court), "last end: exit status 2; next start in 5 s");
    court.wait_ms(5_000);
    court.tell(Event::SpawnFailed(court.which("shop"), "no memory".into()));
    assert_eq!(note(&court), "cannot be started: no memory; next start in 5 s");
    court.wait_ms(4_500);
    assert_eq!(note(&court), "cannot be started: no memory; next start in 1 s");
    court.wait_ms(500);
    court.up("shop");
    assert_eq!(note(&court), "");
    court.tell(Event::Exited(court.which("shop"), Exit::Signal(9)));
    assert!(note(&court).starts_with("last end: signal 9"), "{}", note(&court));
    court.see_refused("shop", 2, "writable by all");
    assert_eq!(note(&court), "writable by all");
}

#[test]
fn a_limit_that_was_met_is_noted_until_the_vassal_is_loyal_again() {
    let mut court = court();
    let which = court.which("shop");
    court.tell(Event::Strained(which, "out of memory".into()));
    let note = |court: &Court| court.view("shop").note(crate::emperor::event::Moment(0));
    assert_eq!(note(&court), "out of memory");
    court.exit("shop", 137);
    assert!(
        note(&court).starts_with("last end: exit status 137; out of memory")
            || note(&court) == "out of memory"
    );
    court.up("shop");
    court.say("shop", from_vassal::LOYAL);
    assert_eq!(note(&court), "");
    let stranger = Incarnation { id: crate::emperor::event::VassalId(99), attempt: 1 };
    court.tell(Event::Strained(stranger, "out of memory".into()));
    assert_eq!(note(&court), "");
}
