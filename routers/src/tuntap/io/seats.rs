//! Connections, each with a place and a number that no later one at that place has.

use std::os::fd::OwnedFd;
use std::time::Instant;

use jail::sys::Credentials;
use rustix::net::sockopt::set_socket_oobinline;

use super::super::{PeerId, Queue};
use super::answering;
use super::asking::Place;
use super::device::Device;
use super::silence::Silence;
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
    /// When it came to us.
    came: Instant,
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
#[derive(Debug)]
pub(super) struct Seats {
    places: Vec<(u32, Option<Connection>)>,
    free: Vec<u32>,
    /// Where each peer sits, by its place among the router's.
    by_peer: Vec<Option<Seat>>,
    silence: Silence,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, who: Credentials, queue_bytes: usize) -> Self {
        // A byte out of band that is read over is thrown away with what came along, by whoever reads over it.
        let _ = set_socket_oobinline(&socket, true);
        Self {
            socket,
            who,
            came: Instant::now(),
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
    /// Those of a router of this user.
    pub(super) fn new(owner: u32) -> Self {
        Self { places: Vec::new(), free: Vec::new(), by_peer: Vec::new(), silence: Silence::new(owner) }
    }

    /// Seats somebody who is no peer yet.
    pub(super) fn seat(&mut self, connection: Connection) -> Seat {
        let (uid, came) = (connection.who.uid, connection.came);
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            u32::try_from(self.places.len() - 1).expect("descriptors are fewer")
        });
        let (birth, held) = &mut self.places[place as usize];
        *birth = birth.wrapping_add(1);
        *held = Some(connection);
        let seat = Seat { place, birth: *birth };
        self.silence.come(uid, (came, seat));
        seat
    }

    /// Takes somebody out.
    pub(super) fn remove(&mut self, seat: Seat) -> Option<Connection> {
        let (_, held) = self.places.get_mut(seat.place as usize).filter(|(birth, _)| *birth == seat.birth)?;
        let connection = held.take()?;
        self.free.push(seat.place);
        match connection.peer {
            Some(id) => self.by_peer[id.place()] = None,
            None => self.silence.leave(connection.who.uid, (connection.came, seat)),
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
        let (uid, came) = (connection.who.uid, connection.came);
        self.silence.leave(uid, (came, seat));
        if self.by_peer.len() <= id.place() {
            self.by_peer.resize(id.place() + 1, None);
        }
        self.by_peer[id.place()] = Some(seat);
    }

    /// The connection is no peer's any more.
    pub(super) fn expel(&mut self, seat: Seat) {
        let Some(connection) = self.get_mut(seat) else { return };
        let (uid, came) = (connection.who.uid, connection.came);
        if let Some(id) = connection.peer.take() {
            self.by_peer[id.place()] = None;
            self.silence.come(uid, (came, seat));
        }
    }

    /// Another user is behind a connection that is no peer's.
    pub(super) fn rename(&mut self, seat: Seat, who: Credentials) {
        let Some(connection) = self.get_mut(seat).filter(|connection| connection.peer.is_none()) else {
            return;
        };
        let came = connection.came;
        let before = std::mem::replace(&mut connection.who, who);
        self.silence.leave(before.uid, (came, seat));
        self.silence.come(who.uid, (came, seat));
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

    /// Those that are no peers.
    pub(super) fn silence(&self) -> &Silence {
        &self.silence
    }
}
