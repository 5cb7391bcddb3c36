//! Pure. Vassals on demand: their listeners, and who connects to them.

use super::world::{Happening, World};
use crate::emperor::event::{Event, Exit, Incarnation, Key, Moment, Owner, VassalId};
use crate::emperor::on_demand::Listener;
use crate::emperor::order::from_vassal;
use crate::vassal::quiet::Seen;

/// A listener that the runtime holds.
#[derive(Debug)]
pub struct Heard {
    key: Key,
    owner: Owner,
    /// Where it listens.
    address: u64,
    /// The file that says so was written since.
    written: bool,
    /// Connections that nobody has accepted.
    waiting: u64,
    /// When the last one that was accepted is over.
    busy_until: Moment,
    /// The next connection is told.
    awaited: bool,
    /// One was told, and nobody was started for it.
    called: bool,
}

impl Heard {
    fn new(key: Key, owner: Owner, address: u64) -> Self {
        let busy_until = Moment(0);
        Self { key, owner, address, written: false, waiting: 0, busy_until, awaited: false, called: false }
    }

    /// Whether somebody has connected whom nobody has accepted.
    pub fn is_waited_at(&self) -> bool {
        self.waiting > 0
    }
}

impl World {
    /// Where one is to listen: at first every third name is on demand.
    pub fn address(&self, key: &Key) -> u64 {
        let first = u64::from(key.name.bytes().map(u32::from).sum::<u32>() % 3 == 0);
        self.addresses.get(key).copied().unwrap_or(first)
    }

    pub fn wants_listener(&self, which: Incarnation) -> bool {
        let body = &self.bodies[&which];
        let is_zerg = body.key != body.reads;
        !is_zerg && self.address(&body.key) > 0 && !self.listeners.contains_key(&which.id)
    }

    /// The spawner binds it for whom the config belongs to now.
    pub fn listen(&mut self, which: Incarnation) {
        let owner = self.bodies[&which].config.as_ref().expect("there is one").owner;
        let key = self.bodies[&which].key.clone();
        let heard = Heard::new(key.clone(), owner, self.address(&key));
        self.listeners.insert(which.id, heard);
        self.decline(which, Event::Listening(which, Listener { owner, address: "here".into() }));
    }

    /// At most one start for each connection that was told, and each command.
    pub fn start_follows_a_call(&mut self, id: VassalId) {
        if let Some(heard) = self.listeners.get_mut(&id) {
            let was_called = std::mem::take(&mut heard.called);
            let was_summoned = self.wishes.summoned.remove(&id);
            assert!(was_called || was_summoned, "started and nobody had connected");
        }
    }

    /// Its program runs: whoever waits is served.
    pub fn accept_all(&mut self, id: VassalId) {
        let busy_until = self.now.plus_ms(self.dice.skewed(18));
        if let Some(heard) = self.listeners.get_mut(&id).filter(|heard| heard.waiting > 0) {
            (heard.waiting, heard.busy_until) = (0, busy_until);
        }
    }

    pub fn await_call(&mut self, id: VassalId) {
        self.listeners.get_mut(&id).expect("it listens").awaited = true;
        self.after_ms(0, Happening::Call(id));
    }

    /// While a config exists, only another owner makes its listener go, and a new address.
    pub fn unlisten(&mut self, id: VassalId) {
        self.asked.remove(&id);
        let heard = self.listeners.remove(&id).expect("it listens");
        // Nothing is kept for one that is gone.
        let vassal = self.emperor.vassals.get(&id);
        let moved = vassal.is_none_or(|vassal| vassal.config.owner != heard.owner);
        assert!(moved || heard.written, "a listener was closed");
    }

    /// Who is forgotten has no config any more, as far as the monitor has said.
    pub fn forget_listener(&mut self, id: VassalId) {
        self.asked.remove(&id);
        let heard = self.listeners.remove(&id);
        let goes = |heard: &Heard| self.emperor.is_ending() || !self.known.contains(&heard.key);
        assert!(
            heard.as_ref().is_none_or(goes),
            "seed {}: closed while its config exists: {heard:?}",
            self.seed
        );
    }

    /// A program that has nothing to do for so long says so, again if it is not heard; it may be called meanwhile.
    pub fn rest(&mut self, which: Incarnation) {
        let accepts = self.bodies.get(&which).filter(|body| body.accepts());
        let (Some(body), Some(heard)) = (accepts, self.listeners.get(&which.id)) else { return };
        let idle_ms = body.nature.idle_ms.expect("only who has a limit rests");
        if self.now >= heard.busy_until.plus_ms(idle_ms) {
            self.say(which, from_vassal::GOODBYE);
        }
        self.after_ms(idle_ms, Happening::Rest(which));
    }

    /// Our own rule for a program that knows nothing of it: its master looks, and ends it with a goodbye.
    pub fn glance(&mut self, which: Incarnation) {
        let accepts = self.bodies.get_mut(&which).filter(|body| body.accepts());
        let (Some(body), Some(heard)) = (accepts, self.listeners.get(&which.id)) else { return };
        let quiet = body.quiet.as_mut().expect("only who has the rule is looked at");
        let connected = heard.waiting > 0 || heard.busy_until > self.now;
        if quiet.take(Some(Seen { connected, cpu_ms: 0 }), self.now) {
            body.leaves = true;
            let stop_ms = body.nature.stop_ms.unwrap_or_default();
            self.say(which, from_vassal::GOODBYE);
            self.after_ms(stop_ms, Happening::Die(which, Exit::Code(0)));
        } else {
            let look_at = quiet.next_deadline();
            self.at(look_at, Happening::Glance(which));
        }
    }

    /// Somebody writes, or removes, the file with an address; the monitor sees it.
    pub fn write_address(&mut self, key: &Key) {
        let address = [0, 1, 2][self.dice.below(3) as usize];
        self.addresses.insert(key.clone(), address);
        let id = self.emperor.ids.get(key).copied();
        id.and_then(|id| self.listeners.get_mut(&id)).into_iter().for_each(|heard| heard.written = true);
        let lag = self.dice.skewed(8);
        self.after_ms(lag, Happening::Tell(Event::AddressWritten(key.clone())));
    }

    pub fn ask_again(&mut self, id: VassalId) {
        self.asked.insert(id);
        let lag = self.dice.skewed(6);
        self.after_ms(lag, Happening::Reread(id));
    }

    /// The spawner's answer; what was asked before a listener was closed is answered for nobody.
    pub fn reread(&mut self, id: VassalId) {
        if self.mute || !self.asked.remove(&id) {
            return;
        }
        let key = self.emperor.key(id).expect("it is forgotten with its listener").clone();
        let address = self.address(&key);
        let config = self.configs.get(&key).filter(|config| config.refusal.is_none() && address > 0);
        let Some(owner) = config.map(|config| config.owner) else {
            if self.listeners.contains_key(&id) {
                self.tell(Event::Unlistened(id));
            }
            return;
        };
        let before = self.listeners.get(&id);
        if before.is_some_and(|heard| heard.address == address && heard.owner == owner) {
            return;
        }
        let called = before.is_some_and(|heard| heard.called);
        let heard = Heard { called, ..Heard::new(key, owner, address) };
        self.listeners.insert(id, heard);
        self.tell(Event::Moved(id, Listener { owner, address: "there".into() }));
    }

    /// In the end each listens where its file says; but who waits for a command may never have been asked.
    pub fn listens_as_written(&self, id: VassalId, key: &Key) {
        let there = self.listeners.get(&id).map_or(0, |heard| heard.address);
        let vassal = &self.emperor.vassals[&id];
        let unasked = vassal.is_barred() && there == 0;
        assert!(unasked || there == self.address(key), "seed {}: {there} {vassal:?}", self.seed);
    }

    /// Somebody connects.
    pub fn call(&mut self, key: &Key) {
        let Some(id) = self.emperor.ids.get(key).copied() else { return };
        if let Some(heard) = self.listeners.get_mut(&id) {
            heard.waiting += 1;
            if self.is_served(id) {
                self.accept_all(id);
            }
            self.after_ms(0, Happening::Call(id));
        }
    }

    /// Whether a process accepts who connects.
    pub fn is_served(&self, id: VassalId) -> bool {
        let (first, last) = (Incarnation { id, attempt: 0 }, Incarnation { id, attempt: u32::MAX });
        self.bodies.range(first..=last).any(|(_, body)| body.accepts())
    }

    /// A command to start counts as a connection, though nobody waits.
    pub fn knock(&mut self, id: VassalId) {
        self.wishes.summoned.insert(id);
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
