//! Pure. What becomes of a vassal when somebody gives it a command.

use super::event::Command;
use super::state::{Rest, State, Then};
use super::vassal::{Turn, Vassal};

/// Why its process ends.
pub(super) const COMMANDED: &str = "it was told to by command";

impl Vassal {
    /// Whoever may has told it this.
    pub fn commanded(&mut self, command: Command, turn: &mut Turn<'_>) {
        match command {
            Command::Spawn => self.spawn_commanded(turn),
            Command::Respawn => self.reload_asked(turn),
            Command::Stop => self.stop_commanded(turn),
            Command::Restart => self.restart_commanded(turn),
            Command::Disable(_) => {
                self.disabled = true;
                self.stop_commanded(turn);
            }
            Command::Enable => {
                self.disabled = false;
                // Also where it is started no sooner than its owner is enabled.
                self.suspended = false;
                self.spawn_commanded(turn);
            }
        }
    }

    fn spawn_commanded(&mut self, turn: &mut Turn<'_>) {
        if self.is_disabled() {
            return;
        }
        self.suspended = false;
        let has_what_it_needs = matches!(
            self.state,
            State::Idle | State::Stepping { .. } | State::Running | State::Reloading { .. }
        );
        self.summoned |= !has_what_it_needs;
        self.go_on(turn);
    }

    /// Nothing that was said keeps it from running any more.
    pub(super) fn go_on(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Rested(Rest::Suspended | Rest::Goodbye | Rest::Exiled | Rest::Useless) => {
                self.start_rationed(turn);
            }
            State::Waiting { .. } => self.hurry(true, turn),
            // as if somebody connected
            State::Idle => self.called(turn),
            // these start anyhow, as soon as they may
            State::Outside | State::Queued { .. } | State::Refused | State::Excess => {}
            // nothing is started any more
            State::Rested(Rest::Ending) => {}
            // there is a process
            State::Starting | State::Stepping { .. } | State::Running | State::Reloading { .. } => {}
            // started again once that has ended
            State::Stopping { then, kill_at } => {
                self.state = State::Stopping { then: then.after(true), kill_at };
            }
            State::Killed { then, again_at, owed } => {
                self.state = State::Killed { then: then.after(true), again_at, owed };
            }
        }
    }

    fn stop_commanded(&mut self, turn: &mut Turn<'_>) {
        self.suspended = true;
        self.summoned = false;
        self.halt(turn);
    }

    /// Its process ends, if there is one, and what keeps it from being started is seen to.
    pub(super) fn halt(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Queued { .. } | State::Waiting { .. } => self.start_now(turn),
            State::Rested(Rest::Suspended | Rest::Goodbye | Rest::Exiled | Rest::Useless) => {
                self.start_now(turn);
            }
            // held back as soon as they may be started
            State::Outside | State::Refused | State::Excess | State::Rested(Rest::Ending) => {}
            State::Idle => {}     // nothing runs, and nothing is started before it is told to
            State::Starting => {} // stopped when it is born
            State::Stepping { .. } | State::Running | State::Reloading { .. } => {
                self.stop(Then::Again, COMMANDED, turn);
            }
            State::Stopping { .. } | State::Killed { .. } => {} // it ends already
        }
    }

    fn restart_commanded(&mut self, turn: &mut Turn<'_>) {
        let keeps = self.life.past.as_ref().is_some_and(|past| past.keeps());
        match self.state {
            // it would not come back: its newest config is wrong, as it has said itself
            State::Running | State::Reloading { .. } if keeps => {}
            State::Stepping { .. } | State::Running | State::Reloading { .. } if !self.is_disabled() => {
                self.suspended = false;
                self.summoned = true;
                self.stop(Then::Again, COMMANDED, turn);
            }
            // it ends, or will
            State::Stepping { .. } | State::Running | State::Reloading { .. } => {}
            // its process is as new as one can be
            State::Starting => self.spawn_commanded(turn),
            // there is nothing to stop, or it ends already
            State::Outside | State::Queued { .. } | State::Waiting { .. } | State::Idle => {
                self.spawn_commanded(turn);
            }
            State::Refused | State::Excess | State::Rested(_) => self.spawn_commanded(turn),
            State::Stopping { .. } | State::Killed { .. } => self.spawn_commanded(turn),
        }
    }
}
