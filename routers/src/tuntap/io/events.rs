//! Who has something: numbers of the kernel for what we wait for (`epoll(7)`).

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

use super::seats::Seat;

/// Events that are taken at once.
pub(super) const EVENTS_MAX: usize = 256;

/// What we wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Channel,
    Host,
    Listener,
    Stats,
    Gateway,
    Addresses,
    /// A peer's connection.
    Socket(Seat),
    /// A peer's device.
    Tun(Seat),
    /// Somebody who reads stats.
    Client(u32),
}

impl Token {
    fn number(self) -> u64 {
        let at = |kind: u64, place: u32, birth: u32| kind << 60 | u64::from(place) << 32 | u64::from(birth);
        match self {
            Self::Channel => at(0, 0, 0),
            Self::Host => at(0, 0, 1),
            Self::Listener => at(0, 0, 2),
            Self::Stats => at(0, 0, 3),
            Self::Gateway => at(0, 0, 4),
            Self::Addresses => at(0, 0, 5),
            Self::Socket(Seat { place, birth }) => at(1, place, birth),
            Self::Tun(Seat { place, birth }) => at(2, place, birth),
            Self::Client(number) => at(3, 0, number),
        }
    }

    fn of(number: u64) -> Self {
        let (place, birth) = ((number >> 32) as u32 & 0x0fff_ffff, number as u32);
        match (number >> 60, birth) {
            (0, 0) => Self::Channel,
            (0, 1) => Self::Host,
            (0, 2) => Self::Listener,
            (0, 3) => Self::Stats,
            (0, 4) => Self::Gateway,
            (0, _) => Self::Addresses,
            (1, _) => Self::Socket(Seat { place, birth }),
            (2, _) => Self::Tun(Seat { place, birth }),
            (_, _) => Self::Client(birth),
        }
    }
}

/// All that we wait for.
pub(super) struct Events {
    epoll: OwnedFd,
    buffer: Vec<Event>,
}

impl Events {
    pub(super) fn new() -> Result<Self, Errno> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, buffer: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Tells as long as something is there.
    pub(super) fn watch(&self, what: impl AsFd, token: Token) -> Result<(), Errno> {
        self.add(what, token, EventFlags::IN)
    }

    /// Tells once for everything that comes: to be read until there is nothing.
    pub(super) fn watch_edge(&self, what: impl AsFd, token: Token) -> Result<(), Errno> {
        self.add(what, token, EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET)
    }

    /// The same, of what can always be written.
    pub(super) fn watch_edge_in(&self, what: impl AsFd, token: Token) -> Result<(), Errno> {
        self.add(what, token, EventFlags::IN | EventFlags::ET)
    }

    /// Tells as long as something can be read, and written if that is asked for.
    pub(super) fn expect_room(&self, what: impl AsFd, token: Token, room: bool) -> Result<(), Errno> {
        let flags = if room { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        epoll::modify(&self.epoll, what, EventData::new_u64(token.number()), flags)
    }

    fn add(&self, what: impl AsFd, token: Token, flags: EventFlags) -> Result<(), Errno> {
        epoll::add(&self.epoll, what, EventData::new_u64(token.number()), flags)
    }

    /// Forgets something, of which somebody else may have a copy.
    pub(super) fn forget(&self, what: impl AsFd) {
        let _ = epoll::delete(&self.epoll, what);
    }

    /// Waits for so long at most and takes what there is.
    pub(super) fn wait(&mut self, most: Option<core::time::Duration>) -> Result<(), Errno> {
        let most = most.map(|most| Timespec {
            tv_sec: most.as_secs().cast_signed(),
            tv_nsec: most.subsec_nanos().into(),
        });
        self.buffer.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.buffer), most.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// One of those that were taken.
    pub(super) fn get(&self, index: usize) -> Option<(Token, EventFlags)> {
        self.buffer.get(index).map(|event| (Token::of(event.data.u64()), event.flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_says_what_it_was_made_of() {
        let seat = Seat { place: 77, birth: u32::MAX };
        let tokens = [
            Token::Channel,
            Token::Host,
            Token::Listener,
            Token::Stats,
            Token::Gateway,
            Token::Addresses,
            Token::Socket(seat),
            Token::Tun(seat),
            Token::Client(9),
        ];
        assert!(tokens.into_iter().all(|token| Token::of(token.number()) == token));
    }
}
