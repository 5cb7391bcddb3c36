//! Pure. How many vassals each owner has, and which of them have to wait for room.

use std::collections::{BTreeMap, BTreeSet};

use super::event::VassalId;

/// The owners by their uid.
#[derive(Debug, Default)]
pub struct Tenants(BTreeMap<u32, Tenant>);

#[derive(Debug, Default)]
struct Tenant {
    count: u32,
    excess: BTreeSet<VassalId>,
}

impl Tenants {
    /// One more vassal of this owner counts.
    pub fn join(&mut self, uid: u32) {
        self.0.entry(uid).or_default().count += 1;
    }

    /// One less counts.
    pub fn leave(&mut self, uid: u32) {
        if let Some(tenant) = self.0.get_mut(&uid) {
            tenant.count = tenant.count.saturating_sub(1);
        }
        self.tidy(uid);
    }

    /// This one waits for room.
    pub fn wait(&mut self, uid: u32, id: VassalId) {
        self.0.entry(uid).or_default().excess.insert(id);
    }

    /// It no longer waits.
    pub fn give_up(&mut self, uid: u32, id: VassalId) {
        if let Some(tenant) = self.0.get_mut(&uid) {
            tenant.excess.remove(&id);
        }
        self.tidy(uid);
    }

    /// Whether this owner has more than may be. Root may have any number, as may all when `max` is 0.
    pub fn is_over(&self, uid: u32, max: u32) -> bool {
        uid != 0 && max != 0 && self.count(uid) > max
    }

    /// The one that waits longest, if there is room for it.
    pub fn next(&self, uid: u32, max: u32) -> Option<VassalId> {
        if max != 0 && self.count(uid) >= max {
            return None;
        }
        self.0.get(&uid)?.excess.first().copied()
    }

    fn count(&self, uid: u32) -> u32 {
        self.0.get(&uid).map_or(0, |tenant| tenant.count)
    }

    fn tidy(&mut self, uid: u32) {
        if self.0.get(&uid).is_some_and(|tenant| tenant.count == 0 && tenant.excess.is_empty()) {
            self.0.remove(&uid);
        }
    }
}
