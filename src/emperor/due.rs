//! Pure. What becomes of a vassal when one of its deadlines is over.

use super::order::News;
use super::state::{Due, State, Then};
use super::vassal::{Turn, Vassal};

impl Vassal {
    /// Carries out what was due first. Afterwards that deadline is gone or lies ahead.
    pub fn due(&mut self, turn: &mut Turn<'_>) {
        let Some((at, due)) = self.deadline(turn.policy) else { return };
        if at > turn.now {
            return;
        }
        match due {
            Due::Start => self.start_now(turn),
            Due::Slow => self.give_slot_back(),
            Due::Curse => self.kill(Then::Death, "it closed its control descriptor and did not end", turn),
            Due::Heartbeat => self.stop(Then::Death, "its heartbeat is missing", turn),
            Due::Reload => self.reload(turn),
            Due::Answer => self.answer_overdue(turn),
            Due::Kill | Due::KillAgain => self.kill_overdue(turn),
        }
    }

    fn give_slot_back(&mut self) {
        self.process.slow = true;
        if let State::Stepping { slow_at } = &mut self.state {
            *slow_at = None;
        }
    }

    /// Who never spoke does not know what a reload is: stopped and started instead. Who did may need longer, and people
    /// are told.
    fn answer_overdue(&mut self, turn: &mut Turn<'_>) {
        if self.process.said.anything {
            self.state = State::Running;
            self.tell(News::Unanswered { pid: self.pid() }, turn);
        } else {
            self.stop(Then::Again, "it did not answer the reload", turn);
        }
    }

    fn kill_overdue(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Stopping { then, .. } => self.kill(then, "it did not end in time", turn),
            State::Killed { then, .. } => self.kill(then, "it is still there after SIGKILL", turn),
            // none of these has such a deadline
            State::Outside
            | State::Queued { .. }
            | State::Waiting { .. }
            | State::Idle
            | State::Refused
            | State::Excess => {}
            State::Rested(_) | State::Starting | State::Stepping { .. } => {}
            State::Running | State::Reloading { .. } => {}
        }
    }
}
