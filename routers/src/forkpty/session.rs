//! Pure. One client, one terminal, one program: what becomes of each when another goes.
//!
//! Whoever carries it out reads from the client no more than `client_room` and from the terminal no more than there is room
//! in `output`, so neither side can make us hold more than two buffers.

use std::collections::VecDeque;

use super::frame::{Decoder, Said};
use super::signal::allowed;
use super::stream::Stream;
use super::window::{Sizes, Window};
use crate::ration::Ration;

/// Bytes that may wait each way.
const BUFFER: usize = 65_536;
/// Signals at once, and milliseconds between two of a flood.
const SIGNALS: (u64, u64) = (20, 50);

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its bytes are input.
    Raw,
    /// In frames.
    Framed,
}

/// What holds for a session.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Size of the terminal before the client says one.
    pub window: Window,
    /// Milliseconds without a byte either way after which it ends; none means never.
    pub idle_ms: Option<u64>,
    /// Milliseconds from the hang-up to TERM, and from TERM to KILL; and for a client to take what the program left.
    pub grace_ms: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client sends nothing more, but still reads.
    InputEnded,
    /// The client has gone.
    ClientGone,
    /// The program, which is the leader of its session, has ended.
    ProgramEnded,
    /// Nobody has the terminal open any more.
    TerminalClosed,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Give the terminal this size.
    Resize(Window),
    /// Send this signal to whoever is in the foreground.
    Signal(u8),
    /// Let the program read the end of its input, behind what waits for it.
    EndInput,
    /// Close the terminal, and send HUP to everybody of the session.
    HangUp,
    /// Send TERM to everybody of the session.
    Terminate,
    /// Send KILL to everybody of the session.
    Kill,
    /// Close the connection of the client.
    CloseClient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    /// Nothing more comes; the client has time until then to take what waits.
    Draining(u64),
    /// The terminal is gone; TERM follows then.
    HungUp(u64),
    /// KILL follows then.
    Terminated(u64),
    Over,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    rules: Rules,
    decoder: Option<Decoder>,
    /// On the way to the program.
    pub input: Stream,
    /// On the way to the client.
    pub output: Stream,
    sizes: Sizes,
    signals: Ration,
    life: Life,
    has_program: bool,
    input_ended: bool,
    stirred_ms: u64,
    orders: VecDeque<Order>,
}

impl Session {
    /// A session whose program runs.
    pub fn new(mode: Mode, rules: Rules, now_ms: u64) -> Self {
        Self {
            rules,
            decoder: (mode == Mode::Framed).then(Decoder::default),
            input: Stream::new(BUFFER),
            output: Stream::new(BUFFER),
            sizes: Sizes::new(rules.window),
            signals: Ration::new(SIGNALS.0, SIGNALS.1),
            life: Life::Open,
            has_program: true,
            input_ended: false,
            stirred_ms: now_ms,
            orders: VecDeque::new(),
        }
    }

    /// Most bytes that may be read from the client now.
    pub fn client_room(&self) -> usize {
        if self.life == Life::Open && !self.input_ended { self.input.free() } else { 0 }
    }

    /// Takes what the client has sent, no more than `client_room`.
    pub fn from_client(&mut self, mut bytes: &[u8], now_ms: u64) {
        self.stirred_ms = now_ms;
        let Some(mut decoder) = self.decoder.take() else {
            self.input.take(bytes);
            return;
        };
        while let Some(said) = decoder.next(&mut bytes) {
            self.hear(said, now_ms);
        }
        self.decoder = Some(decoder);
        self.orders.extend(self.sizes.change().map(Order::Resize));
    }

    fn hear(&mut self, said: Said<'_>, now_ms: u64) {
        match said {
            Said::Input(bytes) => drop(self.input.take(bytes)),
            Said::Rows(rows) => self.sizes.rows(rows),
            Said::Columns(columns) => self.sizes.columns(columns),
            Said::Signal(number) if allowed(number) && self.signals.take(now_ms) => {
                self.orders.push_back(Order::Signal(number));
            }
            Said::Signal(_) => {}
        }
    }

    /// The program has written something.
    pub fn stirred(&mut self, now_ms: u64) {
        self.stirred_ms = now_ms;
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: Event, now_ms: u64) {
        match (self.life, event) {
            (Life::Open, Event::InputEnded) => {
                self.input_ended = true;
                self.orders.push_back(Order::EndInput);
            }
            (Life::Open, Event::ClientGone) => self.hang_up(now_ms),
            (Life::Open, Event::ProgramEnded) => {
                self.has_program = false;
                self.life = Life::Draining(now_ms + self.rules.grace_ms);
            }
            (Life::Open, Event::TerminalClosed) => self.life = Life::Draining(now_ms + self.rules.grace_ms),
            // Nobody will read what waits.
            (Life::Draining(_), Event::ClientGone) => self.leave(now_ms),
            (Life::Draining(_) | Life::HungUp(_) | Life::Terminated(_), Event::ProgramEnded) => {
                self.has_program = false;
                self.bury();
            }
            // It reads on, or has closed already; the terminal may close at any time after its program.
            (Life::Draining(_), Event::InputEnded | Event::TerminalClosed) => {}
            (Life::HungUp(_) | Life::Terminated(_), Event::InputEnded) => {}
            (Life::HungUp(_) | Life::Terminated(_), Event::ClientGone | Event::TerminalClosed) => {}
            (Life::Over, Event::ProgramEnded) => self.has_program = false,
            (Life::Over, Event::InputEnded | Event::ClientGone | Event::TerminalClosed) => {}
        }
        self.settle(now_ms);
    }

    /// The client took all that waited, or some time has passed.
    pub fn settle(&mut self, now_ms: u64) {
        match self.life {
            Life::Open if self.idle_until().is_some_and(|until| until <= now_ms) => self.hang_up(now_ms),
            Life::Draining(until) if self.output.is_empty() || until <= now_ms => self.leave(now_ms),
            Life::HungUp(until) if until <= now_ms => {
                self.orders.push_back(Order::Terminate);
                self.life = Life::Terminated(now_ms + self.rules.grace_ms);
            }
            Life::Terminated(until) if until <= now_ms => {
                self.orders.push_back(Order::Kill);
                self.life = Life::Over;
            }
            Life::Open | Life::Draining(_) | Life::HungUp(_) | Life::Terminated(_) | Life::Over => {}
        }
    }

    fn idle_until(&self) -> Option<u64> {
        self.rules.idle_ms.map(|idle_ms| self.stirred_ms + idle_ms)
    }

    /// The client is done with; whoever is left of the session gets time to end by himself.
    fn hang_up(&mut self, now_ms: u64) {
        self.orders.extend([Order::CloseClient, Order::HangUp]);
        self.life = Life::HungUp(now_ms + self.rules.grace_ms);
    }

    fn leave(&mut self, now_ms: u64) {
        self.hang_up(now_ms);
        self.bury();
    }

    /// Once the client and the program are gone the others of the session go with them.
    fn bury(&mut self) {
        if !self.has_program && !matches!(self.life, Life::Draining(_)) {
            self.orders.push_back(Order::Kill);
            self.life = Life::Over;
        }
    }

    /// What is to be done next.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When `settle` has something to do, in milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        match self.life {
            Life::Open => self.idle_until(),
            Life::Draining(until) | Life::HungUp(until) | Life::Terminated(until) => Some(until),
            Life::Over => None,
        }
    }

    /// Whether nothing is left of it: everybody was killed, and the program reaped.
    pub fn is_over(&self) -> bool {
        self.life == Life::Over && !self.has_program
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
