//! Pure. The life of one daemon: (state, what happens, now) → orders.

use std::collections::VecDeque;

use super::pace::Pace;
use super::words::{self, Steering};
use crate::config::vassal::daemons::Rules;
use crate::config::vassal::health::Readiness;
use crate::emperor::event::Moment;

/// `SIGHUP`.
const HUP: i32 = 1;
/// After all of it was to be killed, whoever minds it is.
const KEEPER_GRACE_MS: u64 = 1_000;

/// Why all of them end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The vassal stops.
    Stop,
    /// It begins anew.
    Reload,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Start it; answered by `unborn` or, in the end, by `ended`.
    Start,
    /// A signal to its process group.
    Signal(i32),
    /// The signal to end: whoever of the group has got it may take its time.
    End(i32),
    /// `SIGKILL` to all that is left of it.
    Kill,
    /// `SIGKILL` to whoever minds it, too: he does not answer.
    KillKeeper,
    /// The vassal stops.
    Shutdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Due { at: Moment },
    Starting { ready_at: Option<Moment> },
    Running,
    Stopping { then: Then, kill_at: Option<Moment>, killed: bool },
    Stopped,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Again,
    Stopped,
    Over,
}

/// The state of one daemon.
#[derive(Debug)]
pub struct Life {
    rules: Rules,
    state: State,
    pace: Pace,
    starts: u32,
    orders: VecDeque<Order>,
}

impl Life {
    /// It is to be started at once.
    pub fn new(rules: Rules, now: Moment) -> Self {
        let pace = Pace::new(rules.delay_max_ms);
        Self { rules, state: State::Due { at: now }, pace, starts: 0, orders: VecDeque::new() }
    }

    /// What holds from now on, after a reload that it survived.
    pub fn governed_by(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// What to do next.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When `handle_deadline` wants to be called.
    pub fn next_deadline(&self) -> Option<Moment> {
        match self.state {
            State::Due { at } => Some(at),
            State::Starting { ready_at } => ready_at,
            State::Stopping { kill_at, .. } => kill_at,
            State::Running | State::Stopped | State::Over => None,
        }
    }

    /// The deadline has come.
    pub fn handle_deadline(&mut self, now: Moment) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &mut self.state {
            State::Due { .. } => self.start(now),
            State::Starting { .. } => self.state = State::Running,
            State::Stopping { kill_at, killed, .. } => {
                let order = if *killed { Order::KillKeeper } else { Order::Kill };
                *kill_at = (!*killed).then(|| now.plus_ms(KEEPER_GRACE_MS));
                *killed = true;
                self.orders.push_back(order);
            }
            State::Running | State::Stopped | State::Over => {}
        }
    }

    /// No process could be made.
    pub fn unborn(&mut self, now: Moment) {
        self.ended(now);
    }

    /// It has ended, and nothing of it is left.
    pub fn ended(&mut self, now: Moment) {
        self.orders.clear();
        self.state = match self.state {
            State::Starting { .. } | State::Running if self.rules.control => {
                self.orders.push_back(Order::Shutdown);
                State::Over
            }
            State::Starting { .. } | State::Running => State::Due { at: self.pace.ended(now) },
            State::Stopping { then: Then::Again, .. } => State::Due { at: now },
            State::Stopping { then: Then::Stopped, .. } => State::Stopped,
            State::Stopping { then: Then::Over, .. } => State::Over,
            // no process of it is there to end
            State::Due { .. } | State::Stopped | State::Over => return,
        };
    }

    /// It says that it is ready.
    pub fn ready(&mut self) {
        if matches!(self.state, State::Starting { .. }) {
            self.state = State::Running;
        }
    }

    /// A file that it depends on has changed.
    pub fn touched(&mut self, now: Moment) {
        match self.state {
            State::Starting { .. } | State::Running => {
                self.stop(Then::Again, self.rules.stop_signal, now);
            }
            // it reads the file when it starts
            State::Due { .. } | State::Stopping { .. } => {}
            // that is no reason to start it
            State::Stopped | State::Over => {}
        }
    }

    /// Somebody wants something of it.
    pub fn steered(&mut self, steering: Steering, now: Moment) {
        if steering == Steering::Start || steering == Steering::Restart {
            self.pace.forgive();
        }
        match (steering, self.state) {
            // whoever leaves is not steered any more
            (_, State::Over | State::Stopping { then: Then::Over, .. }) => {}
            (Steering::Start | Steering::Restart, State::Due { .. } | State::Stopped) => {
                self.state = State::Due { at: now };
            }
            (Steering::Start, State::Starting { .. } | State::Running) => {}
            (Steering::Start | Steering::Restart, State::Stopping { kill_at, killed, .. }) => {
                self.state = State::Stopping { then: Then::Again, kill_at, killed };
            }
            (Steering::Restart, State::Starting { .. } | State::Running) => {
                self.stop(Then::Again, self.rules.stop_signal, now);
            }
            (Steering::Stop, State::Due { .. } | State::Stopped) => self.state = State::Stopped,
            (Steering::Stop, State::Starting { .. } | State::Running) => {
                self.stop(Then::Stopped, self.rules.stop_signal, now);
            }
            (Steering::Stop, State::Stopping { kill_at, killed, .. }) => {
                self.state = State::Stopping { then: Then::Stopped, kill_at, killed };
            }
            (Steering::Reload, _) => self.signal(self.rules.reload_signal.unwrap_or(HUP)),
            (Steering::Signal(number), _) => self.signal(number),
        }
    }

    /// The vassal reloads around it.
    pub fn reloaded(&mut self) {
        if self.rules.notify_pid {
            self.signal(self.rules.reload_signal.unwrap_or(HUP));
        }
    }

    /// Whether it survives a reload of its vassal.
    pub fn is_smart(&self) -> bool {
        self.rules.smart
    }

    /// It ends for good, and has not ended.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::Stopping { then: Then::Over, .. })
    }

    /// It ends for good.
    pub fn leave(&mut self, leaving: Leaving, now: Moment) {
        let signal = match leaving {
            Leaving::Stop => self.rules.stop_signal,
            Leaving::Reload => self.rules.reload_signal.unwrap_or(self.rules.stop_signal),
        };
        match self.state {
            State::Due { .. } | State::Stopped | State::Over => {
                self.orders.clear();
                self.state = State::Over;
            }
            State::Starting { .. } | State::Running => self.stop(Then::Over, signal, now),
            State::Stopping { kill_at, killed, .. } => {
                self.state = State::Stopping { then: Then::Over, kill_at, killed };
            }
        }
    }

    /// Nobody waits any longer for one that ends.
    pub fn hurry(&mut self, by: Moment) {
        if let State::Stopping { kill_at: Some(kill_at), .. } = &mut self.state {
            *kill_at = by.min(*kill_at);
        }
    }

    /// It has ended for good.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// It waits for its end.
    pub fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping { .. })
    }

    /// How often it was started.
    pub fn starts(&self) -> u32 {
        self.starts
    }

    /// Where it stands, for people.
    pub fn shown(&self) -> words::State {
        match self.state {
            State::Due { .. } if self.starts > 0 => words::State::Throttled,
            State::Due { .. } | State::Starting { .. } => words::State::Starting,
            State::Running => words::State::Running,
            State::Stopping { .. } => words::State::Stopping,
            State::Stopped | State::Over => words::State::Stopped,
        }
    }

    fn start(&mut self, now: Moment) {
        self.pace.started(now);
        self.starts = self.starts.saturating_add(1);
        self.state = match self.rules.ready {
            Readiness::Started => State::Running,
            Readiness::Lived(ms) => State::Starting { ready_at: Some(now.plus_ms(ms)) },
            Readiness::Notify => State::Starting { ready_at: None },
        };
        self.orders.push_back(Order::Start);
    }

    fn stop(&mut self, then: Then, signal: i32, now: Moment) {
        self.orders.push_back(Order::End(signal));
        let kill_at = Some(now.plus_ms(self.rules.grace_ms));
        self.state = State::Stopping { then, kill_at, killed: false };
    }

    fn signal(&mut self, number: i32) {
        match self.state {
            State::Starting { .. } | State::Running | State::Stopping { .. } => {
                self.orders.push_back(Order::Signal(number));
            }
            // there is no process
            State::Due { .. } | State::Stopped | State::Over => {}
        }
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
