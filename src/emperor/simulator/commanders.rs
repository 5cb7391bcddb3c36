//! Pure. Those who give commands, and what must be true of vassals when others speak.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use crate::emperor::event::{Command, Event, Key, Sight, VassalId, Whose};
use crate::emperor::order::Order;
use crate::emperor::snapshot::VassalView;
use crate::emperor::state::State;

/// Longest pause before a start that somebody asked for: the pace of a config's changes.
const SOON_MS: u64 = 1_000;
/// Most orders that one byte leads to for each process.
const BYTE_ORDERS_MAX: usize = 4;

const COMMANDS: [Command; 6] = [
    Command::Spawn,
    Command::Respawn,
    Command::Stop,
    Command::Restart,
    Command::Disable(Whose::Master),
    Command::Enable,
];

/// What stays of what was told.
#[derive(Debug, Default)]
pub struct Wishes {
    /// To start (true) or to stop, whichever came last.
    last: BTreeMap<VassalId, bool>,
    disabled: BTreeMap<Key, Whose>,
    /// Who was told to start, and not to stop since: that may take more than one order, of which the first binds a listener.
    pub summoned: BTreeSet<VassalId>,
    /// Owners who are disabled.
    outlaws: BTreeSet<u32>,
}

/// How a vassal stands: what no other one may change.
type Standing = (State, u32, bool);

impl World {
    /// Somebody who may gives a command.
    pub fn command(&mut self, key: &Key) {
        let Some(id) = self.emperor.ids.get(key).copied() else { return };
        let command = match COMMANDS[self.dice.below(6) as usize] {
            Command::Disable(_) if self.dice.percent(50) => Command::Disable(self.owners_word(id)),
            command => command,
        };
        match command {
            Command::Disable(_) if self.wishes.disabled.get(key) == Some(&Whose::Master) => {}
            Command::Disable(whose) => _ = self.wishes.disabled.insert(key.clone(), whose),
            Command::Enable => _ = self.wishes.disabled.remove(key),
            Command::Spawn | Command::Respawn | Command::Stop | Command::Restart => {}
        }
        let disabled = self.wishes.disabled.contains_key(key);
        match command {
            Command::Spawn | Command::Restart | Command::Enable if disabled => {}
            Command::Spawn | Command::Restart if self.is_outlaws(id) => {}
            Command::Spawn | Command::Restart | Command::Enable => {
                self.wishes.last.insert(id, true);
                self.knock(id);
            }
            Command::Stop | Command::Disable(_) => {
                self.wishes.last.insert(id, false);
                self.wishes.summoned.remove(&id);
            }
            Command::Respawn => {}
        }
        self.wait_for_a_change(id);
        self.tell(Event::Commanded(id, command));
    }

    /// Root disables an owner, or enables him again.
    pub fn command_owner(&mut self) {
        let uid = self.any_owner().uid;
        if self.wishes.outlaws.remove(&uid) {
            let his = self.emperor.vassals.values().filter(|vassal| vassal.config.owner.uid == uid);
            let his: Vec<VassalId> = his.map(|vassal| vassal.id).collect();
            his.into_iter().for_each(|id| self.knock(id));
            self.tell(Event::OwnerEnabled(uid));
        } else if self.dice.percent(30) {
            self.wishes.outlaws.insert(uid);
            self.tell(Event::OwnerDisabled(uid));
        }
    }

    /// Whether it is somebody's who is disabled, as far as the monitor has said.
    fn is_outlaws(&self, id: VassalId) -> bool {
        self.emperor.owner(id).is_some_and(|owner| self.wishes.outlaws.contains(&owner.uid))
    }

    pub fn starts_for_no_outlaw(&self, id: VassalId) {
        assert!(!self.is_outlaws(id), "seed {}: {id:?} is started and its owner is disabled", self.seed);
    }

    fn owners_word(&self, id: VassalId) -> Whose {
        self.emperor.owner(id).map_or(Whose::Master, |owner| Whose::Owner(owner.uid))
    }

    /// What an owner has disabled counts as long as it is his.
    pub fn change_hands(&mut self, key: &Key, sight: &Sight) {
        if sight.refusal.is_some() || self.emperor.is_ending() {
            return;
        }
        if matches!(self.wishes.disabled.get(key), Some(Whose::Owner(uid)) if *uid != sight.owner.uid) {
            self.wishes.disabled.remove(key);
            // As if somebody had enabled it.
            if let Some(id) = self.emperor.ids.get(key).copied() {
                self.wishes.last.insert(id, true);
                self.knock(id);
            }
        }
    }

    /// Whoever gives a command waits for what comes of it, and now and then he goes.
    fn wait_for_a_change(&mut self, id: VassalId) {
        if self.dice.percent(50) {
            self.oath.awaited.insert(id);
            self.emperor.await_change(id);
        } else {
            self.oath.awaited.remove(&id);
            self.emperor.await_no_more(id);
        }
    }

    /// Whether it may not be started before it is told to.
    pub fn waits_for_a_command(&self, view: &VassalView) -> bool {
        if self.wishes.disabled.contains_key(&view.key) || self.is_outlaws(view.id) {
            return true;
        }
        match self.wishes.last.get(&view.id) {
            Some(told_to_start) => !told_to_start,
            None => self.policy.suspends(&view.key.name),
        }
    }

    /// However often it has died: who was told to start is not put off for longer than any change of a config is.
    pub fn starts_soon(&self, id: VassalId) {
        let Some(vassal) = self.emperor.vassals.get(&id) else { return };
        if let State::Waiting { until } = vassal.state {
            assert!(until <= self.now.plus_ms(SOON_MS), "seed {}: put off by {vassal:?}", self.seed);
        }
    }

    /// How everybody else stands who is not waiting for a turn (what is said may free a turn for those) and does not help
    /// whoever speaks.
    pub fn others(&self, about: Option<VassalId>) -> BTreeMap<VassalId, Standing> {
        let is_other =
            |id: VassalId| about.is_none_or(|about| id != about && self.emperor.helped_by(id) != about);
        let others = self.emperor.vassals.iter().filter(|(id, _)| is_other(**id));
        let others = others.filter(|(_, vassal)| !matches!(vassal.state, State::Queued { .. }));
        others.map(|(id, vassal)| (*id, (vassal.state, vassal.attempt, vassal.suspended))).collect()
    }

    /// Whatever comes on the descriptor of one vassal is its own matter.
    pub fn are_untouched(&self, others: &BTreeMap<VassalId, Standing>) {
        for (id, before) in others {
            let after = self.emperor.vassals.get(id).map(|one| (one.state, one.attempt, one.suspended));
            assert_eq!(after, Some(*before), "seed {}: {id:?} was touched by another one", self.seed);
        }
    }

    /// What one byte leads to is few orders, for whoever sent it and its zergs; others get at most a turn to start that
    /// it gave free.
    pub fn orders_are_its_own(&self, about: Option<VassalId>) {
        let helps = |id: VassalId| Some(id) == about || Some(self.emperor.helped_by(id)) == about;
        let is_its = |order: &&Order| match order {
            Order::Spawn(which) => helps(which.id),
            Order::Send(which, _) | Order::Kill(which) | Order::Bury(which) => {
                assert!(helps(which.id), "seed {}: {order:?} by a byte of {about:?}", self.seed);
                true
            }
            _ => true,
        };
        let count = self.emperor.orders.iter().filter(is_its).count();
        let max = BYTE_ORDERS_MAX * (1 + self.policy.broodlord as usize);
        assert!(count <= max, "seed {}: one byte of {about:?} leads to {count} orders", self.seed);
    }
}
