//! A config that is wrong by its text alone is told once, and rests.

use super::court::{BOB, Court, spawns};
use crate::emperor::event::{Command, Event, Exit, MonitorId};
use crate::emperor::on_demand::Listener;
use crate::emperor::order::{News, Order, from_vassal, to_vassal};

const FAULT: &str = "shop.ini:2:1: unknown option";

/// Whose process has found its config wrong, and has ended.
fn refused() -> Court {
    let mut court = Court::with_throttle(5_000).running("shop");
    court.find_useless();
    court.exit("shop", 1);
    court
}

impl Court {
    fn find_useless(&mut self) {
        self.tell(Event::Troubled(self.which("shop"), FAULT.into()));
        assert_eq!(self.say("shop", from_vassal::USELESS), []);
    }

    /// As a process that comes again to the same.
    fn find_useless_again(&mut self) {
        self.up("shop");
        self.find_useless();
        self.exit("shop", 1);
    }
}

#[test]
fn it_rests_and_says_why_and_what_ends_that() {
    let mut court = refused();
    assert_eq!((court.state("shop"), court.emperor.next_deadline()), ("refused", None));
    assert_eq!(court.wait_ms(1_000_000_000), []);
    assert_eq!(court.see("shop", 1), []);
    assert_eq!(court.tell(Event::ClearBlacklist), []);
    assert_eq!(court.told(|what| matches!(what, News::Resting { .. })), 1);
    assert_eq!(court.told(|what| matches!(what, News::Throttled { .. })), 0);
    let view = court.view("shop");
    assert_eq!((view.deaths, view.note(court.now).as_str()), (0, FAULT));
    assert_eq!(view.reason(), format!("its config is wrong: {FAULT}"));
    assert!(view.next(court.now).starts_with("it rests until the file changes"), "{view:?}");
    assert!(view.advice().contains("liege check"), "{view:?}");
}

#[test]
fn another_text_or_a_touch_is_tried() {
    let mut court = refused();
    assert_eq!(spawns(&court.see("shop", 2)), 1);
    court.find_useless_again();
    assert_eq!(
        (court.state("shop"), court.told(|what| matches!(what, News::Resting { .. }))),
        ("refused", 2)
    );
    assert_eq!(spawns(&court.see_of("shop", 2, BOB)), 1);
}

#[test]
fn somebody_may_have_it_started_and_it_rests_again() {
    let id = refused().which("shop").id;
    let asked =
        [Event::ReloadAll, Event::Commanded(id, Command::Spawn), Event::Commanded(id, Command::Respawn)];
    for event in asked {
        let mut court = refused();
        assert_eq!(spawns(&court.tell(event.clone())), 1, "{event:?}");
        court.find_useless_again();
        assert_eq!((court.state("shop"), court.wait_ms(1_000_000)), ("refused", vec![]), "{event:?}");
    }
    let mut court = refused();
    court.tell(Event::Commanded(id, Command::Stop));
    assert_eq!(court.state("shop"), "suspended");
}

#[test]
fn a_change_that_came_while_it_was_read_is_tried() {
    let mut court = Court::with_throttle(5_000);
    court.see("shop", 1);
    court.up("shop");
    court.see("shop", 2);
    court.find_useless();
    assert_eq!(spawns(&court.exit("shop", 1)), 1);
}

/// Row C8.
#[test]
fn who_has_been_ready_or_told_to_reload_cannot_say_so() {
    for byte in [from_vassal::SPAWNED, from_vassal::ACCEPTING, from_vassal::LOYAL] {
        for first in [true, false] {
            let mut court = Court::with_throttle(5_000).running("shop");
            let bytes = if first { [byte, from_vassal::USELESS] } else { [from_vassal::USELESS, byte] };
            bytes.into_iter().for_each(|byte| drop(court.say("shop", byte)));
            court.exit("shop", 1);
            assert_ne!(court.state("shop"), "refused", "{bytes:?}");
        }
    }
    let mut court = Court::with_throttle(5_000).running("shop");
    assert_eq!(court.see("shop", 2), [Order::Send(court.which("shop"), to_vassal::RELOAD)]);
    court.find_useless();
    assert_eq!(spawns(&court.exit("shop", 1)), 1);
}

/// Row C8.
#[test]
fn who_says_so_and_does_not_end_as_such_a_one_has_said_nothing() {
    for exit in [Exit::Code(0), Exit::Code(2), Exit::Signal(9)] {
        let mut court = Court::with_throttle(5_000).running("shop");
        court.find_useless();
        court.tell(Event::Exited(court.which("shop"), exit));
        assert_ne!(court.state("shop"), "refused", "{exit:?}");
    }
    let mut court = Court::with_throttle(5_000).running("shop");
    court.find_useless();
    assert_eq!((court.state("shop"), court.wait_ms(1_000_000)), ("running", vec![]));
}

#[test]
fn who_connects_to_it_is_served_once_it_is_mended() {
    let mut court = Court::with_throttle(5_000);
    court.see("shop", 1);
    let (which, owner) = (court.which("shop"), court.view("shop").owner);
    court.tell(Event::Listening(which, Listener { owner, address: "@shop".into() }));
    court.tell(Event::Connected(which.id));
    court.find_useless_again();
    assert_eq!(court.state("shop"), "refused");
    assert_eq!(court.see("shop", 2), [Order::Await(which.id)]);
    assert_eq!(spawns(&court.tell(Event::Connected(which.id))), 1);
}

#[test]
fn its_neighbour_of_another_source_is_another_vassal() {
    let mut court = refused();
    let key = crate::emperor::event::Key { monitor: MonitorId(1), name: "shop".into() };
    let sight = super::court::sight(1, BOB);
    assert_eq!(spawns(&court.tell(Event::Seen(key, sight))), 1);
}
