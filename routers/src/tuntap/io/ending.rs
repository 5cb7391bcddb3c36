//! Who leaves, and what becomes of what was his.

use super::closer::Rest;
use super::leasing::tenant;
use super::life::{Service, Source};
use super::seats::{Connection, Seat};

/// Why most go.
pub(super) const LEFT: &str = "it has left";

impl Service {
    /// This peer has to go, as soon as nobody looks at it.
    pub(super) fn end(&mut self, seat: Seat, why: String) {
        self.ending.push((seat, why));
    }

    /// The other end says no more; what it said before still counts, where it is of any use.
    pub(super) fn hang_up(&mut self, seat: Seat) {
        let Some(connection) = self.seats.get_mut(seat) else { return };
        connection.is_hung_up = true;
        if connection.device.is_some() {
            return self.end(seat, LEFT.into());
        }
        self.wake(seat);
    }

    /// Takes out all who have to go.
    pub(super) fn end_all(&mut self) {
        while let Some((seat, why)) = self.ending.pop() {
            let Some(connection) = self.seats.remove(seat) else { continue };
            self.forget(seat, &connection);
            self.tell_end(&connection, &why);
            self.bury(connection);
        }
    }

    /// Whoever has said nothing of use may leave without a word.
    fn tell_end(&mut self, connection: &Connection, why: &str) {
        let uid = connection.who.uid;
        if connection.peer.is_some() {
            let name = self.name_of(connection);
            self.telling.info(&format!("peer {name} of user {uid} has gone: {why}"));
        } else if why != LEFT {
            self.telling.warn(&format!("a connection of user {uid} has ended: {why}"));
        }
    }

    fn forget(&mut self, seat: Seat, connection: &Connection) {
        self.events.forget(&connection.socket);
        connection.device.iter().for_each(|device| self.events.forget(device));
        self.turns.rest(Source::Stream(seat));
        self.turns.rest(Source::Tun(seat));
        self.parking.forget(connection);
    }

    /// What rules call a connection, or how its addresses are written where they do not.
    pub(super) fn name_of(&self, connection: &Connection) -> String {
        let peer = connection.peer.and_then(|id| self.router.peers().get(id));
        let name = peer.map(|peer| peer.name().to_owned()).unwrap_or_default();
        if name.is_empty() { "without an address".into() } else { name }
    }

    fn bury(&mut self, connection: Connection) {
        let (uid, label) = (connection.who.uid, &connection.label);
        connection.peer.into_iter().for_each(|id| self.router.disconnect(id));
        if connection.tenant.as_ref().is_some_and(|name| *name == tenant(uid, label)) {
            self.leasing.release(uid, label);
        }
        if let Some(device) = connection.device {
            self.closer.close(uid, Rest::Device(device.into_descriptor()));
        }
        self.closer.close(uid, Rest::Connection(connection.socket));
    }
}
