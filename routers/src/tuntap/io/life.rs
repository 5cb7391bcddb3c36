//! The loop itself.

use std::collections::BTreeSet;
use std::time::Instant;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use super::super::asked::Asked;
use super::super::charter::Charter;
use super::super::frame::{HEADER, PAYLOAD_MAX};
use super::super::{Admission, Book, Grant, OFFLOAD_HEADER, Order, Policy, Prefix, Router, Settings};
use super::addresses::Addresses;
use super::closer::Closer;
use super::doors::Doors;
use super::events::{EVENTS_MAX, Events, Token};
use super::keeping::{Keeping, Kept};
use super::leasing::Leasing;
use super::park::Parking;
use super::ports::Ports;
use super::seats::{Seat, Seats};
use super::stats::Clients;
use super::telling::{Log, Telling};
use super::traffic::Moved;
use crate::parking::ToEmperor;

/// What one turn may take, counted as `cost` does.
pub(super) const QUANTUM: u32 = 128 * 1024;
/// The same for a connection that is no peer: of those anybody has many, and nothing of what they say is a packet.
pub(super) const SILENT_QUANTUM: u32 = 4096;
/// Turns between two looks at what else there is.
const TURNS_MAX: usize = 16;
/// Looks at what else there is before we sleep, after a piece of a stream: about 10 µs. To be woken costs all three who are
/// at a stream more than that.
const LOOKS_MAX: u32 = 20;
/// Bytes that are looked at in a stream at once.
const STREAM_ROOM: usize = 4 * (HEADER + PAYLOAD_MAX);

/// Who has packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    /// Other routers.
    Gateway,
    /// A peer by its connection.
    Stream(Seat),
    /// A peer by its device.
    Tun(Seat),
}

/// Rooms for packets, which are asked for once.
#[derive(Debug)]
pub(super) struct Rooms {
    /// One packet behind its offload header.
    pub(super) packet: Box<[u8]>,
    /// One of the packets that it stands for.
    pub(super) segment: Box<[u8]>,
    /// The begin of a stream.
    pub(super) stream: Box<[u8]>,
}

/// A router that serves.
pub(super) struct Service {
    pub(super) charter: Charter,
    pub(super) telling: Telling,
    pub(super) ports: Ports,
    pub(super) events: Events,
    pub(super) router: Router,
    pub(super) book: Book,
    pub(super) generation: u64,
    /// Users whom the charter has given addresses.
    pub(super) granted: BTreeSet<u32>,
    pub(super) seats: Seats,
    pub(super) turns: Order<Source>,
    pub(super) rooms: Rooms,
    pub(super) leasing: Leasing,
    pub(super) keeping: Keeping,
    pub(super) parking: Parking,
    pub(super) clients: Clients,
    pub(super) addresses: Addresses,
    pub(super) closer: Closer,
    pub(super) asked: Asked,
    /// Who has to go, and why; nobody is taken out while somebody looks at him.
    pub(super) ending: Vec<(Seat, String)>,
    pub(super) doors: Doors,
    /// The host's kernel has something.
    host_waits: bool,
    is_over: bool,
}

fn settings(charter: &Charter) -> Result<Settings, String> {
    let networks = charter.addresses.iter().filter_map(|(address, length)| Prefix::new(*address, *length));
    Ok(Settings {
        policy: Policy::parse(&charter.policy).ok_or_else(|| format!("`{}` is no policy", charter.policy))?,
        admission: if charter.open { Admission::Open } else { Admission::Granted },
        hosts: charter.addresses.iter().map(|(address, _)| *address).collect(),
        networks: networks.collect(),
        nameservers: charter.nameservers.clone(),
        peers_max: charter.peers_max,
        peers_of_user_max: charter.peers_of_user_max,
    })
}

/// What the charter gives, and to whom.
fn give_all(router: &mut Router, charter: &Charter) -> Result<BTreeSet<u32>, String> {
    let mut granted = BTreeSet::new();
    for text in &charter.peers {
        let grant = Grant::parse(text).map_err(|wrong| format!("`{text}`: {wrong}"))?;
        granted.insert(grant.uid);
        router.give(grant).map_err(|twice| format!("`{text}`: {twice}"))?;
    }
    Ok(granted)
}

impl Rooms {
    fn new() -> Self {
        let room = |bytes: usize| vec![0; bytes].into_boxed_slice();
        Self {
            packet: room(OFFLOAD_HEADER + PAYLOAD_MAX + 1),
            segment: room(PAYLOAD_MAX),
            stream: room(STREAM_ROOM),
        }
    }
}

impl Service {
    /// A router of this charter without a peer.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn new(
        (mut ports, charter): (Ports, Charter),
        (descriptors_max, closer): (u64, Closer),
        log: Log,
    ) -> Result<Self, String> {
        let settings = settings(&charter)?;
        let (keeping, kept) = Keeping::open(ports.state.take());
        let kept = kept.unwrap_or_default();
        let book = if kept.generation > 0 {
            Book::parse(&kept.rules).map_err(|wrong| wrong.to_string())?
        } else {
            Book::of(&charter)
        };
        let chains = book.chains(&settings, ports.gateway.is_some())?;
        let mut router = Router::new(settings, chains);
        let granted = give_all(&mut router, &charter)?;
        let mut leasing = Leasing::new(&charter, ports.leases.take(), &kept.leases)?;
        leasing.restore(&mut router, &granted);
        kept.restore(&mut router);
        let events = Events::new().map_err(|errno| format!("cannot wait for anything: {errno}"))?;
        let seats = Seats::new(charter.owner);
        let mut service = Self {
            generation: kept.generation.max(1),
            charter,
            telling: Telling::new(log),
            ports,
            events,
            router,
            book,
            granted,
            seats,
            turns: Order::new(QUANTUM, SILENT_QUANTUM),
            rooms: Rooms::new(),
            leasing,
            keeping,
            parking: Parking::new(),
            clients: Clients::default(),
            addresses: Addresses::default(),
            closer,
            asked: Asked::default(),
            ending: Vec::new(),
            doors: Doors::new(descriptors_max),
            host_waits: true,
            is_over: false,
        };
        service.watch_all().map_err(|errno| format!("cannot wait for its descriptors: {errno}"))?;
        Ok(service)
    }

    fn watch_all(&mut self) -> Result<(), Errno> {
        let Self { events, ports, .. } = self;
        events.watch(&ports.channel, Token::Channel)?;
        events.watch_edge_in(&ports.device, Token::Host)?;
        ports.gateway.iter().try_for_each(|gateway| events.watch_edge_in(gateway, Token::Gateway))?;
        ports.addresses.iter().try_for_each(|addresses| events.watch(addresses, Token::Addresses))?;
        self.open_doors()?;
        // Whatever came before is told of no more.
        self.turns.wake(Source::Gateway);
        self.ask_addresses();
        Ok(())
    }

    /// Serves until the Emperor is gone.
    ///
    /// # Errors
    /// One sentence: the device is gone, or there is nothing to wait with.
    pub(super) fn live(&mut self) -> Result<(), String> {
        self.ports
            .tell(&ToEmperor::Ready, &[])
            .map_err(|errno| format!("cannot tell the Emperor: {errno}"))?;
        self.settle_affairs();
        let mut looks = 0;
        while !self.is_over {
            let most = if self.host_waits || self.turns.is_anybody() || looks > 0 {
                Some(core::time::Duration::ZERO)
            } else {
                self.pause()
            };
            self.events.wait(most).map_err(|errno| format!("cannot wait: {errno}"))?;
            if looks > 0 && self.has_nothing() {
                looks -= 1;
                continue;
            }
            self.take_events();
            looks = if self.take_turns()?.is_stream() { LOOKS_MAX } else { 0 };
            self.settle_affairs();
        }
        Ok(())
    }

    /// Nothing has happened, and nobody has anything.
    fn has_nothing(&self) -> bool {
        self.events.get(0).is_none() && !self.host_waits && !self.turns.is_anybody()
    }

    /// How long nothing has to be done.
    fn pause(&self) -> Option<core::time::Duration> {
        let due = [self.keeping.due(), self.parking.due(), self.leasing.due(), self.doors.due()];
        let first = due.into_iter().flatten().min()?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    /// Whoever has left comes first: somebody who is here may wait for his place.
    fn take_events(&mut self) {
        for index in 0..EVENTS_MAX {
            let Some((token, flags)) = self.events.get(index) else { break };
            if let Token::Socket(seat) = token
                && flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
            {
                self.hang_up(seat);
            }
        }
        self.end_all();
        for index in 0..EVENTS_MAX {
            let Some((token, flags)) = self.events.get(index) else { break };
            self.take_event(token, flags);
        }
    }

    fn take_event(&mut self, token: Token, flags: EventFlags) {
        match token {
            Token::Channel => self.is_over = !self.hear_emperor(flags),
            Token::Host => self.host_waits = true,
            Token::Gateway => self.turns.wake(Source::Gateway),
            Token::Listener => self.accept_all(),
            Token::Stats => self.accept_clients(),
            Token::Addresses => self.hear_addresses(),
            Token::Client(number) => self.serve_client(number),
            Token::Tun(seat) if self.seats.get(seat).is_some() => self.turns.wake(Source::Tun(seat)),
            Token::Tun(_) => {}
            Token::Socket(seat) => self.take_socket(seat, flags),
        }
    }

    fn take_socket(&mut self, seat: Seat, flags: EventFlags) {
        if self.seats.get(seat).is_none() {
            return;
        }
        if flags.contains(EventFlags::OUT) {
            self.flush(seat);
        }
        if flags.contains(EventFlags::IN) {
            self.wake(seat);
        }
    }

    /// What somebody has said is to be heard: those who are no peers have one place for all.
    pub(super) fn wake(&mut self, seat: Seat) {
        match self.seats.get(seat) {
            Some(connection) if connection.peer.is_some() => self.turns.wake(Source::Stream(seat)),
            Some(_) => self.turns.wake_in_crowd(Source::Stream(seat)),
            None => {}
        }
    }

    /// Some turns of those who have something; the host, who speaks for everybody outside, has every second one.
    fn take_turns(&mut self) -> Result<Moved, String> {
        let mut all = Moved::default();
        for _ in 0..TURNS_MAX {
            if self.host_waits {
                let moved = self.move_from_host()?;
                self.host_waits = moved.has_more;
                all.add(moved);
            }
            let Some(source) = self.turns.next_turn() else { break };
            let moved = match source {
                Source::Gateway => self.move_from_gateway(),
                Source::Tun(seat) => self.move_from_tun(seat),
                Source::Stream(seat) => self.move_from_stream(seat),
            };
            all.add(moved);
            self.turns.spend(source, moved.cost);
            let is_silent = self.turns.is_in_crowd(source);
            match source {
                _ if !moved.has_more => self.turns.rest(source),
                // It may be a peer by now.
                Source::Stream(seat) => self.wake(seat),
                Source::Gateway | Source::Tun(_) => {}
            }
            // Whoever has a packet meanwhile waits for no second one of these.
            if is_silent {
                break;
            }
        }
        if all.cost > 0 {
            self.keeping.touch(Instant::now());
        }
        Ok(all)
    }

    /// What is better done when nobody waits for it.
    fn settle_affairs(&mut self) {
        self.end_all();
        self.mind_doors();
        self.talk_to_emperor();
        match self.leasing.save() {
            Ok(false) => {}
            Ok(true) => self.keeping.touch(Instant::now()),
            Err(errno) => self.telling.warn(&format!("cannot write the file of leases: {errno}")),
        }
        if self.keeping.due().is_some_and(|due| due <= Instant::now()) {
            self.keep();
        }
    }

    /// Writes down what a successor has to know.
    pub(super) fn keep(&mut self) {
        let kept = Kept::of(&self.router, self.generation, &self.book, self.leasing.text());
        if let Err(errno) = self.keeping.save(&kept) {
            self.telling.warn(&format!("cannot keep the rules and what was counted: {errno}"));
        }
    }
}
