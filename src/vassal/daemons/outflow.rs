//! Where a daemon writes to, and what becomes of it where it comes through its keeper.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, read};
use rustix::process::fchdir;

use super::super::logs::{self, Sink, Writer};
use super::super::state::Vassal;
use super::super::tell::Teller;
use super::super::trouble::Trouble;
use super::relay::Relay;
use crate::config::vassal::daemons::Daemon;

/// Read at once, in bytes.
const PIECE_MAX: usize = 16 << 10;
/// Read at the end, in pieces: what a pipe holds, whoever goes on writing.
const LAST_PIECES_MAX: usize = 80;

/// Where it writes to, if not where the vassal does.
pub struct Output {
    /// Held here too: a pipe that the daemon has closed is not at its end, and nobody is woken by it.
    pub writer: Option<OwnedFd>,
    from: From,
}

/// What comes there and is ours to hand on.
enum From {
    Nothing,
    /// To a log.
    Log(Sink),
    /// To whoever keeps the lines of all.
    Pipe(OwnedFd, Relay),
}

/// It while the daemon runs.
pub enum Outflow<'a> {
    /// It writes by itself.
    Nothing,
    /// To a log.
    Log(Box<Writer<'a>>),
    /// To whoever keeps the lines of all.
    Pipe(&'a OwnedFd, &'a mut Relay, Vec<u8>),
}

impl Output {
    /// Its own log, or a pipe of its own where its lines are to be known from those of others.
    ///
    /// # Errors
    /// The log cannot be opened, or there is no pipe.
    pub fn open(vassal: &Vassal, daemon: &Daemon) -> Result<Self, Trouble> {
        let Some(path) = &daemon.log else { return Self::of_vassal(vassal, daemon) };
        let Some(minding) = &daemon.minding else {
            return Ok(Self { writer: Some(vassal.open_log(path)?), from: From::Nothing });
        };
        let (sink, writer) = Sink::find(vassal, &logs::Wanted::of_daemon(path.clone(), minding.clone()))?;
        Ok(Self { writer: Some(writer), from: From::Log(sink) })
    }

    /// It writes where the vassal does.
    fn of_vassal(vassal: &Vassal, daemon: &Daemon) -> Result<Self, Trouble> {
        let relay = vassal.log.is_none().then(|| Relay::open(&daemon.name)).flatten();
        let Some(relay) = relay else { return Ok(Self { writer: None, from: From::Nothing }) };
        let (reader, writer) =
            logs::pipe().map_err(|errno| Trouble::errno("make a pipe for its output", errno))?;
        Ok(Self { writer: Some(writer), from: From::Pipe(reader, relay) })
    }

    /// Goes to where files that are touched are named from, if we look at some.
    ///
    /// # Errors
    /// Those of `fchdir(2)`.
    pub fn enter(&self, vassal: &Vassal) -> Result<(), Errno> {
        let directory = vassal.directory.as_ref().filter(|_| matches!(self.from, From::Log(_)));
        directory.map_or(Ok(()), fchdir)
    }

    /// All that it has open.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let from: Vec<BorrowedFd<'_>> = match &self.from {
            From::Nothing => Vec::new(),
            From::Log(sink) => sink.descriptors().collect(),
            From::Pipe(reader, relay) => [reader.as_fd()].into_iter().chain(relay.descriptor()).collect(),
        };
        self.writer.iter().map(AsFd::as_fd).chain(from)
    }

    /// Begins to hand on what comes.
    pub fn flow<'a>(&'a mut self, teller: &'a Teller) -> Outflow<'a> {
        match &mut self.from {
            From::Nothing => Outflow::Nothing,
            From::Log(sink) => Outflow::Log(Box::new(Writer::new(sink, teller))),
            From::Pipe(reader, relay) => Outflow::Pipe(reader, relay, vec![0; PIECE_MAX]),
        }
    }
}

impl Outflow<'_> {
    /// What is to be waited for.
    pub fn watched(&self) -> Vec<PollFd<'_>> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Log(writer) => {
                writer.watched().map(|way| PollFd::from_borrowed_fd(way, PollFlags::IN)).collect()
            }
            Self::Pipe(reader, relay, _) => {
                let reads =
                    (!relay.is_full()).then(|| PollFd::from_borrowed_fd(reader.as_fd(), PollFlags::IN));
                let writes = relay.waits().map(|way| PollFd::from_borrowed_fd(way, PollFlags::OUT));
                reads.into_iter().chain(writes).collect()
            }
        }
    }

    /// How long, if nothing else happens, until `obey` has something to do.
    pub fn patience(&self) -> Option<Duration> {
        match self {
            Self::Log(writer) => writer.patience(),
            Self::Nothing | Self::Pipe(..) => None,
        }
    }

    /// Does what is to be done, where these of `watched` are ready.
    ///
    /// # Errors
    /// Those of `read(2)`.
    pub fn obey(&mut self, ready: &[bool]) -> Result<(), Errno> {
        match self {
            Self::Nothing => Ok(()),
            Self::Log(writer) => writer.obey(ready).map(drop),
            Self::Pipe(reader, relay, buffer) => {
                // It never waits: what is not ready is as it was.
                relay.go_on();
                if relay.is_full() { Ok(()) } else { take(reader, (buffer, relay)).map(drop) }
            }
        }
    }

    /// Hands on what is there still.
    pub fn finish(&mut self) {
        match self {
            Self::Nothing => {}
            Self::Log(writer) => writer.finish(),
            Self::Pipe(reader, relay, buffer) => {
                let _ = (0..LAST_PIECES_MAX).all(|_| take(reader, (buffer, relay)).unwrap_or(false));
                relay.finish();
            }
        }
    }
}

/// Reads a piece. Whether there was one.
fn take(reader: &OwnedFd, (buffer, relay): (&mut [u8], &mut Relay)) -> Result<bool, Errno> {
    match read(reader, &mut *buffer) {
        Ok(count) => {
            relay.feed(&buffer[..count]);
            Ok(count > 0)
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}
