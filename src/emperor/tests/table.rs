//! Every event in every state.

use std::collections::BTreeSet;

use super::court::{ALICE, BOB, Court, key, sight};
use crate::emperor::event::{Command, Event, Exit, Fingerprint, Incarnation, Sight, Whose};
use crate::emperor::on_demand::Listener;
use crate::emperor::order::{Order, from_vassal};
use crate::emperor::policy::Policy;

const NAME: &str = "v";

/// How to get into each state, named as it shows.
fn states() -> Vec<(&'static str, Court)> {
    let running = || court().running(NAME);
    vec![
        ("queued", seen(Court::new(Policy { starting_max: 1, ..policy() }).with("slow"))),
        ("throttled", after(running(), &[exited(), Event::ClearBlacklist, failed(2), failed(3), failed(4)])),
        ("on-demand", after(seen(court()), &[listening()])),
        ("refused", after(court(), &[Event::Seen(key(NAME), refused_sight())])),
        ("too-many", seen(Court::new(Policy { tenant_max: 1, ..policy() }).with("other"))),
        ("stopped", after(running(), &[byte(from_vassal::GOODBYE), exited()])),
        ("exiled", after(running(), &[Event::Exited(first(), Exit::Code(26))])),
        ("refused", after(seen(court()), &born_and(&[byte(from_vassal::USELESS), exited()]))),
        ("suspended", seen(Court::new(Policy { waiting: Some(BTreeSet::new()), ..policy() }))),
        ("disabled", after(running(), &[disabled(), exited()])),
        ("disabled", after(running(), &[Event::OwnerDisabled(ALICE.uid), exited()])),
        ("ended", after(running(), &[Event::StopAll, exited()])),
        ("starting", seen(court())),
        ("stepping", after(seen(court()), &[Event::Born(first(), 7)])),
        ("running", running()),
        ("reloading", after(running(), &[Event::Seen(key(NAME), sight(2, ALICE))])),
        ("stopping", after(running(), &[Event::Unseen(key(NAME))])),
        ("killed", late(after(running(), &[Event::Unseen(key(NAME))]))),
    ]
}

fn policy() -> Policy {
    Policy { throttle_ms: 5_000, max_throttle_ms: 5_000, ..Policy::default() }
}

fn court() -> Court {
    Court::new(policy())
}

fn seen(mut court: Court) -> Court {
    court.see(NAME, 1);
    court
}

fn after(mut court: Court, events: &[Event]) -> Court {
    events.iter().for_each(|event| drop(court.tell(event.clone())));
    court
}

fn late(mut court: Court) -> Court {
    court.wait_ms(30_000);
    court
}

impl Court {
    fn with(mut self, other: &str) -> Self {
        self.see(other, 1);
        self
    }
}

fn first() -> Incarnation {
    Incarnation { id: crate::emperor::event::VassalId(1), attempt: 1 }
}

fn listening() -> Event {
    Event::Listening(first(), Listener { owner: ALICE, address: "/run/v.socket".into() })
}

fn disabled() -> Event {
    Event::Commanded(first().id, Command::Disable(Whose::Master))
}

fn exited() -> Event {
    Event::Exited(first(), Exit::Code(1))
}

fn born_and(events: &[Event]) -> Vec<Event> {
    [&[Event::Born(first(), 7), Event::Running(first(), Fingerprint(1), ALICE)], events].concat()
}

fn failed(attempt: u32) -> Event {
    Event::SpawnFailed(Incarnation { attempt, ..first() }, "no memory".into())
}

fn byte(byte: u8) -> Event {
    Event::Byte(first(), byte)
}

fn refused_sight() -> Sight {
    Sight { refusal: Some("no".into()), ..sight(1, ALICE) }
}

fn events(which: Incarnation) -> Vec<(&'static str, Event)> {
    vec![
        ("seen as at first", Event::Seen(key(NAME), sight(1, ALICE))),
        ("seen changed", Event::Seen(key(NAME), sight(3, ALICE))),
        ("seen of another owner", Event::Seen(key(NAME), sight(1, BOB))),
        ("seen refused", Event::Seen(key(NAME), refused_sight())),
        ("unseen", Event::Unseen(key(NAME))),
        ("born", Event::Born(which, 7)),
        ("running", Event::Running(which, Fingerprint(1), ALICE)),
        ("spawn failed", Event::SpawnFailed(which, "no memory".into())),
        ("refused", Event::Refused(which, "no".into())),
        ("listening", Event::Listening(which, Listener { owner: ALICE, address: "/run/v".into() })),
        ("address written", Event::AddressWritten(key(NAME))),
        ("moved", Event::Moved(which.id, Listener { owner: ALICE, address: "/run/w".into() })),
        ("unlistened", Event::Unlistened(which.id)),
        ("misaddressed", Event::Misaddressed(which.id, "no port".into())),
        ("connected", Event::Connected(which.id)),
        ("strained", Event::Strained(which, "out of memory".into())),
        ("byte accepting", Event::Byte(which, from_vassal::ACCEPTING)),
        ("byte goodbye", Event::Byte(which, from_vassal::GOODBYE)),
        ("byte useless", Event::Byte(which, from_vassal::USELESS)),
        ("silent", Event::Silent(which)),
        ("exited", Event::Exited(which, Exit::Code(1))),
        ("exited 26", Event::Exited(which, Exit::Code(26))),
        ("stop all", Event::StopAll),
        ("reload all", Event::ReloadAll),
        ("clear blacklist", Event::ClearBlacklist),
        ("told to spawn", Event::Commanded(which.id, Command::Spawn)),
        ("told to respawn", Event::Commanded(which.id, Command::Respawn)),
        ("told to stop", Event::Commanded(which.id, Command::Stop)),
        ("told to restart", Event::Commanded(which.id, Command::Restart)),
        ("disabled", Event::Commanded(which.id, Command::Disable(Whose::Master))),
        ("enabled", Event::Commanded(which.id, Command::Enable)),
        ("owner disabled", Event::OwnerDisabled(ALICE.uid)),
        ("owner enabled", Event::OwnerEnabled(ALICE.uid)),
    ]
}

fn short(order: &Order) -> String {
    match order {
        Order::Spawn(_) => "spawn".into(),
        Order::Send(_, byte) => format!("send {byte}"),
        Order::Kill(_) => "kill".into(),
        Order::Bury(_) => "bury".into(),
        Order::Forget(_) => "forget".into(),
        Order::Await(_) => "await".into(),
        Order::Readdress(_) => "readdress".into(),
        Order::Unlisten(_) => "unlisten".into(),
        Order::Tell(_) => "tell".into(),
        Order::Report(_) => "report".into(),
        Order::Enabled(_) => "enabled".into(),
        Order::Hold(..) => "hold".into(),
        Order::Finish => "finish".into(),
        Order::Abandon => "abandon".into(),
    }
}

/// One line: what the event leads to.
fn outcome(mut court: Court, number: usize) -> String {
    let before = court.view(NAME);
    let which = Incarnation { id: before.id, attempt: before.attempts };
    let (name, event) = events(which).swap_remove(number);
    let orders: Vec<String> = court.tell(event).iter().map(short).collect();
    let after = court.emperor.snapshot().vassals.into_iter().find(|view| view.key == key(NAME));
    format!("{name:22} {:10} {}", after.map_or("gone", |view| view.state), orders.join(", "))
        .trim_end()
        .to_owned()
}

#[test]
fn every_event_in_every_state_has_its_outcome() {
    let mut table = String::new();
    for place in 0..states().len() {
        let (word, court) = states().swap_remove(place);
        assert_eq!(court.state(NAME), word);
        table += &format!("{word}\n");
        for number in 0..events(court.which(NAME)).len() {
            table += &format!("  {}\n", outcome(states().swap_remove(place).1, number));
        }
    }
    insta::assert_snapshot!(table);
}
