//! What people want of vassals, and what stays of it.

use std::collections::BTreeSet;

use super::court::{ALICE, BOB, Court, key, spawns};
use crate::emperor::event::{Command, Event, Fingerprint, Whose};
use crate::emperor::order::{Order, from_vassal, to_vassal};
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
fn who_has_said_that_its_newest_config_is_wrong_is_not_stopped_by_a_restart() {
    let mut court = court();
    court.say("shop", from_vassal::ACCEPTING);
    court.see("shop", 2);
    court.tell(Event::Kept(court.which("shop"), None, Some("shop.ini:2:1: unknown option".into())));
    court.say("shop", from_vassal::ACCEPTING);
    assert_eq!((court.command("shop", Command::Restart), court.state("shop")), (vec![], "running"));
    court.see("shop", 3);
    court.tell(Event::Kept(court.which("shop"), None, None));
    assert_eq!(court.command("shop", Command::Restart), [Order::Send(court.which("shop"), to_vassal::STOP)]);
}

#[test]
fn who_is_disabled_is_started_by_nothing_but_enable() {
    let mut court = court();
    court.command("shop", Command::Disable(Whose::Master));
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
fn nothing_of_an_owner_who_is_disabled_is_started_whatever_it_is_called() {
    let mut court = court();
    let own = court.view("shop").owner;
    assert_eq!(
        court.tell(Event::OwnerDisabled(own.uid)),
        [Order::Send(court.which("shop"), to_vassal::STOP)]
    );
    court.exit("shop", 0);
    for command in [Command::Spawn, Command::Restart, Command::Enable] {
        assert_eq!(spawns(&court.command("shop", command)), 0, "{command:?}");
    }
    assert_eq!(spawns(&court.see("shop", 2)) + spawns(&court.tell(Event::ReloadAll)), 0);
    assert_eq!(spawns(&court.see("renamed", 1)), 0, "by another name");
    assert_eq!((court.state("shop"), court.state("renamed")), ("disabled", "disabled"));
    assert!(court.view("renamed").reason().contains("its owner, uid"));
    let other = if own == BOB { ALICE } else { BOB };
    assert_eq!(spawns(&court.see_of("bobs", 1, other)), 1, "others are disturbed by nothing");
    court.command("renamed", Command::Disable(Whose::Master));
    let orders = court.tell(Event::OwnerEnabled(own.uid));
    assert_eq!((spawns(&orders), court.state("renamed")), (1, "disabled"));
}

#[test]
fn a_config_that_becomes_an_owners_who_is_disabled_is_not_started_and_one_that_becomes_anothers_is() {
    let mut court = Court::new(Policy::default());
    court.tell(Event::OwnerDisabled(BOB.uid));
    assert_eq!(spawns(&court.see_of("shop", 1, ALICE)), 1);
    court.up("shop");
    court.see_of("shop", 2, BOB);
    assert_eq!(spawns(&court.exit("shop", 0)), 0);
    assert_eq!(court.state("shop"), "disabled");
    assert_eq!(spawns(&court.see_of("shop", 3, ALICE)), 1);
}

#[test]
fn what_was_stopped_itself_is_not_started_with_its_owner() {
    for before in [true, false] {
        let mut court = court().running("blog");
        let stop = |court: &mut Court| {
            court.command("shop", Command::Stop);
            court.exit("shop", 0);
        };
        if before {
            stop(&mut court);
        }
        court.tell(Event::OwnerDisabled(ALICE.uid));
        court.exit("blog", 0);
        if !before {
            stop(&mut court);
        }
        assert_eq!((court.state("shop"), court.state("blog")), ("disabled", "disabled"));
        assert_eq!(spawns(&court.tell(Event::OwnerEnabled(ALICE.uid))), 1);
        assert_eq!((court.state("shop"), court.state("blog")), ("suspended", "starting"), "{before}");
        assert_eq!(spawns(&court.command("shop", Command::Spawn)), 1);
    }
}

#[test]
fn what_waits_for_a_command_waits_for_it_when_its_owner_is_enabled_too() {
    let waiting = Some(BTreeSet::from(["blog".to_owned()]));
    let mut court = Court::new(Policy { waiting, ..Policy::default() });
    court.tell(Event::OwnerDisabled(ALICE.uid));
    assert_eq!(spawns(&court.see("shop", 1)) + spawns(&court.see("blog", 1)), 0);
    assert_eq!(spawns(&court.tell(Event::OwnerEnabled(ALICE.uid))), 1);
    assert_eq!((court.state("shop"), court.state("blog")), ("suspended", "starting"));
}

#[test]
fn what_was_stopped_stays_so_though_an_owner_who_is_disabled_had_it_meanwhile() {
    let mut court = court();
    court.command("shop", Command::Stop);
    court.exit("shop", 0);
    court.tell(Event::OwnerDisabled(BOB.uid));
    court.see_of("shop", 2, BOB);
    assert_eq!(court.state("shop"), "disabled");
    assert_eq!(spawns(&court.see_of("shop", 3, ALICE)), 0);
    assert_eq!(court.state("shop"), "suspended");
}

#[test]
fn what_an_owner_has_disabled_runs_for_the_next_one_as_soon_as_he_is_enabled() {
    let mut court = court();
    court.tell(Event::OwnerDisabled(BOB.uid));
    court.command("shop", Command::Disable(Whose::Owner(ALICE.uid)));
    court.exit("shop", 0);
    assert_eq!(spawns(&court.see_of("shop", 2, BOB)), 0);
    assert_eq!(spawns(&court.tell(Event::OwnerEnabled(BOB.uid))), 1);
}

#[test]
fn nothing_runs_for_an_owner_who_is_disabled_though_it_was_started_before_that_was_seen() {
    // The spawner has read the config when it was his already.
    for seen_late in [true, false] {
        let mut court = Court::new(Policy::default());
        court.tell(Event::OwnerDisabled(BOB.uid));
        court.see_of("shop", 1, ALICE);
        court.born("shop");
        let which = court.which("shop");
        let mut orders = Vec::new();
        if !seen_late {
            orders.append(&mut court.see_of("shop", 2, BOB));
        }
        orders.append(&mut court.tell(Event::Running(which, Fingerprint(2), BOB)));
        if seen_late {
            orders.append(&mut court.see_of("shop", 2, BOB));
        }
        assert_eq!(orders, [Order::Send(which, to_vassal::STOP)], "{seen_late}");
        court.exit("shop", 0);
        assert_eq!(court.state("shop"), "disabled");
    }
    // Its turn has not come yet.
    let mut court = Court::new(Policy { starting_max: 1, ..Policy::default() });
    court.tell(Event::OwnerDisabled(BOB.uid));
    court.see("slow", 1);
    court.see_of("shop", 1, ALICE);
    assert_eq!(court.state("shop"), "queued");
    court.see_of("shop", 2, BOB);
    assert_eq!((court.state("shop"), spawns(&court.up("slow"))), ("disabled", 0));
}

#[test]
fn what_an_owner_has_disabled_runs_for_the_next_owner() {
    let own = Whose::Owner(ALICE.uid);
    for (whose, runs) in [(own, 1), (Whose::Master, 0)] {
        let mut court = court();
        court.command("shop", Command::Disable(whose));
        court.exit("shop", 0);
        court.see_refused("shop", 2, "whose is it?");
        assert_eq!(spawns(&court.see("shop", 3)), 0, "it is hers still");
        let orders = court.see_of("shop", 4, BOB);
        let told = orders.iter().filter(|one| **one == Order::Enabled(key("shop"))).count();
        assert_eq!((spawns(&orders), told), (runs, runs), "{whose:?}");
    }
    // Also when it comes again, under the next Emperor, and root's word is the stronger one.
    let mut court = Court::new(Policy::default());
    court.emperor.disabled_before(key("shop"), own);
    assert_eq!(spawns(&court.see_of("shop", 1, BOB)), 1);
    court.up("shop");
    court.command("shop", Command::Disable(Whose::Master));
    court.command("shop", Command::Disable(Whose::Owner(BOB.uid)));
    court.exit("shop", 0);
    assert_eq!(spawns(&court.see_of("shop", 2, ALICE)), 0);
}

#[test]
fn what_was_disabled_before_is_disabled_from_the_beginning() {
    let mut court = Court::new(Policy::default());
    court.emperor.disabled_before(key("shop"), Whose::Master);
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
