//! Who has a listener is started by a connection, and by nothing else.

use super::court::{ALICE, BOB, Court, key, spawns};
use crate::emperor::event::{Command, Event, Exit, Owner, Whose};
use crate::emperor::on_demand::Listener;
use crate::emperor::order::{News, Order, from_vassal, to_vassal};
use crate::emperor::policy::Policy;

/// A vassal that waits for a connection.
fn idle() -> Court {
    let mut court = Court::new(Policy::default());
    court.see("shop", 1);
    court.listen(ALICE);
    assert_eq!(court.state("shop"), "on-demand");
    court
}

/// One that was called.
fn served() -> Court {
    let mut court = idle();
    court.call();
    court.up("shop");
    court
}

impl Court {
    fn listen(&mut self, owner: Owner) -> Vec<Order> {
        let listener = Listener { owner, address: "/run/shop.socket".into() };
        self.tell(Event::Listening(self.which("shop"), listener))
    }

    fn call(&mut self) -> Vec<Order> {
        self.tell(Event::Connected(self.which("shop").id))
    }
}

#[test]
fn a_connection_is_one_start_however_often_it_is_told() {
    let mut court = idle();
    assert_eq!(spawns(&court.wait_ms(3_600_000)), 0);
    let orders: Vec<Order> = (0..3).flat_map(|_| court.call()).collect();
    assert_eq!(spawns(&orders), 1);
    court.up("shop");
    assert_eq!(court.call(), []);
}

#[test]
fn who_says_goodbye_or_ends_well_waits_for_the_next_connection() {
    for goodbye in [true, false] {
        let mut court = served();
        let which = court.which("shop");
        if goodbye {
            court.say("shop", from_vassal::GOODBYE);
        }
        assert_eq!(court.exit("shop", 0), [Order::Bury(which), Order::Await(which.id)]);
        assert_eq!((court.state("shop"), court.view("shop").deaths), ("on-demand", 0));
        assert_eq!(spawns(&court.call()), 1);
    }
}

#[test]
fn after_a_crash_the_listener_stays_and_the_next_start_waits_for_its_time() {
    let mut court = served();
    court.exit("shop", 1);
    court.call();
    court.up("shop");
    court.exit("shop", 1);
    assert_eq!((court.state("shop"), court.call()), ("throttled", vec![]));
    let id = court.which("shop").id;
    assert_eq!(court.wait_ms(1_200), [Order::Await(id)]);
    assert_eq!(spawns(&court.call()), 1);
}

/// Row C8.
#[test]
fn who_is_called_and_says_goodbye_for_ever_does_not_spin() {
    let mut court = served();
    let mut starts = 0;
    for _ in 0..100 {
        court.say("shop", from_vassal::GOODBYE);
        court.exit("shop", 0);
        starts += spawns(&court.call());
        court.wait_ms(100);
        starts += spawns(&court.call());
        court.up("shop");
    }
    assert!(starts <= 14, "{starts} starts in ten seconds");
}

#[test]
fn a_change_while_it_waits_is_only_remembered() {
    let mut court = idle();
    assert_eq!(court.see("shop", 2), []);
    assert_eq!(court.told(|news| *news == News::Remembered), 1);
    assert_eq!(court.see("shop", 2), []);
    assert_eq!(court.told(|news| *news == News::Remembered), 1);
}

#[test]
fn another_owner_gets_a_listener_of_his_own() {
    let mut court = idle();
    let id = court.which("shop").id;
    let orders = court.see_of("shop", 1, BOB);
    assert_eq!((&orders[0], spawns(&orders)), (&Order::Unlisten(id), 1));
    assert_eq!(court.listen(BOB), [Order::Await(id)]);
}

#[test]
fn a_listener_that_was_bound_for_who_owned_it_before_is_not_used() {
    let mut court = Court::new(Policy::default());
    court.see("shop", 1);
    court.see_of("shop", 1, BOB);
    let id = court.which("shop").id;
    let orders = court.listen(ALICE);
    assert_eq!((&orders[0], spawns(&orders)), (&Order::Unlisten(id), 1));
}

#[test]
fn what_waits_for_a_connection_goes_with_its_config() {
    let mut court = idle();
    let id = court.which("shop").id;
    assert_eq!(court.unsee("shop"), [Order::Forget(id)]);
}

#[test]
fn nobody_who_waits_for_a_connection_holds_up_the_end() {
    let mut court = idle();
    assert_eq!(court.tell(Event::StopAll), [Order::Finish]);
    let mut court = served();
    let which = court.which("shop");
    court.tell(Event::StopAll);
    let exited = Event::Exited(which, Exit::Code(0));
    assert_eq!(court.tell(exited), [Order::Bury(which), Order::Finish]);
}

fn there() -> Listener {
    Listener { owner: ALICE, address: "/run/there.socket".into() }
}

#[test]
fn who_moves_while_it_runs_is_stopped_and_waits_at_its_new_address() {
    let mut court = served();
    let which = court.which("shop");
    assert_eq!(court.tell(Event::AddressWritten(key("shop"))), [Order::Readdress(which.id)]);
    let orders = court.tell(Event::Moved(which.id, there()));
    assert_eq!(orders, [Order::Send(which, to_vassal::STOP)]);
    assert_eq!(court.exit("shop", 1), [Order::Bury(which), Order::Await(which.id)]);
    assert_eq!((court.state("shop"), court.view("shop").deaths), ("on-demand", 0));
    let orders = court.tell(Event::Unlistened(which.id));
    assert_eq!(orders[0], Order::Unlisten(which.id));
    assert_eq!(spawns(&orders) + spawns(&court.wait_ms(1_000)), 1);
}

/// By root or by its owner: it runs, though nobody connects.
#[test]
fn whoever_is_started_or_restarted_by_command_waits_for_no_connection() {
    let mut court = served();
    let id = court.which("shop").id;
    court.tell(Event::Commanded(id, Command::Restart));
    let orders = court.exit("shop", 0);
    assert_eq!((spawns(&orders), court.state("shop")), (1, "starting"));
    court.up("shop");
    court.tell(Event::Commanded(id, Command::Stop));
    court.exit("shop", 0);
    assert_eq!(court.state("shop"), "suspended");
    let orders = court.tell(Event::Commanded(id, Command::Spawn));
    assert_eq!((spawns(&orders), court.state("shop")), (1, "starting"));
    // The next one waits again.
    court.up("shop");
    court.say("shop", from_vassal::GOODBYE);
    court.exit("shop", 0);
    court.wait_ms(1_000);
    assert_eq!(court.state("shop"), "on-demand");
}

#[test]
fn one_that_was_stopped_while_it_waited_for_a_connection_is_shown_as_stopped() {
    let mut court = idle();
    let id = court.which("shop").id;
    court.tell(Event::Commanded(id, Command::Stop));
    let view = court.view("shop");
    assert_eq!((view.state, view.suspended), ("suspended", true));
    let next = "it is started by `liege start shop`; whoever connects meanwhile waits for that";
    assert_eq!(view.next(court.now), next);
    assert_eq!(spawns(&court.tell(Event::Connected(id))), 0);
    court.tell(Event::Commanded(id, Command::Disable(Whose::Master)));
    assert_eq!(court.state("shop"), "disabled");
    assert_eq!(spawns(&court.tell(Event::Commanded(id, Command::Enable))), 1);
}
