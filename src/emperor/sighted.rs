//! Pure. What becomes of a vassal when a monitor sees its config, or sees that it is gone.

use super::event::{Moment, Sight};
use super::order::News;
use super::state::{Rest, State, Then};
use super::vassal::{Turn, Vassal};

impl Vassal {
    /// Its config was seen for the first time.
    pub fn arrive(&mut self, turn: &mut Turn<'_>) {
        self.suspended = self.disabled || turn.policy.suspends(&self.key.name);
        self.start_now(turn);
    }

    /// Its config was seen again. A changed one forgives what was before.
    pub fn sighted(&mut self, sight: Sight, turn: &mut Turn<'_>) {
        let changed =
            self.gone || sight.fingerprint != self.config.fingerprint || sight.owner != self.config.owner;
        let moved = sight.owner != self.config.owner;
        self.config = sight;
        self.gone = false;
        if moved {
            self.stop_listening(turn);
        }
        if changed {
            self.verdict = None;
            self.pacing.forgive();
        }
        match self.state {
            State::Outside => {} // it is in no table, so nobody can see it
            State::Queued { .. } => self.recheck(turn),
            State::Waiting { .. } => self.hurry(changed, turn),
            State::Idle => self.sighted_idle(changed, turn),
            State::Refused => self.reconsider(turn),
            State::Excess => self.ask_for_room(moved, turn),
            State::Rested(why) => self.rouse(why, changed, turn),
            State::Starting => {} // what it was given shows when it runs
            State::Stepping { .. } => self.stop_if_refused(turn),
            State::Running | State::Reloading { .. } => self.compare(turn),
            State::Stopping { then, kill_at } => {
                self.state = State::Stopping { then: then.after(changed), kill_at };
            }
            State::Killed { then, again_at, owed } => {
                self.state = State::Killed { then: then.after(changed), again_at, owed };
            }
        }
    }

    /// Its config is gone: so will it be.
    pub fn unseen(&mut self, turn: &mut Turn<'_>) {
        self.gone = true;
        match self.state {
            State::Outside => {} // it is in no table, so nobody can miss it
            State::Queued { .. } | State::Waiting { .. } => self.leave(turn),
            State::Idle | State::Refused | State::Excess | State::Rested(_) => self.leave(turn),
            State::Starting => {} // stopped when it is born
            State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                self.stop(Then::Again, "its config is gone", turn);
            }
            State::Stopping { .. } | State::Killed { .. } => {} // it ends already
        }
    }

    /// Whether a vassal without a process may wait for one.
    pub fn recheck(&mut self, turn: &mut Turn<'_>) {
        if self.refusal().is_some() {
            self.refuse(turn);
        }
    }

    /// A change ends the back-off, as far as the ration allows, and never makes it longer.
    pub(super) fn hurry(&mut self, changed: bool, turn: &mut Turn<'_>) {
        let State::Waiting { until } = self.state else { return };
        if self.refusal().is_some() {
            self.refuse(turn);
        } else if changed && until > turn.now {
            self.start_rationed(turn);
            self.keep_earlier(until);
        }
    }

    fn keep_earlier(&mut self, before: Moment) {
        if let State::Waiting { until } = &mut self.state {
            *until = before.min(*until);
        }
    }

    fn reconsider(&mut self, turn: &mut Turn<'_>) {
        match self.refusal() {
            Some(_) => self.tell_refusal(turn),
            None => self.start_rationed(turn),
        }
    }

    /// With a new owner there may be room.
    fn ask_for_room(&mut self, moved: bool, turn: &mut Turn<'_>) {
        if self.refusal().is_some() {
            self.refuse(turn);
        } else if moved {
            self.told_excess = false;
            self.start_rationed(turn);
        }
    }

    fn rouse(&mut self, why: Rest, changed: bool, turn: &mut Turn<'_>) {
        if self.refusal().is_some() {
            self.refuse(turn);
        } else if changed && !matches!(why, Rest::Suspended | Rest::Ending) {
            self.start_rationed(turn);
        }
    }

    /// Whether a process still has the right to run.
    pub fn stop_if_refused(&mut self, turn: &mut Turn<'_>) {
        if self.refusal().is_some() {
            self.tell_refusal(turn);
            self.stop(Then::Again, "its config may not run any more", turn);
        }
    }

    /// Whether the process has the config that was seen, and the owner.
    pub fn compare(&mut self, turn: &mut Turn<'_>) {
        if self.refusal().is_some() {
            self.stop_if_refused(turn);
        } else if self.config.owner != self.process.owner {
            self.change_owner(turn);
        } else if self.config.fingerprint != self.process.fingerprint {
            self.ask_reload(turn);
        }
    }

    /// It may not go on as somebody else's.
    pub fn change_owner(&mut self, turn: &mut Turn<'_>) {
        let (from, to) = (self.process.owner, self.config.owner);
        self.tell(News::OwnerChanged { from, to }, turn);
        self.stop(Then::Again, "its config has another owner", turn);
    }
}

impl Then {
    /// A changed config is started, whatever was meant to follow.
    pub(super) fn after(self, changed: bool) -> Self {
        if changed { Self::Again } else { self }
    }
}
