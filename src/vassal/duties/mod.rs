//! Pure. What the vassal master does once its command runs.

mod ending;
mod told;

use std::collections::VecDeque;

pub use told::{Event, Newest, Order, Presence};

use crate::config::vassal::health::{Health, Readiness};
use crate::emperor::event::Moment;
use crate::emperor::order::{from_vassal, to_vassal};

/// A command that lived this long is loyal.
const LOYAL_MS: u64 = 3_000;
/// `SIGKILL`.
const KILL: i32 = 9;
/// Signals that ask for an end, whoever sends them: `SIGINT`, `SIGQUIT`, `SIGTERM`.
const ENDING: [i32; 3] = [2, 3, 15];
/// Heartbeats go on no faster than this, in ms.
const BEAT_MIN_MS: u64 = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting {
        ready_at: Option<Moment>,
    },
    Running {
        loyal_at: Option<Moment>,
    },
    Stopping {
        why: Why,
        kill_at: Option<Moment>,
    },
    /// A signal asked for its end, and others of its group have not ended.
    Left {
        kill_at: Option<Moment>,
    },
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
    health: Health,
    beat_at: Option<Moment>,
    /// A signal has asked for its end.
    signalled: bool,
    /// Somebody speaks in the command's place, and is told in its place.
    proxied: bool,
    stop_byte: u8,
    orders: VecDeque<Order>,
}

impl Duties {
    /// The command was started at `now`.
    pub fn new(health: Health, now: Moment) -> Self {
        let ready_at = match health.ready {
            Readiness::Started => Some(now),
            Readiness::Lived(ms) => Some(now.plus_ms(ms)),
            Readiness::Notify => None,
        };
        let state = State::Waiting { ready_at };
        let mut duties = Self {
            state,
            health,
            beat_at: None,
            signalled: false,
            proxied: false,
            stop_byte: to_vassal::STOP,
            orders: VecDeque::new(),
        };
        if health.ready == Readiness::Started {
            duties.ready(now);
        }
        duties
    }

    /// Something happened.
    pub fn handle(&mut self, event: Event, now: Moment) {
        match event {
            Event::Ended(exit) => self.finish(exit),
            Event::Left => self.left(now),
            Event::Signal(number) => {
                self.signalled |= ENDING.contains(&number) || number == self.health.stop_signal;
                self.order(Order::Signal(number));
            }
            Event::Byte(byte @ (to_vassal::STOP | to_vassal::STOP_GRACEFULLY)) => {
                self.stop_byte = byte;
                self.stop(Why::Asked, now);
            }
            Event::Byte(to_vassal::RELOAD) => self.check(),
            // Bytes of a newer protocol.
            Event::Byte(_) => {}
            Event::Checked(newest) => self.reload(newest, now),
            Event::Ready => self.ready(now),
            Event::Beat => self.beat(now),
            Event::Spoken(byte) => self.speak(byte, now),
            Event::Proxied(is) => self.proxied(is),
            Event::Idle => self.say_goodbye(now),
            Event::EmperorGone => self.stop(Why::Orphaned, now),
        }
    }

    /// The deadline has come.
    pub fn handle_deadline(&mut self, now: Moment) {
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &mut self.state {
            State::Waiting { .. } => self.ready(now),
            State::Running { loyal_at } => {
                *loyal_at = None;
                self.order(Order::Send(from_vassal::LOYAL));
            }
            State::Stopping { kill_at, .. } | State::Left { kill_at } => {
                *kill_at = None;
                self.order(Order::Signal(KILL));
            }
            State::Done => {}
        }
    }

    /// It was told to end, or to begin anew, and waits for its command.
    pub fn is_stopping(&self) -> bool {
        matches!(self.state, State::Stopping { .. } | State::Left { .. })
    }

    /// Whoever of the command's group has not ended with it may take his time.
    pub fn lets_take_time(&self) -> bool {
        self.is_stopping() || self.signalled
    }

    /// What to do next.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When `handle_deadline` wants to be called.
    pub fn next_deadline(&self) -> Option<Moment> {
        match self.state {
            State::Waiting { ready_at } => ready_at,
            State::Running { loyal_at } => loyal_at,
            State::Stopping { kill_at, .. } | State::Left { kill_at } => kill_at,
            State::Done => None,
        }
    }

    /// What routers are to know now, before the next order is carried out.
    pub fn presence(&self) -> Presence {
        match self.state {
            State::Waiting { .. } => Presence::Absent,
            State::Running { .. } => Presence::Serving,
            State::Stopping { why: Why::Reload, .. } => Presence::Reloading,
            State::Stopping { why: Why::Asked | Why::Orphaned, .. } | State::Left { .. } | State::Done => {
                Presence::Leaving
            }
        }
    }

    fn order(&mut self, order: Order) {
        // What has ended gets no signal: its number may be somebody else's.
        if self.state != State::Done {
            self.orders.push_back(order);
        }
    }

    /// It is ready for the first time.
    fn ready(&mut self, now: Moment) {
        if let State::Waiting { .. } = self.state {
            self.answer();
            self.state = State::Running { loyal_at: Some(now.plus_ms(LOYAL_MS)) };
        }
    }

    /// It lives, and the Emperor hears of it, however often it says so.
    fn beat(&mut self, now: Moment) {
        if self.beat_at.is_none_or(|at| now.ms_since(at) >= BEAT_MIN_MS) {
            self.beat_at = Some(now);
            self.order(Order::Send(from_vassal::HEARTBEAT));
        }
    }

    /// What is said in its place goes on as it is; what is for us alone, or for nobody, does not.
    fn speak(&mut self, byte: u8, now: Moment) {
        match byte {
            from_vassal::SPAWNED | from_vassal::LOYAL | from_vassal::SOS => self.order(Order::Send(byte)),
            from_vassal::ACCEPTING => {
                if let State::Waiting { .. } = self.state {
                    self.state = State::Running { loyal_at: Some(now.plus_ms(LOYAL_MS)) };
                }
                self.order(Order::Send(byte));
            }
            from_vassal::HEARTBEAT => self.beat(now),
            from_vassal::GOODBYE => self.say_goodbye(now),
            _ => {}
        }
    }

    fn answer(&mut self) {
        self.order(Order::Send(from_vassal::SPAWNED));
        self.order(Order::Send(from_vassal::ACCEPTING));
    }

    fn check(&mut self) {
        match self.state {
            // A command on its way out cannot be kept, but what comes after it is the newest.
            State::Waiting { .. } | State::Running { .. } | State::Stopping { why: Why::Reload, .. } => {
                self.order(Order::Check);
            }
            State::Stopping { .. } | State::Left { .. } | State::Done => {}
        }
    }

    fn reload(&mut self, newest: Newest, now: Moment) {
        match (self.state, newest, self.health.reload_signal) {
            (State::Stopping { .. } | State::Left { .. } | State::Done, _, _) => {}
            // Who speaks for it reloads, and answers.
            (_, Newest::Same, _) if self.proxied => self.order(Order::Pass(to_vassal::RELOAD)),
            // What it has does not change: it reloads by itself, and is there all the time.
            (_, Newest::Same, Some(signal)) => {
                self.order(Order::Signal(signal));
                self.answer();
            }
            (_, Newest::Same | Newest::Good, _) => self.stop(Why::Reload, now),
            // The Emperor waits to hear that its vassal is there again; it is, with the config it had.
            (_, Newest::Bad, _) => self.answer(),
        }
    }
}

#[cfg(test)]
mod tests;
