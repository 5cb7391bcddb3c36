//! Pure. Owners whom root has disabled: nothing of theirs is started, whatever it is called.

use super::Emperor;
use super::event::{Moment, Sight, VassalId};
use super::vassal::{Turn, Vassal};

impl Emperor {
    /// Nothing of his is started, by whatever name it comes.
    pub(super) fn owner_disabled(&mut self, uid: u32, now: Moment) {
        self.outlaws.insert(uid);
        let ids = self.of_owner(uid);
        ids.into_iter().for_each(|id| self.change(id, now, Vassal::outlawed));
    }

    /// It is again.
    pub(super) fn owner_enabled(&mut self, uid: u32, now: Moment) {
        self.outlaws.remove(&uid);
        let ids = self.of_owner(uid);
        ids.into_iter().for_each(|id| self.change(id, now, Vassal::readmitted));
    }

    /// Whatever is this user's, zergs too.
    fn of_owner(&self, uid: u32) -> Vec<VassalId> {
        let his = self.vassals.values().filter(|vassal| vassal.config.owner.uid == uid);
        his.map(|vassal| vassal.id).collect()
    }

    /// Whether this user is disabled.
    pub fn is_outlaw(&self, uid: u32) -> bool {
        self.outlaws.contains(&uid)
    }
}

impl Vassal {
    /// Whether nothing but `enable` starts it.
    pub fn is_disabled(&self) -> bool {
        self.disabled || self.outlaws
    }

    /// Whether nothing of it is started for now, by what was said of it or of its owner.
    pub fn is_barred(&self) -> bool {
        self.suspended || self.outlaws
    }

    /// Its owner is disabled. What was said of itself stays as it is.
    pub fn outlawed(&mut self, turn: &mut Turn<'_>) {
        self.outlaws = true;
        self.halt(turn);
    }

    /// He is not any more: it goes on, unless it was stopped itself.
    pub fn readmitted(&mut self, turn: &mut Turn<'_>) {
        if std::mem::take(&mut self.outlaws) && !self.is_barred() {
            self.go_on(turn);
        }
    }

    /// Its config was seen again, which may be another's now: before anything is started for him, it is held. A start that is under
    /// way, or was, may have been his already.
    pub fn seen_of(&mut self, outlaws: bool, sight: Sight, turn: &mut Turn<'_>) {
        self.outlaws |= outlaws;
        self.sighted(sight, turn);
        if outlaws {
            self.halt(turn);
        } else {
            self.readmitted(turn);
        }
    }
}
