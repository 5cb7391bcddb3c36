//! Pure. Which vassals are whose: a tenant who asks about his own costs what they cost, however many others have.

use std::collections::BTreeMap;

use super::Emperor;
use super::event::{Key, VassalId};
use super::sender::Sender;

/// The vassals of each owner by his uid, but zergs.
#[derive(Debug, Default)]
pub struct Belongings(BTreeMap<u32, BTreeMap<Key, VassalId>>);

impl Belongings {
    /// This owner has one more.
    pub fn gain(&mut self, uid: u32, key: Key, id: VassalId) {
        self.0.entry(uid).or_default().insert(key, id);
    }

    /// He has it no more.
    pub fn lose(&mut self, uid: u32, key: &Key) {
        let Some(his) = self.0.get_mut(&uid) else { return };
        his.remove(key);
        if his.is_empty() {
            self.0.remove(&uid);
        }
    }

    fn of(&self, uid: u32) -> Option<&BTreeMap<Key, VassalId>> {
        self.0.get(&uid)
    }
}

impl Emperor {
    /// The vassals that somebody may command, but zergs, in the order of their names.
    pub fn known_to(&self, sender: Sender) -> impl Iterator<Item = (VassalId, &Key)> {
        let all = sender.is_master().then_some(&self.ids);
        let his = || sender.has_name().then(|| self.belongings.of(sender.uid)).flatten();
        all.or_else(his).into_iter().flatten().map(|(key, id)| (*id, key))
    }

    /// The vassals whose configs are this user's, likewise.
    pub fn owned_by(&self, uid: u32) -> impl Iterator<Item = (VassalId, &Key)> {
        self.belongings.of(uid).into_iter().flatten().map(|(key, id)| (*id, key))
    }
}
