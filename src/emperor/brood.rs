//! Pure. Zergs: further processes of a vassal that has asked for them because it has too much to do. They live on its
//! sockets, so none outlives the process and the config that asked. Nobody's asking is felt by anybody else.

use std::collections::{BTreeMap, BTreeSet};

use super::Emperor;
use super::event::{Incarnation, Key, Moment, VassalId};
use super::order::News;
use super::pacing::{Class, back_off_ms};
use super::policy::Policy;
use super::state::{State, Then};
use super::vassal::{Ending, Turn, Vassal};

/// What is added to the name of a vassal for that of its zergs; its second half is the section that they read.
pub const ZERG: &str = ":zerg";
/// A vassal gets no more than one zerg in this time, however often it asks.
const ZERG_EVERY_MS: u64 = 1_000;

/// One zerg.
#[derive(Clone, Debug)]
struct Zerg {
    /// Who asked for it.
    of: VassalId,
    /// The name of that one, whose config it reads.
    reads: Key,
    /// Counts the zergs of that name from 1.
    number: u32,
}

/// All zergs, and what they count for.
#[derive(Debug, Default)]
pub struct Broods {
    zergs: BTreeMap<VassalId, Zerg>,
    /// By the name of their vassal: one that goes and comes back has no more of them for that.
    broods: BTreeMap<Key, Brood>,
}

/// The zergs of one name.
#[derive(Debug, Default)]
struct Brood {
    zergs: BTreeSet<VassalId>,
    last_number: u32,
    /// It gets none before.
    next_at: Moment,
    /// Bad ends in a row.
    deaths: u32,
}

impl Broods {
    /// The number of a zerg that this vassal gets now, if it may have one more.
    fn admit(&mut self, reads: &Key, now: Moment, policy: &Policy) -> Option<u32> {
        if policy.broodlord == 0 {
            return None;
        }
        let brood = self.broods.entry(reads.clone()).or_default();
        if now < brood.next_at || brood.zergs.len() >= policy.broodlord as usize {
            return None;
        }
        brood.next_at = now.plus_ms(ZERG_EVERY_MS);
        brood.last_number = brood.last_number.saturating_add(1);
        Some(brood.last_number)
    }

    fn join(&mut self, id: VassalId, zerg: Zerg) {
        self.broods.entry(zerg.reads.clone()).or_default().zergs.insert(id);
        self.zergs.insert(id, zerg);
    }

    /// Those that this vassal has asked for.
    fn of(&self, of: &Vassal) -> Vec<VassalId> {
        let Some(brood) = self.broods.get(&of.key) else { return Vec::new() };
        let is_its = |id: &&VassalId| self.zergs.get(id).is_some_and(|zerg| zerg.of == of.id);
        brood.zergs.iter().filter(is_its).copied().collect()
    }

    /// A zerg is no more. After a bad end the next one waits as long as a vassal would.
    fn bury(&mut self, zerg: &Vassal, now: Moment, policy: &Policy) -> Option<Key> {
        let Zerg { of, reads, .. } = self.zergs.remove(&zerg.id)?;
        let brood = self.broods.get_mut(&reads)?;
        brood.zergs.remove(&zerg.id);
        brood.deaths = if zerg.pacing.deaths == 0 { 0 } else { brood.deaths.saturating_add(1) };
        if brood.deaths > 0 {
            let delay_ms = back_off_ms(policy, of, brood.deaths.saturating_add(1));
            brood.next_at = brood.next_at.max(now.plus_ms(delay_ms));
        }
        Some(reads)
    }

    /// Nothing is remembered of a name that has neither a vassal nor zergs.
    fn tidy(&mut self, reads: &Key) {
        if self.broods.get(reads).is_some_and(|brood| brood.zergs.is_empty()) {
            self.broods.remove(reads);
        }
    }
}

impl Emperor {
    /// The config that a vassal runs by: its own, or for a zerg that of whoever asked, and its number.
    pub fn config_of(&self, id: VassalId) -> Option<(&Key, Option<u32>)> {
        match self.broods.zergs.get(&id) {
            Some(zerg) => Some((&zerg.reads, Some(zerg.number))),
            None => Some((self.key(id)?, None)),
        }
    }

    /// Whom it helps; itself when it is no zerg.
    #[cfg(test)]
    pub fn helped_by(&self, id: VassalId) -> VassalId {
        self.broods.zergs.get(&id).map_or(id, |zerg| zerg.of)
    }

    /// Somebody has too much to do. A zerg asks for its vassal. Who asks too often is not heard, and asks again.
    pub(super) fn reinforce(&mut self, which: Incarnation, now: Moment) {
        let Some(of) = self.asker(which).filter(|_| self.ending == Ending::No) else { return };
        let Some((reads, config)) =
            self.vassals.get(&of).map(|vassal| (vassal.key.clone(), vassal.config.clone()))
        else {
            return;
        };
        let Some(number) = self.broods.admit(&reads, now, &self.policy) else { return };
        self.change(of, now, |vassal, turn| vassal.tell(News::Reinforced { number }, turn));
        let key = Key { monitor: reads.monitor, name: format!("{}{ZERG}", reads.name).into() };
        self.last_id += 1;
        let id = VassalId(self.last_id);
        let zerg = Vassal { is_zerg: true, ..Vassal::new(id, key, config, now) };
        self.vassals.insert(id, Box::new(zerg));
        self.broods.join(id, Zerg { of, reads, number });
        self.change(id, now, Vassal::hatch);
    }

    /// For whom this process asks, if both serve.
    fn asker(&self, which: Incarnation) -> Option<VassalId> {
        let serves = |id| self.vassals.get(&id).filter(|vassal| vassal.service().is_some());
        let speaker = serves(which.id).filter(|vassal| vassal.attempt == which.attempt)?;
        let of = self.broods.zergs.get(&which.id).map_or(speaker.id, |zerg| zerg.of);
        serves(of).map(|vassal| vassal.id)
    }

    /// What its zergs were asked for by is over.
    pub(super) fn dismiss_brood(&mut self, of: VassalId, now: Moment) {
        let zergs = self.vassals.get(&of).map(|vassal| self.broods.of(vassal)).unwrap_or_default();
        zergs.into_iter().for_each(|id| self.change(id, now, Vassal::dismissed));
    }

    /// A zerg, or a vassal that may have had some, is no more.
    pub(super) fn leave_brood(&mut self, left: &Vassal, now: Moment) {
        let reads = self.broods.bury(left, now, &self.policy).unwrap_or_else(|| left.key.clone());
        if !self.ids.contains_key(&reads) {
            self.broods.tidy(&reads);
        }
    }
}

impl Vassal {
    /// Names a stretch in which the same process runs by the same config, if there is one now: its number, and how
    /// often it has been told to reload.
    pub fn service(&self) -> Option<(u32, u32)> {
        let serves = matches!(self.state, State::Running | State::Reloading { .. });
        (serves && self.process.silent_at.is_none()).then_some((self.attempt, self.life.reloads))
    }

    /// A zerg is started in the lane of those whose start holds up nobody who is well.
    fn hatch(&mut self, turn: &mut Turn<'_>) {
        self.pacing.class = Class::Second;
        self.state = State::Queued { since: turn.now };
    }

    /// Nobody needs it any more.
    fn dismissed(&mut self, turn: &mut Turn<'_>) {
        self.gone = true;
        match self.state {
            State::Outside => {}
            State::Queued { .. } | State::Waiting { .. } | State::Idle => self.leave(turn),
            State::Refused | State::Excess | State::Rested(_) => self.leave(turn),
            State::Starting => {} // stopped when it is born
            State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                self.stop(Then::Again, self.why_gone(), turn);
            }
            State::Stopping { .. } | State::Killed { .. } => {} // it ends already
        }
    }

    /// Why nothing is started for it any more.
    pub fn why_gone(&self) -> &'static str {
        if self.is_zerg { "its vassal ends or reloads" } else { "its config is gone" }
    }
}
