//! Pure. One vassal: its config as last seen, its process, what it has been through, and its place in the tables.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{Fingerprint, Incarnation, Key, Moment, Sight, VassalId};
use super::on_demand::Listener;
use super::order::{News, Notice, Order};
use super::pacing::Pacing;
use super::past::Past;
use super::policy::Policy;
use super::queue::Place;
use super::state::{Due, Process, State};

/// What a vassal's decisions depend on besides itself, and where its orders go.
pub struct Turn<'a> {
    /// The rules.
    pub policy: &'a Policy,
    /// The time.
    pub now: Moment,
    /// Whether everything stops.
    pub ending: Ending,
    /// What is to be done.
    pub orders: &'a mut VecDeque<Order>,
}

/// How far the end of the Emperor has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Not at all.
    #[default]
    No,
    /// Everything was told to stop.
    Stop,
    /// Everything is killed.
    Kill,
}

/// One vassal.
#[derive(Debug)]
pub struct Vassal {
    /// Its number.
    pub id: VassalId,
    /// Its name.
    pub key: Key,
    /// Its config as last seen.
    pub config: Sight,
    /// The config is gone; the vassal ends with its process.
    pub gone: bool,
    /// Why the spawner would not run this very config.
    pub verdict: Option<Arc<str>>,
    /// Why it was not as much as started, if that was its last misfortune.
    pub failure: Option<Arc<str>>,
    /// The config whose refusal was told last.
    pub told: Option<Fingerprint>,
    /// It was told that the owner has too many.
    pub told_excess: bool,
    /// It is started only when the command `spawn` comes.
    pub suspended: bool,
    /// Somebody has disabled it: `spawn` does not help.
    pub disabled: bool,
    /// Somebody has disabled its owner.
    pub outlaws: bool,
    /// Its address changed when its process was about to be born.
    pub moved: bool,
    /// Somebody has said that it is to run: its next start waits for no connection.
    pub summoned: bool,
    /// Where it listens, if it is on demand.
    pub listener: Option<Box<Listener>>,
    /// It is a zerg.
    pub is_zerg: bool,
    /// Where it stands.
    pub state: State,
    /// Number of its last process.
    pub attempt: u32,
    /// The last process.
    pub process: Process,
    /// What its deaths cost.
    pub pacing: Pacing,
    /// For people.
    pub life: Life,
}

/// What a vassal has been through, as the stats show it.
#[derive(Clone, Debug)]
pub struct Life {
    /// When its config was first seen.
    pub born: Moment,
    /// When its state last changed.
    pub since: Moment,
    /// How many processes it has had.
    pub starts: u32,
    /// When its first process was ordered.
    pub first_run: Option<Moment>,
    /// When its last process was ordered, or told to reload.
    pub last_run: Option<Moment>,
    /// When it last said that it was spawned (byte 1).
    pub last_ready: Option<Moment>,
    /// When it last said that it accepts (byte 5).
    pub last_accepting: Option<Moment>,
    /// When it last said that it is loyal (byte 17).
    pub last_loyal: Option<Moment>,
    /// Its last heartbeat (byte 26).
    pub last_heartbeat: Option<Moment>,
    /// How often it was told to reload.
    pub reloads: u32,
    /// Ends, and what led to them; apart, as most vassals have none.
    pub past: Option<Box<Past>>,
}

/// Where a vassal stands in the Emperor's tables: all of it follows from the vassal itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footing {
    /// In the agenda.
    pub deadline: Option<Moment>,
    /// In the start queue.
    pub queued: Option<Place>,
    /// Among the starts under way.
    pub slot: Option<super::pacing::Class>,
    /// Among the processes.
    pub alive: bool,
    /// Among what this uid has.
    pub owner: Option<u32>,
    /// Among the vassals that count for this uid.
    pub tenant: Option<u32>,
    /// Among the answers that the spawner owes.
    pub owed: bool,
    /// Among those of this uid that wait for room.
    pub excess: Option<u32>,
    /// What its zergs are there for.
    pub service: Option<(u32, u32)>,
}

impl Vassal {
    /// A vassal whose config was just seen; it is in no table yet.
    pub fn new(id: VassalId, key: Key, config: Sight, now: Moment) -> Self {
        Self {
            id,
            key,
            config,
            gone: false,
            verdict: None,
            failure: None,
            told: None,
            told_excess: false,
            suspended: false,
            disabled: false,
            outlaws: false,
            moved: false,
            summoned: false,
            listener: None,
            is_zerg: false,
            state: State::Outside,
            attempt: 0,
            process: Process::default(),
            pacing: Pacing::default(),
            life: Life::new(now),
        }
    }

    /// Its last process.
    pub fn incarnation(&self) -> Incarnation {
        Incarnation { id: self.id, attempt: self.attempt }
    }

    /// The pid for notices; 0 before it is known.
    pub fn pid(&self) -> i32 {
        self.process.pid.unwrap_or(0)
    }

    /// Why its config may not run.
    pub fn refusal(&self) -> Option<&Arc<str>> {
        self.config.refusal.as_ref().or(self.verdict.as_ref())
    }

    /// Says something about it.
    pub fn tell(&self, what: News, turn: &mut Turn<'_>) {
        turn.orders.push_back(Order::Tell(Notice { key: self.key.clone(), owner: self.config.owner, what }));
    }

    /// Where it belongs in the tables.
    pub fn footing(&self, policy: &Policy) -> Footing {
        Footing {
            deadline: self.deadline(policy).map(|(at, _)| at),
            queued: self.place(),
            slot: (self.state.holds_slot() && !self.process.slow).then_some(self.process.class),
            alive: self.state.is_alive(),
            owed: self.is_owed(),
            owner: self.owner(),
            tenant: self.tenant(),
            excess: (self.state == State::Excess).then_some(self.config.owner.uid),
            service: self.service(),
        }
    }

    /// The next moment at which something happens by itself, and what.
    pub fn deadline(&self, policy: &Policy) -> Option<(Moment, Due)> {
        match self.state {
            State::Outside | State::Queued { .. } | State::Refused | State::Excess | State::Rested(_) => None,
            State::Idle => None,
            State::Starting => self.slow_order(policy),
            State::Waiting { until } => Some((until, Due::Start)),
            State::Stepping { slow_at } => sooner(self.curse(policy), slow_at.map(|at| (at, Due::Slow))),
            State::Running => self.watch(policy),
            State::Reloading { answer_by } => sooner(self.watch(policy), Some((answer_by, Due::Answer))),
            State::Stopping { kill_at, .. } => Some((kill_at, Due::Kill)),
            State::Killed { again_at, .. } => Some((again_at, Due::KillAgain)),
        }
    }

    /// What a running process is watched for.
    fn watch(&self, policy: &Policy) -> Option<(Moment, Due)> {
        let required_ms = Some(policy.required_heartbeat_ms).filter(|ms| *ms > 0);
        let beat = self.process.beat_at.zip(required_ms).map(|(at, ms)| (at.plus_ms(ms), Due::Heartbeat));
        let reload = self.process.reload_at;
        let reload = reload.map(|at| (at.max(self.reload_from(policy).unwrap_or(at)), Due::Reload));
        sooner(self.curse(policy), sooner(beat, reload))
    }

    /// Until when its start, which was ordered when this state began, holds a slot without being answered.
    fn slow_order(&self, policy: &Policy) -> Option<(Moment, Due)> {
        (!self.process.slow).then(|| (self.life.since.plus_ms(policy.slow_order_ms), Due::Slow))
    }

    /// How long it may live without its control descriptor.
    fn curse(&self, policy: &Policy) -> Option<(Moment, Due)> {
        self.process.silent_at.map(|at| (at.plus_ms(policy.curse_tolerance_ms), Due::Curse))
    }

    fn is_owed(&self) -> bool {
        match self.state {
            State::Starting => true,
            State::Killed { owed, .. } => owed,
            State::Outside | State::Queued { .. } | State::Waiting { .. } | State::Refused => false,
            State::Idle | State::Excess | State::Rested(_) | State::Stepping { .. } | State::Running => false,
            State::Reloading { .. } | State::Stopping { .. } => false,
        }
    }

    fn place(&self) -> Option<Place> {
        let State::Queued { since } = self.state else { return None };
        Some(Place { class: self.pacing.class, uid: self.config.owner.uid, since })
    }

    /// Whose it is as long as there is one.
    fn owner(&self) -> Option<u32> {
        (!self.is_zerg && self.state != State::Outside).then_some(self.config.owner.uid)
    }

    /// The owner whose number of vassals it counts for: its process's as long as there is one. Zergs count for their
    /// vassal only, or one that asks for them could keep another from being started.
    fn tenant(&self) -> Option<u32> {
        if self.is_zerg {
            return None;
        }
        match self.state {
            State::Outside | State::Refused | State::Excess => None,
            State::Queued { .. } | State::Waiting { .. } | State::Idle | State::Rested(_) => {
                Some(self.config.owner.uid)
            }
            State::Starting | State::Stepping { .. } | State::Running => Some(self.process.owner.uid),
            State::Reloading { .. } | State::Stopping { .. } | State::Killed { .. } => {
                Some(self.process.owner.uid)
            }
        }
    }
}

impl Life {
    /// To be written to.
    pub fn past(&mut self) -> &mut Past {
        self.past.get_or_insert_default()
    }

    fn new(now: Moment) -> Self {
        Self {
            born: now,
            since: now,
            starts: 0,
            first_run: None,
            last_run: None,
            last_ready: None,
            last_accepting: None,
            last_loyal: None,
            last_heartbeat: None,
            reloads: 0,
            past: None,
        }
    }
}

/// The earlier of two deadlines, the first one when they are equal.
fn sooner(one: Option<(Moment, Due)>, other: Option<(Moment, Due)>) -> Option<(Moment, Due)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 < one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}
