//! Pure. How vassals are, for people.

use super::Emperor;
use super::event::{Owner, VassalId};
use super::snapshot::{BlacklistView, Snapshot, VassalView};
use super::vassal::{Ending, Vassal};

impl Emperor {
    /// Everything that there is to be seen, in the order of the vassals' numbers.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_for(|_| true)
    }

    /// The part of it that is about vassals of owners who count.
    pub fn snapshot_for(&self, counts: impl Fn(Owner) -> bool) -> Snapshot {
        self.shot(|| self.vassals.values().filter(|vassal| counts(vassal.config.owner)).map(AsRef::as_ref))
    }

    /// The part of it that is about these.
    pub fn snapshot_of(&self, ids: &[VassalId]) -> Snapshot {
        self.shot(|| ids.iter().filter_map(|id| self.vassals.get(id)).map(AsRef::as_ref))
    }

    fn shot<'a, I: Iterator<Item = &'a Vassal>>(&self, vassals: impl Fn() -> I) -> Snapshot {
        Snapshot {
            vassals: vassals().map(|vassal| self.view(vassal)).collect(),
            blacklist: vassals().filter_map(|vassal| BlacklistView::of(vassal, &self.policy)).collect(),
            ending: self.ending != Ending::No,
        }
    }

    fn view(&self, vassal: &Vassal) -> VassalView {
        let strain = self.strains.get(&vassal.id).cloned();
        VassalView { strain, ..VassalView::of(vassal, &self.policy) }
    }

    /// How those of this name are, or of this name and any suffix.
    pub fn views_of(&self, name: &str) -> Vec<VassalView> {
        let is = |known: &str| known == name || known.rsplit_once('.').is_some_and(|(stem, _)| stem == name);
        let meant = self.vassals.values().filter(|vassal| is(&vassal.key.name));
        meant.map(|vassal| VassalView::of(vassal, &self.policy)).collect()
    }

    /// How this one is.
    pub fn view_of(&self, id: VassalId) -> Option<VassalView> {
        self.vassals.get(&id).map(|vassal| self.view(vassal))
    }
}
