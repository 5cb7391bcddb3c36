//! The loop of a forkpty router: waits, tells sessions what happened, takes in those who come.

mod console;
mod live;
mod pipes;
mod share;
mod stats;
mod terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::clock::now_ms;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::{Mode, Rules, Session};
pub use console::{Console, Front, Heard};
use live::Live;
pub use share::share;
pub use terminal::{Launch, Leader, end_of_input, resize};

/// Sessions at once.
pub const SESSIONS_MAX: usize = 4096;
/// Most events of one wait.
const BATCH_MAX: usize = 64;
/// How long nobody is taken in for whom there is no descriptor, in ms: nothing tells when one is free again.
const REST_MS: u64 = 500;
/// Most that are taken in before sessions have their turn again.
const ACCEPTED_MAX: usize = 16;

/// Where clients come from.
#[derive(Debug)]
pub struct Door {
    /// Listens, not blocking.
    pub socket: OwnedFd,
    /// How they speak.
    pub mode: Mode,
    /// Its address, for stats.
    pub address: String,
}

/// What a router is told once.
#[derive(Debug)]
pub struct Charter {
    /// At least one.
    pub doors: Vec<Door>,
    /// Whoever connects here gets numbers as JSON.
    pub stats: Option<OwnedFd>,
    /// What each client gets.
    pub launch: Launch,
    /// What holds for each session.
    pub rules: Rules,
}

/// Who is ready; a session by its number, no two ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Door(u64),
    Stats,
    Client(u64),
    Terminal(u64),
    Program(u64),
}

impl Token {
    fn number(self) -> u64 {
        match self {
            Self::Door(door) => door << 3,
            Self::Stats => 1,
            Self::Client(session) => session << 3 | 2,
            Self::Terminal(session) => session << 3 | 3,
            Self::Program(session) => session << 3 | 4,
        }
    }

    fn of(number: u64) -> Self {
        let high = number >> 3;
        match number & 7 {
            0 => Self::Door(high),
            1 => Self::Stats,
            2 => Self::Client(high),
            3 => Self::Terminal(high),
            _ => Self::Program(high),
        }
    }
}

/// What happens in a router, to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A session began with a program of this pid.
    Begun(i32),
    /// It is over, after so many milliseconds.
    Over(i32, u64),
    /// Somebody came and got no session.
    Refused(Errno),
    /// As many are there as may be.
    Crowded,
}

struct Entry {
    live: Live,
    begun_ms: u64,
    deadline: Option<u64>,
    /// What is waited for on the connection and on the terminal; none is out of the poller.
    interests: [Option<epoll::EventFlags>; 2],
}

struct House<T> {
    charter: Charter,
    epoll: OwnedFd,
    sessions: BTreeMap<u64, Entry>,
    deadlines: BTreeSet<(u64, u64)>,
    births: u64,
    /// Until when nobody is taken in.
    closed_until: Option<u64>,
    tell: T,
}

/// Serves until the process ends.
///
/// Must: have one thread, and nobody else's children.
///
/// # Errors
/// The poller is broken or cannot be made.
pub fn serve(charter: Charter, tell: impl FnMut(Told)) -> Result<(), Errno> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let (sessions, deadlines) = (BTreeMap::new(), BTreeSet::new());
    let mut house = House { charter, epoll, sessions, deadlines, births: 0, closed_until: None, tell };
    house.open_doors()?;
    let mut events = Vec::with_capacity(BATCH_MAX);
    loop {
        house.turn(&mut events)?;
    }
}

fn add(epoll: &OwnedFd, fd: BorrowedFd<'_>, token: Token, flags: epoll::EventFlags) -> Result<(), Errno> {
    add_number(epoll, fd, token.number(), flags)
}

fn add_number(
    epoll: &OwnedFd,
    fd: BorrowedFd<'_>,
    number: u64,
    flags: epoll::EventFlags,
) -> Result<(), Errno> {
    epoll::add(epoll, fd, epoll::EventData::new_u64(number), flags)
}

/// Waits for this in the place of what was waited for.
fn set(
    epoll: &OwnedFd,
    fd: BorrowedFd<'_>,
    token: Token,
    change: (Option<epoll::EventFlags>, Option<epoll::EventFlags>),
) -> Result<(), Errno> {
    set_number(epoll, fd, token.number(), change)
}

fn set_number(
    epoll: &OwnedFd,
    fd: BorrowedFd<'_>,
    number: u64,
    (had, wanted): (Option<epoll::EventFlags>, Option<epoll::EventFlags>),
) -> Result<(), Errno> {
    match (had, wanted) {
        (had, wanted) if had == wanted => Ok(()),
        (_, None) => epoll::delete(epoll, fd),
        (None, Some(flags)) => add_number(epoll, fd, number, flags),
        (Some(_), Some(flags)) => epoll::modify(epoll, fd, epoll::EventData::new_u64(number), flags),
    }
}

fn patience(ms: u64) -> Timespec {
    Timespec { tv_sec: (ms / 1000).cast_signed(), tv_nsec: (ms % 1000 * 1_000_000).cast_signed() }
}

impl<T: FnMut(Told)> House<T> {
    fn open_doors(&mut self) -> Result<(), Errno> {
        self.closed_until = None;
        for (number, door) in (0..).zip(&self.charter.doors) {
            // Of several routers at one door only one wakes up.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::EXCLUSIVE;
            add(&self.epoll, door.socket.as_fd(), Token::Door(number), flags)?;
        }
        let stats = self.charter.stats.as_ref();
        stats.map_or(Ok(()), |stats| add(&self.epoll, stats.as_fd(), Token::Stats, epoll::EventFlags::IN))
    }

    /// Whoever waits there would have us look again at once, for ever.
    fn close_doors(&mut self, now: u64) {
        if self.closed_until.replace(now + REST_MS).is_none() {
            let doors = self.charter.doors.iter().map(|door| &door.socket);
            doors.chain(&self.charter.stats).for_each(|socket| _ = epoll::delete(&self.epoll, socket));
        }
    }

    fn turn(&mut self, events: &mut Vec<epoll::Event>) -> Result<(), Errno> {
        let first = self.deadlines.first().map(|(at, _)| *at).into_iter().chain(self.closed_until).min();
        let wait = first.map(|at| patience(at.saturating_sub(now_ms())));
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let now = now_ms();
        for event in events.iter() {
            self.happened(Token::of(event.data.u64()), event.flags, now);
        }
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.with(id, now, |live| live.settle(now));
        }
        if self.closed_until.is_some_and(|until| until <= now) { self.open_doors() } else { Ok(()) }
    }

    fn happened(&mut self, token: Token, flags: epoll::EventFlags, now: u64) {
        match token {
            Token::Door(door) => self.take_in(door, now),
            Token::Stats => self.show(now),
            Token::Client(id) => self.with(id, now, |live| live.client_ready(flags, now)),
            Token::Terminal(id) => self.with(id, now, |live| live.terminal_ready(flags, now)),
            Token::Program(id) => {
                if let Some(entry) = self.sessions.get(&id) {
                    // It stays ended, and is reaped later.
                    let _ = epoll::delete(&self.epoll, entry.live.program());
                }
                self.with(id, now, |live| live.program_ended(now));
            }
        }
    }

    /// Something happens to a session that is still there; then what is waited for is set anew.
    fn with(&mut self, id: u64, now: u64, happen: impl FnOnce(&mut Live)) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        happen(&mut entry.live);
        if entry.live.is_over() {
            self.remove(id, now);
        } else {
            self.settle_waits(id);
        }
    }

    fn settle_waits(&mut self, id: u64) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        let deadline = entry.live.next_deadline();
        if deadline != entry.deadline {
            entry.deadline.map(|at| self.deadlines.remove(&(at, id)));
            deadline.map(|at| self.deadlines.insert((at, id)));
            entry.deadline = deadline;
        }
        let wanted = [entry.live.client_interest(), entry.live.terminal_interest()];
        let ends = [(entry.live.client(), Token::Client(id)), (entry.live.terminal(), Token::Terminal(id))];
        for ((end, token), (had, wanted)) in ends.into_iter().zip(entry.interests.iter_mut().zip(wanted)) {
            if let Some(end) = end.filter(|_| *had != wanted) {
                let _ = set(&self.epoll, end, token, (*had, wanted));
                *had = wanted;
            }
        }
    }

    fn remove(&mut self, id: u64, now: u64) {
        let Some(entry) = self.sessions.remove(&id) else { return };
        entry.deadline.map(|at| self.deadlines.remove(&(at, id)));
        (self.tell)(Told::Over(entry.live.pid(), now.saturating_sub(entry.begun_ms)));
    }

    fn take_in(&mut self, door: u64, now: u64) {
        for _ in 0..ACCEPTED_MAX {
            let Some(door) = usize::try_from(door).ok().and_then(|door| self.charter.doors.get(door)) else {
                return;
            };
            let (mode, flags) = (door.mode, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
            match accept_with(&door.socket, flags) {
                Ok(_) if self.sessions.len() >= SESSIONS_MAX => (self.tell)(Told::Crowded),
                Ok(client) => {
                    if let Err(errno) = self.begin(client, mode, now) {
                        (self.tell)(Told::Refused(errno));
                    }
                }
                // One that has gone again, or that another router of this door has taken.
                Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
                Err(_) => return self.close_doors(now),
            }
        }
    }

    fn begin(&mut self, client: OwnedFd, mode: Mode, now: u64) -> Result<(), Errno> {
        let leader = self.charter.launch.start(self.charter.rules.window)?;
        let live = Live::new(Session::new(mode, self.charter.rules, now), leader, client);
        let id = self.births;
        self.births += 1;
        let interests = [live.client_interest(), live.terminal_interest()];
        let ends = [
            (live.client(), Token::Client(id), interests[0]),
            (live.terminal(), Token::Terminal(id), interests[1]),
            (Some(live.program()), Token::Program(id), Some(epoll::EventFlags::IN)),
        ];
        for (end, token, wanted) in ends {
            end.map_or(Ok(()), |end| set(&self.epoll, end, token, (None, wanted)))?;
        }
        (self.tell)(Told::Begun(live.pid()));
        self.sessions.insert(id, Entry { live, begun_ms: now, deadline: None, interests });
        self.settle_waits(id);
        Ok(())
    }

    /// Whoever asks gets all at once, or nothing: it is short, and nobody is waited for.
    fn show(&mut self, now: u64) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        while let Some(stats) = &self.charter.stats {
            match accept_with(stats, flags) {
                Ok(guest) => stats::show(&guest, self.sessions.len(), &self.charter.doors),
                Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
                Err(_) => return self.close_doors(now),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_number() {
        for token in
            [Token::Door(3), Token::Stats, Token::Client(7), Token::Terminal(1 << 40), Token::Program(0)]
        {
            assert_eq!(Token::of(token.number()), token);
        }
    }
}
