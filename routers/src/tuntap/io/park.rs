//! Peers are kept by the Emperor as well: whoever comes after us finds them there.

use core::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use jail::sys::{Credentials, look_from};
use rustix::event::epoll::EventFlags;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::super::PeerId;
use super::asking::{Asking, Hindrance};
use super::closer::Rest;
use super::device::Device;
use super::events::Token;
use super::leasing::tenant;
use super::life::{Service, Source};
use super::ports::Adopted;
use super::seats::{Connection, Seat};
use crate::parking::{MESSAGE_MAX, ToEmperor};

/// What a successor has to know of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Parked {
    pid: i32,
    uid: u32,
    gid: u32,
    greeted: bool,
    speaks: bool,
    /// It has said nothing.
    is_begin: bool,
    is_peer: bool,
    has_device: bool,
    lent: bool,
    since: u64,
    label: String,
    tenant: Option<String>,
    addresses: Vec<IpAddr>,
    records: Vec<u8>,
}

/// What the Emperor keeps, and is still to be told.
#[derive(Debug)]
pub(super) struct Parking {
    next: u64,
    asking: Asking,
    waits_for_room: bool,
    /// How many he keeps.
    count: usize,
}

impl Parking {
    /// Keys are greater than those of every router before us: the time since the machine's start in nanoseconds.
    pub(super) fn new() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        let next = now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs();
        Self { next, asking: Asking::new(Instant::now()), waits_for_room: false, count: 0 }
    }

    /// Nothing is to be kept of a connection any more, if anything was.
    pub(super) fn forget(&mut self, connection: &Connection) {
        connection.waits.into_iter().for_each(|place| self.asking.leave(place));
        if let (Some(key), true) = (connection.key, connection.is_parked) {
            self.asking.forget(key);
        }
    }

    /// When the Emperor may be asked again, if there is anything to ask.
    pub(super) fn due(&self) -> Option<Instant> {
        self.asking.due().filter(|_| !self.waits_for_room)
    }
}

impl Service {
    /// Has a connection kept, as it is when the Emperor is told.
    pub(super) fn park(&mut self, seat: Seat) {
        let Some(connection) = self.seats.get_mut(seat) else { return };
        if connection.key.is_none() {
            connection.key = Some(self.parking.next);
            self.parking.next += 1;
        }
        let is_silent = connection.peer.is_none();
        connection.waits = Some(self.parking.asking.wait(seat, is_silent, connection.waits));
    }

    /// The Emperor has nothing to say, but when he is gone it is over; whether he is still there.
    pub(super) fn hear_emperor(&mut self, flags: EventFlags) -> bool {
        let mut bytes = [0; MESSAGE_MAX];
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return true;
        }
        match jail::run::receive(&self.ports.channel, &mut bytes) {
            Ok(None) => false,
            Ok(Some(_)) | Err(Errno::AGAIN | Errno::MSGSIZE) => true,
            Err(_) => false,
        }
    }

    /// Our end of the channel never waits.
    pub(super) fn hurry_channel(&self) -> Result<(), Errno> {
        let flags = fcntl_getfl(&self.ports.channel)?;
        fcntl_setfl(&self.ports.channel, flags | OFlags::NONBLOCK)
    }

    /// Tells him what there is to be told, as long as he listens.
    pub(super) fn talk_to_emperor(&mut self) {
        let waits = self.tell_all() == Err(Hindrance::Full);
        if waits != self.parking.waits_for_room {
            self.parking.waits_for_room = waits;
            let _ = self.events.expect_room(&self.ports.channel, Token::Channel, waits);
        }
    }

    /// What keeps him from taking it all, if anything does. What cannot be told for another reason is not told again.
    fn tell_all(&mut self) -> Result<(), Hindrance> {
        // Where he forgets somebody there is room for another one; no descriptor is needed for it.
        while let Some(key) = self.parking.asking.first_gone() {
            let hindrance = self.tell_to_forget(key).err().and_then(hindrance);
            self.parking.asking.forgotten(hindrance, Instant::now())?;
        }
        self.parking.asking.begin(Instant::now())?;
        while let Some((place, seat)) = self.parking.asking.first(Instant::now()) {
            let outcome = self.tell_to_park(seat).or_else(|errno| hindrance(errno).map_or(Ok(false), Err));
            self.parking.asking.asked(place, outcome, Instant::now())?;
            self.seats.get_mut(seat).into_iter().for_each(|connection| connection.waits = None);
        }
        Ok(())
    }

    /// Whether he was asked.
    fn tell_to_park(&mut self, seat: Seat) -> Result<bool, Errno> {
        if !self.make_room(seat)? {
            return Ok(false);
        }
        let Some(connection) = self.seats.get(seat) else { return Ok(false) };
        let Some(key) = connection.key else { return Ok(false) };
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![connection.socket.as_fd()];
        descriptors.extend(connection.device.as_ref().map(AsFd::as_fd));
        self.ports.tell(&ToEmperor::Park { key, state: self.state_of(connection) }, &descriptors)?;
        if let Some(connection) = self.seats.get_mut(seat) {
            self.parking.count += usize::from(!std::mem::replace(&mut connection.is_parked, true));
        }
        Ok(true)
    }

    fn tell_to_forget(&mut self, key: u64) -> Result<(), Errno> {
        self.ports.tell(&ToEmperor::Forget(key), &[])?;
        self.parking.count = self.parking.count.saturating_sub(1);
        Ok(())
    }

    /// He keeps as many as there can be peers; whoever says nothing has half of the places until a peer needs one.
    fn make_room(&mut self, seat: Seat) -> Result<bool, Errno> {
        let Some(connection) = self.seats.get(seat) else { return Ok(false) };
        let most =
            if connection.peer.is_some() { self.charter.peers_max } else { self.charter.peers_max / 2 };
        if connection.is_parked || self.parking.count < most {
            return Ok(true);
        }
        if connection.peer.is_none() {
            return Ok(false);
        }
        let silent = self.seats.all().find(|(_, other)| other.is_parked && other.peer.is_none());
        let Some((silent, key)) = silent.and_then(|(silent, other)| Some((silent, other.key?))) else {
            return Ok(false);
        };
        self.tell_to_forget(key)?;
        self.seats.get_mut(silent).into_iter().for_each(|other| other.is_parked = false);
        Ok(true)
    }

    /// Its own rules stay behind where there is no room: it narrows itself, nobody else.
    fn state_of(&self, connection: &Connection) -> Vec<u8> {
        let peer = connection.peer.and_then(|id| self.router.peers().get(id));
        let mut parked = Parked {
            pid: connection.who.pid,
            uid: connection.who.uid,
            gid: connection.who.gid,
            greeted: connection.greeted,
            speaks: connection.speaks,
            is_begin: connection.is_begin,
            is_peer: connection.peer.is_some(),
            has_device: connection.device.is_some(),
            lent: connection.lent,
            since: connection.since,
            label: connection.label.clone(),
            tenant: connection.tenant.clone(),
            addresses: peer.map(|peer| peer.addresses().to_vec()).unwrap_or_default(),
            records: connection.records.clone(),
        };
        let state = postcard::to_stdvec(&parked).unwrap_or_default();
        if state.len() <= MESSAGE_MAX / 2 {
            return state;
        }
        parked.records.clear();
        postcard::to_stdvec(&parked).unwrap_or_default()
    }

    /// Takes over whom a router before us has parked.
    ///
    /// # Errors
    /// One sentence: our own descriptors do not work.
    pub(super) fn adopt_all(&mut self, adopted: Vec<Adopted>) -> Result<(), String> {
        self.hurry_channel().map_err(|errno| format!("cannot use the channel to the Emperor: {errno}"))?;
        let count = adopted.len();
        for one in adopted {
            self.parking.next = self.parking.next.max(one.key + 1);
            let key = one.key;
            if let Err(why) = self.adopt(one) {
                self.telling.warn(&format!("cannot take a peer over: {why}"));
                self.parking.asking.forget(key);
            }
        }
        if count > 0 {
            self.telling.info(&format!("{count} peers were taken over"));
        }
        Ok(())
    }

    fn adopt(&mut self, Adopted { key, state, descriptors }: Adopted) -> Result<(), String> {
        let parked: Parked = postcard::from_bytes(&state).map_err(|wrong| wrong.to_string())?;
        let mut descriptors = descriptors.into_iter();
        let socket = descriptors.next().ok_or("it has no connection")?;
        // A router before us may have been killed in the midst of a look.
        let _ = look_from(socket.as_fd(), None);
        let who = Credentials { pid: parked.pid, uid: parked.uid, gid: parked.gid };
        let mut connection = Connection::new(socket, who, self.charter.queue_bytes);
        (connection.greeted, connection.speaks) = (parked.greeted, parked.speaks);
        (connection.is_begin, connection.key, connection.lent) = (parked.is_begin, Some(key), parked.lent);
        connection.is_parked = true;
        self.parking.count += 1;
        (connection.label, connection.since) = (parked.label.clone(), parked.since);
        let seat = self.seats.seat(connection);
        if let Err(why) = self.adopt_peer(seat, &parked, descriptors.next()) {
            self.end(seat, why);
        }
        Ok(())
    }

    fn adopt_peer(
        &mut self,
        seat: Seat,
        parked: &Parked,
        device: Option<std::os::fd::OwnedFd>,
    ) -> Result<(), String> {
        let connection = self.seats.get(seat).expect("it has just been seated");
        let watched = self.events.watch_edge(&connection.socket, Token::Socket(seat));
        watched.map_err(|errno| format!("cannot wait for it: {errno}"))?;
        self.wake(seat);
        if !parked.is_peer {
            return Ok(());
        }
        self.lend_again(parked)?;
        let id = self.router.connect(parked.uid).map_err(|refused| refused.to_string())?;
        self.seats.enroll(seat, id);
        self.give_back(seat, id, parked)?;
        self.router.upload(id, &parked.records).map_err(|breach| breach.to_string())?;
        let connection = self.seats.get_mut(seat).expect("it has just been seated");
        connection.records.clone_from(&parked.records);
        connection.parked_addresses = parked.addresses.len();
        if !parked.has_device {
            return Ok(());
        }
        let device = device.ok_or("its device is missing")?;
        match Device::prove(device) {
            Ok(device) => {
                let watched = self.events.watch_edge_in(&device, Token::Tun(seat));
                watched.map_err(|errno| format!("cannot wait for its device: {errno}"))?;
                connection.device = Some(device);
                self.turns.wake(Source::Tun(seat));
                Ok(())
            }
            Err((device, wrong)) => {
                self.closer.close(parked.uid, Rest::Descriptor(device));
                Err(wrong.to_owned())
            }
        }
    }

    /// Its lease, which the router before us may not have had the time to write down: without it, where addresses are
    /// granted, its user has no place.
    fn lend_again(&mut self, parked: &Parked) -> Result<(), String> {
        let whose = (parked.uid, parked.label.as_str());
        match &parked.tenant {
            Some(name) if *name == tenant(whose.0, whose.1) => {
                self.leasing.resume(&mut self.router, whose, &parked.addresses)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The addresses that it had.
    fn give_back(&mut self, seat: Seat, id: PeerId, parked: &Parked) -> Result<(), String> {
        let Some(name) = &parked.tenant else {
            let taken = self.router.take(id, &parked.addresses);
            return taken.map_err(|(address, _)| format!("{address} is somebody else's by now"));
        };
        self.router.settle(id, name);
        self.seats.get_mut(seat).into_iter().for_each(|connection| connection.tenant = Some(name.clone()));
        Ok(())
    }
}

/// Whether he can be told later, and what is waited for.
fn hindrance(errno: Errno) -> Option<Hindrance> {
    match errno {
        Errno::AGAIN => Some(Hindrance::Full),
        Errno::TOOMANYREFS | Errno::NOBUFS | Errno::NOMEM => Some(Hindrance::Crowded),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_takes_no_more_descriptors_is_asked_again() {
        for crowded in [Errno::TOOMANYREFS, Errno::NOBUFS, Errno::NOMEM] {
            assert_eq!(hindrance(crowded), Some(Hindrance::Crowded));
        }
        let others = [Errno::AGAIN, Errno::MSGSIZE, Errno::PIPE].map(hindrance);
        assert_eq!(others, [Some(Hindrance::Full), None, None]);
    }

    #[test]
    fn what_is_parked_has_room_for_the_longest_label_and_all_addresses() {
        let parked = Parked {
            pid: i32::MAX,
            uid: u32::MAX,
            gid: u32::MAX,
            greeted: true,
            speaks: true,
            is_begin: false,
            is_peer: true,
            has_device: true,
            lent: true,
            since: u64::MAX,
            label: "x".repeat(super::super::super::talk::LABEL_MAX),
            tenant: Some(tenant(u32::MAX, &"\n".repeat(super::super::super::talk::LABEL_MAX))),
            addresses: vec![std::net::Ipv6Addr::LOCALHOST.into(); super::super::super::ADDRESSES_MAX],
            records: Vec::new(),
        };
        assert!(postcard::to_stdvec(&parked).unwrap().len() <= MESSAGE_MAX / 2);
    }
}
