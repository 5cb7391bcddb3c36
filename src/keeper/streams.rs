//! Pipes that vassals write into: each is read in its turn, a piece at a time.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::marks::Sorter;
use super::pace::Allowance;
use super::words::Stream;
use crate::emperor::event::Moment;

/// Read of one at a time, in bytes: what a pipe holds.
pub const PIECE_MAX: usize = 64 << 10;
/// Most that are read in one go before others than writers have their turn.
const BATCH_MAX: usize = 64;
/// Read of one in a second, in bytes, over a while: beyond it, whoever writes waits. It bounds what a flood costs others.
const RATE: u64 = 2 << 20;
/// What a piece costs at least, in bytes: in a pipe of packets (`O_DIRECT`, `pipe(2)`), which its writer can make it, each byte is one.
const PIECE_COST: u64 = 1 << 10;
/// How long one that has written too much is not read, in ms.
const PAUSE_MS: u64 = 100;

/// All that are open.
pub struct Streams {
    epoll: OwnedFd,
    open: BTreeMap<u64, Pipe>,
    /// Not read until then, in that order.
    paused: VecDeque<(Moment, u64)>,
    events: Vec<epoll::Event>,
}

struct Pipe {
    end: OwnedFd,
    sorter: Sorter,
    allowance: Allowance,
}

/// What was read.
pub enum Piece {
    /// So many bytes.
    Bytes(usize),
    /// Nothing is there now.
    Nothing,
    /// Nobody writes there any more.
    End,
}

impl Streams {
    /// None yet.
    ///
    /// # Errors
    /// Those of `epoll_create1(2)`.
    pub fn new() -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("cannot wait for writers")?;
        Ok(Self {
            epoll,
            open: BTreeMap::new(),
            paused: VecDeque::new(),
            events: Vec::with_capacity(BATCH_MAX),
        })
    }

    /// Readable while one of them is.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Reads this one from now on.
    ///
    /// # Errors
    /// The limit of watches.
    pub fn add(&mut self, stream: Stream, end: OwnedFd, now: Moment) -> Result<(), Errno> {
        rustix::io::ioctl_fionbio(&end, true)?;
        watch(&self.epoll, end.as_fd(), stream.number())?;
        let pipe = Pipe { end, sorter: Sorter::default(), allowance: Allowance::full(RATE, now) };
        self.open.insert(stream.number(), pipe);
        Ok(())
    }

    /// Those that have something now.
    pub fn ready(&mut self) -> Vec<Stream> {
        self.events.clear();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let events = rustix::buffer::spare_capacity(&mut self.events);
        let _ = epoll::wait(&self.epoll, events, Some(&now));
        self.events.iter().map(|event| Stream::of(event.data.u64())).collect()
    }

    /// Those of one vassal.
    pub fn of(&self, vassal: u32) -> Vec<Stream> {
        let range = Stream { vassal, attempt: 0 }.number()..=Stream { vassal, attempt: u32::MAX }.number();
        self.open.range(range).map(|(number, _)| Stream::of(*number)).collect()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Stream> {
        self.open.keys().map(|number| Stream::of(*number)).collect()
    }

    /// Reads a piece and gives its whole lines.
    pub fn read(&mut self, stream: Stream, buffer: &mut [u8], mut give: impl FnMut(&[u8])) -> Piece {
        let Some(pipe) = self.open.get_mut(&stream.number()) else { return Piece::Nothing };
        match rustix::io::read(&pipe.end, &mut *buffer) {
            Err(Errno::AGAIN | Errno::INTR) => Piece::Nothing,
            Ok(count) if count > 0 => {
                pipe.sorter.feed(&buffer[..count], give);
                Piece::Bytes(count)
            }
            Ok(_) | Err(_) => {
                pipe.sorter.finish(&mut give);
                Piece::End
            }
        }
    }

    /// Closes it; what has no end of line is a line.
    pub fn close(&mut self, stream: Stream, give: impl FnMut(&[u8])) {
        if let Some(mut pipe) = self.open.remove(&stream.number()) {
            let _ = epoll::delete(&self.epoll, &pipe.end);
            pipe.sorter.finish(give);
        }
    }

    /// It has written so much: is it too much, it waits for a while.
    pub fn count(&mut self, stream: Stream, bytes: usize, now: Moment) {
        let Some(pipe) = self.open.get_mut(&stream.number()) else { return };
        pipe.allowance.refill(RATE, now);
        pipe.allowance.spend((bytes as u64).max(PIECE_COST));
        if pipe.allowance.is_spent() && epoll::delete(&self.epoll, &pipe.end).is_ok() {
            self.paused.push_back((now.plus_ms(PAUSE_MS), stream.number()));
        }
    }

    /// Goes on with those whose time has come.
    pub fn handle_deadline(&mut self, now: Moment) {
        while let Some((_, number)) = self.paused.front().copied().filter(|(until, _)| *until <= now) {
            self.paused.pop_front();
            if let Some(pipe) = self.open.get(&number) {
                let _ = watch(&self.epoll, pipe.end.as_fd(), number);
            }
        }
    }

    /// When that is to be done.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.paused.front().map(|(until, _)| *until)
    }
}

fn watch(epoll: &OwnedFd, end: BorrowedFd<'_>, number: u64) -> Result<(), Errno> {
    epoll::add(epoll, end, epoll::EventData::new_u64(number), epoll::EventFlags::IN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row L2.
    #[test]
    fn pieces_of_a_byte_are_not_read_without_end() {
        let (end, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::DIRECT).expect("a pipe");
        let stream = Stream { vassal: 1, attempt: 1 };
        let mut streams = Streams::new().expect("an epoll");
        streams.add(stream, end, Moment(0)).expect("a pipe");
        let mut pieces = 0;
        while streams.next_deadline().is_none() && pieces < RATE {
            rustix::io::write(&writer, b"\n").expect("room");
            let piece = streams.read(stream, &mut [0; 64], |_| {});
            assert!(matches!(piece, Piece::Bytes(1)));
            streams.count(stream, 1, Moment(0));
            pieces += 1;
        }
        assert_eq!(pieces, 10 * RATE / PIECE_COST);
        rustix::io::write(&writer, b"\n").expect("room");
        assert!(streams.ready().is_empty(), "it is not read meanwhile");
        streams.handle_deadline(Moment(0).plus_ms(PAUSE_MS));
        assert_eq!(streams.ready().len(), 1);
    }
}
