//! Pure. A vassal whose address changes while its config stays: it moves, begins to be on demand, or is no longer.

use super::on_demand::Listener;
use super::order::{News, Order};
use super::state::{Rest, State, Then};
use super::vassal::{Turn, Vassal};

/// Why its process ends: another listener cannot be given to one that runs.
pub(super) const MOVED: &str = "its address has changed";

impl Vassal {
    /// What says where it listens was changed.
    pub fn address_written(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Outside => {} // it is in no table, so nobody can see it
            // none is had, so the start that is to come reads it
            State::Queued { .. } if self.listener.is_none() => {}
            State::Waiting { .. } if self.listener.is_none() => {
                self.pacing.forgive();
                self.hurry(true, turn);
            }
            // its config cannot be looked at: when that changes, all of it is read
            State::Refused | State::Excess | State::Rested(Rest::Ending) => self.stop_listening(turn),
            State::Queued { .. } | State::Waiting { .. } | State::Idle | State::Rested(_) => self.ask(turn),
            State::Starting | State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                self.ask(turn);
            }
            State::Stopping { .. } | State::Killed { .. } => self.ask(turn),
        }
    }

    fn ask(&self, turn: &mut Turn<'_>) {
        turn.orders.push_back(Order::Readdress(self.id));
    }

    /// It has this listener now, in the place of what it had.
    pub fn moved(&mut self, listener: Listener, turn: &mut Turn<'_>) {
        let (owned, had) = (listener.owner == self.config.owner, self.listener.is_some());
        let address = listener.address.clone();
        self.listener = Some(Box::new(listener));
        if !owned || matches!(self.state, State::Refused | State::Excess | State::Rested(Rest::Ending)) {
            self.stop_listening(turn);
        } else {
            self.tell(News::Listening { address }, turn);
        }
        match self.state {
            State::Idle => self.line_up(turn),
            // somebody has connected to where it was
            State::Queued { .. } if had => {}
            State::Queued { .. } => self.line_up(turn),
            State::Rested(Rest::Goodbye) => self.start_rationed(turn),
            State::Outside | State::Waiting { .. } | State::Refused | State::Excess | State::Rested(_) => {}
            State::Starting | State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                self.begin_anew(turn);
            }
            State::Stopping { .. } | State::Killed { .. } => {} // it ends already
        }
    }

    /// It is not on demand any more.
    pub fn unlistened(&mut self, turn: &mut Turn<'_>) {
        if self.listener.is_none() {
            return;
        }
        self.stop_listening(turn);
        self.tell(News::Unlistened, turn);
        match self.state {
            State::Idle => self.start_rationed(turn),
            // these start without it
            State::Outside | State::Queued { .. } | State::Waiting { .. } => {}
            State::Refused | State::Excess | State::Rested(_) => {}
            State::Starting | State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                self.begin_anew(turn);
            }
            State::Stopping { .. } | State::Killed { .. } => {} // it ends already
        }
    }

    fn begin_anew(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::Starting {
            self.moved = true;
        } else {
            self.stop(Then::Again, MOVED, turn);
        }
    }
}
