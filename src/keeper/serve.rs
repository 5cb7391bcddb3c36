//! The loop: hears the Emperor, reads vassals in turn, hands on lines. It ends with the Emperor, once all that was written is read.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::charter::Charter;
use super::marks;
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
/// While nobody takes more than this, in bytes, what is closed is lost: whoever starts again and again leaves a pipe each time.
const UNTAKEN_MAX: usize = 4 << 20;
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
    /// Lines of pipes that were closed while nobody took what was there already, and nothing was told of them yet.
    lost: u64,
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
        outlet.unheard().iter().for_each(|sentence| log::warn("log keeper", sentence));
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&channel, true)?;
        let streams = Streams::new()?;
        epoll::add(&epoll, &channel, EventData::new_u64(CHANNEL), EventFlags::IN)?;
        epoll::add(&epoll, streams.descriptor(), EventData::new_u64(WRITERS), EventFlags::IN)?;
        // Behind a wall of silence there is no deadlock: a sink that takes nothing stops writers, and nobody else.
        Ok(Self {
            channel,
            epoll,
            outlet,
            complained: false,
            stuck: false,
            lost: 0,
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
        self.tell_lost();
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
                Ok(None) => return Ok(false),
                Err(Errno::AGAIN) => break,
                // He has gone without having heard all that we have said (`unix(7)`). What he has said still comes, and then his end.
                Err(Errno::CONNRESET | Errno::INTR) => {}
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
            (ToKeeper::Tail(tail), Some(socket)) => self.tail(&tail, socket),
            (ToKeeper::Reopen, lent) => self.reopen(lent),
            (ToKeeper::Begin(_) | ToKeeper::Tail(_), _) => {}
        }
    }

    /// Whatever stands there now is written to.
    fn reopen(&mut self, lent: Option<OwnedFd>) {
        // It is another one afterwards, of the same number.
        self.await_outlet(false);
        self.outlet.reopen(lent);
        // What nobody took of the old one goes to the new one.
        self.go_on();
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
        if !std::mem::replace(&mut self.stuck, true) {
            self.await_outlet(true);
            self.read_writers(false);
        }
    }

    fn go_on(&mut self) {
        // Any number: what is still to be taken is everybody's.
        self.stuck = self.outlet.flush(0, 0).unwrap_or(false);
        self.await_outlet(self.stuck);
        self.read_writers(!self.stuck);
        if !self.stuck {
            self.tell_lost();
        }
    }

    fn tell_lost(&mut self) {
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            log::warn("log keeper", &format!("{lost} lines were dropped: nobody took those before them"));
        }
    }

    /// Only while something is to be taken: a pipe that nobody will ever read is ready for ever, whatever is asked.
    fn await_outlet(&self, waits: bool) {
        let Some(descriptor) = self.outlet.descriptor() else { return };
        // A file is always ready, and cannot be waited for; and it may be there, or not, already.
        let _ = match waits {
            true => epoll::add(&self.epoll, descriptor, EventData::new_u64(OUTLET), EventFlags::OUT),
            false => epoll::delete(&self.epoll, descriptor),
        };
    }

    fn read_writers(&self, reads: bool) {
        let flags = if reads { EventFlags::IN } else { EventFlags::empty() };
        let _ = epoll::modify(&self.epoll, self.streams.descriptor(), EventData::new_u64(WRITERS), flags);
    }

    /// Reads what is there, and closes it.
    fn read_out(&mut self, stream: Stream) {
        if self.outlet.untaken() > UNTAKEN_MAX {
            return self.lose(stream);
        }
        // Of what nobody takes there is no more than of others.
        let most = if self.stuck { 1 } else { LAST_PIECES_MAX };
        let _ = (0..most).all(|_| self.read_piece(stream));
        let (vassals, outlet) = (&mut self.vassals, &mut self.outlet);
        self.streams.close(stream, |line| take(vassals, outlet, (stream.vassal, line)));
        self.flush(stream.vassal);
    }

    /// Keeps its last lines for whoever asks, counts them, and closes it.
    fn lose(&mut self, stream: Stream) {
        let (vassals, lost, now) = (&mut self.vassals, &mut self.lost, clock::now());
        let mut keep = |line: &[u8]| {
            let before = match vassals.judge(stream.vassal, line, now) {
                Verdict::PassesAfter(dropped) => dropped,
                Verdict::Passes | Verdict::Dropped => 0,
            };
            *lost += before + 1;
        };
        for _ in 0..LAST_PIECES_MAX {
            let Piece::Bytes(_) = self.streams.read(stream, &mut self.buffer, &mut keep) else { break };
        }
        self.streams.close(stream, keep);
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

    fn tail(&mut self, tail: &Tail, socket: OwnedFd) {
        // What was written before he asked is there for him.
        if !self.stuck {
            for stream in self.streams.of(tail.vassal) {
                self.read_piece(stream);
            }
        }
        let lines = self.vassals.last(tail.vassal, tail.lines as usize, tail.daemon.as_deref());
        if !readers::give(socket.as_fd(), &lines) {
            return;
        }
        if !tail.follows {
            readers::say(socket.as_fd(), &Answer::Ended(0));
            return;
        }
        let Some(number) = self.readers.add(socket, tail) else { return };
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
        outlet.take((vassal, &one.name), marks::read(line).text);
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

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use rustix::pipe::pipe;

    use super::*;
    use crate::config::rotation::Rotation;
    use crate::keeper::charter::Sink;

    #[test]
    fn what_the_emperor_has_said_is_heard_though_he_has_gone_without_hearing_us() {
        let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = pair.expect("a pair of sockets");
        let charter = Charter { sink: Sink::Nowhere, rate: 0, rotation: Rotation::default() };
        let mut keeper = Keeper::new(theirs, &charter, None).expect("a keeper");
        keeper.speak().expect("he takes it");
        let (reader, _writer) = pipe().expect("a pipe");
        let stream = Stream { vassal: 1, attempt: 1 };
        let word = encode(&ToKeeper::Open { stream, name: "shop".into() }).expect("a word");
        jail::run::send(&ours, &word, &[reader.as_fd()]).expect("it takes it");
        drop(ours);
        assert!(!keeper.hear().expect("its descriptors are there"), "he is gone");
        assert_eq!(keeper.streams.all(), [stream]);
    }
}
