//! Pure. What must hold at every step, and what must hold in the end.

use std::collections::{BTreeMap, BTreeSet};

use super::nature::{KILL_MAX_MS, OnReload};
use super::texts::Texts;
use super::world::{Body, Stage, World};
use crate::emperor::Emperor;
use crate::emperor::event::{Event, Exit, Fingerprint, Incarnation, Key, Moment, Owner, VassalId};
use crate::emperor::order::{News, Order, from_vassal, to_vassal};
use crate::emperor::pacing::Class;
use crate::emperor::policy::Policy;
use crate::emperor::snapshot::VassalView;
use crate::emperor::state::{Rest, State};

/// Longest time from a process's death to the news of it.
const NEWS_MAX_MS: u64 = 1_000;

/// From the word of a program that it accepts until it can be told to reload.
const SETTLE_MS: u64 = 250;
/// How long that word is waited for.
const WAIT_MS: u64 = 30_000;

/// What was ordered and told so far.
#[derive(Debug, Default)]
pub struct Oath {
    pub leapt_ms: u64,
    pub finished: u32,
    /// The spawner answers nothing.
    pub mute: bool,
    pub abandoned: bool,
    stops: BTreeMap<Incarnation, (Moment, u64)>,
    spawned: BTreeMap<VassalId, u32>,
    known: BTreeSet<Incarnation>,
    over: BTreeSet<Incarnation>,
    unburied: BTreeSet<Incarnation>,
    refused: BTreeSet<Incarnation>,
    forgotten: BTreeSet<VassalId>,
    ended_with: BTreeMap<Incarnation, (Fingerprint, Owner)>,
    notices: BTreeMap<Key, (u32, u32)>,
    foreign: BTreeSet<Incarnation>,
    /// Who has said that its config is of no use, before it was ready or told to reload.
    useless: BTreeSet<Incarnation>,
    /// Who cannot say so any more.
    came_up: BTreeSet<Incarnation>,
    /// When a program that is not our master can be told to reload.
    ready_for_reload: BTreeMap<Incarnation, Moment>,
    texts: Texts,
    /// Whose changes somebody waits for.
    pub awaited: BTreeSet<VassalId>,
}

impl Oath {
    pub fn told(&mut self, event: &Event, now: Moment) {
        if let Event::Byte(which, byte) = event {
            self.spoke(*which, *byte);
        }
        match event {
            Event::Born(which, _) => assert!(self.known.insert(*which)),
            Event::Exited(which, _) => self.exited(*which, now),
            Event::Running(which, ..) => {
                self.ready_for_reload.entry(*which).or_insert(now.plus_ms(WAIT_MS));
            }
            Event::Given(which, digest, _) if self.last_of(*which) => {
                self.texts.given(which.id, *digest);
            }
            Event::Byte(which, from_vassal::BECOMES) => _ = self.foreign.insert(*which),
            Event::Byte(which, from_vassal::ACCEPTING) => {
                let ready_at = self.ready_for_reload.entry(*which).or_insert(now.plus_ms(SETTLE_MS));
                *ready_at = now.plus_ms(SETTLE_MS).min(*ready_at);
            }
            Event::Listening(which, _) => {
                self.over.insert(*which);
            }
            Event::SpawnFailed(which, _) | Event::Refused(which, _) if !self.known.contains(which) => {
                self.over.insert(*which);
            }
            _ => {}
        }
    }

    /// Of one that is not forgotten, as the Emperor knows it.
    fn last_of(&self, which: Incarnation) -> bool {
        !self.forgotten.contains(&which.id) && self.spawned.get(&which.id) == Some(&which.attempt)
    }

    fn spoke(&mut self, which: Incarnation, byte: u8) {
        match byte {
            from_vassal::SPAWNED | from_vassal::ACCEPTING | from_vassal::LOYAL => self.comes_up(which),
            from_vassal::USELESS if !self.came_up.contains(&which) => _ = self.useless.insert(which),
            _ => {}
        }
    }

    fn comes_up(&mut self, which: Incarnation) {
        self.came_up.insert(which);
        self.useless.remove(&which);
    }

    fn exited(&mut self, which: Incarnation, now: Moment) {
        assert!(self.over.insert(which) && self.unburied.insert(which));
        if let Some((at, leapt_ms)) = self.stops.remove(&which) {
            let took_ms = now.ms_since(at) - (self.leapt_ms - leapt_ms).min(now.ms_since(at));
            assert!(took_ms <= 30_000 + KILL_MAX_MS + NEWS_MAX_MS, "a stop took {took_ms} ms");
        }
    }

    pub fn ended(&mut self, which: Incarnation, body: &Body) {
        let config = body.offered.as_ref().expect("whoever is born was given a config");
        self.ended_with.insert(which, (config.fingerprint, config.owner));
    }

    pub fn refused(&mut self, which: Incarnation) {
        self.refused.insert(which);
    }

    /// At most one process for each config, ever, and so many zergs.
    pub fn born(&mut self, which: Incarnation, bodies: &BTreeMap<Incarnation, Body>, policy: &Policy) {
        let Body { key, reads, .. } = &bodies[&which];
        let living = |body: &&Body| matches!(body.life, Stage::Stepping | Stage::Running) && body.key == *key;
        let max = if key == reads { 1 } else { policy.broodlord as usize };
        assert!(bodies.values().filter(living).count() <= max, "{key:?} has more than {max} processes");
    }

    pub fn ordered(&mut self, order: &Order, now: Moment) {
        assert_eq!(self.finished, 0, "{order:?} after the end");
        match order {
            Order::Spawn(which) => self.spawn(*which),
            Order::Send(which, byte) => {
                self.reach(*which, order);
                match *byte {
                    to_vassal::RELOAD => {
                        self.comes_up(*which);
                        self.may_reload(*which, now);
                    }
                    _ => assert!(self.stops.insert(*which, (now, self.leapt_ms)).is_none(), "stopped twice"),
                }
            }
            Order::Kill(which) => self.reach(*which, order),
            Order::Bury(which) => assert!(self.unburied.remove(which), "{which:?} buried without being dead"),
            Order::Forget(id) => self.forget(*id),
            Order::Await(id) | Order::Unlisten(id) | Order::Readdress(id) => {
                assert!(!self.forgotten.contains(id))
            }
            Order::Hold(id, digest) => self.texts.hold(*id, *digest),
            Order::Report(id) => assert!(self.awaited.contains(id), "{id:?} is reported to nobody"),
            // That this was so shows in the state of the vassal.
            Order::Enabled(_) => {}
            Order::Tell(notice) => self.notice(&notice.key, &notice.what),
            Order::Finish => self.finish(),
            Order::Abandon => self.abandon(),
        }
    }

    /// A new process only when the one before is over and buried.
    fn spawn(&mut self, which: Incarnation) {
        assert!(!self.forgotten.contains(&which.id));
        let last = self.spawned.insert(which.id, which.attempt).unwrap_or(0);
        assert_eq!(which.attempt, last + 1);
        let before = Incarnation { id: which.id, attempt: last };
        assert!(
            last == 0 || (self.over.contains(&before) && !self.unburied.contains(&before)),
            "{before:?} lives"
        );
    }

    /// Another program than our master is told to reload when it accepts and has settled, or was waited for.
    fn may_reload(&mut self, which: Incarnation, now: Moment) {
        let ready_at = self.ready_for_reload.get(&which).copied().unwrap_or_default();
        assert!(!self.foreign.contains(&which) || ready_at <= now, "{which:?} would miss its reload");
        self.ready_for_reload.insert(which, now.plus_ms(WAIT_MS));
    }

    /// Orders go to those who are known to be there.
    fn reach(&self, which: Incarnation, order: &Order) {
        assert!(self.known.contains(&which) && !self.over.contains(&which), "{order:?} reaches nobody");
    }

    fn forget(&mut self, id: VassalId) {
        assert!(self.forgotten.insert(id));
        let last = Incarnation { id, attempt: self.spawned.get(&id).copied().unwrap_or(0) };
        assert!(last.attempt == 0 || self.over.contains(&last), "{id:?} forgotten with a process");
        assert!(!self.unburied.contains(&last), "{id:?} forgotten before it was buried");
    }

    fn finish(&mut self) {
        self.finished += 1;
        self.texts.are_let_go();
        assert!(self.unburied.is_empty());
        for (id, attempt) in &self.spawned {
            assert!(
                self.over.contains(&Incarnation { id: *id, attempt: *attempt }),
                "the end before that of {id:?}"
            );
        }
    }

    /// Nobody is given up who answers.
    fn abandon(&mut self) {
        assert!(self.mute, "a spawner that answers was given up");
        (self.finished, self.abandoned) = (1, true);
    }

    /// What a vassal says leads to at most three notices for each start, and two for each reload. It may speak before
    /// its birth is told, and zergs share a name: so starts count from when they are ordered.
    fn notice(&mut self, key: &Key, what: &News) {
        let (heard, allowed) = self.notices.entry(key.clone()).or_default();
        match what {
            News::Spawned { .. } | News::Accepting { .. } | News::Loyal { .. } => *heard += 1,
            News::Reloading { .. } => *allowed += 2,
            _ => {}
        }
        assert!(*heard <= *allowed, "a flood of notices about {key:?}");
    }

    /// A start of this name was ordered.
    pub fn may_speak(&mut self, key: &Key) {
        self.notices.entry(key.clone()).or_default().1 += 3;
    }

    pub fn slots_are_kept(&self, emperor: &Emperor) {
        let max = emperor.policy.starting_max;
        assert!(emperor.queue.under_way(Class::First) <= max.max(1));
        assert!(emperor.queue.under_way(Class::Second) <= (max / 2).max(1));
    }

    pub fn no_deadline_is_left_behind(&self, emperor: &Emperor, now: Moment) {
        assert!(emperor.next_deadline().is_none_or(|(at, _)| at > now));
    }
}

impl World {
    /// Whom an event is about.
    pub fn subject(&self, event: &Event) -> Option<VassalId> {
        match event {
            Event::Seen(key, _) | Event::Unseen(key) | Event::AddressWritten(key) => {
                self.emperor.ids.get(key).copied()
            }
            Event::Born(which, _)
            | Event::Running(which, ..)
            | Event::SpawnFailed(which, _)
            | Event::Refused(which, _)
            | Event::Strained(which, _)
            | Event::Killing(which)
            | Event::Byte(which, _)
            | Event::Troubled(which, _)
            | Event::Kept(which, ..)
            | Event::Given(which, ..)
            | Event::Takes(which, _)
            | Event::Listening(which, _)
            | Event::Silent(which)
            | Event::Exited(which, _) => Some(which.id),
            Event::Commanded(id, _) | Event::Connected(id) => Some(*id),
            Event::Moved(id, _) | Event::Unlistened(id) | Event::Misaddressed(id, _) => Some(*id),
            Event::OwnerDisabled(_) | Event::OwnerEnabled(_) => None,
            Event::Answered | Event::StopAll | Event::ReloadAll | Event::ClearBlacklist => None,
        }
    }

    /// Whoever does not run has a reason, whoever is held back a next start, and an end is told as it was.
    pub fn is_explained(&self, id: Option<VassalId>) {
        let Some(vassal) = id.and_then(|id| self.emperor.vassals.get(&id)) else { return };
        let view = VassalView::of(vassal, &self.policy);
        assert!(view.up || !view.reason().is_empty(), "no reason: {view:?}");
        assert_eq!(view.next_start.is_some(), view.state == "throttled", "{view:?}");
        assert!(view.next_start.is_none() || !view.next(self.now).is_empty(), "{view:?}");
        let past = vassal.life.past.as_ref();
        let rests = matches!(vassal.state, State::Idle | State::Refused | State::Excess | State::Rested(_));
        assert!(!rests || past.is_none_or(|past| !past.held), "a text is held for nobody: {view:?}");
        assert!(view.attempts > 0 || view.last_end.is_none(), "{view:?}");
        let waits = matches!(view.state, "refused" | "too-many" | "exiled" | "throttled");
        assert!(!waits || !view.advice().is_empty(), "{view:?}");
    }

    /// Whether it rests because its config is of no use.
    pub fn rests(&self, id: Option<VassalId>) -> bool {
        let vassal = id.and_then(|id| self.emperor.vassals.get(&id));
        vassal.is_some_and(|vassal| vassal.state == State::Rested(Rest::Useless))
    }

    /// It begins to by an end of a process that has said so in time, and goes on until somebody does something about it.
    pub fn rests_with_reason(&self, event: &Event, rested: bool) {
        let (seed, rests) = (self.seed, self.rests(self.subject(event)));
        match event {
            Event::Exited(which, exit) if rests && !rested => {
                let said_so = self.oath.useless.contains(which) && *exit == Exit::Code(1);
                assert!(said_so, "seed {seed}: {event:?} lets it rest");
            }
            Event::Seen(key, sight) if rested && !rests => {
                let was = self.sights.get(key);
                assert!(
                    was != Some(&(sight.fingerprint, sight.owner)) || sight.refusal.is_some(),
                    "seed {seed}: started again for nothing"
                );
            }
            Event::Unseen(_) | Event::Commanded(..) | Event::Refused(..) if !rests => {}
            _ => assert_eq!(rests, rested, "seed {seed}: {event:?}"),
        }
    }

    /// Nothing moves any more: everything is as the configs say.
    pub fn all_is_as_it_should_be(&self) {
        assert_eq!(self.emperor.next_deadline(), None, "idle costs something");
        let (zergs, vassals): (Vec<_>, Vec<_>) =
            self.emperor.snapshot().vassals.into_iter().partition(|view| view.zerg);
        assert_eq!(vassals.len(), self.configs.len(), "a vassal without a config, or the reverse");
        for view in &vassals {
            if !matches!(view.state, "refused" | "too-many") {
                self.listens_as_written(view.id, &view.key);
            }
            self.one_is_as_it_should_be(view);
        }
        zergs.iter().for_each(|view| self.zerg_is_as_it_should_be(view));
        let living =
            self.bodies.values().filter(|body| matches!(body.life, Stage::Stepping | Stage::Running));
        assert_eq!(living.count(), self.emperor.alive);
        self.no_room_is_wasted();
    }

    fn one_is_as_it_should_be(&self, view: &VassalView) {
        let config = &self.configs[&view.key];
        let which = which(view);
        let seed = self.seed;
        let may_run = view.state != "running" || !self.waits_for_a_command(view);
        assert!(may_run, "seed {seed}: it runs and was told to stop: {view:?}");
        match view.state {
            "running" => {
                let body = &self.bodies[&which];
                assert_eq!(body.life, Stage::Running, "seed {seed}: {view:?}");
                assert!(config.refusal.is_none(), "seed {seed}: {view:?}");
                let given = body.config.as_ref().expect("it runs");
                assert_eq!(given.owner, config.owner, "seed {seed}: {view:?}");
                let feigns = body.has_spoken && matches!(body.nature.on_reload, OnReload::Ignores);
                assert!(feigns || given.fingerprint == config.fingerprint, "seed {seed}: {view:?}");
            }
            "refused" => {
                let now = (config.fingerprint, config.owner);
                let is_useless = self.oath.useless.contains(&which) && self.oath.ended_with[&which] == now;
                let is_refused = config.refusal.is_some() || self.oath.refused.contains(&which);
                assert!(is_refused || is_useless, "seed {seed}: {view:?}");
            }
            "stopped" | "exiled" => {
                assert!(config.refusal.is_none(), "seed {seed}: {view:?}");
                let now = (config.fingerprint, config.owner);
                assert_eq!(self.oath.ended_with[&which], now, "seed {seed}: {view:?}");
            }
            "suspended" | "disabled" => assert!(self.waits_for_a_command(view), "seed {seed}: {view:?}"),
            "on-demand" => self.waits_for_a_call(view.id),
            "too-many" => {
                assert!(config.owner.uid != 0 && self.policy.tenant_max > 0, "seed {seed}: {view:?}")
            }
            word => panic!("seed {seed}: still {word}: {view:?}"),
        }
    }

    /// It runs, by the config and for the owner of a vassal that runs.
    fn zerg_is_as_it_should_be(&self, view: &VassalView) {
        assert_eq!(view.state, "running", "seed {}: {view:?}", self.seed);
        let (reads, _) = self.emperor.config_of(view.id).expect("whoever asked for it is there");
        let vassal = &self.emperor.vassals[&self.emperor.ids[reads]];
        assert!(vassal.service().is_some(), "seed {}: {view:?} has nobody to help", self.seed);
        let (config, given) = (&self.configs[reads], &self.bodies[&which(view)].config);
        let given = given.as_ref().expect("it runs");
        assert_eq!(
            (given.fingerprint, given.owner),
            (config.fingerprint, config.owner),
            "seed {}",
            self.seed
        );
    }

    /// Nobody has more than they may, and nobody waits who need not.
    fn no_room_is_wasted(&self) {
        let mut owners: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for view in self.emperor.snapshot().vassals.into_iter().filter(|view| !view.zerg) {
            let (taken_in, waiting) = owners.entry(view.owner.uid).or_default();
            match view.state {
                "too-many" => *waiting += 1,
                "refused" if !view.is_useless() => {}
                _ => *taken_in += 1,
            }
        }
        for (uid, (taken_in, waiting)) in owners {
            let max = self.policy.tenant_max;
            assert!(uid == 0 || max == 0 || taken_in <= max, "{uid} has {taken_in}");
            assert!(waiting == 0 || taken_in == max, "{uid}: {waiting} wait, {taken_in} are in");
        }
    }
}

fn which(view: &VassalView) -> Incarnation {
    Incarnation { id: view.id, attempt: view.attempts }
}
