//! Carries out what the Emperor orders.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{Runtime, announce};
use crate::emperor::event::{Digest, Event, Fingerprint, Incarnation};
use crate::emperor::order::{Notice, Order, to_vassal};
use crate::log;
use crate::monitors::Whereabouts;
use crate::reactor::clock;
use crate::spawner::wire::{Answer, Ask, Place, Request, Ticket};
use crate::stats::Line;
use crate::trust::AWAY;

/// The newest config of a vassal, as far as it can be had.
#[derive(Debug, Default)]
pub(super) struct Newest {
    /// What is in it.
    pub text: Option<(Digest, Fingerprint)>,
    /// It, open.
    pub config: Option<OwnedFd>,
}

impl Runtime {
    /// Carries out orders until there are none.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn obey_all(&mut self) -> Result<()> {
        while let Some(order) = self.emperor.next_order() {
            self.obey(order)?;
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) -> Result<()> {
        match order {
            Order::Spawn(one) => self.spawn(one),
            Order::Send(one, byte) => {
                self.send(one, byte);
                Ok(())
            }
            Order::Kill(one) => self.kill(one),
            Order::Bury(one) => self.bury(one),
            Order::Await(id) => {
                self.await_connection(id);
                Ok(())
            }
            Order::Readdress(id) => self.readdress(id),
            Order::Forget(id) => {
                self.attributes.forget(id);
                self.held_back.forget(id);
                self.forget_output(id);
                self.unlisten(id)
            }
            Order::Unlisten(id) => self.unlisten(id),
            Order::Hold(id, digest) => self.spawner.send(&Request::Hold(id.0, digest), Vec::new()),
            Order::Enabled(key) => {
                self.forget_disabled(&key);
                Ok(())
            }
            Order::Report(id) => {
                self.waiters.note(id);
                Ok(())
            }
            Order::Tell(notice) => {
                announce::announce(&notice, clock::now());
                self.chronicle(&notice);
                self.note_wait(&notice)?;
                self.take_leave(&notice)
            }
            Order::Finish => self.take_leave_of_all(),
            Order::Abandon => self.abandon(),
        }
    }

    /// Remembers it for those who ask what happened, and tells those who follow.
    fn chronicle(&mut self, notice: &Notice) {
        let now = clock::now();
        let source = self.monitors.sources().nth(usize::from(notice.key.monitor.0)).unwrap_or_default();
        let line = Line { owner: notice.owner, text: announce::line(notice, source, now) };
        self.events.add(line, &self.poller, now);
    }

    fn spawn(&mut self, one: Incarnation) -> Result<()> {
        match self.spawn_request(one) {
            Ok((request, descriptors)) => self.spawner.send(&request, descriptors),
            Err(error) => {
                self.tell(Event::SpawnFailed(one, format!("{error:#}").into()));
                Ok(())
            }
        }
    }

    fn spawn_request(&mut self, one: Incarnation) -> Result<(Request, Vec<OwnedFd>)> {
        let (key, zerg) = self.emperor.config_of(one.id).context("its config is gone")?;
        let (place, file) = self.monitors.place_of(key).context("its directory is gone")?;
        let name = self.emperor.key(one.id).unwrap_or(key).name.to_string();
        let (ticket, file) = (one.into(), file.to_owned());
        let request = |heard, place| match place {
            None => Request::Spawn { ticket, file, name, zerg, heard },
            Some(place) => Request::SpawnAway { ticket, place, file, name, zerg, heard },
        };
        let (place, directory) = match place {
            Whereabouts::Near(directory) => {
                let directory = directory.as_fd().try_clone_to_owned().context("no descriptor left")?;
                (None, Some(directory))
            }
            Whereabouts::Away(place) => (Some(place), None),
        };
        let listener = self.listeners.copy(one.id)?;
        let (ours, theirs) = control_pair()?;
        self.courtiers.expect(one, ours);
        let output = self.output_for(one)?;
        let request = request(output.is_some(), place);
        Ok((request, directory.into_iter().chain([theirs]).chain(output).chain(listener).collect()))
    }

    /// A vassal that does not listen is not waited for: its deadline stands with the Emperor.
    fn send(&mut self, one: Incarnation, byte: u8) {
        if byte != to_vassal::RELOAD {
            return self.say(one, byte, None);
        }
        match self.newest_config(one) {
            Ok(config) => self.reload(one, config),
            Err((place, file)) => self.fetch(one, place, file),
        }
    }

    /// Tells it to reload, with its newest config if that is there.
    pub(super) fn reload(&mut self, one: Incarnation, Newest { text, config }: Newest) {
        let Some(control) = self.courtiers.control(one) else { return };
        // Descriptors that nobody takes are counted against us all; who has not read the last word gets the byte alone.
        let listens = jail::sys::unread(control) == Ok(0);
        self.say(one, to_vassal::RELOAD, config.as_ref().filter(|_| listens).map(AsFd::as_fd));
        if let Some((digest, fingerprint)) = text {
            self.tell(Event::Given(one, digest, fingerprint));
        }
    }

    pub(super) fn say(&self, one: Incarnation, byte: u8, lent: Option<BorrowedFd<'_>>) {
        let Some(control) = self.courtiers.control(one) else { return };
        let lent: Vec<_> = lent.into_iter().collect();
        let _ = jail::run::send(control, &[byte], &lent);
    }

    /// The open config goes along with a reload: what was judged is what is read, also where its name cannot be seen
    /// from inside the jail. Where it must be fetched, its place.
    fn newest_config(&self, one: Incarnation) -> Result<Newest, (Place, String)> {
        let none = || Ok(Newest::default());
        let Some(key) = self.emperor.key(one.id) else { return none() };
        let (directory, file) = match self.monitors.place_of(key) {
            Some((Whereabouts::Near(directory), file)) => (directory, file.to_owned()),
            Some((Whereabouts::Away(place), file)) => return Err((place, file.to_owned())),
            None => return none(),
        };
        let ask = Ask::Renew { id: one.id.0, file: file.clone() };
        match self.lender.ask(&ask, &[directory.as_fd()]) {
            Ok((Answer::Seen(seen), lent)) => Ok(Newest {
                text: seen.text(),
                config: lent.into_iter().next().filter(|_| seen.digest.is_some()),
            }),
            Ok(_) => none(),
            Err(error) if Errno::from_io_error(&error) == Some(AWAY) => {
                self.monitors.named_place_of(key).map_or_else(none, |(place, _)| Err((place, file)))
            }
            Err(_) => none(),
        }
    }

    fn kill(&mut self, one: Incarnation) -> Result<()> {
        let Some(pid) = self.courtiers.pid(one) else { return Ok(()) };
        // Not reaped yet, so the pid is still its own.
        match Pid::from_raw(pid).map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
            Some(Ok(pidfd)) => self.spawner.send(&Request::Kill(one.into()), vec![pidfd]),
            _ => {
                log::warn("emperor", &format!("cannot name process {pid} to kill it"));
                Ok(())
            }
        }
    }

    fn bury(&mut self, one: Incarnation) -> Result<()> {
        self.hang_up(one);
        self.courtiers.leave(one);
        self.spawner.send(&Request::Bury(one.into()), Vec::new())
    }

    /// No process came of it: its control socket goes. One that was born may be buried already, and another of the
    /// same vassal awaited.
    pub(super) fn forget_unborn(&mut self, one: Incarnation) {
        if !self.courtiers.is_expected(one) {
            return;
        }
        self.hang_up(one);
        self.courtiers.leave(one);
        self.courtiers.no_longer_expected(one);
    }

    /// What is done as Emperor, once its program runs.
    pub(super) fn after_start(&mut self, ticket: Ticket) {
        if !self.follows {
            return;
        }
        match self.spawner.send(&Request::Hooks(ticket), Vec::new()) {
            Ok(()) => self.courtiers.expect_hook(),
            Err(_) => log::warn("emperor", "the spawner does not take requests"),
        }
    }

    /// SIGUSR1: one line for each vassal.
    pub(super) fn log_status(&mut self) {
        let now = clock::now();
        let sources: Vec<&str> = self.monitors.sources().collect();
        let mut snapshot = self.emperor.snapshot();
        self.held_back.add(&mut snapshot, self.facts.cgroup.as_deref());
        self.courtiers.add_words(&mut snapshot);
        for row in snapshot.vassals {
            let source = sources.get(usize::from(row.key.monitor.0)).copied().unwrap_or_default();
            let about = [("vassal", &*row.key.name), ("source", source)];
            log::line(log::Level::Info, &about, &super::table::words(&row, now));
        }
    }
}

/// A control socket: our end never waits, the vassal's does (as uWSGI's does).
pub(super) fn control_pair() -> Result<(OwnedFd, OwnedFd)> {
    let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.context("cannot make a control socket")?;
    rustix::io::ioctl_fionbio(&ours, true).context("cannot make a control socket")?;
    // An older kernel cannot refuse them.
    let _ = jail::sys::refuse_rights(ours.as_fd());
    Ok((ours, theirs))
}
