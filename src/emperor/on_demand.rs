//! Pure. Vassals on demand: who has a listener and no process waits for a connection, and is started by it.

use std::sync::Arc;

use super::event::{Moment, Owner};
use super::order::{News, Order};
use super::state::State;
use super::vassal::{Turn, Vassal};

/// A socket that listens for as long as the config exists, whoever runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The owner of the config when it was bound.
    pub owner: Owner,
    /// Where it listens, as the config's address says it.
    pub address: Arc<str>,
}

impl Vassal {
    /// Its config asks for a listener, and here it is: no process was made.
    pub fn listens(&mut self, listener: Listener, turn: &mut Turn<'_>) {
        match self.state {
            State::Starting => {
                self.tell(News::Listening { address: listener.address.clone() }, turn);
                let moved = listener.owner != self.config.owner;
                self.failure = None;
                if self.life.starts == 0 {
                    (self.life.first_run, self.life.last_run) = (None, None);
                }
                self.listener = Some(Box::new(listener));
                if moved {
                    self.stop_listening(turn);
                }
                self.start_now(turn);
            }
            // the answer to a start that is under way; nothing else asks for a listener
            State::Outside | State::Queued { .. } | State::Waiting { .. } | State::Idle => {}
            State::Refused | State::Excess | State::Rested(_) | State::Stepping { .. } => {}
            State::Running | State::Reloading { .. } | State::Stopping { .. } | State::Killed { .. } => {}
        }
    }

    /// Somebody connects.
    pub fn called(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            // nothing is started before the command: who connects waits for it
            State::Idle if self.is_barred() => {}
            State::Idle => self.state = State::Queued { since: turn.now },
            // it was looked at before something else happened; when it waits again it is looked at again
            State::Outside | State::Queued { .. } | State::Waiting { .. } | State::Refused => {}
            State::Excess | State::Rested(_) | State::Starting | State::Stepping { .. } => {}
            // its process accepts
            State::Running | State::Reloading { .. } | State::Stopping { .. } | State::Killed { .. } => {}
        }
    }

    /// To the start queue, or, on demand, to where a connection is waited for, unless somebody wants it to run.
    pub fn line_up(&mut self, turn: &mut Turn<'_>) {
        self.state = match self.listener {
            Some(_) if !std::mem::take(&mut self.summoned) => {
                turn.orders.push_back(Order::Await(self.id));
                State::Idle
            }
            _ => State::Queued { since: turn.now },
        };
    }

    /// Likewise, not before then.
    pub fn line_up_at(&mut self, at: Moment, turn: &mut Turn<'_>) {
        if at <= turn.now { self.line_up(turn) } else { self.state = State::Waiting { until: at } }
    }

    /// Another owner must not get what was bound for this one. The next start binds anew.
    pub fn stop_listening(&mut self, turn: &mut Turn<'_>) {
        if self.listener.take().is_some() {
            turn.orders.push_back(Order::Unlisten(self.id));
        }
    }

    /// Its config was seen again while it waits for a connection.
    pub fn sighted_idle(&mut self, changed: bool, turn: &mut Turn<'_>) {
        if self.refusal().is_some() {
            self.refuse(turn);
        } else if self.listener.is_none() {
            self.start_rationed(turn);
        } else if changed {
            self.tell(News::Remembered, turn);
        }
    }
}
