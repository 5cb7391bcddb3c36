//! Pure. What the vassal master does once its command runs.

use std::collections::VecDeque;
use std::fmt;

use crate::emperor::event::Moment;
use crate::emperor::order::{from_vassal, to_vassal};

/// A command that lived this long is loyal.
const LOYAL_MS: u64 = 3_000;
/// After the Emperor is gone nobody else would kill a command that does not end.
const ORPHAN_GRACE_MS: u64 = 2_000;
/// `SIGKILL`.
const KILL: i32 = 9;
/// `SIGTERM`.
const TERM: i32 = 15;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// `exit(3)` status.
    Code(i32),
    /// Signal number.
    Signal(i32),
}

impl Exit {
    /// As a status of our own: 128 and the number for a signal, as shells do.
    pub fn status(self) -> u8 {
        let status = match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
        };
        u8::try_from(status).unwrap_or(u8::MAX)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with status {code}"),
            Self::Signal(number) => write!(f, "was killed by signal {number}"),
        }
    }
}

/// What the master is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The command ended.
    Ended(Exit),
    /// A signal that is meant for the command.
    Signal(i32),
    /// A byte of the Emperor.
    Byte(u8),
    /// The new config was read: true when a vassal can be started with it.
    Checked(bool),
    /// The Emperor closed its end.
    EmperorGone,
}

/// What the master does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A byte to the Emperor.
    Send(u8),
    /// A signal to the process group of the command.
    Signal(i32),
    /// Read the new config; answered by `Checked`.
    Check,
    /// Leave with this status.
    Finish(u8),
    /// Begin anew with the new config: by leaving with status 0 where the Emperor starts us again.
    Renew,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running { loyal_at: Option<Moment> },
    Stopping { why: Why, kill_at: Option<Moment> },
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Asked,
    Reload,
    Orphaned,
}

/// The state of a master whose command runs.
#[derive(Debug)]
pub struct Duties {
    state: State,
    orders: VecDeque<Order>,
}

impl Duties {
    /// The command was started at `now`.
    pub fn new(now: Moment) -> Self {
        let orders = [Order::Send(from_vassal::SPAWNED), Order::Send(from_vassal::ACCEPTING)].into();
        Self { state: State::Running { loyal_at: Some(now.plus_ms(LOYAL_MS)) }, orders }
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event, now: Moment) {
        match event {
            Event::Ended(exit) => self.finish(exit),
            Event::Signal(number) => self.order(Order::Signal(number)),
            Event::Byte(to_vassal::STOP | to_vassal::STOP_GRACEFULLY) => self.stop(Why::Asked, None),
            Event::Byte(to_vassal::RELOAD) => self.check(),
            // Bytes of a newer protocol.
            Event::Byte(_) => {}
            Event::Checked(good) => self.reload(good),
            Event::EmperorGone => self.stop(Why::Orphaned, Some(now.plus_ms(ORPHAN_GRACE_MS))),
        }
    }

    /// The deadline has come.
    pub fn handle_deadline(&mut self, now: Moment) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &mut self.state {
            State::Running { loyal_at } => {
                *loyal_at = None;
                self.order(Order::Send(from_vassal::LOYAL));
            }
            State::Stopping { kill_at, .. } => {
                *kill_at = None;
                self.order(Order::Signal(KILL));
            }
            State::Done => {}
        }
    }

    /// What to do next.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When `handle_deadline` wants to be called.
    pub fn next_deadline(&self) -> Option<Moment> {
        match self.state {
            State::Running { loyal_at } => loyal_at,
            State::Stopping { kill_at, .. } => kill_at,
            State::Done => None,
        }
    }

    fn order(&mut self, order: Order) {
        // What has ended gets no signal: its number may be somebody else's.
        if self.state != State::Done {
            self.orders.push_back(order);
        }
    }

    fn stop(&mut self, why: Why, kill_at: Option<Moment>) {
        match self.state {
            State::Running { .. } => self.order(Order::Signal(TERM)),
            // It was told already; a later reason replaces an earlier one, except that an orphan stays one.
            State::Stopping { why: Why::Orphaned, .. } | State::Done => return,
            State::Stopping { why: Why::Asked | Why::Reload, .. } => {}
        }
        self.state = State::Stopping { why, kill_at };
    }

    fn check(&mut self) {
        match self.state {
            State::Running { .. } => self.order(Order::Check),
            // A command on its way out cannot be kept: whoever starts us again reads the newest config anyway.
            State::Stopping { .. } | State::Done => {}
        }
    }

    fn reload(&mut self, good: bool) {
        match (self.state, good) {
            (State::Running { .. }, true) => self.stop(Why::Reload, None),
            (State::Running { .. }, false) => {
                // The Emperor waits to hear that its vassal is there again; it is, with the config it had.
                self.order(Order::Send(from_vassal::SPAWNED));
                self.order(Order::Send(from_vassal::ACCEPTING));
            }
            (State::Stopping { .. } | State::Done, _) => {}
        }
    }

    fn finish(&mut self, exit: Exit) {
        let status = match (self.state, exit) {
            (State::Running { .. }, _) => exit.status(),
            (State::Stopping { why: Why::Asked, .. }, Exit::Signal(TERM)) => 0,
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

#[cfg(test)]
#[path = "duties_tests.rs"]
mod tests;
