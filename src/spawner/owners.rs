//! What a vassal gets with the ids of its owner: groups, and in a user namespace ranges of ids.

use jail::Identity;

use super::birth;
use super::charter::Charter;
use super::court::Court;
use crate::emperor::event::Owner;
use crate::names;
use crate::subids::{Ranges, Subids, keep_apart};
use crate::trust::Trust;

impl Court {
    /// The ids that a vassal gets besides those of its owner, by the files as they are now.
    ///
    /// # Errors
    /// Why it must not get them, as a sentence.
    pub(super) fn ranges(&mut self, charter: &Charter, trust: Trust) -> Result<Ranges, String> {
        // Also in a jail that needs no further ids: others have them.
        keep_apart(charter.id_ranges.rules(), charter.owner_of(trust, own_ids()))?;
        let Some(owner) = birth::ranges_of(charter, trust, own_ids()) else {
            return Ok(Ranges::default());
        };
        self.subids.get_or_insert_with(|| Subids::look(&charter.id_ranges)).of(owner)
    }
}

/// Our own ids.
pub fn own_ids() -> Owner {
    Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
}

/// The ids of a vassal outside of any user namespace; `None` where it keeps ours.
pub fn identity_of(charter: &Charter, trust: Trust) -> Option<Identity> {
    let outside = match trust {
        Trust::Tenant(owner) if charter.privileged => Some((owner, groups(charter, owner.uid))),
        _ => charter.identity.map(|owner| (owner, Vec::new())),
    };
    outside.map(|(Owner { uid, gid }, groups)| Identity { uid, gid, groups })
}

/// Groups of an owner, as policy has them. A user without a name has none.
pub fn groups(charter: &Charter, uid: u32) -> Vec<u32> {
    if !charter.tyrant_initgroups {
        return Vec::new();
    }
    names::User::by_uid(uid).map(|user| names::groups_of(&user)).unwrap_or_default()
}
