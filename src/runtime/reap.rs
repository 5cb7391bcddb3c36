//! Hears what vassals say and how they end.

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::{WaitOptions, WaitStatus};

use super::courtiers::Child;
use super::household::HOUSEHOLD;
use super::spelling::Spelled;
use super::{Runtime, clock};
use crate::emperor::event::{Event, Exit, Incarnation, Moment};
use crate::emperor::order::from_vassal;
use crate::log;
use crate::reactor::Token;
use crate::words::{self, Words};

/// Most bytes heard from one vassal in one go.
const BYTES_MAX: usize = 64;
/// How often one that has ended is listened to: its last words are heard to their end.
const LAST_WORDS_MAX: usize = 16;
/// Most children that are reaped in one turn: when a thousand end at once, others are heard in between.
const REAPED_MAX: usize = 64;

impl Runtime {
    /// Reads what a vassal said, and the end of it. Whether there may be more.
    pub(super) fn hear_vassal(&mut self, one: Incarnation) -> bool {
        let mut bytes = [0; BYTES_MAX];
        let Some(control) = self.courtiers.control(one) else { return false };
        match words::hear(control, &mut bytes) {
            Words::Said(count) => {
                bytes[..count].iter().for_each(|byte| self.hear_byte(one, *byte));
                self.listen_in_sips(one, count);
                return true;
            }
            Words::Nothing => {}
            Words::End => self.silence(one),
            Words::Smuggled => {
                let name = self.emperor.key(one.id).map_or_else(String::new, |key| key.name.to_string());
                log::line(
                    log::Level::Warn,
                    &[("vassal", &name)],
                    "sent a descriptor, and is not heard any more",
                );
                self.silence(one);
            }
        }
        false
    }

    fn hear_byte(&mut self, one: Incarnation, byte: u8) {
        let event = match self.courtiers.spell(one, byte) {
            Spelled::Byte if one.id == HOUSEHOLD => return self.household.speaks(clock::now()),
            Spelled::Byte if byte == from_vassal::LIMITED => return self.courtiers.is_limited(one),
            Spelled::Byte => {
                if byte == from_vassal::BECOMES {
                    self.courtiers.is_another(one);
                    self.courtiers.forget_daemons(one);
                }
                Event::Byte(one, byte)
            }
            Spelled::Letter => return,
            Spelled::Daemon(word) => {
                let name = word.as_ref().map(|word| word.name.clone());
                if self.courtiers.hear_of_daemon(one, word, clock::now()) {
                    match name {
                        Some(name) => self.waiters.note_daemon(one.id, &name),
                        None => self.waiters.note(one.id),
                    }
                }
                return;
            }
            Spelled::Trouble(text) => Event::Troubled(one, text.into()),
            Spelled::Takes(digest) => Event::Takes(one, digest),
            Spelled::Kept(digest, text) => Event::Kept(one, digest, text.map(Into::into)),
        };
        self.tell(event);
    }

    /// Who floods us is not listened to for a while.
    fn listen_in_sips(&mut self, one: Incarnation, count: usize) {
        let Some(until) = self.courtiers.heard(one, count, clock::now()) else { return };
        if let Some(control) = self.courtiers.control(one) {
            self.poller.forget(control);
            self.unheard.add(until, one);
        }
    }

    /// To those whose time has come; not to one that is gone.
    pub(super) fn listen_again(&mut self, now: Moment) {
        while let Some(one) = self.unheard.next(now) {
            let Some(control) = self.courtiers.control(one) else { continue };
            if self.poller.watch(Token::Control(one), control).is_err() {
                log::warn("emperor", "cannot listen to a vassal any more: no watch is left");
            }
        }
    }

    pub(super) fn silence(&mut self, one: Incarnation) {
        self.hang_up(one);
        self.tell(Event::Silent(one));
    }

    /// Closes our end of its control socket.
    pub(super) fn hang_up(&mut self, one: Incarnation) {
        if let Some(control) = self.courtiers.take_control(one) {
            self.poller.forget(&control);
        }
    }

    /// Reaps some of the children that have ended, after the replies of the spawner were read; the kernel tells of all of
    /// them only once.
    ///
    /// # Errors
    /// The spawner is among them.
    pub(super) fn reap(&mut self) -> Result<()> {
        for _ in 0..REAPED_MAX {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.bury_child(pid.as_raw_nonzero().get(), status)?,
                Ok(None) | Err(Errno::CHILD) => {
                    self.unreaped = false;
                    break;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).context("cannot wait for children"),
            }
        }
        Ok(())
    }

    fn bury_child(&mut self, pid: i32, status: WaitStatus) -> Result<()> {
        let exit = exit_of(status);
        if pid == self.spawner.pid {
            bail!("the spawner ended ({exit})");
        }
        match self.courtiers.died(pid, exit) {
            Some(Child::Vassal(one)) if one.id == HOUSEHOLD => self.household_ended(exit),
            Some(Child::Vassal(one)) => self.exited(one, exit),
            Some(Child::Hook(one)) => self.hook_ended(one, exit),
            Some(Child::Router(number)) => self.router_ended(number, exit)?,
            Some(Child::Keeper) => self.keeper_ended(exit)?,
            Some(Child::Session(number)) => self.session_ended(number, exit),
            Some(Child::Herald) | None => {}
        }
        Ok(())
    }

    /// What it said last is heard before its end.
    pub(super) fn exited(&mut self, one: Incarnation, exit: Exit) {
        let _ = (0..LAST_WORDS_MAX).all(|_| self.hear_vassal(one));
        if let Some(key) = self.emperor.key(one.id) {
            self.held_back.end(one, &key.name, self.facts.cgroup.as_deref());
        }
        self.tell(Event::Exited(one, exit));
    }

    pub(super) fn hook_started(&mut self, one: Incarnation, outcome: Result<i32, String>) {
        match outcome {
            Ok(pid) => {
                let early = self.courtiers.hook_born(one, Some(pid));
                early.into_iter().for_each(|exit| self.hook_ended(one, exit));
            }
            Err(sentence) => {
                self.courtiers.hook_born(one, None);
                self.farewells.ended(one);
                self.asides.ended(one);
                log::warn("hooks", &sentence);
            }
        }
    }

    /// What failed it has told itself, unless it was killed.
    fn hook_ended(&mut self, one: Incarnation, exit: Exit) {
        self.farewells.ended(one);
        self.asides.ended(one);
        if exit != Exit::Code(0) {
            let name = self.emperor.key(one.id).map_or_else(String::new, |key| key.name.to_string());
            log::line(log::Level::Warn, &[("vassal", &name)], &format!("its hooks were cut short: {exit}"));
        }
    }
}

fn exit_of(status: WaitStatus) -> Exit {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    }
}
