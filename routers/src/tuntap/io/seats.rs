//! Connections, each with a place and a number that no later one at that place has.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use jail::sys::Credentials;
use rustix::net::sockopt::set_socket_oobinline;

use super::super::{PeerId, Queue};
use super::answering;
use super::asking::Place;
use super::device::Device;
use crate::ration::Ration;

/// A connection among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Seat {
    pub(super) place: u32,
    pub(super) birth: u32,
}

/// Somebody at the other end.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    /// Who connected, or whom root has spoken for.
    pub(super) who: Credentials,
    /// It has said who it is, as a client of uWSGI does.
    pub(super) greeted: bool,
    /// It speaks as we do.
    pub(super) speaks: bool,
    /// Nothing has come yet.
    pub(super) is_begin: bool,
    pub(super) peer: Option<PeerId>,
    pub(super) device: Option<Device>,
    /// Its addresses are those of the packets that it sends.
    pub(super) lent: bool,
    /// Which of its user's peers it is.
    pub(super) label: String,
    /// What it is called, if it has its addresses by that name.
    pub(super) tenant: Option<String>,
    /// Its own rules, as it has sent them.
    pub(super) records: Vec<u8>,
    pub(super) queue: Queue,
    /// What it may still be told of packets that were too long.
    pub(super) answers: Ration,
    /// Key of what is parked for it.
    pub(super) key: Option<u64>,
    /// Where it waits to be parked.
    pub(super) waits: Option<Place>,
    pub(super) is_parked: bool,
    /// How many addresses it had when it was parked.
    pub(super) parked_addresses: usize,
    pub(super) is_hung_up: bool,
    /// Bytes, from our side.
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) dropped: u64,
    /// Seconds since 1970.
    pub(super) since: u64,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Seats {
    places: Vec<(u32, Option<Connection>)>,
    free: Vec<u32>,
    /// Where each peer sits, by its place among the router's.
    by_peer: Vec<Option<Seat>>,
    /// Connections of each user that are no peers.
    silent: BTreeMap<u32, usize>,
    silent_in_all: usize,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, who: Credentials, queue_bytes: usize) -> Self {
        // A byte out of band that is read over is thrown away with what came along, by whoever reads over it.
        let _ = set_socket_oobinline(&socket, true);
        Self {
            socket,
            who,
            greeted: false,
            speaks: false,
            is_begin: true,
            peer: None,
            device: None,
            lent: false,
            label: String::new(),
            tenant: None,
            records: Vec::new(),
            queue: Queue::new(queue_bytes),
            answers: answering::ration(),
            key: None,
            waits: None,
            is_parked: false,
            parked_addresses: 0,
            is_hung_up: false,
            received: 0,
            sent: 0,
            dropped: 0,
            since: 0,
        }
    }
}

impl Seats {
    /// Seats somebody who is no peer yet.
    pub(super) fn seat(&mut self, connection: Connection) -> Seat {
        self.count(connection.who.uid, true);
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            u32::try_from(self.places.len() - 1).expect("descriptors are fewer")
        });
        let (birth, held) = &mut self.places[place as usize];
        *birth = birth.wrapping_add(1);
        *held = Some(connection);
        Seat { place, birth: *birth }
    }

    /// Takes somebody out.
    pub(super) fn remove(&mut self, seat: Seat) -> Option<Connection> {
        let (_, held) = self.places.get_mut(seat.place as usize).filter(|(birth, _)| *birth == seat.birth)?;
        let connection = held.take()?;
        self.free.push(seat.place);
        match connection.peer {
            Some(id) => self.by_peer[id.place()] = None,
            None => self.count(connection.who.uid, false),
        }
        Some(connection)
    }

    pub(super) fn get(&self, seat: Seat) -> Option<&Connection> {
        let (birth, held) = self.places.get(seat.place as usize)?;
        held.as_ref().filter(|_| *birth == seat.birth)
    }

    pub(super) fn get_mut(&mut self, seat: Seat) -> Option<&mut Connection> {
        let (birth, held) = self.places.get_mut(seat.place as usize)?;
        held.as_mut().filter(|_| *birth == seat.birth)
    }

    /// The connection is a peer's from now on.
    pub(super) fn enroll(&mut self, seat: Seat, id: PeerId) {
        let Some(connection) = self.get_mut(seat) else { return };
        connection.peer = Some(id);
        let uid = connection.who.uid;
        self.count(uid, false);
        if self.by_peer.len() <= id.place() {
            self.by_peer.resize(id.place() + 1, None);
        }
        self.by_peer[id.place()] = Some(seat);
    }

    /// The connection is no peer's any more.
    pub(super) fn expel(&mut self, seat: Seat) {
        let Some(connection) = self.get_mut(seat) else { return };
        let (id, uid) = (connection.peer.take(), connection.who.uid);
        if let Some(id) = id {
            self.by_peer[id.place()] = None;
            self.count(uid, true);
        }
    }

    /// Another user is behind a connection that is no peer's.
    pub(super) fn rename(&mut self, seat: Seat, who: Credentials) {
        let Some(connection) = self.get_mut(seat).filter(|connection| connection.peer.is_none()) else {
            return;
        };
        let before = std::mem::replace(&mut connection.who, who);
        self.count(before.uid, false);
        self.count(who.uid, true);
    }

    /// Where a peer sits.
    pub(super) fn of(&self, id: PeerId) -> Option<Seat> {
        *self.by_peer.get(id.place())?
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (Seat, &Connection)> {
        self.places.iter().enumerate().filter_map(|(place, (birth, held))| {
            Some((Seat { place: u32::try_from(place).ok()?, birth: *birth }, held.as_ref()?))
        })
    }

    /// Connections that are no peers: all, and those of this user.
    pub(super) fn silent(&self, uid: u32) -> (usize, usize) {
        (self.silent_in_all, self.silent.get(&uid).copied().unwrap_or(0))
    }

    fn count(&mut self, uid: u32, comes: bool) {
        let count = self.silent.entry(uid).or_default();
        if comes {
            (*count, self.silent_in_all) = (*count + 1, self.silent_in_all + 1);
            return;
        }
        (*count, self.silent_in_all) = (*count - 1, self.silent_in_all - 1);
        if *count == 0 {
            self.silent.remove(&uid);
        }
    }
}
