//! Which config a vassal uses, while several are on their way to it and its words about them on their way back.

use std::collections::{BTreeMap, VecDeque};

use super::court::Court;
use crate::emperor::event::{Digest, Event, Fingerprint};
use crate::emperor::order::{Order, from_vassal, to_vassal};
use crate::emperor::policy::Policy;

/// A config on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Config {
    fingerprint: u64,
    text: u64,
}

impl Config {
    fn is_good(self) -> bool {
        self.text.is_multiple_of(2)
    }
}

/// What the reader said of one config, and which text it had then.
#[derive(Clone, Copy, Debug)]
struct Word {
    about: Config,
    has: u64,
}

/// An Emperor, a disk, and a vassal that reads.
struct Place {
    court: Court,
    disk: Config,
    texts: BTreeMap<u64, u64>,
    inbox: VecDeque<Config>,
    has: u64,
    words: VecDeque<Word>,
}

impl Place {
    fn new() -> Self {
        let mut court = Court::new(Policy::default()).running("shop");
        court.say("shop", from_vassal::SPAWNED);
        let disk = Config { fingerprint: 1, text: 0 };
        let texts = BTreeMap::from([(1, 0)]);
        Self { court, disk, texts, inbox: VecDeque::new(), has: 0, words: VecDeque::new() }
    }

    /// A text that was there before may come back, and the same one may be touched.
    fn write(&mut self, text: u64) {
        let fingerprint = self.disk.fingerprint + 1;
        self.texts.insert(fingerprint, text);
        self.disk = Config { fingerprint, text };
    }

    fn look(&mut self) {
        let orders = self.court.see("shop", self.disk.fingerprint);
        self.carry_out(&orders);
    }

    fn wait_ms(&mut self, ms: u64) {
        let orders = self.court.wait_ms(ms);
        self.carry_out(&orders);
    }

    /// With a reload goes what is on the disk by now, which the monitor need not have seen.
    fn carry_out(&mut self, orders: &[Order]) {
        for order in orders {
            let which = match *order {
                Order::Hold(..) => continue,
                Order::Send(which, to_vassal::RELOAD) => which,
                _ => panic!("{order:?}"),
            };
            self.inbox.push_back(self.disk);
            let (digest, fingerprint) = (Digest(self.disk.text), Fingerprint(self.disk.fingerprint));
            assert_eq!(self.court.tell(Event::Given(which, digest, fingerprint)), []);
        }
    }

    /// It reads one of those that wait, the next one or only the last.
    fn read(&mut self, last: bool) {
        let next = if last { self.inbox.drain(..).next_back() } else { self.inbox.pop_front() };
        let Some(about) = next else { return };
        if about.is_good() {
            self.has = about.text;
        }
        self.words.push_back(Word { about, has: self.has });
    }

    /// The next of its words is heard: from then on what is shown is what it had.
    fn hear(&mut self) {
        let Some(Word { about, has }) = self.words.pop_front() else { return };
        let reason = (!about.is_good()).then(|| "bad".into());
        self.court.tell(Event::Kept(self.court.which("shop"), Some(Digest(about.text)), reason));
        self.court.say("shop", from_vassal::SPAWNED);
        let uses = self.court.view("shop").uses.expect("it runs");
        assert_eq!(self.texts[&uses.0], has, "{about:?}");
    }

    fn act(&mut self, number: u8) {
        match number % 8 {
            0 => self.write(u64::from(number / 8 % 5)),
            1 | 2 => {
                self.write(u64::from(number / 8 % 5));
                self.look();
            }
            3 => self.look(),
            4 => self.wait_ms(u64::from(number) * 10),
            5 => self.read(number >= 128),
            6 | 7 => self.hear(),
            _ => unreachable!("of eight"),
        }
    }

    fn settle(&mut self) {
        self.look();
        self.wait_ms(10_000);
        while !self.inbox.is_empty() {
            self.read(false);
        }
        while !self.words.is_empty() {
            self.hear();
        }
    }
}

proptest::proptest! {
    #[test]
    fn whatever_overtakes_what_the_config_that_is_shown_is_the_one_that_it_has(
        acts in proptest::collection::vec(proptest::num::u8::ANY, 0..80)
    ) {
        let mut place = Place::new();
        acts.into_iter().for_each(|number| place.act(number));
        place.settle();
        let view = place.court.view("shop");
        assert_eq!(view.kept.is_none(), place.disk.is_good(), "{view:?}");
        if place.disk.is_good() {
            assert_eq!(view.uses, Some(view.fingerprint));
        }
    }
}

#[test]
fn a_good_config_and_a_bad_one_behind_it_are_told_apart() {
    let mut place = Place::new();
    for text in [2, 1] {
        place.write(text);
        place.look();
    }
    place.read(false);
    place.hear();
    let view = place.court.view("shop");
    assert_eq!((view.fingerprint, view.uses), (Fingerprint(3), Some(Fingerprint(2))));
    place.settle();
    let view = place.court.view("shop");
    assert_eq!((view.uses, view.kept.as_deref()), (Some(Fingerprint(2)), Some("bad")));
}

#[test]
fn no_more_configs_are_remembered_than_a_few() {
    let mut place = Place::new();
    for text in 0..1_000 {
        let which = place.court.which("shop");
        place.court.tell(Event::Given(which, Digest(text), Fingerprint(7)));
    }
    let given =
        place.court.emperor.vassals[&place.court.which("shop").id].life.past.as_ref().unwrap().given.len();
    assert_eq!(given, 16);
}

#[test]
fn a_text_that_comes_back_is_known_whichever_of_them_is_spoken_of() {
    let mut place = Place::new();
    for text in [2, 0, 2] {
        place.write(text);
        place.look();
    }
    (0..3).for_each(|_| place.read(false));
    (0..3).for_each(|_| place.hear());
    let view = place.court.view("shop");
    assert_eq!(view.uses, Some(view.fingerprint));
}
