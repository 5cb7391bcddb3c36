//! Pure. How the command of a master ends: who asked for it, how long it may take, and what is left to say.

use super::super::exit::Exit;
use super::{Duties, Order, State, Why};
use crate::emperor::event::Moment;
use crate::emperor::order::from_vassal;

/// After the Emperor is gone nobody else would kill a command that does not end.
const ORPHAN_GRACE_MS: u64 = 2_000;
/// What is left of a command whose end a signal asked for has this long, unless its config says otherwise.
pub(super) const REST_GRACE_MS: u64 = 10_000;

impl Duties {
    pub(super) fn stop(&mut self, why: Why, now: Moment) {
        let before = match self.state {
            State::Waiting { .. } | State::Running { .. } => {
                self.tell_to_stop(why);
                self.health.mercy_ms.map(|ms| now.plus_ms(ms))
            }
            // It was told already; a later reason replaces an earlier one, except that an orphan stays one.
            State::Stopping { why: Why::Orphaned, .. } | State::Done => return,
            State::Stopping { why: Why::Asked | Why::Reload, kill_at } | State::Left { kill_at } => kill_at,
        };
        let orphaned = (why == Why::Orphaned).then(|| now.plus_ms(ORPHAN_GRACE_MS));
        let kill_at = before.into_iter().chain(orphaned).min();
        self.state = State::Stopping { why, kill_at };
    }

    /// Who speaks in the command's place is told in its place. An orphan has no time for more than one try, so it hears both.
    fn tell_to_stop(&mut self, why: Why) {
        if self.proxied {
            self.order(Order::Pass(self.stop_byte));
        }
        if !self.proxied || why == Why::Orphaned {
            self.order(Order::Signal(self.health.stop_signal));
        }
    }

    /// The Emperor is told first: so the end that follows is no death.
    pub(super) fn say_goodbye(&mut self, now: Moment) {
        if let State::Waiting { .. } | State::Running { .. } = self.state {
            self.order(Order::Send(from_vassal::GOODBYE));
            self.stop(Why::Asked, now);
        }
    }

    /// Who was told to stop and has gone leaves the rest of the command behind.
    pub(super) fn proxied(&mut self, is: bool) {
        let has_gone = std::mem::replace(&mut self.proxied, is) && !is;
        if has_gone && self.is_stopping() {
            self.order(Order::Signal(self.health.stop_signal));
        }
    }

    /// What is left has been told to end, too; unless it was born just then. So it never has for ever, as the command itself may.
    pub(super) fn left(&mut self, now: Moment) {
        let bound = Some(now.plus_ms(self.health.mercy_ms.unwrap_or(REST_GRACE_MS)));
        match &mut self.state {
            State::Waiting { .. } | State::Running { .. } => self.state = State::Left { kill_at: bound },
            State::Stopping { kill_at: kill_at @ None, .. } => *kill_at = bound,
            State::Stopping { .. } | State::Left { .. } | State::Done => {}
        }
    }

    pub(super) fn finish(&mut self, exit: Exit) {
        let status = match (self.state, exit) {
            (State::Waiting { .. } | State::Running { .. } | State::Left { .. }, _) => exit.status(),
            (State::Stopping { why: Why::Asked, .. }, Exit::Signal(number))
                if number == self.health.stop_signal =>
            {
                0
            }
            (State::Stopping { why: Why::Asked, .. }, _) => exit.status(),
            (State::Stopping { why: Why::Reload, .. }, _) => return self.end(Order::Renew),
            (State::Stopping { why: Why::Orphaned, .. }, _) => 1,
            (State::Done, _) => return,
        };
        self.end(Order::Finish(status));
    }

    fn end(&mut self, last: Order) {
        self.orders.clear();
        self.order(last);
        self.state = State::Done;
    }
}
