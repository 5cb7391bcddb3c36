//! Hands out what happened, one line for each thing: first what is remembered, then what comes. Never waits for a reader,
//! and reads nothing from one.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketFlags, accept_with, send};

use super::guests::{Guests, Pace};
use super::server::listen;
use crate::config::vassal::Address;
use crate::emperor::event::{Moment, Owner};
use crate::emperor::sender::Sender;
use crate::log;
use crate::parting::Visited;
use crate::reactor::{Poller, Token};

/// Most lines remembered.
const LINES_MAX: usize = 1_024;
/// Longest line, in bytes; a longer one loses its sentence.
pub const LINE_MAX: usize = 8_192;
/// Most followers at one time; further ones wait in the listener's queue.
const FOLLOWERS_MAX: usize = 16;
/// A follower that takes nothing for this long while there is something is let go, in ms.
const PATIENCE_MS: u64 = 5_000;
/// How long nobody is taken in when there is no descriptor left, in ms.
const PAUSE_MS: u64 = 100;
/// What is added to the name of the stats socket.
const SUFFIX: &str = ".events";
/// Ends what is remembered; what comes after it happens now.
const NOW: &str = "{\"event\":\"now\"}\n";

/// What happened, and those who want to know.
#[derive(Default)]
pub struct Events {
    ring: Ring,
    listener: Option<Visited>,
    path: Option<PathBuf>,
    followers: BTreeMap<u32, Follower>,
    last: u32,
    /// Until when nobody is taken in; for ever means until a follower goes.
    paused: Option<Option<Moment>>,
    guests: Guests,
    pace: Pace,
}

/// Something that happened.
pub struct Line {
    /// Whose vassal it is about.
    pub owner: Owner,
    /// JSON, with its end.
    pub text: String,
}

/// The last lines, numbered from 0.
#[derive(Default)]
struct Ring {
    lines: VecDeque<Line>,
    first: u64,
}

struct Follower {
    socket: Visited,
    reader: Sender,
    /// The line it gets next.
    next: u64,
    /// It has not been told yet where the past ends, which is before this line.
    past: Option<u64>,
    /// What is left of a line, or of a word of ours.
    rest: Vec<u8>,
    /// Since when it takes nothing.
    until: Option<Moment>,
}

/// Where events are served, if the stats are served here: beside them. Only where the kernel guards the name, or nobody
/// from another host can ask.
pub fn beside(stats: &Address) -> Option<Address> {
    match stats {
        Address::Unix(path) => {
            let mut name = path.clone().into_os_string();
            name.push(SUFFIX);
            Some(Address::Unix(name.into()))
        }
        Address::Abstract(name) => Some(Address::Abstract(format!("{name}{SUFFIX}"))),
        Address::Tcp(_) | Address::Inherited(_) => None,
    }
}

impl Events {
    /// Listens beside the stats. Without a place events are remembered and served to nobody.
    pub fn bind(stats: Option<&Address>, guests: Guests) -> Self {
        let Some(address) = stats.and_then(beside) else { return Self::default() };
        match listen(&address, guests.owner, guests.mode()) {
            Ok((listener, path)) => {
                let (listener, mut events) = (listener.map(Visited::from), Self::default());
                (events.listener, events.path, events.guests) = (listener, path, guests);
                events
            }
            Err(error) => {
                log::info("stats", &format!("events are served to nobody: {error:#}"));
                Self::default()
            }
        }
    }

    /// The file of the listening socket, if it has one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Waits for followers.
    ///
    /// # Errors
    /// The limit of watches.
    pub fn watch(&self, poller: &Poller) -> Result<()> {
        let listener = self.listener.as_ref();
        listener.map_or(Ok(()), |listener| poller.watch(Token::EventsListener, listener.as_fd()))
    }

    /// Something happened.
    pub fn add(&mut self, line: Line, poller: &Poller, now: Moment) {
        self.ring.add(line);
        let numbers: Vec<u32> = self.followers.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.serve(number, poller, now));
    }

    /// Takes in one follower.
    pub fn accept(&mut self, poller: &Poller, now: Moment) {
        let Some(listener) = &self.listener else { return };
        let socket = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(socket) => socket,
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
            Err(_) => return self.pause(poller, Some(now.plus_ms(PAUSE_MS))),
        };
        let socket = Visited::from(socket);
        let reader = self.guests.reader(&socket);
        if self.pace.is_over(reader) {
            self.pause(poller, Some(now.plus_ms(PAUSE_MS)));
        }
        if !Guests::have_room(reader, self.followers.values().map(|one| one.reader)) {
            return;
        }
        self.last = self.last.wrapping_add(1);
        // Told once whenever there is room again, so that one who has everything costs nothing.
        if poller.watch_room(Token::Follower(self.last), socket.as_fd()).is_ok() {
            self.followers.insert(self.last, Follower::new((socket, reader), &self.ring));
        }
        if self.followers.len() >= FOLLOWERS_MAX {
            self.pause(poller, None);
        }
    }

    /// Gives a follower what its socket takes.
    pub fn serve(&mut self, number: u32, poller: &Poller, now: Moment) {
        let Some(follower) = self.followers.get_mut(&number) else { return };
        if !follower.follow(&self.ring, now) || follower.is_gone() {
            self.let_go(number, poller);
        }
    }

    /// Lets those go who take nothing, and others in.
    pub fn handle_deadline(&mut self, now: Moment, poller: &Poller) {
        let is_late = |one: &Follower| one.until.is_some_and(|until| until <= now);
        let late = self.followers.iter().filter(|(_, one)| is_late(one)).map(|(number, _)| *number);
        for number in late.collect::<Vec<u32>>() {
            self.let_go(number, poller);
        }
        if matches!(self.paused, Some(Some(until)) if until <= now) {
            self.resume(poller, now);
        }
    }

    /// When the next follower loses its place, or others are let in.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.followers.values().filter_map(|one| one.until).chain(self.paused.flatten()).min()
    }

    fn pause(&mut self, poller: &Poller, until: Option<Moment>) {
        self.listener.iter().for_each(|listener| poller.forget(listener));
        self.paused = Some(until);
    }

    fn resume(&mut self, poller: &Poller, now: Moment) {
        let watched = self.watch(poller).is_ok();
        self.paused = (!watched).then(|| Some(now.plus_ms(PAUSE_MS)));
    }

    fn let_go(&mut self, number: u32, poller: &Poller) {
        if let Some(follower) = self.followers.remove(&number) {
            poller.forget(&follower.socket);
        }
        if self.paused == Some(None) && self.watch(poller).is_ok() {
            self.paused = None;
        }
    }
}

impl Line {
    /// Where the Emperor has its configs from is none of a guest's.
    fn text_for(&self, reader: Sender) -> String {
        if reader.is_master() {
            return self.text.clone();
        }
        let mut line: serde_json::Value = serde_json::from_str(&self.text).unwrap_or_default();
        if let Some(monitor) = line.get_mut("monitor") {
            *monitor = "".into();
        }
        format!("{line}\n")
    }
}

impl Ring {
    fn add(&mut self, line: Line) {
        if self.lines.len() >= LINES_MAX {
            self.lines.pop_front();
            self.first += 1;
        }
        self.lines.push_back(line);
    }

    fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    fn line(&self, number: u64) -> Option<&Line> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.lines.get(index)
    }
}

impl Follower {
    fn new((socket, reader): (Visited, Sender), ring: &Ring) -> Self {
        Self { socket, reader, next: ring.first, past: Some(ring.end()), rest: Vec::new(), until: None }
    }

    /// False when it cannot be written to any more.
    fn follow(&mut self, ring: &Ring, now: Moment) -> bool {
        loop {
            if self.rest.is_empty() {
                let Some(text) = self.next_text(ring) else {
                    self.until = None;
                    return true;
                };
                self.rest = text.into_bytes();
            }
            match send(&self.socket, &self.rest, SendFlags::NOSIGNAL) {
                Ok(count) => {
                    self.rest.drain(..count);
                    self.until = None;
                }
                Err(Errno::AGAIN) => {
                    self.until.get_or_insert(now.plus_ms(PATIENCE_MS));
                    return true;
                }
                Err(_) => return false,
            }
        }
    }

    fn next_text(&mut self, ring: &Ring) -> Option<String> {
        if self.next < ring.first {
            let lost = ring.first - std::mem::replace(&mut self.next, ring.first);
            return Some(format!("{{\"event\":\"lost\",\"lines\":{lost}}}\n"));
        }
        loop {
            if self.past.is_some_and(|end| self.next >= end) {
                self.past = None;
                return Some(NOW.to_owned());
            }
            let line = ring.line(self.next)?;
            self.next += 1;
            if self.reader.may_see(line.owner) {
                return Some(line.text_for(self.reader));
            }
        }
    }

    /// It closed its end; what it has sent is never read.
    fn is_gone(&self) -> bool {
        let mut watched = [PollFd::from_borrowed_fd(self.socket.as_fd(), PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let _ = poll(&mut watched, Some(&at_once));
        watched[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
