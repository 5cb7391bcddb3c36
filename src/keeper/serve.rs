//! The loop: hears the Emperor, reads vassals in turn, hands on lines. It ends with the Emperor, once all that was written is read.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::charter::{Charter, Sink};
use super::readers::{self, Readers};
use super::sink::Outlet;
use super::streams::{PIECE_MAX, Piece, Streams};
use super::vassals::{Vassals, Verdict};
use super::words::{MESSAGE_MAX, Stream, Tail, ToEmperor, ToKeeper, decode, encode};
use crate::control::messages::Answer;
use crate::log;
use crate::reactor::clock;

/// Most words heard in one go.
const WORDS_MAX: usize = 64;
/// Read of each that is closed before others close it, in pieces: what a pipe holds, whoever goes on writing.
const LAST_PIECES_MAX: usize = 20;
/// Readers have numbers from here on.
const READERS: u64 = 8;
const CHANNEL: u64 = 0;
const WRITERS: u64 = 1;
const OUTLET: u64 = 2;

/// All that the loop holds.
pub struct Keeper {
    channel: OwnedFd,
    epoll: OwnedFd,
    outlet: Outlet,
    /// What could not be written has been told of.
    complained: bool,
    stuck: bool,
    streams: Streams,
    vassals: Vassals,
    readers: Readers,
    outbox: VecDeque<ToEmperor>,
    buffer: Vec<u8>,
}

impl Keeper {
    /// Everything that takes rights which are given up afterwards.
    ///
    /// # Errors
    /// What is missing.
    pub fn new(channel: OwnedFd, charter: &Charter, directory: Option<OwnedFd>) -> Result<Self> {
        let outlet = Outlet::open(charter, directory).map_err(anyhow::Error::msg)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&channel, true)?;
        let streams = Streams::new()?;
        epoll::add(&epoll, &channel, EventData::new_u64(CHANNEL), EventFlags::IN)?;
        epoll::add(&epoll, streams.descriptor(), EventData::new_u64(WRITERS), EventFlags::IN)?;
        // Behind a wall of silence there is no deadlock: a sink that takes nothing stops writers, and nobody else.
        let sink_waits = !matches!(charter.sink, Sink::Nowhere | Sink::Files);
        if let Some(descriptor) = outlet.descriptor().filter(|_| sink_waits) {
            // A file is always ready, and cannot be waited for.
            let _ = epoll::add(&epoll, descriptor, EventData::new_u64(OUTLET), EventFlags::empty());
        }
        Ok(Self {
            channel,
            epoll,
            outlet,
            complained: false,
            stuck: false,
            streams,
            vassals: Vassals::new(charter.rate),
            readers: Readers::default(),
            outbox: VecDeque::from([ToEmperor::Ready]),
            buffer: vec![0; PIECE_MAX],
        })
    }

    /// Until the Emperor is gone.
    ///
    /// # Errors
    /// Only the loss of its own descriptors.
    pub fn serve(&mut self) -> Result<()> {
        while self.turn()? {}
        self.streams.all().into_iter().for_each(|stream| self.read_out(stream));
        self.outlet.finish();
        Ok(())
    }

    fn turn(&mut self) -> Result<bool> {
        self.speak()?;
        let mut events = Vec::with_capacity(64);
        let wait = self.streams.next_deadline().map(|until| {
            let ms = until.0.saturating_sub(clock::now().0).div_ceil(1_000_000);
            Timespec { tv_sec: (ms / 1000).cast_signed(), tv_nsec: (ms % 1000).cast_signed() * 1_000_000 }
        });
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("cannot wait"),
        }
        self.streams.handle_deadline(clock::now());
        for event in events {
            match event.data.u64() {
                CHANNEL => {
                    if !self.hear()? {
                        return Ok(false);
                    }
                }
                WRITERS if !self.stuck => self.read(),
                WRITERS => {}
                OUTLET => self.go_on(),
                // He says nothing: he is gone.
                reader => self.let_go(reader),
            }
        }
        Ok(true)
    }

    /// Says what the Emperor takes.
    fn speak(&mut self) -> Result<()> {
        while let Some(word) = self.outbox.front() {
            match jail::run::send(&self.channel, &encode(word)?, &[]) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(Errno::AGAIN) => break,
                Err(_) => return Ok(()),
            }
        }
        let out = if self.outbox.is_empty() { EventFlags::empty() } else { EventFlags::OUT };
        Ok(epoll::modify(&self.epoll, &self.channel, EventData::new_u64(CHANNEL), EventFlags::IN | out)?)
    }

    /// Hears the Emperor. False when he is gone.
    fn hear(&mut self) -> Result<bool> {
        for _ in 0..WORDS_MAX {
            let mut buffer = [0; MESSAGE_MAX];
            match jail::run::receive(&self.channel, &mut buffer) {
                Ok(Some(parcel)) => {
                    let word = decode(&buffer[..parcel.length])?;
                    self.heed(word, parcel.descriptors.into_iter().next());
                }
                Ok(None) | Err(Errno::CONNRESET) => return Ok(false),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).context("cannot hear the Emperor"),
            }
        }
        Ok(true)
    }

    fn heed(&mut self, word: ToKeeper, lent: Option<OwnedFd>) {
        match (word, lent) {
            (ToKeeper::Open { stream, name }, Some(end)) => {
                let now = clock::now();
                self.vassals.meet(stream.vassal, &name, now);
                if let Err(errno) = self.streams.add(stream, end, now) {
                    self.complain(&format!("cannot read what {name} writes: {errno}"));
                    self.outbox.push_back(ToEmperor::Closed(stream));
                }
            }
            // No number was free for its pipe, which the Emperor has still: whoever writes there waits for him to close it.
            (ToKeeper::Open { stream, .. }, None) => self.outbox.push_back(ToEmperor::Closed(stream)),
            (ToKeeper::Close(stream), _) => self.read_out(stream),
            (ToKeeper::Forget(vassal), _) => self.forget(vassal),
            (ToKeeper::Disown(vassal), _) => {
                let readers = self.vassals.disown(vassal);
                self.end_readers(readers);
            }
            (ToKeeper::Tail(tail), Some(socket)) => self.tail(tail, socket),
            (ToKeeper::Reopen, _) => {
                if let Outlet::Files(files) = &mut self.outlet {
                    files.reopen();
                }
            }
            (ToKeeper::Begin(_) | ToKeeper::Tail(_), _) => {}
        }
    }

    /// A piece of each that has something, in turn.
    fn read(&mut self) {
        for stream in self.streams.ready() {
            self.read_piece(stream);
            if self.stuck {
                break;
            }
        }
    }

    /// Whether there may be more.
    fn read_piece(&mut self, stream: Stream) -> bool {
        let now = clock::now();
        let mut told = Vec::new();
        let (vassals, outlet) = (&mut self.vassals, &mut self.outlet);
        let is_read = vassals.get_mut(stream.vassal).is_some_and(|one| !one.readers.is_empty());
        let piece = self.streams.read(stream, &mut self.buffer, |line| {
            if is_read {
                told.extend_from_slice(line);
                told.push(b'\n');
            }
            take(vassals, outlet, (stream.vassal, line));
        });
        self.flush(stream.vassal);
        if !told.is_empty() {
            self.tell_readers(stream.vassal, &told);
        }
        match piece {
            Piece::Bytes(count) => self.streams.count(stream, count, now),
            Piece::Nothing => return false,
            Piece::End => {
                self.streams.close(stream, |_| {});
                self.outbox.push_back(ToEmperor::Closed(stream));
                return false;
            }
        }
        true
    }

    fn flush(&mut self, vassal: u32) {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match self.outlet.flush(vassal, now_s) {
            Ok(true) => self.hold(),
            Ok(false) => {}
            Err(errno) => {
                let name = self.vassals.get_mut(vassal).map_or_else(String::new, |one| one.name.clone());
                self.complain(&format!("lines of {name} are lost, and maybe others: {errno}"));
            }
        }
    }

    /// Told once: whoever has no room on a disk has none for that either.
    fn complain(&mut self, sentence: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            log::warn("log keeper", sentence);
        }
    }

    /// Nobody is read until somebody takes what was read.
    fn hold(&mut self) {
        if !self.stuck {
            self.stuck = true;
            self.want(EventFlags::OUT, EventFlags::empty());
        }
    }

    fn go_on(&mut self) {
        if self.stuck {
            // Any number: what is still to be taken is everybody's.
            let waits = self.outlet.flush(0, 0).unwrap_or(false);
            self.stuck = waits;
        }
        if !self.stuck {
            self.want(EventFlags::empty(), EventFlags::IN);
        }
    }

    fn want(&self, outlet: EventFlags, writers: EventFlags) {
        if let Some(descriptor) = self.outlet.descriptor() {
            let _ = epoll::modify(&self.epoll, descriptor, EventData::new_u64(OUTLET), outlet);
        }
        let _ = epoll::modify(&self.epoll, self.streams.descriptor(), EventData::new_u64(WRITERS), writers);
    }

    /// Reads what is there, and closes it.
    fn read_out(&mut self, stream: Stream) {
        // Of what nobody takes there is no more than of others.
        let most = if self.stuck { 1 } else { LAST_PIECES_MAX };
        let _ = (0..most).all(|_| self.read_piece(stream));
        let (vassals, outlet) = (&mut self.vassals, &mut self.outlet);
        self.streams.close(stream, |line| take(vassals, outlet, (stream.vassal, line)));
        self.flush(stream.vassal);
    }

    fn forget(&mut self, vassal: u32) {
        self.streams.of(vassal).into_iter().for_each(|stream| self.read_out(stream));
        let readers = self.vassals.forget(vassal);
        self.end_readers(readers);
        if let Outlet::Files(files) = &mut self.outlet {
            files.forget(vassal);
        }
    }

    fn end_readers(&mut self, readers: Vec<u64>) {
        for (socket, _) in readers.into_iter().filter_map(|reader| self.readers.remove(reader)) {
            readers::say(socket.as_fd(), &Answer::Ended(0));
        }
    }

    fn tail(&mut self, tail: Tail, socket: OwnedFd) {
        // What was written before he asked is there for him.
        if !self.stuck {
            for stream in self.streams.of(tail.vassal) {
                self.read_piece(stream);
            }
        }
        let lines = self.vassals.last(tail.vassal, tail.lines as usize);
        if !readers::give(socket.as_fd(), &lines) {
            return;
        }
        if !tail.follows {
            readers::say(socket.as_fd(), &Answer::Ended(0));
            return;
        }
        let Some(number) = self.readers.add(socket, tail.uid, tail.vassal) else { return };
        let watched = self.readers.descriptor(number).is_some_and(|socket| {
            // He says nothing any more: only his end is waited for.
            epoll::add(&self.epoll, socket, EventData::new_u64(READERS + number), EventFlags::empty()).is_ok()
        });
        match self.vassals.get_mut(tail.vassal).filter(|_| watched) {
            Some(one) => one.readers.push(number),
            None => drop(self.readers.remove(number)),
        }
    }

    fn tell_readers(&mut self, vassal: u32, lines: &[u8]) {
        let known = self.vassals.get_mut(vassal).map(|one| one.readers.clone()).unwrap_or_default();
        for number in known {
            if !self.readers.give(number, lines) {
                self.let_go(READERS + number);
            }
        }
    }

    fn let_go(&mut self, event: u64) {
        let number = event - READERS;
        let Some((_, vassal)) = self.readers.remove(number) else { return };
        if let Some(one) = self.vassals.get_mut(vassal) {
            one.readers.retain(|reader| *reader != number);
        }
    }
}

fn take(vassals: &mut Vassals, outlet: &mut Outlet, (vassal, line): (u32, &[u8])) {
    let verdict = vassals.judge(vassal, line, clock::now());
    let Some(one) = vassals.get_mut(vassal) else { return };
    if let Verdict::PassesAfter(dropped) = verdict {
        outlet
            .take((vassal, &one.name), format!("{dropped} lines were dropped (vassals-log-rate)").as_bytes());
    }
    if verdict != Verdict::Dropped {
        outlet.take((vassal, &one.name), line);
    }
}

/// The first word of the Emperor.
///
/// # Errors
/// It is none.
pub fn first_word(channel: &OwnedFd) -> Result<(Charter, Option<OwnedFd>)> {
    let mut buffer = [0; MESSAGE_MAX];
    let Some(parcel) = jail::run::receive(channel, &mut buffer)? else { bail!("nobody is there") };
    match decode(&buffer[..parcel.length])? {
        ToKeeper::Begin(charter) => Ok((charter, parcel.descriptors.into_iter().next())),
        _ => bail!("the Emperor begins with another word"),
    }
}
