//! Daemons of the Emperor's own, while it runs: one process minds them, which is born before any vassal and ends after the last one.

use std::os::fd::OwnedFd;

use anyhow::Result;

use super::Runtime;
use super::obey::control_pair;
use crate::config::emperor::EmperorConfig;
use crate::emperor::event::{Event, Exit, Incarnation, Moment, Owner, VassalId};
use crate::emperor::order::to_vassal;
use crate::emperor::snapshot::DaemonView;
use crate::gateways::Revival;
use crate::log;
use crate::reactor::clock;
use crate::spawner::charter;
use crate::spawner::wire::Request;
use crate::vassal::household::Papers;

/// Among the numbers of vassals, which are given from the lowest on: the one that is none.
pub const HOUSEHOLD: VassalId = VassalId(u32::MAX - 1);
/// How long its last words are heard.
const LAST_WORDS_MAX: usize = 16;
/// Beyond the longest grace of a daemon: then nobody is waited for any more, in ms.
const PATIENCE_MS: u64 = 5_000;

/// What is known of it.
#[derive(Default)]
pub struct Household {
    /// The longest grace of one of its daemons; `None` without any.
    grace_ms: Option<u64>,
    attempt: u32,
    is_there: bool,
    revival: Revival,
    parting: Parting,
}

/// Whether it was told to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Parting {
    #[default]
    None,
    /// Until then.
    Told(Moment),
    Killed,
}

/// What the spawner is told of them, once.
pub fn of_config(config: &EmperorConfig, owner: Option<Owner>) -> Option<charter::Household> {
    let daemons = config.daemons.list.iter().map(|one| one.value.clone()).collect();
    let papers = Papers { daemons, mercy_ms: config.reload_mercy_ms };
    config.daemons.is_any().then_some(charter::Household { owner, papers })
}

impl Household {
    /// None, or that of this charter.
    pub fn new(household: Option<&charter::Household>) -> Self {
        Self { grace_ms: household.map(|household| household.papers.grace_max_ms()), ..Self::default() }
    }

    /// When it is to be born, or killed.
    pub fn next_deadline(&self) -> Option<Moment> {
        match self.parting {
            Parting::Told(until) => Some(until).filter(|_| self.is_there),
            Parting::None => self.revival.deadline().filter(|_| !self.is_there && self.grace_ms.is_some()),
            Parting::Killed => None,
        }
    }

    fn one(&self) -> Incarnation {
        Incarnation { id: HOUSEHOLD, attempt: self.attempt }
    }

    /// It says something: it serves.
    pub fn speaks(&mut self, now: Moment) {
        self.revival.serves(now);
    }
}

impl Runtime {
    /// Has it born if it is to be.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn mind_household(&mut self, now: Moment) -> Result<()> {
        let household = &mut self.household;
        let is_wanted = household.grace_ms.is_some() && !household.is_there && !self.finishing;
        if !is_wanted || !household.revival.is_due(now) {
            return Ok(());
        }
        household.revival.asked(now);
        match control_pair() {
            Ok(pair) => self.bear_household(pair),
            Err(error) => {
                let wait_ms = self.household.revival.ended(now);
                log::warn("daemons", &format!("cannot be minded: {error:#}; again in {wait_ms} ms"));
                Ok(())
            }
        }
    }

    fn bear_household(&mut self, (ours, theirs): (OwnedFd, OwnedFd)) -> Result<()> {
        self.household.attempt = self.household.attempt.wrapping_add(1);
        self.household.is_there = true;
        self.courtiers.expect(self.household.one(), ours);
        let output = match self.output_for(self.household.one()) {
            Ok(output) => output,
            Err(error) => {
                self.household_born(Err(format!("{error:#}")));
                return Ok(());
            }
        };
        self.spawner.send(&Request::Household, [theirs].into_iter().chain(output).collect())
    }

    /// The spawner has made it, or could not.
    pub(super) fn household_born(&mut self, outcome: Result<i32, String>) {
        let one = self.household.one();
        match outcome {
            Ok(pid) => {
                let early = self.courtiers.born(one, pid);
                self.listen_to(one);
                early.into_iter().for_each(|exit| self.household_ended(exit));
            }
            Err(sentence) => {
                self.courtiers.no_longer_expected(one);
                self.lose_household();
                let wait_ms = self.household.revival.ended(clock::now());
                log::error("daemons", &format!("{sentence}; again in {wait_ms} ms"));
            }
        }
    }

    /// Its process was reaped, and its daemons have ended with it. With status 0 it ends by itself only when one has whose end is the
    /// Emperor's.
    pub(super) fn household_ended(&mut self, exit: Exit) {
        let one = self.household.one();
        let _ = (0..LAST_WORDS_MAX).all(|_| self.hear_vassal(one));
        self.lose_household();
        if self.household.parting != Parting::None {
            return;
        }
        if exit == Exit::Code(0) {
            self.household.grace_ms = None;
            log::info("daemons", "one with `control` has ended, and the Emperor ends");
            return self.tell(Event::StopAll);
        }
        let wait_ms = self.household.revival.ended(clock::now());
        log::warn("daemons", &format!("whoever minds them ended ({exit}); again in {wait_ms} ms"));
    }

    fn lose_household(&mut self) {
        let one = self.household.one();
        self.hang_up(one);
        self.courtiers.leave(one);
        self.household.is_there = false;
        self.waiters.note(HOUSEHOLD);
    }

    /// Dumb ones begin anew, smart ones hear of it.
    pub(super) fn reload_household(&mut self) {
        if self.household.is_there && self.household.parting == Parting::None {
            self.say(self.household.one(), to_vassal::RELOAD, None);
        }
    }

    /// Once nobody is left who needs them, they end. Whether they have.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn part_from_household(&mut self) -> Result<bool> {
        let Some(grace_ms) = self.household.grace_ms.filter(|_| self.household.is_there) else {
            return Ok(true);
        };
        match self.household.parting {
            Parting::None => {
                self.say(self.household.one(), to_vassal::STOP, None);
                let until = clock::now().plus_ms(grace_ms + PATIENCE_MS);
                self.household.parting = Parting::Told(until);
            }
            Parting::Told(until) if until <= clock::now() => {
                log::warn("daemons", "whoever minds them does not end, and is killed");
                self.household.parting = Parting::Killed;
                self.spawner.send(&Request::EndHousehold, Vec::new())?;
            }
            Parting::Told(_) | Parting::Killed => {}
        }
        Ok(false)
    }

    /// How they are.
    pub(super) fn daemon_views(&self) -> Vec<DaemonView> {
        self.courtiers.daemons(HOUSEHOLD).map(|(_, daemons)| daemons.views()).unwrap_or_default()
    }
}
