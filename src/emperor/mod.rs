//! Pure. What the Emperor decides: events and moments in, orders out.

pub mod brood;
pub mod event;
pub mod on_demand;
pub mod order;
pub mod past;
pub mod policy;
pub mod sender;
pub mod snapshot;

mod answers;
mod awaited;
mod belongings;
mod commanded;
mod confided;
mod debts;
mod due;
mod holding;
mod life;
mod moving;
mod outlaws;
mod pacing;
mod queue;
pub mod reasons;
mod sighted;
mod spoken;
mod state;
mod tenants;
mod vassal;
mod views;

#[cfg(test)]
mod simulator;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use self::belongings::Belongings;
use self::brood::Broods;
use self::debts::Debts;
use self::event::{Command, Event, Incarnation, Key, Moment, MonitorId, Owner, Sight, VassalId, Whose};
use self::order::{News, Order};
use self::policy::Policy;
use self::queue::Queue;
use self::tenants::Tenants;
use self::vassal::{Ending, Footing, Turn, Vassal};

/// All vassals. The tables beside them follow from their states and are kept by [`Emperor::settle`] alone.
#[derive(Debug)]
pub struct Emperor {
    policy: Policy,
    vassals: BTreeMap<VassalId, Box<Vassal>>,
    ids: BTreeMap<Key, VassalId>,
    last_id: u32,
    agenda: BTreeSet<(Moment, VassalId)>,
    queue: Queue,
    tenants: Tenants,
    belongings: Belongings,
    alive: usize,
    debts: Debts,
    /// Limits that few ever meet, since they were last loyal: not a part of every vassal.
    strains: BTreeMap<VassalId, Arc<str>>,
    broods: Broods,
    /// What was disabled, whether its config is there or not.
    disabled: BTreeMap<Key, Whose>,
    /// Owners of whom nothing is started, by their uids.
    outlaws: BTreeSet<u32>,
    /// Those whose changes somebody waits for.
    awaited: BTreeSet<VassalId>,
    ending: Ending,
    finished: bool,
    orders: VecDeque<Order>,
}

impl Emperor {
    /// An Emperor without vassals.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            vassals: BTreeMap::new(),
            ids: BTreeMap::new(),
            last_id: 0,
            agenda: BTreeSet::new(),
            queue: Queue::default(),
            tenants: Tenants::default(),
            belongings: Belongings::default(),
            alive: 0,
            debts: Debts::default(),
            strains: BTreeMap::new(),
            broods: Broods::default(),
            disabled: BTreeMap::new(),
            outlaws: BTreeSet::new(),
            awaited: BTreeSet::new(),
            ending: Ending::No,
            finished: false,
            orders: VecDeque::new(),
        }
    }

    /// Something happened. What it leads to is fetched by [`next_order`](Self::next_order).
    pub fn handle(&mut self, event: Event, now: Moment) {
        match event {
            Event::Seen(key, sight) => self.seen(key, sight, now),
            Event::Unseen(key) => self.unseen(&key, now),
            Event::OwnerDisabled(uid) => self.owner_disabled(uid, now),
            Event::OwnerEnabled(uid) => self.owner_enabled(uid, now),
            Event::Born(which, pid) => {
                self.change_process(which, now, |vassal, turn| vassal.was_born(pid, turn))
            }
            Event::Running(which, fingerprint, owner) => {
                self.change_process(which, now, |vassal, turn| vassal.runs(fingerprint, owner, turn));
            }
            Event::SpawnFailed(which, reason) => {
                self.change_process(which, now, |vassal, turn| vassal.spawn_failed(reason, turn));
            }
            Event::Listening(which, listener) => {
                self.change_process(which, now, |vassal, turn| vassal.listens(listener, turn));
            }
            Event::AddressWritten(key) => {
                let id = self.ids.get(&key).copied();
                id.into_iter().for_each(|id| self.change(id, now, Vassal::address_written));
            }
            Event::Moved(id, listener) => self.change(id, now, |vassal, turn| vassal.moved(listener, turn)),
            Event::Unlistened(id) => self.change(id, now, Vassal::unlistened),
            Event::Misaddressed(id, reason) => {
                self.change(id, now, |vassal, turn| vassal.tell(News::Misaddressed { reason }, turn));
            }
            Event::Connected(id) => self.change(id, now, Vassal::called),
            Event::Refused(which, reason) => {
                self.change_process(which, now, |vassal, turn| vassal.was_refused(reason, turn));
            }
            Event::Strained(which, reason) => {
                // Also when its next process has been started meanwhile: it says why that was necessary.
                if self.vassals.contains_key(&which.id) {
                    self.strains.insert(which.id, reason);
                }
            }
            Event::Byte(which, byte) => {
                if byte == order::from_vassal::LOYAL {
                    self.strains.remove(&which.id);
                }
                self.change_process(which, now, |vassal, turn| vassal.spoke(byte, turn));
                if byte == order::from_vassal::SOS {
                    self.reinforce(which, now);
                }
            }
            Event::Troubled(which, reason) => {
                self.change_process(which, now, |vassal, turn| vassal.troubled(reason, turn));
            }
            Event::Given(which, digest, fingerprint) => {
                self.change_process(which, now, |vassal, _| vassal.given(digest, fingerprint));
            }
            Event::Kept(which, digest, reason) => {
                self.change_process(which, now, |vassal, turn| vassal.kept(digest, reason, turn));
            }
            Event::Takes(which, digest) => {
                self.change_process(which, now, |vassal, turn| vassal.takes(digest, turn));
            }
            Event::Silent(which) => self.change_process(which, now, Vassal::fell_silent),
            Event::Exited(which, exit) => {
                self.change_process(which, now, |vassal, turn| vassal.exited(exit, turn))
            }
            Event::Answered => self.debts.heard(now, self.silence_ms()),
            Event::Killing(which) => self.change_process(which, now, Vassal::kill_sent),
            Event::StopAll => self.stop_all(now),
            Event::Commanded(id, command) => {
                self.note_command(id, command);
                self.change(id, now, |vassal, turn| vassal.commanded(command, turn));
            }
            Event::ReloadAll => self.change_all(now, Vassal::reload_asked),
            Event::ClearBlacklist => self.change_all(now, Vassal::pardoned),
        }
        self.conclude(now);
    }

    /// Carries out what is due. All events that are already there must have been handed in before, or a vassal
    /// is judged for a silence that was not its own.
    pub fn handle_deadline(&mut self, now: Moment) {
        while let Some(id) = self.first_due(now) {
            self.change(id, now, Vassal::due);
        }
        self.conclude(now);
        if !self.finished && self.debts.is_over(now, self.silence_ms()) {
            self.finished = true;
            self.orders.push_back(Order::Abandon);
        }
    }

    /// The next thing to be done; orders are carried out one after the other.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When [`handle_deadline`](Self::handle_deadline) is to be called next, and why; `None` while nothing but
    /// events can change anything.
    pub fn next_deadline(&self) -> Option<(Moment, &'static str)> {
        let debt = self.debts.next_deadline().filter(|_| !self.finished).map(|at| (at, "spawner"));
        let vassal = self.agenda.first().and_then(|(_, id)| self.vassals.get(id)?.deadline(&self.policy));
        let vassal = vassal.map(|(at, due)| (at, due.word()));
        vassal.into_iter().chain(debt).min_by_key(|(at, _)| *at)
    }

    /// Whether nobody waits for a start and none is under way.
    pub fn is_settled(&self) -> bool {
        self.queue.is_idle()
    }

    /// How many vassals there are, whatever they do.
    pub fn count(&self) -> usize {
        self.vassals.len()
    }

    /// Whether it was told to end.
    pub fn is_ending(&self) -> bool {
        self.ending != Ending::No
    }

    /// The name of a vassal that was not forgotten.
    pub fn key(&self, id: VassalId) -> Option<&Key> {
        self.vassals.get(&id).map(|vassal| &vassal.key)
    }

    /// Whose its config is.
    pub fn owner(&self, id: VassalId) -> Option<Owner> {
        self.vassals.get(&id).map(|vassal| vassal.config.owner)
    }

    /// The vassals of this name with the owners of their configs: one of each source at most.
    pub fn named(&self, name: &str) -> Vec<(VassalId, Owner)> {
        let name: Arc<str> = name.into();
        let last = self.ids.last_key_value().map_or(0, |(key, _)| key.monitor.0);
        let keys = (0..=last).map(|number| Key { monitor: MonitorId(number), name: name.clone() });
        let vassals = keys.filter_map(|key| self.vassals.get(self.ids.get(&key)?));
        vassals.map(|vassal| (vassal.id, vassal.config.owner)).collect()
    }

    /// Nothing new is taken in while everything stops.
    fn seen(&mut self, key: Key, sight: Sight, now: Moment) {
        if self.ending != Ending::No {
            return;
        }
        match self.ids.get(&key) {
            Some(&id) => {
                let freed = self.free_of_others(&key, &sight);
                let is_outlaws = self.outlaws.contains(&sight.owner.uid);
                self.change(id, now, |vassal, turn| vassal.seen_of(is_outlaws, sight, turn));
                if freed {
                    self.change(id, now, |vassal, turn| vassal.commanded(Command::Enable, turn));
                }
            }
            None => {
                self.free_of_others(&key, &sight);
                self.take_in(key, sight, now);
            }
        }
    }

    fn take_in(&mut self, key: Key, sight: Sight, now: Moment) {
        self.last_id += 1;
        let id = VassalId(self.last_id);
        self.ids.insert(key.clone(), id);
        let mut vassal = Vassal::new(id, key, sight, now);
        vassal.disabled = self.disabled.contains_key(&vassal.key);
        vassal.outlaws = self.outlaws.contains(&vassal.config.owner.uid);
        self.vassals.insert(id, Box::new(vassal));
        self.change(id, now, Vassal::arrive);
    }

    fn unseen(&mut self, key: &Key, now: Moment) {
        if self.ending != Ending::No {
            return;
        }
        if let Some(id) = self.ids.get(key) {
            self.change(*id, now, Vassal::unseen);
        }
    }

    fn stop_all(&mut self, now: Moment) {
        self.ending = if self.ending == Ending::No { Ending::Stop } else { Ending::Kill };
        self.change_all(now, Vassal::stop_asked);
    }

    /// How long the spawner may say nothing: whoever wants us to end does not wait as long.
    fn silence_ms(&self) -> u64 {
        match self.ending {
            Ending::No => self.policy.silence_ms,
            Ending::Stop | Ending::Kill => self.policy.last_silence_ms,
        }
    }

    fn first_due(&self, now: Moment) -> Option<VassalId> {
        self.agenda.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }

    fn change_all(&mut self, now: Moment, act: fn(&mut Vassal, &mut Turn<'_>)) {
        let ids: Vec<VassalId> = self.vassals.keys().copied().collect();
        ids.into_iter().for_each(|id| self.change(id, now, act));
    }

    /// Only the last process of a vassal counts.
    fn change_process(
        &mut self,
        which: Incarnation,
        now: Moment,
        act: impl FnOnce(&mut Vassal, &mut Turn<'_>),
    ) {
        if self.vassals.get(&which.id).is_some_and(|vassal| vassal.attempt == which.attempt) {
            self.change(which.id, now, act);
        }
    }

    /// The only place where a vassal changes.
    fn change(&mut self, id: VassalId, now: Moment, act: impl FnOnce(&mut Vassal, &mut Turn<'_>)) {
        let Some(vassal) = self.vassals.get_mut(&id) else { return };
        let (was, word, face) = (vassal.footing(&self.policy), vassal.state.word(), vassal.face());
        let turn = &mut Turn { policy: &self.policy, now, ending: self.ending, orders: &mut self.orders };
        act(vassal, turn);
        vassal.let_go_of_texts(turn);
        if vassal.state.word() != word {
            vassal.life.since = now;
        }
        if vassal.face() != face && self.awaited.contains(&id) {
            self.orders.push_back(Order::Report(id));
        }
        let is = vassal.footing(&self.policy);
        if was != is {
            self.debts.change(was.owed, is.owed, (now, self.silence_ms()));
            self.settle(id, was, is);
            self.hand_over(id, was, is);
            self.keep_to_the_limit(id, was, is, now);
        }
        if was.service.is_some() && was.service != is.service {
            self.dismiss_brood(id, now);
        }
        self.remove_if_over(id, now);
    }

    /// The only place where the tables change: they are the footings of all vassals.
    fn settle(&mut self, id: VassalId, was: Footing, is: Footing) {
        was.deadline.inspect(|at| _ = self.agenda.remove(&(*at, id)));
        is.deadline.inspect(|at| _ = self.agenda.insert((*at, id)));
        was.queued.inspect(|place| self.queue.leave(id, *place));
        is.queued.inspect(|place| self.queue.join(id, *place));
        was.slot.inspect(|class| self.queue.vacate(*class));
        is.slot.inspect(|class| self.queue.occupy(*class));
        was.tenant.inspect(|uid| self.tenants.leave(*uid));
        is.tenant.inspect(|uid| self.tenants.join(*uid));
        was.excess.inspect(|uid| self.tenants.give_up(*uid, id));
        is.excess.inspect(|uid| self.tenants.wait(*uid, id));
        self.alive = self.alive + usize::from(is.alive) - usize::from(was.alive);
    }

    fn hand_over(&mut self, id: VassalId, was: Footing, is: Footing) {
        let Some(vassal) = self.vassals.get(&id).filter(|_| was.owner != is.owner) else { return };
        was.owner.inspect(|uid| self.belongings.lose(*uid, &vassal.key));
        is.owner.inspect(|uid| self.belongings.gain(*uid, vassal.key.clone(), id));
    }

    /// Who joins an owner that has too many has to wait, and who leaves makes room.
    fn keep_to_the_limit(&mut self, id: VassalId, was: Footing, is: Footing, now: Moment) {
        if self.ending != Ending::No {
            return;
        }
        let moved = was.tenant != is.tenant;
        let ended = was.alive && !is.alive;
        if (moved || ended) && is.tenant.is_some_and(|uid| self.tenants.is_over(uid, self.policy.tenant_max))
        {
            self.change(id, now, if is.alive { Vassal::expel } else { Vassal::exclude });
        }
        let left = was.tenant.filter(|_| moved);
        while let Some(next) = left.and_then(|uid| self.tenants.next(uid, self.policy.tenant_max)) {
            self.change(next, now, Vassal::start_now);
        }
    }

    fn remove_if_over(&mut self, id: VassalId, now: Moment) {
        if self.vassals.get(&id).is_none_or(|vassal| vassal.state != state::State::Outside) {
            return;
        }
        self.strains.remove(&id);
        let Some(vassal) = self.vassals.remove(&id) else { return };
        if !vassal.is_zerg {
            self.ids.remove(&vassal.key);
        }
        self.leave_brood(&vassal, now);
    }

    /// Fills the free slots, and ends when there is nothing left to wait for.
    fn conclude(&mut self, now: Moment) {
        while self.ending == Ending::No
            && let Some(id) = self.queue.next(self.policy.starting_max)
        {
            self.change(id, now, Vassal::start);
        }
        if self.ending != Ending::No && self.alive == 0 && !self.finished {
            self.finished = true;
            self.orders.push_back(Order::Finish);
        }
    }
}
