//! Wishes about owners: whom they mean, and what becomes of all that is theirs.

use std::collections::{BTreeMap, BTreeSet};

use super::Runtime;
use super::subjects::{Subject, Subjects};
use super::wishes::Outcome;
use crate::control::wish::{Deed, OWNER, Wish};
use crate::emperor::event::{Event, VassalId};
use crate::emperor::sender::Sender;

/// What became of the owners of one wish, by their uids.
pub(super) type OfOwners = BTreeMap<u32, Outcome>;

impl Runtime {
    /// The owners of a wish that names such, with all that is theirs; of one that names vassals nothing.
    pub(super) fn owners_meant(&self, sender: Sender, wish: &Wish) -> Result<Option<Subjects>, String> {
        let owners: BTreeSet<Option<u32>> = wish.names.iter().map(|name| owner(name)).collect();
        if !matches!(wish.deed, Deed::Disable | Deed::Enable) || owners.iter().all(Option::is_none) {
            return Ok(None);
        }
        if !sender.is_master() {
            return Err("only root may disable and enable owners".into());
        }
        if owners.contains(&None) {
            return Err("owners are disabled and enabled apart from vassals: name either".into());
        }
        let mut meant = Subjects::default();
        owners.iter().flatten().for_each(|uid| meant.add_owner(*uid));
        let theirs = owners.iter().flatten().flat_map(|uid| self.emperor.owned_by(*uid));
        theirs.for_each(|(id, _)| meant.add(id));
        Ok(Some(meant))
    }

    /// What becomes of the owner of a vassal becomes of it, where the wish is about owners.
    pub(super) fn with_its_owner(
        &self,
        subject: &Subject,
        deed: Deed,
        of_owners: &OfOwners,
    ) -> Option<Outcome> {
        let Subject::Vassal(id) = subject else { return None };
        let outcome = of_owners.get(&self.emperor.owner(*id)?.uid)?;
        Some(outcome.clone().and_then(|()| self.is_free(*id, deed)))
    }

    /// Remembered first, then done: whatever is his, and whatever he calls it.
    pub(super) fn carry_out_with_owner(&mut self, uid: u32, deed: Deed) -> Outcome {
        match deed {
            Deed::Disable => {
                self.remembrance.disable_owner(uid)?;
                self.tell(Event::OwnerDisabled(uid));
            }
            Deed::Enable => {
                self.remembrance.enable_owner(uid)?;
                self.tell(Event::OwnerEnabled(uid));
            }
            Deed::Look | Deed::Start | Deed::Stop | Deed::Restart | Deed::Reload | Deed::Signal(_) => {
                return Err("an owner is disabled and enabled, and nothing more".into());
            }
        }
        Ok(())
    }

    pub(super) fn is_outlaws(&self, id: VassalId) -> bool {
        self.emperor.view_of(id).is_some_and(|view| view.outlaws)
    }

    /// Whether it runs again with its owner.
    fn is_free(&self, id: VassalId, deed: Deed) -> Outcome {
        match self.emperor.view_of(id).is_some_and(|view| view.disabled && deed == Deed::Enable) {
            true => Err("it is disabled itself, too: `liege enable` starts it by its name".into()),
            false => Ok(()),
        }
    }
}

/// `uid=1001`.
fn owner(word: &str) -> Option<u32> {
    word.strip_prefix(OWNER)?.parse().ok()
}
