//! Pure. Texts that the spawner holds for vassals which were told to reload.

use std::collections::{BTreeMap, BTreeSet};

use crate::emperor::event::{Digest, VassalId};

/// What each was ever given, and of whom some is held.
#[derive(Debug, Default)]
pub struct Texts {
    given: BTreeMap<VassalId, BTreeSet<u64>>,
    held: BTreeSet<VassalId>,
}

impl Texts {
    pub fn given(&mut self, id: VassalId, digest: Digest) {
        self.held.insert(id);
        self.given.entry(id).or_default().insert(digest.0);
    }

    /// Only what a vassal was given is held for it.
    pub fn hold(&mut self, id: VassalId, digest: Option<Digest>) {
        match digest {
            Some(digest) => {
                assert!(self.held.contains(&id), "nothing is held of {id:?}");
                assert!(self.given[&id].contains(&digest.0), "{id:?} was never given that");
            }
            None => assert!(self.held.remove(&id), "nothing is held of {id:?}"),
        }
    }

    /// Nobody needs one at the end.
    pub fn are_let_go(&self) {
        assert!(self.held.is_empty(), "texts are left behind: {:?}", self.held);
    }
}
