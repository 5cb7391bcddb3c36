//! What configs say of their vassals, for those who ask how these are.

use std::collections::HashMap;
use std::sync::Arc;

use crate::emperor::event::VassalId;
use crate::emperor::snapshot::{Attribute, Snapshot};

/// By the number of the vassal, as its last process was made with.
#[derive(Default)]
pub(super) struct Attributes(HashMap<VassalId, Arc<[Attribute]>>);

impl Attributes {
    /// It has said this.
    pub fn learn(&mut self, id: VassalId, list: Vec<Attribute>) {
        self.0.insert(id, list.into());
    }

    /// The vassal is no more.
    pub fn forget(&mut self, id: VassalId) {
        self.0.remove(&id);
    }

    /// Adds to each vassal what its config says.
    pub fn add(&self, snapshot: &mut Snapshot) {
        for view in snapshot.vassals.iter_mut().filter(|view| !view.zerg) {
            view.attributes = self.0.get(&view.id).cloned().unwrap_or_default();
        }
    }
}
