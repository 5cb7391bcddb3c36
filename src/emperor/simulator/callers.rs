//! Pure. Vassals on demand: their listeners, and who connects to them.

use super::world::{Happening, World};
use crate::emperor::event::{Event, Incarnation, Key, Owner, VassalId};
use crate::emperor::on_demand::Listener;

/// A listener that the runtime holds.
#[derive(Debug)]
pub struct Heard {
    owner: Owner,
    /// Connections that nobody has accepted.
    waiting: u64,
    /// The next connection is told.
    awaited: bool,
    /// One was told, and nobody was started for it.
    called: bool,
}

impl World {
    /// Every third name is on demand.
    fn is_on_demand(key: &Key) -> bool {
        key.name.bytes().map(u32::from).sum::<u32>() % 3 == 0
    }

    pub fn wants_listener(&self, which: Incarnation) -> bool {
        Self::is_on_demand(&self.bodies[&which].key) && !self.listeners.contains_key(&which.id)
    }

    /// The spawner binds it for whom the config belongs to now.
    pub fn listen(&mut self, which: Incarnation) {
        let owner = self.bodies[&which].config.as_ref().expect("there is one").owner;
        let heard = Heard { owner, waiting: 0, awaited: false, called: false };
        self.listeners.insert(which.id, heard);
        self.decline(which, Event::Listening(which, Listener { owner, address: "here".into() }));
    }

    /// At most one start for each connection that was told.
    pub fn start_follows_a_call(&mut self, id: VassalId) {
        if let Some(heard) = self.listeners.get_mut(&id) {
            assert!(std::mem::take(&mut heard.called), "started and nobody had connected");
        }
    }

    /// Its program runs: whoever waits is served.
    pub fn accept_all(&mut self, id: VassalId) {
        self.listeners.get_mut(&id).into_iter().for_each(|heard| heard.waiting = 0);
    }

    pub fn await_call(&mut self, id: VassalId) {
        self.listeners.get_mut(&id).expect("it listens").awaited = true;
        self.after_ms(0, Happening::Call(id));
    }

    /// While a config exists, only another owner makes its listener go.
    pub fn unlisten(&mut self, id: VassalId) {
        let heard = self.listeners.remove(&id).expect("it listens");
        assert_ne!(heard.owner, self.emperor.vassals[&id].config.owner, "a listener was closed");
    }

    /// Somebody connects.
    pub fn call(&mut self, key: &Key) {
        let Some(id) = self.emperor.ids.get(key).copied() else { return };
        if let Some(heard) = self.listeners.get_mut(&id) {
            heard.waiting += 1;
            self.after_ms(0, Happening::Call(id));
        }
    }

    /// A command to start counts as a connection, though nobody waits.
    pub fn knock(&mut self, id: VassalId) {
        self.listeners.get_mut(&id).into_iter().for_each(|heard| heard.called = true);
    }

    /// The runtime sees it at once, and once.
    pub fn tell_call(&mut self, id: VassalId) {
        let Some(heard) = self.listeners.get_mut(&id) else { return };
        if heard.waiting > 0 && std::mem::take(&mut heard.awaited) {
            heard.called = true;
            self.tell(Event::Connected(id));
        }
    }

    /// Nobody who connected waits for ever.
    pub fn waits_for_a_call(&self, id: VassalId) {
        let heard = &self.listeners[&id];
        assert!(heard.awaited && heard.waiting == 0, "seed {}: {heard:?}", self.seed);
    }
}
