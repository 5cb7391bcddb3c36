//! The ids that a vassal gets in its user namespace besides those of its owner.

use super::birth;
use super::court::{Court, own_ids};
use crate::subids::{Ranges, Subids};
use crate::trust::Trust;

impl Court {
    /// By the files as they are now.
    ///
    /// # Errors
    /// Why it must not get them, as a sentence.
    pub(super) fn ranges(&mut self, trust: Trust) -> Result<Ranges, String> {
        let Some(owner) = birth::ranges_of(&self.charter, trust, own_ids()) else {
            return Ok(Ranges::default());
        };
        self.subids.get_or_insert_with(Subids::look).of(owner)
    }
}
