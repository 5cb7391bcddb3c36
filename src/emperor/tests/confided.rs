//! What vassals say for people is kept, shown and told once, and nothing is decided by it.

use super::court::Court;
use crate::emperor::event::{Command, Digest, Event, Exit, Fingerprint};
use crate::emperor::on_demand::Listener;
use crate::emperor::order::{News, Order, from_vassal};
use crate::emperor::policy::Policy;

fn court() -> Court {
    Court::with_throttle(5_000).running("shop")
}

impl Court {
    fn trouble(&mut self, sentence: &str) {
        assert_eq!(self.tell(Event::Troubled(self.which("shop"), sentence.into())), []);
    }

    fn kept(&mut self, sentence: Option<&str>) {
        assert_eq!(self.tell(Event::Kept(self.which("shop"), None, sentence.map(Into::into))), []);
    }
}

#[test]
fn what_kept_a_process_from_going_on_is_the_reason_of_its_end() {
    let mut court = court();
    (0..1_000).for_each(|_| court.trouble("cannot run false (step 2 of 9)"));
    assert_eq!(court.told(|what| matches!(what, News::Troubled { .. })), 1);
    court.exit("shop", 1);
    court.up("shop");
    court.exit("shop", 1);
    let view = court.view("shop");
    assert!(view.reason().starts_with("ended by itself") && !view.reason().contains("step"), "{view:?}");
    court.wait_ms(5_000);
    court.up("shop");
    court.trouble("cannot run false (step 2 of 9)");
    court.exit("shop", 1);
    let view = court.view("shop");
    assert!(view.reason().ends_with("(exit status 1); it said: cannot run false (step 2 of 9)"), "{view:?}");
    assert!(view.note(court.now).starts_with("last end: exit status 1: cannot run false"), "{view:?}");
    assert_eq!(view.reason_at(), Some(court.now));
    let dead = view.reason();
    court.trouble("too late");
    assert_eq!(court.view("shop").reason(), dead);
}

#[test]
fn a_config_that_is_not_used_is_shown_with_the_one_that_is() {
    let mut court = court();
    court.say("shop", from_vassal::SPAWNED);
    for fingerprint in [2, 3] {
        court.see("shop", fingerprint);
        (0..1_000).for_each(|_| court.kept(Some("shop.ini:2:1: unknown option")));
        court.say("shop", from_vassal::SPAWNED);
        court.say("shop", from_vassal::ACCEPTING);
    }
    assert_eq!(court.told(|what| matches!(what, News::Kept { .. })), 2);
    let view = court.view("shop");
    assert_eq!((view.state, view.fingerprint, view.uses), ("running", Fingerprint(3), Some(Fingerprint(1))));
    assert_eq!(view.reason(), "its new config is not used: shop.ini:2:1: unknown option");
    assert_eq!((view.note(court.now), view.reason_at()), (view.reason(), None));
    assert!(view.advice().contains("liege check"), "{view:?}");
    court.see("shop", 4);
    court.kept(None);
    let view = court.view("shop");
    assert_eq!((view.uses, view.reason().as_str()), (Some(Fingerprint(4)), ""));
}

#[test]
fn a_new_process_uses_the_config_that_it_was_given() {
    let mut court = court();
    court.see("shop", 2);
    court.kept(Some("bad"));
    court.see("shop", 3);
    court.exit("shop", 0);
    court.up("shop");
    let view = court.view("shop");
    assert_eq!((view.uses, view.kept), (Some(Fingerprint(3)), None));
}

#[test]
fn another_program_that_accepts_again_uses_what_it_was_given() {
    let mut court = court();
    court.say("shop", from_vassal::BECOMES);
    court.say("shop", from_vassal::ACCEPTING);
    court.wait_ms(250);
    court.see("shop", 2);
    assert_eq!(court.view("shop").uses, Some(Fingerprint(1)));
    court.say("shop", from_vassal::ACCEPTING);
    assert_eq!(court.view("shop").uses, Some(Fingerprint(2)));
}

#[test]
fn to_bind_a_listener_is_no_start() {
    let mut court = Court::new(Policy::default());
    court.see("shop", 1);
    let owner = court.view("shop").owner;
    let which = court.which("shop");
    court.tell(Event::Listening(which, Listener { owner, address: "@shop".into() }));
    let view = court.view("shop");
    assert_eq!((view.starts, view.first_run, view.last_run), (0, None, None));
    assert_eq!(view.next(court.now), "it is started when somebody connects");
    court.tell(Event::Connected(which.id));
    court.up("shop");
    assert_eq!(court.view("shop").starts, 1);
    assert_eq!(court.told(|what| matches!(what, News::Started { start: 1, .. })), 1);
}

#[test]
fn a_vassal_that_was_stopped_by_command_says_so_and_what_helps() {
    let mut court = court();
    let id = court.which("shop").id;
    court.tell(Event::Commanded(id, Command::Stop));
    court.exit("shop", 0);
    let view = court.view("shop");
    let stopped = "it was stopped (`liege stop`, or the command `stop`)";
    assert_eq!((view.state, view.reason().as_str()), ("suspended", stopped));
    assert_eq!(
        (view.reason_at(), view.next(court.now).as_str()),
        (Some(court.now), "it is started by `liege start shop`")
    );
    assert_eq!(view.advice(), "`liege start shop`");
    let waiting = Some(std::collections::BTreeSet::new());
    let mut court = Court::new(Policy { waiting, ..Policy::default() });
    court.see("shop", 1);
    let view = court.view("shop");
    let waits = "it waits for its first start (`liege start`, or the command `spawn`)";
    assert_eq!((view.reason().as_str(), view.reason_at()), (waits, None));
}

#[test]
fn one_that_was_stopped_while_it_was_held_back_says_so_too() {
    let mut court = court();
    let id = court.which("shop").id;
    court.exit("shop", 1);
    if court.state("shop") != "throttled" {
        court.up("shop");
        court.exit("shop", 1);
    }
    assert_eq!(court.state("shop"), "throttled");
    court.tell(Event::Commanded(id, Command::Stop));
    let view = court.view("shop");
    let stopped = "it was stopped (`liege stop`, or the command `stop`)";
    assert_eq!((view.state, view.reason().as_str(), view.reason_at()), ("suspended", stopped, None));
    assert_eq!(view.next(court.now), "it is started by `liege start shop`");
}

#[test]
fn a_refusal_counts_for_the_config_that_was_given_last() {
    let mut court = court();
    let which = court.which("shop");
    let keeps = |court: &Court| court.view("shop").keeps;
    let given = |text| Event::Given(which, Digest(text), Fingerprint(text));
    let refused = |text| Event::Kept(which, Some(Digest(text)), Some("shop.ini:2:1".into()));
    court.see("shop", 2);
    court.tell(given(2));
    assert!(!keeps(&court), "it has not answered");
    court.tell(refused(2));
    assert!(keeps(&court));
    court.see("shop", 3);
    court.tell(given(3));
    court.tell(refused(2));
    assert!(!keeps(&court), "that was the one before");
    court.tell(refused(3));
    assert!(keeps(&court));
    // Of a text that nobody knows the last reload counts.
    court.kept(Some("shop.ini:3:1"));
    assert!(keeps(&court));
}

impl Court {
    fn given(&mut self, text: u64) {
        let which = self.which("shop");
        assert_eq!(self.tell(Event::Given(which, Digest(text), Fingerprint(text))), []);
    }

    fn holds(&mut self, event: Event) -> Vec<Option<Digest>> {
        let orders = self.tell(event);
        let hold = |order| if let Order::Hold(_, digest) = order { Some(digest) } else { None };
        orders.into_iter().filter_map(hold).collect()
    }

    fn judges(&mut self, text: u64, reason: &str) -> Vec<Option<Digest>> {
        let reason = Some(reason).filter(|reason| !reason.is_empty()).map(Into::into);
        self.holds(Event::Kept(self.which("shop"), Some(Digest(text)), reason))
    }

    fn takes(&mut self, text: u64) -> Vec<Option<Digest>> {
        self.holds(Event::Takes(self.which("shop"), Digest(text)))
    }
}

/// It was told to begin anew with 2, and then its file was wrong.
fn between_two_saves() -> Court {
    let mut court = court();
    court.see("shop", 2);
    court.given(2);
    // Late words about its start, as if it had answered.
    court.say("shop", from_vassal::SPAWNED);
    court.say("shop", from_vassal::ACCEPTING);
    assert_eq!(court.takes(2), [Some(Digest(2))]);
    court.see("shop", 3);
    court.given(3);
    assert_eq!(court.judges(3, "bad"), []);
    court
}

#[test]
fn what_was_taken_is_held_until_a_process_uses_something_newer() {
    let mut court = between_two_saves();
    court.exit("shop", 0);
    court.up("shop");
    assert_eq!(court.judges(3, "bad"), []);
    assert!(court.say("shop", from_vassal::ACCEPTING).iter().all(|order| !matches!(order, Order::Hold(..))));
    let view = court.view("shop");
    assert!(view.keeps && view.reason() == "its new config is not used: bad", "{view:?}");
    assert_eq!((view.fingerprint, view.uses), (Fingerprint(3), Some(Fingerprint(2))));
    // Its death changes nothing of that.
    court.exit("shop", 1);
    court.wait_ms(5_000);
    court.up("shop");
    assert_eq!(court.judges(3, "bad"), []);
    court.say("shop", from_vassal::ACCEPTING);
    assert!(court.view("shop").keeps);
    court.see("shop", 4);
    court.given(4);
    assert_eq!(court.takes(4), [Some(Digest(4))]);
    court.exit("shop", 0);
    court.up("shop");
    let orders = court.say("shop", from_vassal::ACCEPTING);
    assert!(orders.iter().any(|order| matches!(order, Order::Hold(_, None))), "{orders:?}");
    assert!(!court.view("shop").keeps);
}

#[test]
fn nothing_is_held_of_whoever_is_stopped_or_never_took_it() {
    let mut court = between_two_saves();
    let id = court.which("shop").id;
    court.tell(Event::Commanded(id, Command::Stop));
    let ended = Event::Exited(court.which("shop"), Exit::Code(0));
    assert_eq!(court.holds(ended), [None]);
    let mut court = self::court();
    court.say("shop", from_vassal::ACCEPTING);
    court.see("shop", 2);
    court.given(2);
    assert_eq!(court.judges(2, "bad"), []);
    let orders = court.say("shop", from_vassal::ACCEPTING);
    assert!(orders.iter().any(|order| matches!(order, Order::Hold(_, None))), "{orders:?}");
    assert_eq!(court.takes(7), [], "it was never given that");
}

/// It goes on as the same process, and what came last is wrong all the same.
#[test]
fn whoever_begins_anew_by_himself_says_no_less_that_the_newest_is_wrong() {
    let mut court = between_two_saves();
    assert_eq!(court.judges(2, ""), []);
    let view = court.view("shop");
    assert!(view.keeps && view.reason() == "its new config is not used: bad", "{view:?}");
    assert_eq!(view.uses, Some(Fingerprint(2)));
}
