//! Pure. Everything around the Emperor: configs, their monitor, the spawner, processes, the kernel, time.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::callers::Heard;
use super::commanders::Wishes;
use super::dice::Dice;
use super::nature::Nature;
use super::oath::Oath;
use crate::emperor::Emperor;
use crate::emperor::event::{
    Command, Event, Exit, Fingerprint, Incarnation, Key, Moment, Owner, Sight, VassalId,
};
use crate::emperor::policy::Policy;
use crate::vassal::quiet::Quiet;

/// A config as it is, whatever anybody has seen of it.
#[derive(Clone, Debug)]
pub struct Config {
    pub fingerprint: Fingerprint,
    pub owner: Owner,
    pub refusal: Option<Arc<str>>,
}

/// A process.
#[derive(Debug)]
pub struct Body {
    pub key: Key,
    /// Whose config it reads.
    pub reads: Key,
    pub nature: Nature,
    pub life: Stage,
    /// The config that it has.
    pub config: Option<Config>,
    /// The newest config that it was given, whatever it made of it.
    pub offered: Option<Config>,
    /// It was told to stop before its program ran.
    pub stop_waits: bool,
    /// It closed its control descriptor.
    pub deaf: bool,
    /// Messages of one source keep their order: when the last one of the spawner, and of itself, comes.
    pub spawner_at: Moment,
    pub control_at: Moment,
    /// It knows the protocol, or so it seems.
    pub has_spoken: bool,
    /// The looks of its master, where `idle` is set.
    pub quiet: Option<Quiet>,
    /// It ends, and accepts nobody any more.
    pub leaves: bool,
}

impl Body {
    pub fn accepts(&self) -> bool {
        self.life == Stage::Running && !self.leaves
    }
}

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Ordered,
    Stepping,
    Running,
    Dead,
}

/// What will happen.
#[derive(Clone, Debug)]
pub enum Happening {
    /// The Emperor is told.
    Tell(Event),
    /// The monitor looks at a config.
    Look(Key),
    /// The process is born.
    Fork(Incarnation),
    /// Its program runs.
    Run(Incarnation),
    /// It says something.
    Say(Incarnation, u8),
    /// It sends a heartbeat, and so many more.
    Beat(Incarnation, u64),
    /// It looks whether it has anything to do.
    Rest(Incarnation),
    /// Its master looks.
    Glance(Incarnation),
    /// It closes its control descriptor.
    Deafen(Incarnation),
    /// It ends.
    Die(Incarnation, Exit),
    /// The runtime looks for a connection.
    Call(VassalId),
    /// The spawner reads where a vassal listens.
    Reread(VassalId),
    /// Something in the world changes by chance.
    Mischief,
}

/// How processes behave.
pub type Nurture = fn(&World, &Key, &mut Dice) -> Nature;

pub struct World {
    pub seed: u64,
    pub dice: Dice,
    pub now: Moment,
    pub policy: Policy,
    pub emperor: Emperor,
    pub configs: BTreeMap<Key, Config>,
    /// What the Emperor was shown last.
    pub sights: BTreeMap<Key, (Fingerprint, Owner)>,
    /// What the monitor believes to be there.
    pub known: BTreeSet<Key>,
    pub bodies: BTreeMap<Incarnation, Body>,
    pub listeners: BTreeMap<VassalId, Heard>,
    /// What the files with addresses say by now; 0 for nothing.
    pub addresses: BTreeMap<Key, u64>,
    /// Whose address is to be read again, as the runtime knows it.
    pub asked: BTreeSet<VassalId>,
    pub nurture: Nurture,
    /// No more mischief, and new processes are good ones.
    pub calm: bool,
    /// The spawner is stuck in the kernel.
    pub mute: bool,
    pub oath: Oath,
    pub wishes: Wishes,
    pub last_fingerprint: u64,
    trace: DefaultHasher,
    agenda: BTreeMap<(Moment, u64), Happening>,
    last_happening: u64,
}

impl World {
    pub fn new(seed: u64, policy: Policy, nurture: Nurture) -> Self {
        Self {
            seed,
            dice: Dice::new(seed, "world"),
            now: Moment(0).plus_ms(1_000),
            emperor: Emperor::new(policy.clone()),
            policy,
            configs: BTreeMap::new(),
            sights: BTreeMap::new(),
            known: BTreeSet::new(),
            bodies: BTreeMap::new(),
            listeners: BTreeMap::new(),
            addresses: BTreeMap::new(),
            asked: BTreeSet::new(),
            nurture,
            calm: false,
            mute: false,
            oath: Oath::default(),
            wishes: Wishes::default(),
            last_fingerprint: 0,
            trace: DefaultHasher::new(),
            agenda: BTreeMap::new(),
            last_happening: 0,
        }
    }

    /// Equal for two runs in which the Emperor ordered the same at the same time.
    pub fn trace(&self) -> u64 {
        self.trace.finish()
    }

    pub fn at(&mut self, at: Moment, what: Happening) {
        self.last_happening += 1;
        self.agenda.insert((at.max(self.now), self.last_happening), what);
    }

    pub fn after_ms(&mut self, ms: u64, what: Happening) {
        self.at(self.now.plus_ms(ms), what);
    }

    /// Lets the next thing happen, unless that lies beyond `end` or there is nothing to come.
    pub fn step(&mut self, end: Moment) -> bool {
        let happening = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.emperor.next_deadline().map(|(at, _)| at);
        let Some(next) = happening.into_iter().chain(deadline).min().filter(|at| *at <= end) else {
            return false;
        };
        // Whoever gives the spawner up does nothing else.
        if self.oath.abandoned {
            return false;
        }
        self.now = self.now.max(next);
        if happening.is_some_and(|at| at <= self.now) {
            if let Some((_, what)) = self.agenda.pop_first() {
                self.happen(what);
            }
        } else {
            self.emperor.handle_deadline(self.now);
            self.oath.no_deadline_is_left_behind(&self.emperor, self.now);
        }
        self.obey();
        true
    }

    /// Lets everything happen up to `end`.
    pub fn run_until(&mut self, end: Moment) {
        while self.step(end) {}
        self.now = self.now.max(end);
    }

    /// Tells the Emperor, now.
    pub fn tell(&mut self, event: Event) {
        self.oath.told(&event, self.now);
        let about = self.subject(&event);
        let others = matches!(event, Event::Byte(..)).then(|| self.others(about));
        let rested = self.rests(about);
        let started = matches!(event, Event::Commanded(_, Command::Spawn)).then_some(about).flatten();
        self.emperor.handle(event.clone(), self.now);
        self.rests_with_reason(&event, rested);
        if let Event::Seen(key, sight) = event {
            self.sights.insert(key, (sight.fingerprint, sight.owner));
        }
        if others.is_some() {
            self.orders_are_its_own(about);
        }
        others.into_iter().for_each(|others| self.are_untouched(&others));
        started.into_iter().for_each(|id| self.starts_soon(id));
        self.obey();
        self.is_explained(about);
    }

    /// Changes the truth about a config; the monitor will notice.
    pub fn put(&mut self, key: &Key, config: Config) {
        self.configs.insert(key.clone(), config);
        self.notice(key);
    }

    /// Removes it.
    pub fn remove(&mut self, key: &Key) {
        self.configs.remove(key);
        self.notice(key);
    }

    fn notice(&mut self, key: &Key) {
        let lag = self.dice.skewed(8);
        self.after_ms(lag, Happening::Look(key.clone()));
    }

    /// A version that no config ever had.
    pub fn new_fingerprint(&mut self) -> Fingerprint {
        self.last_fingerprint += 1;
        Fingerprint(self.last_fingerprint)
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Tell(event) => self.tell(event),
            Happening::Look(key) => self.look(&key),
            Happening::Fork(which) => self.fork(which),
            Happening::Run(which) => self.run(which),
            Happening::Say(which, byte) => self.say(which, byte),
            Happening::Beat(which, left) => self.beat(which, left),
            Happening::Rest(which) => self.rest(which),
            Happening::Glance(which) => self.glance(which),
            Happening::Deafen(which) => self.deafen(which),
            Happening::Die(which, exit) => self.die(which, exit),
            Happening::Reread(id) => self.reread(id),
            Happening::Call(id) => self.tell_call(id),
            Happening::Mischief => self.mischief(),
        }
    }

    /// The monitor tells what is there at this moment.
    pub fn look(&mut self, key: &Key) {
        match self.configs.get(key) {
            Some(config) => {
                let (fingerprint, owner) = (config.fingerprint, config.owner);
                let sight = Sight { fingerprint, owner, mtime_s: 0, refusal: config.refusal.clone() };
                self.known.insert(key.clone());
                self.change_hands(key, &sight);
                self.tell(Event::Seen(key.clone(), sight));
            }
            None if self.known.remove(key) => self.tell(Event::Unseen(key.clone())),
            None => {}
        }
    }

    fn obey(&mut self) {
        while let Some(order) = self.emperor.next_order() {
            (self.now, format!("{order:?}")).hash(&mut self.trace);
            self.oath.ordered(&order, self.now);
            self.carry_out(order);
        }
        self.oath.slots_are_kept(&self.emperor);
    }
}
