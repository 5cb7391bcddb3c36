//! Where an Emperor is spoken to: the command socket, the trigger socket and the master FIFO. Each is closed for a moment after it was
//! used much, so that nobody who knocks without end keeps the loop busy.

mod commands;
mod fifo;
mod trigger;

use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};

use crate::config::emperor::commands::Commands;
use crate::emperor::event::{Moment, Owner};
use crate::log;
use crate::parting::Visited;
use crate::reactor::{Poller, Token};
use crate::spawner::charter::Leftover;

/// At most one line about what was refused in this time, in ms.
const REFUSAL_MS: u64 = 10_000;

/// All of them.
pub struct Doors {
    commands: Option<Door>,
    trigger: Option<Door>,
    fifo: Option<Door>,
    refusals: Refusals,
}

/// A socket or FIFO that is watched, except for moments.
struct Door {
    socket: Visited,
    file: Option<Leftover>,
    token: Token,
    closed_until: Option<Moment>,
}

/// What was refused and not told.
#[derive(Default)]
struct Refusals {
    quiet_until: Moment,
    untold: u32,
}

impl Doors {
    /// Makes what is asked for. `owner`: the ids that the Emperor is about to take.
    ///
    /// # Errors
    /// An address that cannot be had.
    pub fn open(asked: &Commands, owner: Option<Owner>) -> Result<Self> {
        let commands = asked.socket.as_ref().map(|address| {
            let bound = commands::bind(&address.value);
            bound.with_context(|| format!("{}: cannot serve emperor-command-socket", address.place))
        });
        let trigger = asked.trigger.as_ref().map(|address| {
            let bound = trigger::bind(&address.value, owner);
            bound.with_context(|| format!("{}: cannot serve emperor-trigger-socket", address.place))
        });
        let fifo = asked.fifo.as_ref().map(|path| {
            let made = fifo::make(&path.value, owner);
            made.with_context(|| format!("{}: cannot make the FIFO {}", path.place, path.value.display()))
        });
        let (commands, trigger, fifo) = (commands.transpose()?, trigger.transpose()?, fifo.transpose()?);
        Ok(Self { commands, trigger, fifo, refusals: Refusals::default() })
    }

    /// Their files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.each().filter_map(|door| door.file.as_ref()).map(|file| Path::new(&file.path))
    }

    /// Watches all of them.
    ///
    /// # Errors
    /// The limit of watches.
    pub fn watch(&self, poller: &Poller) -> Result<()> {
        self.each().try_for_each(|door| poller.watch(door.token, door.socket.as_fd()))
    }

    /// Opens again what was closed for a moment.
    pub fn handle_deadline(&mut self, now: Moment, poller: &Poller) {
        let doors = self.commands.iter_mut().chain(&mut self.trigger).chain(&mut self.fifo);
        for door in doors.filter(|door| door.closed_until.is_some_and(|until| until <= now)) {
            let watched = poller.watch(door.token, door.socket.as_fd()).is_ok();
            door.closed_until = (!watched).then(|| now.plus_ms(trigger::PAUSE_MS));
        }
    }

    /// When that is to be done.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.each().filter_map(|door| door.closed_until).min()
    }

    fn each(&self) -> impl Iterator<Item = &Door> {
        self.commands.iter().chain(&self.trigger).chain(&self.fifo)
    }
}

impl Door {
    fn close_for(&mut self, ms: u64, now: Moment, poller: &Poller) {
        poller.forget(&self.socket);
        self.closed_until = Some(now.plus_ms(ms));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.file.iter().for_each(Leftover::remove);
    }
}

impl Refusals {
    /// Tells this one, and of how many nothing was told before; or keeps silent.
    fn tell(&mut self, sentence: &str, now: Moment) {
        if now < self.quiet_until {
            self.untold = self.untold.saturating_add(1);
            return;
        }
        let untold = match std::mem::take(&mut self.untold) {
            0 => String::new(),
            more => format!(" ({more} others were refused before)"),
        };
        log::warn("commands", &format!("{sentence}{untold}"));
        self.quiet_until = now.plus_ms(REFUSAL_MS);
    }
}
