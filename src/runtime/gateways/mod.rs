//! Routers while the Emperor runs: each has one process, and what that would lose by its end is kept here for the next one.

mod keep;
mod line;

use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::Runtime;
use crate::config::emperor::EmperorConfig;
use crate::emperor::event::{Exit, Moment, Owner};
use crate::gateways::{Opened, Revival, Setting};
use crate::log;
use crate::reactor::{Token, clock};
use crate::spawner::charter::{Leftover, Lodging};
use crate::spawner::wire::Request;
use crate::stats::RouterView;
use keep::Keep;
use line::{Heard, Line};
use routers::parking::ToEmperor;

/// Messages of one router that are heard in one go: nobody else waits for more.
const BATCH_MAX: usize = 64;

/// All of them, each by its number.
#[derive(Default)]
pub struct Gateways(Vec<Gateway>);

/// One of them.
struct Gateway {
    opened: Opened,
    keep: Keep,
    line: Option<Line>,
    pid: Option<i32>,
    /// Its birth is to be told.
    is_expected: bool,
    revival: Revival,
}

impl Gateways {
    /// Opens everything, with the first rights.
    ///
    /// # Errors
    /// What one of them cannot have; then none of them has anything.
    pub fn open(config: &EmperorConfig, owner: Option<Owner>) -> Result<Self> {
        let setting = Setting { owner, stats_http: config.stats_form.http };
        let routers = config.tuntap.routers(config.tyrant);
        let opened = routers.iter().map(|router| Opened::open(router, setting).map(Gateway::new));
        Ok(Self(opened.collect::<Result<_>>()?))
    }

    /// What vassals are told of them.
    pub fn lodgings(&self) -> Vec<Lodging> {
        let lodging = |gateway: &Gateway| Lodging {
            device: gateway.opened.charter.device.clone(),
            socket: gateway.opened.socket.clone(),
        };
        self.0.iter().map(lodging).collect()
    }

    /// Their files.
    pub fn leftovers(&self) -> Vec<Leftover> {
        let files = |gateway: &Gateway| [Some(gateway.opened.socket.clone()), gateway.opened.stats.clone()];
        self.0.iter().flat_map(files).flatten().collect()
    }

    /// How they are.
    pub fn views(&self) -> Vec<RouterView<'_>> {
        self.0.iter().map(Gateway::view).collect()
    }

    /// When one of them is to be born, or is given up.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.0
            .iter()
            .filter(|one| one.pid.is_some() || !one.is_expected)
            .filter_map(|one| one.revival.deadline())
            .min()
    }

    /// What they hold open is theirs no longer: they end.
    pub fn leave(&mut self) {
        self.0.iter_mut().for_each(|gateway| gateway.line = None);
    }

    fn get_mut(&mut self, number: u8) -> Option<&mut Gateway> {
        self.0.get_mut(usize::from(number))
    }
}

impl Gateway {
    fn new(opened: Opened) -> Self {
        let keep = Keep::of(opened.charter.peers_max);
        Self { opened, keep, line: None, pid: None, is_expected: false, revival: Revival::default() }
    }

    fn view(&self) -> RouterView<'_> {
        RouterView {
            device: &self.opened.charter.device,
            socket: &self.opened.socket.path,
            pid: self.pid.unwrap_or(-1),
            restarts: self.revival.restarts(),
            parked: self.keep.len(),
        }
    }

    fn tell(&self, level: log::Level, sentence: &str) {
        log::line(level, &[("router", &self.opened.charter.device)], sentence);
    }

    /// Whoever is kept is let go, and comes back by himself.
    fn begin_anew(&mut self) -> Result<()> {
        if self.keep.len() > 0 {
            let sentence = format!(
                "begins anew without the {} peers that were kept: it ended too often",
                self.keep.len()
            );
            self.tell(log::Level::Error, &sentence);
        }
        self.keep.clear();
        self.opened.forget_state()
    }

    /// The request for a process, with what it is given at once.
    fn request(&mut self, number: u8) -> Result<(Request, Vec<OwnedFd>)> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        rustix::io::ioctl_fionbio(&ours, true)?;
        if self.revival.is_hopeless() {
            self.begin_anew()?;
        }
        let papers = self.opened.papers()?;
        self.line = Some(Line::new(ours, self.keep.keys()));
        Ok((Request::Router(number), vec![theirs, papers]))
    }
}

impl Runtime {
    /// Has those born who are to be, and those ended who were born in vain.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn mind_routers(&mut self, now: Moment) -> Result<()> {
        for number in 0..self.gateways.0.len() {
            let number = number as u8;
            let Some(gateway) = self.gateways.get_mut(number) else { continue };
            let there = gateway.pid.is_some() || gateway.is_expected;
            if !there && gateway.revival.is_due(now) && !self.finished {
                self.bear_router(number, now)?;
            } else if gateway.pid.is_some() && gateway.line.is_some() && gateway.revival.is_late(now) {
                gateway.tell(log::Level::Warn, "it does not serve in time, and is ended");
                self.give_up_router(number)?;
            }
        }
        Ok(())
    }

    fn bear_router(&mut self, number: u8, now: Moment) -> Result<()> {
        let Some(gateway) = self.gateways.get_mut(number) else { return Ok(()) };
        gateway.revival.asked(now);
        match gateway.request(number) {
            Ok((request, descriptors)) => {
                gateway.is_expected = true;
                self.courtiers.expect_hook();
                self.spawner.send(&request, descriptors)?;
                self.watch_router(number);
                self.speak_to_router(number)
            }
            Err(error) => {
                let wait_ms = gateway.revival.ended(now);
                gateway.tell(log::Level::Warn, &format!("cannot be born: {error:#}; again in {wait_ms} ms"));
                Ok(())
            }
        }
    }

    fn watch_router(&mut self, number: u8) {
        let poller = &self.poller;
        let Some(gateway) = self.gateways.get_mut(number) else { return };
        let watched =
            gateway.line.as_ref().map(|line| poller.watch(Token::Router(number), line.descriptor()));
        if watched.is_some_and(|watched| watched.is_err()) {
            gateway.tell(log::Level::Warn, "cannot be listened to: no watch is left");
            gateway.line = None;
        }
    }

    /// The spawner has made it, or could not.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn router_born(&mut self, number: u8, outcome: Result<i32, String>) -> Result<()> {
        let early = self.courtiers.router_born(number, outcome.as_ref().ok().copied());
        let Some(gateway) = self.gateways.get_mut(number) else { return Ok(()) };
        gateway.is_expected = false;
        match (outcome, early) {
            (Ok(pid), None) => {
                gateway.pid = Some(pid);
                gateway.tell(log::Level::Info, &format!("is born, pid {pid}"));
                Ok(())
            }
            (Ok(_), Some(exit)) => self.router_ended(number, exit),
            (Err(sentence), _) => {
                let wait_ms = gateway.revival.ended(clock::now());
                gateway.tell(log::Level::Error, &format!("{sentence}; again in {wait_ms} ms"));
                self.hang_up_router(number);
                Ok(())
            }
        }
    }

    /// Its process was reaped. What it has parked stays.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn router_ended(&mut self, number: u8, exit: Exit) -> Result<()> {
        // Its last words.
        self.hear_router(number)?;
        self.hang_up_router(number);
        let Some(gateway) = self.gateways.get_mut(number) else { return Ok(()) };
        gateway.pid = None;
        let wait_ms = gateway.revival.ended(clock::now());
        let kept = gateway.keep.len();
        gateway.tell(
            log::Level::Warn,
            &format!("ended ({exit}); born again in {wait_ms} ms, {kept} peers are kept for it"),
        );
        self.mind_routers(clock::now())
    }

    fn hang_up_router(&mut self, number: u8) {
        let poller = &self.poller;
        let line = self.gateways.get_mut(number).and_then(|gateway| gateway.line.take());
        line.inspect(|line| poller.forget(line.descriptor()));
    }

    /// Whoever breaks the rules, or says no more, is ended; the next one goes on.
    fn give_up_router(&mut self, number: u8) -> Result<()> {
        self.hang_up_router(number);
        self.spawner.send(&Request::EndRouter(number), Vec::new())
    }

    /// Sends what its channel takes.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn speak_to_router(&mut self, number: u8) -> Result<()> {
        let poller = &self.poller;
        let Some(gateway) = self.gateways.get_mut(number) else { return Ok(()) };
        let Some(line) = &mut gateway.line else { return Ok(()) };
        let spoken = line.speak(&gateway.opened, &gateway.keep).and_then(|more| {
            poller.want(Token::Router(number), line.descriptor(), more).context("cannot watch its channel")
        });
        match spoken {
            Ok(()) => Ok(()),
            Err(error) => {
                gateway.tell(log::Level::Warn, &format!("{error:#}"));
                self.give_up_router(number)
            }
        }
    }

    /// Hears what it says.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn hear_router(&mut self, number: u8) -> Result<()> {
        for _ in 0..BATCH_MAX {
            let Some(gateway) = self.gateways.get_mut(number) else { return Ok(()) };
            let Some(line) = &gateway.line else { return Ok(()) };
            match line.hear() {
                Ok(Heard::Said(word, descriptors)) => self.heed_router(number, word, descriptors)?,
                Ok(Heard::Nothing) => return Ok(()),
                // Its end follows.
                Ok(Heard::End) => return self.give_up_router(number),
                Err(why) => {
                    gateway.tell(log::Level::Warn, &format!("{why}, and is ended"));
                    return self.give_up_router(number);
                }
            }
        }
        Ok(())
    }

    fn heed_router(&mut self, number: u8, word: ToEmperor, descriptors: Vec<OwnedFd>) -> Result<()> {
        let Some(gateway) = self.gateways.get_mut(number) else { return Ok(()) };
        match word {
            ToEmperor::Ready => {
                if gateway.revival.serves(clock::now()) {
                    let kept = gateway.keep.len();
                    gateway.tell(log::Level::Info, &format!("serves; {kept} peers were handed over"));
                }
            }
            ToEmperor::Park { key, state } => {
                if let Err(why) = gateway.keep.park(key, state, descriptors) {
                    gateway.tell(log::Level::Warn, &format!("{why}, and is ended"));
                    return self.give_up_router(number);
                }
            }
            ToEmperor::Forget(key) => gateway.keep.forget(key),
            ToEmperor::Failed(sentence) => gateway.tell(log::Level::Error, &said(&sentence)),
        }
        Ok(())
    }
}

/// What it says of itself, as one line.
fn said(sentence: &str) -> String {
    sentence.chars().map(|one| if one.is_control() { ' ' } else { one }).take(500).collect()
}
