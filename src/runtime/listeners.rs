//! Holds the listeners of vassals on demand: from the first start to the end of the config, so that nobody who connects
//! is refused, whoever runs meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};

use super::Runtime;
use crate::config::emperor::on_demand::OnDemand as Wanted;
use crate::emperor::event::{Event, Incarnation, Owner, VassalId};
use crate::emperor::on_demand::Listener;
use crate::monitors::Whereabouts;
use crate::parting::Visited;
use crate::reactor::{Poller, Token};
use crate::spawner::charter::OnDemand;
use crate::spawner::wire::{Address, Request, Ticket};

/// What the options say, with absolute paths.
pub(super) fn of_config(wanted: &Wanted) -> Result<Option<OnDemand>> {
    if !wanted.is_used() {
        return Ok(None);
    }
    let absolute = |path| std::path::absolute(path).context("on-demand-sockets");
    let sockets = wanted.sockets().map(absolute).transpose()?;
    let sockets = sockets.map(|path| path.to_string_lossy().into_owned());
    let (extension, program) = (wanted.extension.clone(), wanted.asked().to_vec());
    Ok(Some(OnDemand { extension, program, sockets, mode: wanted.mode }))
}

/// The open listeners.
#[derive(Default)]
pub(super) struct Listeners {
    held: HashMap<VassalId, Held>,
    /// Whose address is read again, by the numbers of those requests.
    asked: BTreeMap<u32, VassalId>,
    /// Those of them whose address has changed since.
    again: BTreeSet<VassalId>,
    last: u32,
}

struct Held {
    socket: Visited,
    /// The next connection is told.
    awaited: bool,
}

impl Listeners {
    /// A copy for a process that is to accept.
    pub fn copy(&self, id: VassalId) -> Result<Option<OwnedFd>> {
        let held = self.held.get(&id).map(|held| held.socket.as_fd().try_clone_to_owned());
        held.transpose().context("no descriptor left for its listener")
    }

    /// Whether a connection is to be told; it is told once.
    fn is_called(&mut self, id: VassalId, poller: &Poller) -> bool {
        let Some(held) = self.held.get_mut(&id) else { return false };
        let called = std::mem::take(&mut held.awaited);
        if called {
            poller.forget(&held.socket);
        }
        called
    }

    /// The number under which the answer will come.
    fn ask(&mut self, id: VassalId) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.asked.insert(self.last, id);
        self.last
    }

    /// Forgets a vassal; whether the spawner may have anything bound for it. What it was asked before, it answers for
    /// nobody.
    fn take(&mut self, id: VassalId) -> (Option<Held>, bool) {
        let before = self.asked.len();
        self.asked.retain(|_, asked| *asked != id);
        self.again.remove(&id);
        let held = self.held.remove(&id);
        let bound = held.is_some() || self.asked.len() != before;
        (held, bound)
    }

    fn wait(&mut self, id: VassalId, poller: &Poller) -> Result<()> {
        match self.held.get_mut(&id) {
            Some(held) if !held.awaited => {
                poller.watch(Token::Listener(id), held.socket.as_fd())?;
                held.awaited = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Runtime {
    /// The answer to a start: the vassal is on demand. No process came of it.
    pub(super) fn take_listener(&mut self, ticket: Ticket, listener: Listener, lent: Option<OwnedFd>) {
        let one = Incarnation::from(ticket);
        self.forget_unborn(one);
        match lent {
            Some(socket) => {
                self.listeners.held.insert(one.id, Held { socket: socket.into(), awaited: false });
                self.tell(Event::Listening(one, listener));
            }
            None => self.tell(Event::SpawnFailed(one, "no descriptor is left for its listener".into())),
        }
    }

    /// Waits for a connection. Without a watch the vassal is started at once: better too early than never.
    pub(super) fn await_connection(&mut self, id: VassalId) {
        if self.listeners.wait(id, &self.poller).is_err() {
            self.tell(Event::Connected(id));
        }
    }

    pub(super) fn hear_caller(&mut self, id: VassalId) {
        if self.listeners.is_called(id, &self.poller) {
            self.tell(Event::Connected(id));
        }
    }

    /// Closes a listener; the spawner removes its file.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn unlisten(&mut self, id: VassalId) -> Result<()> {
        let (held, bound) = self.listeners.take(id);
        held.inspect(|held| self.poller.forget(&held.socket));
        if bound { self.spawner.send(&Request::Unlisten(id.0), Vec::new()) } else { Ok(()) }
    }

    /// Has it read again where a vassal listens; once more, if it is being read.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn readdress(&mut self, id: VassalId) -> Result<()> {
        if self.listeners.asked.values().any(|asked| *asked == id) {
            self.listeners.again.insert(id);
            return Ok(());
        }
        let Some(key) = self.emperor.key(id) else { return Ok(()) };
        // Where a file system may not answer no such file is read.
        let Some((Whereabouts::Near(directory), file)) = self.monitors.place_of(key) else { return Ok(()) };
        let (directory, file, name) =
            (directory.as_fd().try_clone_to_owned(), file.to_owned(), key.name.to_string());
        let Ok(directory) = directory else {
            self.tell(Event::Misaddressed(id, "no descriptor is left to read its address".into()));
            return Ok(());
        };
        let number = self.listeners.ask(id);
        self.spawner.send(&Request::Readdress { number, id: id.0, file, name }, vec![directory])
    }

    /// What came of it.
    ///
    /// # Errors
    /// The spawner is gone.
    pub(super) fn take_address(
        &mut self,
        number: u32,
        address: Address,
        lent: Option<OwnedFd>,
    ) -> Result<()> {
        let Some(id) = self.listeners.asked.remove(&number) else { return Ok(()) };
        self.heed_address(id, address, lent)?;
        if self.listeners.again.remove(&id) { self.readdress(id) } else { Ok(()) }
    }

    fn heed_address(&mut self, id: VassalId, address: Address, lent: Option<OwnedFd>) -> Result<()> {
        match address {
            Address::Same => {}
            Address::Gone => self.tell(Event::Unlistened(id)),
            Address::Wrong(reason) => self.tell(Event::Misaddressed(id, reason.into())),
            Address::Moved { uid, gid, address } => {
                let Some(socket) = lent else {
                    // It is bound and nobody can hear of it: nothing is left of it, and it is plain.
                    self.tell(Event::Misaddressed(id, "no descriptor is left for its listener".into()));
                    self.spawner.send(&Request::Unlisten(id.0), Vec::new())?;
                    self.tell(Event::Unlistened(id));
                    return Ok(());
                };
                let before = self.listeners.held.insert(id, Held { socket: socket.into(), awaited: false });
                before.inspect(|held| self.poller.forget(&held.socket));
                self.tell(Event::Moved(id, listener(uid, gid, address)));
            }
        }
        Ok(())
    }
}

/// Whom a listener was bound for.
pub(super) fn listener(uid: u32, gid: u32, address: String) -> Listener {
    Listener { owner: Owner { uid, gid }, address: address.into() }
}
