//! What people want of vassals, and what stays of it.

use super::court::{Court, key, spawns};
use crate::emperor::event::{Command, Event};
use crate::emperor::order::{Order, to_vassal};
use crate::emperor::policy::Policy;

fn court() -> Court {
    Court::new(Policy::default()).running("shop")
}

impl Court {
    fn command(&mut self, name: &str, command: Command) -> Vec<Order> {
        self.tell(Event::Commanded(self.which(name).id, command))
    }
}

#[test]
fn who_was_stopped_stays_so_over_changes_and_reloads_until_it_is_started() {
    let mut court = court();
    assert_eq!(court.command("shop", Command::Stop), [Order::Send(court.which("shop"), to_vassal::STOP)]);
    court.exit("shop", 0);
    assert_eq!(spawns(&court.see("shop", 2)) + spawns(&court.tell(Event::ReloadAll)), 0);
    assert_eq!(court.state("shop"), "suspended");
    assert_eq!(spawns(&court.command("shop", Command::Spawn)), 1);
}

#[test]
fn a_restart_is_a_stop_and_a_start_and_whoever_does_not_run_is_started() {
    let mut court = court();
    assert_eq!(court.command("shop", Command::Restart), [Order::Send(court.which("shop"), to_vassal::STOP)]);
    assert_eq!(spawns(&court.exit("shop", 0)), 1);
    court.up("shop");
    court.command("shop", Command::Stop);
    court.exit("shop", 0);
    assert_eq!(spawns(&court.command("shop", Command::Restart)), 1);
}

#[test]
fn who_is_disabled_is_started_by_nothing_but_enable() {
    let mut court = court();
    court.command("shop", Command::Disable);
    court.exit("shop", 0);
    for command in [Command::Spawn, Command::Respawn, Command::Restart, Command::Stop] {
        assert_eq!(court.command("shop", command), []);
    }
    court.unsee("shop");
    assert_eq!(spawns(&court.see("shop", 2)), 0, "nor when its config goes and comes");
    assert_eq!((court.state("shop"), court.view("shop").disabled), ("disabled", true));
    assert_eq!(spawns(&court.command("shop", Command::Enable)), 1);
}

#[test]
fn what_was_disabled_before_is_disabled_from_the_beginning() {
    let mut court = Court::new(Policy::default());
    court.emperor.disabled_before(key("shop"));
    assert_eq!(spawns(&court.see("shop", 1)) + spawns(&court.see("blog", 1)), 1);
    assert_eq!((court.state("shop"), court.state("blog")), ("disabled", "starting"));
}

#[test]
fn changes_are_reported_of_those_who_are_awaited_and_of_nobody_else() {
    let reports = |orders: Vec<Order>| orders.iter().filter(|one| matches!(one, Order::Report(_))).count();
    let mut court = court().running("blog");
    let id = court.which("shop").id;
    court.emperor.await_change(id);
    assert_eq!(reports(court.command("blog", Command::Stop)), 0);
    assert_eq!(reports(court.command("shop", Command::Stop)), 1);
    assert_eq!(reports(court.exit("shop", 0)), 1);
    court.emperor.await_no_more(id);
    assert_eq!(reports(court.command("shop", Command::Spawn)), 0);
}
