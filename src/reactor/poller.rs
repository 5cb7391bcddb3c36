//! Waits for descriptors. A token carries the generation of what it stands for, so that an event for something
//! that is gone is recognised.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use rustix::event::{Timespec, epoll};

use crate::emperor::event::{Incarnation, Moment, VassalId};

/// Most events of one wait.
const BATCH_MAX: usize = 256;

/// Who is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Token {
    /// The spawner replied, or takes more requests.
    Spawner,
    /// A vassal said something.
    Control(Incarnation),
    /// Somebody connects to a vassal that waits for it.
    Listener(VassalId),
    /// A source changed.
    Monitors,
    /// Somebody wants the stats.
    StatsListener,
    /// One who gets the stats takes more.
    StatsClient(u32),
    /// Somebody gives a command.
    Commands,
    /// Somebody wants the sources looked at.
    Trigger,
    /// Somebody wrote to the master FIFO.
    Fifo,
    /// Somebody wants to know what happens.
    EventsListener,
    /// One who follows that takes more, or is gone.
    Follower(u32),
    /// A router says something, or takes more.
    Router(u8),
    /// The log keeper says something, or takes more.
    Keeper,
    /// Somebody wants something done.
    AskListener,
    /// One of them says what.
    Asker(u32),
    /// Somebody who waits for what comes of his wish takes more, or goes.
    Waiter(u32),
    /// Whoever minds a session says how it is.
    Session(u32),
    /// A signal, the death of a child among them.
    Signals,
}

const KIND: u64 = 3 << 62;
const CONTROL: u64 = 1 << 62;
const CLIENT: u64 = 2 << 62;
const LISTENER: u64 = 3 << 62;
/// Among the clients: of the events, not of the stats.
const FOLLOWER: u64 = CLIENT | 1 << 32;
/// Of the routers, among those that stand alone.
const ROUTER: u64 = 1 << 32;
/// Of the control socket, and those who mind sessions.
const ASKER: u64 = CLIENT | 2 << 32;
const SESSION: u64 = CLIENT | 3 << 32;
/// Of those who wait for vassals.
const WAITER: u64 = CLIENT | 4 << 32;
const ATTEMPT_MASK: u32 = (1 << 30) - 1;

impl Token {
    fn number(self) -> u64 {
        match self {
            Self::Spawner => 0,
            Self::Monitors => 1,
            Self::StatsListener => 2,
            Self::Signals => 3,
            Self::Commands => 4,
            Self::Trigger => 5,
            Self::EventsListener => 6,
            Self::Fifo => 7,
            Self::AskListener => 8,
            Self::Keeper => 9,
            Self::Asker(number) => ASKER | u64::from(number),
            Self::Waiter(number) => WAITER | u64::from(number),
            Self::Session(number) => SESSION | u64::from(number),
            Self::Control(one) => CONTROL | u64::from(one.attempt & ATTEMPT_MASK) << 32 | u64::from(one.id.0),
            Self::Listener(id) => LISTENER | u64::from(id.0),
            Self::StatsClient(client) => CLIENT | u64::from(client),
            Self::Follower(number) => FOLLOWER | u64::from(number),
            Self::Router(number) => ROUTER | u64::from(number),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves of a number are taken apart")]
    fn of(number: u64) -> Self {
        let low = number as u32;
        match (number & KIND, low) {
            (CONTROL, _) => {
                let attempt = (number >> 32) as u32 & ATTEMPT_MASK;
                Self::Control(Incarnation { id: VassalId(low), attempt })
            }
            (CLIENT, _) if number & WAITER == WAITER => Self::Waiter(low),
            (CLIENT, _) if number & SESSION == SESSION => Self::Session(low),
            (CLIENT, _) if number & ASKER == ASKER => Self::Asker(low),
            (CLIENT, _) if number & FOLLOWER == FOLLOWER => Self::Follower(low),
            (CLIENT, _) => Self::StatsClient(low),
            (LISTENER, _) => Self::Listener(VassalId(low)),
            (_, _) if number & ROUTER == ROUTER => Self::Router(low as u8),
            (_, 0) => Self::Spawner,
            (_, 1) => Self::Monitors,
            (_, 2) => Self::StatsListener,
            (_, 4) => Self::Commands,
            (_, 5) => Self::Trigger,
            (_, 6) => Self::EventsListener,
            (_, 7) => Self::Fifo,
            (_, 8) => Self::AskListener,
            (_, 9) => Self::Keeper,
            (_, _) => Self::Signals,
        }
    }
}

/// An epoll instance.
pub struct Poller {
    epoll: OwnedFd,
    buffer: Vec<epoll::Event>,
    output_wanted: bool,
}

impl Poller {
    /// A poller that watches nothing yet.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("cannot make an epoll instance")?;
        Ok(Self { epoll, buffer: Vec::with_capacity(BATCH_MAX), output_wanted: false })
    }

    /// Watches a descriptor for input.
    ///
    /// # Errors
    /// The limit of watches.
    pub fn watch(&self, token: Token, descriptor: BorrowedFd<'_>) -> Result<()> {
        self.add(token, descriptor, epoll::EventFlags::IN)
    }

    /// Watches a descriptor for room to write.
    ///
    /// # Errors
    /// The limit of watches.
    pub fn watch_output(&self, token: Token, descriptor: BorrowedFd<'_>) -> Result<()> {
        self.add(token, descriptor, epoll::EventFlags::OUT)
    }

    /// Watches a descriptor for room to write that was not there before, and for its end.
    ///
    /// # Errors
    /// The limit of watches.
    pub fn watch_room(&self, token: Token, descriptor: BorrowedFd<'_>) -> Result<()> {
        self.add(token, descriptor, epoll::EventFlags::OUT | epoll::EventFlags::ET)
    }

    fn add(&self, token: Token, descriptor: BorrowedFd<'_>, flags: epoll::EventFlags) -> Result<()> {
        let data = epoll::EventData::new_u64(token.number());
        epoll::add(&self.epoll, descriptor, data, flags).context("cannot watch a descriptor")
    }

    /// Watches the descriptor of the spawner for room to write, too, or no longer.
    ///
    /// # Errors
    /// A descriptor that is not watched.
    pub fn want_output(&mut self, token: Token, descriptor: BorrowedFd<'_>, wanted: bool) -> Result<()> {
        if wanted == self.output_wanted {
            return Ok(());
        }
        self.output_wanted = wanted;
        self.want(token, descriptor, wanted)
    }

    /// Watches a descriptor for room to write, too, or no longer.
    ///
    /// # Errors
    /// A descriptor that is not watched.
    pub fn want(&self, token: Token, descriptor: BorrowedFd<'_>, wanted: bool) -> Result<()> {
        let output = if wanted { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
        let data = epoll::EventData::new_u64(token.number());
        epoll::modify(&self.epoll, descriptor, data, epoll::EventFlags::IN | output)
            .context("cannot watch a descriptor")
    }

    /// Watches no longer. To be called before the descriptor is closed.
    pub fn forget(&self, descriptor: impl AsFd) {
        let _ = epoll::delete(&self.epoll, descriptor);
    }

    /// Waits until something is ready or the deadline has come; who is ready, in the order of `Token`.
    ///
    /// # Errors
    /// Only those of a broken poller.
    pub fn wait(&mut self, deadline: Option<Moment>, now: Moment) -> Result<Vec<Token>> {
        let patience = deadline.map(|deadline| patience(deadline.0.saturating_sub(now.0)));
        self.buffer.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.buffer), patience.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for events"),
        }
        let mut tokens: Vec<Token> = self.buffer.iter().map(|event| Token::of(event.data.u64())).collect();
        tokens.sort_unstable();
        Ok(tokens)
    }
}

fn patience(nanoseconds: u64) -> Timespec {
    let seconds = i64::try_from(nanoseconds / 1_000_000_000).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: (nanoseconds % 1_000_000_000).cast_signed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_number() {
        let one = Incarnation { id: VassalId(u32::MAX), attempt: 77 };
        for token in [
            Token::Spawner,
            Token::Monitors,
            Token::StatsListener,
            Token::Signals,
            Token::Control(one),
            Token::StatsClient(9),
            Token::EventsListener,
            Token::Commands,
            Token::Trigger,
            Token::Fifo,
            Token::Follower(7),
            Token::Router(15),
            Token::Keeper,
            Token::AskListener,
            Token::Asker(u32::MAX),
            Token::Session(7),
            Token::Waiter(7),
            Token::Listener(VassalId(u32::MAX)),
        ] {
            assert_eq!(Token::of(token.number()), token);
        }
    }
}
