//! Holds the listeners of vassals on demand: from the first start to the end of the config, so that nobody who connects
//! is refused, whoever runs meanwhile.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};

use super::Runtime;
use crate::config::emperor::on_demand::OnDemand as Wanted;
use crate::emperor::event::{Event, Incarnation, Owner, VassalId};
use crate::emperor::on_demand::Listener;
use crate::reactor::{Poller, Token};
use crate::spawner::charter::OnDemand;
use crate::spawner::wire::{Request, Ticket};

/// What the options say, with absolute paths.
pub(super) fn of_config(wanted: &Wanted) -> Result<Option<OnDemand>> {
    if !wanted.is_used() {
        return Ok(None);
    }
    let absolute = |path| std::path::absolute(path).context("on-demand-sockets");
    let sockets = wanted.sockets().map(absolute).transpose()?;
    let sockets = sockets.map(|path| path.to_string_lossy().into_owned());
    Ok(Some(OnDemand { extension: wanted.extension.clone(), sockets, mode: wanted.mode }))
}

/// The open listeners.
#[derive(Default)]
pub(super) struct Listeners(HashMap<VassalId, Held>);

struct Held {
    socket: OwnedFd,
    /// The next connection is told.
    awaited: bool,
}

impl Listeners {
    /// A copy for a process that is to accept.
    pub fn copy(&self, id: VassalId) -> Result<Option<OwnedFd>> {
        let held = self.0.get(&id).map(|held| held.socket.try_clone());
        held.transpose().context("no descriptor left for its listener")
    }

    /// Whether a connection is to be told; it is told once.
    fn is_called(&mut self, id: VassalId, poller: &Poller) -> bool {
        let Some(held) = self.0.get_mut(&id) else { return false };
        let called = std::mem::take(&mut held.awaited);
        if called {
            poller.forget(&held.socket);
        }
        called
    }

    fn wait(&mut self, id: VassalId, poller: &Poller) -> Result<()> {
        match self.0.get_mut(&id) {
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
                self.listeners.0.insert(one.id, Held { socket, awaited: false });
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
        let Some(held) = self.listeners.0.remove(&id) else { return Ok(()) };
        self.poller.forget(&held.socket);
        self.spawner.send(&Request::Unlisten(id.0), Vec::new())
    }
}

/// Whom a listener was bound for.
pub(super) fn listener(uid: u32, gid: u32, address: String) -> Listener {
    Listener { owner: Owner { uid, gid }, address: address.into() }
}
