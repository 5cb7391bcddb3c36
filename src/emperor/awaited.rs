//! Pure. Those who wait for a change of a vassal, and what outlives vassals: that they were disabled.

use std::collections::BTreeMap;

use super::Emperor;
use super::event::{Command, Fingerprint, Key, Sight, VassalId, Whose};
use super::order::Order;
use super::vassal::Vassal;

/// What of a vassal shows to those who wait for a change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Face {
    word: &'static str,
    attempt: u32,
    reloads: u32,
    came_up: bool,
    accepting: bool,
    held: (bool, bool),
    keeps: bool,
    becomes: bool,
}

impl Vassal {
    /// What shows of it.
    pub(super) fn face(&self) -> Face {
        Face {
            word: self.state.word(),
            attempt: self.attempt,
            reloads: self.life.reloads,
            came_up: self.process.said.came_up(),
            accepting: self.process.said.accepting,
            held: (self.suspended, self.is_disabled()),
            keeps: self.life.past.as_ref().is_some_and(|past| past.keeps()),
            becomes: self.life.past.as_ref().is_some_and(|past| past.becomes),
        }
    }
}

impl Emperor {
    /// From now on each change of this one is ordered to be reported.
    pub fn await_change(&mut self, id: VassalId) {
        self.awaited.insert(id);
    }

    /// Nobody waits for changes of this one any more.
    pub fn await_no_more(&mut self, id: VassalId) {
        self.awaited.remove(&id);
    }

    /// It was disabled when another Emperor was here.
    pub fn disabled_before(&mut self, key: Key, whose: Whose) {
        self.disabled.insert(key, whose);
    }

    /// What is disabled though no config of it is there, if whoever has disabled it counts; in the order of the names.
    pub fn marks_for(&self, counts: impl Fn(Whose) -> bool) -> impl Iterator<Item = &Key> {
        let marks = self.disabled.iter().filter(move |(_, whose)| counts(**whose));
        marks.map(|(key, _)| key).filter(|key| !self.ids.contains_key(key))
    }

    /// Whether it is disabled though no config of it is there.
    pub fn is_mark(&self, key: &Key) -> bool {
        self.disabled.contains_key(key) && !self.ids.contains_key(key)
    }

    /// A config of that name that comes is disabled no more.
    pub fn take_back_mark(&mut self, key: &Key) {
        if self.is_mark(key) {
            self.disabled.remove(key);
        }
    }

    /// Whoever has disabled what is not his any more has no word in it. Whether that was so. Of a config that is refused nobody knows whose it is.
    pub(super) fn free_of_others(&mut self, key: &Key, sight: &Sight) -> bool {
        let is_others = |whose: &Whose| matches!(whose, Whose::Owner(uid) if *uid != sight.owner.uid);
        let freed = sight.refusal.is_none() && self.disabled.get(key).is_some_and(is_others);
        if freed {
            self.disabled.remove(key);
            self.orders.push_back(Order::Enabled(key.clone()));
        }
        freed
    }

    /// The configs that there are, but those of zergs.
    pub fn configs(&self) -> BTreeMap<Key, Fingerprint> {
        let vassals = self.ids.values().filter_map(|id| self.vassals.get(id));
        let there = vassals.filter(|vassal| !vassal.gone);
        there.map(|vassal| (vassal.key.clone(), vassal.config.fingerprint)).collect()
    }

    /// A config that goes and comes again is disabled still.
    pub(super) fn note_command(&mut self, id: VassalId, command: Command) {
        let Some(vassal) = self.vassals.get(&id) else { return };
        match command {
            // What a tenant says changes nothing of what root has said.
            Command::Disable(_) if self.disabled.get(&vassal.key) == Some(&Whose::Master) => {}
            Command::Disable(whose) => _ = self.disabled.insert(vassal.key.clone(), whose),
            Command::Enable => _ = self.disabled.remove(&vassal.key),
            Command::Spawn | Command::Respawn | Command::Stop | Command::Restart => {}
        }
    }
}
