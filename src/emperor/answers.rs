//! Pure. What becomes of a vassal when the spawner answers, or when its process ends.

use std::sync::Arc;

use super::commanded::COMMANDED;
use super::event::{Exit, Fingerprint, Owner};
use super::moving::MOVED;
use super::order::News;
use super::state::{Rest, State, Then};
use super::vassal::{Ending, Turn, Vassal};

impl Vassal {
    /// Its process was born.
    pub fn was_born(&mut self, pid: i32, turn: &mut Turn<'_>) {
        match self.state {
            State::Starting => self.begin(pid, turn),
            // told twice, or after its end: nothing new
            State::Outside
            | State::Queued { .. }
            | State::Waiting { .. }
            | State::Idle
            | State::Refused
            | State::Excess => {}
            State::Rested(_) | State::Stepping { .. } | State::Running | State::Reloading { .. } => {}
            State::Stopping { .. } | State::Killed { .. } => {}
        }
    }

    /// Its program runs, with this config and owner.
    pub fn runs(&mut self, fingerprint: Fingerprint, owner: Owner, turn: &mut Turn<'_>) {
        match self.state {
            State::Starting | State::Stepping { .. } => self.take_up(fingerprint, owner, turn),
            // told twice, or after its end: nothing new
            State::Outside
            | State::Queued { .. }
            | State::Waiting { .. }
            | State::Idle
            | State::Refused
            | State::Excess => {}
            State::Rested(_) | State::Running | State::Reloading { .. } => {}
            // it ends already, and what it was given matters no more
            State::Stopping { .. } | State::Killed { .. } => {}
        }
    }

    /// No process, or none that came as far as its program.
    pub fn spawn_failed(&mut self, reason: Arc<str>, turn: &mut Turn<'_>) {
        match self.state {
            State::Starting => {
                self.tell_failure(reason, turn);
                self.follow(Then::Death, turn);
            }
            State::Stepping { .. } => {
                self.tell_failure(reason, turn);
                self.process.said.failed = true;
                self.await_end(Then::Death, turn);
            }
            // the process was reaped before its last words came
            State::Queued { .. } | State::Waiting { .. } | State::Idle => self.tell_failure(reason, turn),
            State::Outside | State::Refused | State::Excess | State::Rested(_) => {}
            // its program runs, so this cannot be
            State::Running | State::Reloading { .. } => {}
            // we stopped it in the middle of its steps
            State::Stopping { .. } | State::Killed { .. } => {}
        }
    }

    fn tell_failure(&mut self, reason: Arc<str>, turn: &mut Turn<'_>) {
        self.failure = Some(reason.clone());
        self.tell(News::SpawnFailed { reason }, turn);
    }

    /// The spawner will not run this config.
    pub fn was_refused(&mut self, reason: Arc<str>, turn: &mut Turn<'_>) {
        match self.state {
            State::Starting => {
                self.judge(reason);
                self.follow(Then::Again, turn);
            }
            State::Stepping { .. } => {
                self.judge(reason);
                self.process.said.failed = true;
                self.await_end(Then::Again, turn);
            }
            // held back when it has ended
            State::Stopping { .. } | State::Killed { .. } => self.judge(reason),
            // the process was reaped before the answer came
            State::Queued { .. }
            | State::Waiting { .. }
            | State::Idle
            | State::Rested(Rest::Goodbye | Rest::Exiled | Rest::Useless | Rest::Suspended) => {
                self.judge(reason);
                self.recheck(turn);
            }
            State::Outside | State::Refused | State::Excess | State::Rested(Rest::Ending) => {}
            // its program runs, so this cannot be
            State::Running | State::Reloading { .. } => {}
        }
    }

    /// The refusal stands until the config changes. If it has changed since the spawner looked, it is tried again.
    fn judge(&mut self, reason: Arc<str>) {
        if self.config.fingerprint == self.process.fingerprint && self.config.owner == self.process.owner {
            self.told = None;
            self.verdict = Some(reason);
        }
    }

    /// Its process was reaped.
    pub fn exited(&mut self, exit: Exit, turn: &mut Turn<'_>) {
        match self.state {
            State::Starting | State::Stepping { .. } => self.ended_by_itself(exit, turn),
            State::Running | State::Reloading { .. } => self.ended_by_itself(exit, turn),
            State::Stopping { then, .. } | State::Killed { then, .. } => self.ended(then, exit, turn),
            // told twice: there is nothing left to bury
            State::Outside | State::Queued { .. } | State::Waiting { .. } | State::Idle => {}
            State::Refused | State::Excess | State::Rested(_) => {}
        }
    }

    /// A process is there: does anybody want it still?
    fn begin(&mut self, pid: i32, turn: &mut Turn<'_>) {
        self.process.pid = Some(pid);
        self.life.starts = self.life.starts.saturating_add(1);
        self.summoned = false;
        self.state = match self.process.ran_at {
            Some(_) => State::Running,
            None if self.process.slow => State::Stepping { slow_at: None },
            None => State::Stepping { slow_at: Some(turn.now.plus_ms(turn.policy.slow_start_ms)) },
        };
        if self.gone {
            self.stop(Then::Again, self.why_gone(), turn);
        } else if turn.ending != Ending::No {
            self.stop(Then::Again, "the Emperor ends", turn);
        } else if self.refusal().is_some() {
            self.stop_if_refused(turn);
        } else if self.is_barred() {
            self.stop(Then::Again, COMMANDED, turn);
        } else if self.moved {
            self.stop(Then::Again, MOVED, turn);
        } else if self.process.said.goodbye {
            self.stop(self.rest_or_again(Rest::Goodbye), "it asked to be stopped", turn);
        } else if self.state == State::Running {
            self.tell_started(turn);
            self.compare(turn);
        }
    }

    fn tell_started(&self, turn: &mut Turn<'_>) {
        let owner = turn.policy.ids.of(self.process.owner);
        let (pid, start) = (self.pid(), self.life.starts);
        self.tell(News::Started { pid, owner, start }, turn);
    }

    /// The program runs. A sight that came meanwhile is newer than what the process was given; without one, it is
    /// the process that has the newer config, and the sight of that is still to come.
    fn take_up(&mut self, fingerprint: Fingerprint, owner: Owner, turn: &mut Turn<'_>) {
        let moved = self.config.owner != self.process.owner && self.config.owner != owner;
        let changed =
            self.config.fingerprint != self.process.fingerprint && self.config.fingerprint != fingerprint;
        (self.process.fingerprint, self.process.owner) = (fingerprint, owner);
        self.process.ran_at = Some(turn.now);
        self.failure = None;
        if self.state == State::Starting {
            return; // its pid is still to come
        }
        self.state = State::Running;
        self.tell_started(turn);
        if moved {
            self.change_owner(turn);
        } else if changed {
            self.ask_reload(turn);
        }
    }
}
