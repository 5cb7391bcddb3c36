//! Packets from where they come to where they are judged to go.

use core::net::SocketAddr;
use std::io::IoSlice;
use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};

use super::super::frame::packet_header;
use super::super::{OFFLOAD_HEADER, Offload, PeerId, Reason, Segments, Verdict};
use super::life::Service;
use super::seats::Seat;

/// Packets of one turn.
const BATCH: usize = 64;
/// What a packet costs beside its bytes: the way to the kernel and back.
pub(super) const PACKET_COST: usize = 1024;
/// What a piece of a stream costs, at least.
const STREAM_COST: usize = 16 << 10;
/// Longest packet that a client of uWSGI has room for.
pub(super) const UWSGI_PACKET_MAX: usize = 8192;

/// What a turn was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) cost: usize,
    pub(super) packets: u32,
    /// There may be more.
    pub(super) has_more: bool,
}

/// A packet on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel<'a> {
    offload: Offload,
    /// The packet behind a header that says what was proved, if there was room for one.
    whole: Option<&'a [u8]>,
    pub(super) bytes: &'a [u8],
    /// The way to its sender.
    pub(super) back: Verdict,
}

impl<'a> Parcel<'a> {
    /// A packet that nothing is left to do about.
    pub(super) fn plain(bytes: &'a [u8], back: Verdict) -> Self {
        Self { offload: Offload::default(), whole: None, bytes, back }
    }
}

impl Moved {
    /// Both of them.
    pub(super) fn add(&mut self, other: Self) {
        self.cost += other.cost;
        self.packets += other.packets;
    }

    /// More than one that asks and is answered: others are likely to follow at once.
    pub(super) fn is_stream(self) -> bool {
        self.packets > 1 || self.cost >= STREAM_COST
    }

    /// One more packet, and whether the turn may go on.
    pub(super) fn count(&mut self, bytes: usize) -> bool {
        self.cost += bytes + PACKET_COST;
        self.packets += 1;
        self.cost < super::life::QUANTUM as usize
    }
}

/// A packet with what stands in front of it, which afterwards is nothing but what was proved.
fn parse(room: &mut [u8], back: Verdict) -> Result<Parcel<'_>, Reason> {
    let (header, bytes) = room.split_first_chunk_mut::<OFFLOAD_HEADER>().ok_or(Reason::Short)?;
    let offload = Offload::parse(header, bytes)?;
    *header = offload.header();
    Ok(Parcel { offload, whole: Some(room), bytes: &room[OFFLOAD_HEADER..], back })
}

impl Service {
    /// # Errors
    /// One sentence: the device is gone.
    pub(super) fn move_from_host(&mut self) -> Result<Moved, String> {
        let mut room = std::mem::take(&mut self.rooms.packet);
        let mut moved = Moved { has_more: true, ..Moved::default() };
        let mut outcome = Ok(());
        for _ in 0..BATCH {
            match rustix::io::read(&self.ports.device, &mut room[..]) {
                Ok(read) => {
                    self.judge_of_host(&mut room[..read]);
                    if !moved.count(read) {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    moved.has_more = false;
                    break;
                }
                Err(errno) => {
                    outcome = Err(format!("cannot read device {}: {errno}", self.charter.device));
                    break;
                }
            }
        }
        self.rooms.packet = room;
        outcome.map(|()| moved)
    }

    fn judge_of_host(&mut self, room: &mut [u8]) {
        match parse(room, Verdict::Tun) {
            Ok(parcel) => {
                let verdict = self.router.from_tun(parcel.bytes);
                self.deliver(verdict, parcel);
            }
            Err(reason) => self.router.refuse(None, reason),
        }
    }

    pub(super) fn move_from_tun(&mut self, seat: Seat) -> Moved {
        let mut room = std::mem::take(&mut self.rooms.packet);
        let mut moved = Moved { has_more: true, ..Moved::default() };
        for _ in 0..BATCH {
            let Some(connection) = self.seats.get_mut(seat) else { break };
            let (Some(device), Some(id)) = (&connection.device, connection.peer) else { break };
            match device.read(&mut room) {
                Ok(read) => {
                    connection.received += read.saturating_sub(OFFLOAD_HEADER) as u64;
                    self.judge_of_peer(id, &mut room[..read]);
                    if !moved.count(read) {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    moved.has_more = false;
                    break;
                }
                Err(errno) => {
                    moved.has_more = false;
                    self.end(seat, format!("its device cannot be read any more: {errno}"));
                    break;
                }
            }
        }
        self.rooms.packet = room;
        self.notice_addresses(seat);
        moved.has_more &= self.seats.get(seat).is_some_and(|connection| connection.device.is_some());
        moved
    }

    fn judge_of_peer(&mut self, id: PeerId, room: &mut [u8]) {
        match parse(room, Verdict::Peer(id)) {
            Ok(parcel) => {
                let verdict = self.router.from_peer(id, parcel.bytes);
                self.deliver(verdict, parcel);
            }
            Err(reason) => self.router.refuse(Some(id), reason),
        }
    }

    pub(super) fn move_from_gateway(&mut self) -> Moved {
        let mut room = std::mem::take(&mut self.rooms.packet);
        let mut moved = Moved { has_more: true, ..Moved::default() };
        for _ in 0..BATCH {
            let Some(gateway) = &self.ports.gateway else {
                moved.has_more = false;
                break;
            };
            match recvfrom(gateway, &mut room[..], RecvFlags::DONTWAIT) {
                Ok((read, _, sender)) => {
                    let sender = sender.and_then(|sender| SocketAddr::try_from(sender).ok());
                    sender.into_iter().for_each(|sender| self.judge_of_gateway(&room[..read], sender));
                    if !moved.count(read) {
                        break;
                    }
                }
                // An error of a datagram that was sent before; the next call tells of what there is.
                Err(Errno::INTR | Errno::CONNREFUSED | Errno::HOSTUNREACH | Errno::NETUNREACH) => {}
                Err(_) => {
                    moved.has_more = false;
                    break;
                }
            }
        }
        self.rooms.packet = room;
        moved
    }

    fn judge_of_gateway(&mut self, bytes: &[u8], sender: SocketAddr) {
        // To a socket of both versions, one of version 4 has an address of version 6.
        let sender = SocketAddr::new(sender.ip().to_canonical(), sender.port());
        let verdict = self.router.from_gateway(bytes, sender);
        self.deliver(verdict, Parcel::plain(bytes, Verdict::Gateway(sender)));
    }

    /// Carries a verdict out.
    pub(super) fn deliver(&mut self, verdict: Verdict, parcel: Parcel<'_>) {
        match verdict {
            Verdict::Tun => self.send_to_host(parcel),
            Verdict::Peer(id) => self.send_to_peer(id, parcel),
            Verdict::Gateway(gateway) => self.send_to_gateway(gateway, parcel),
            Verdict::Drop(_) => {}
        }
    }

    /// What the host's kernel does not take is lost, as on any link.
    fn send_to_host(&mut self, parcel: Parcel<'_>) {
        let device = &self.ports.device;
        let _ = match parcel.whole {
            Some(whole) => rustix::io::write(device, whole),
            None => {
                rustix::io::writev(device, &[IoSlice::new(&[0; OFFLOAD_HEADER]), IoSlice::new(parcel.bytes)])
            }
        };
    }

    fn send_to_peer(&mut self, id: PeerId, parcel: Parcel<'_>) {
        let Some(seat) = self.seats.of(id) else { return };
        let Some(connection) = self.seats.get_mut(seat) else { return };
        let Some(device) = &connection.device else {
            return self.send_to_stream(seat, id, parcel);
        };
        match device.write(parcel.whole, parcel.bytes) {
            Ok(_) => connection.sent += parcel.bytes.len() as u64,
            Err(errno) => {
                connection.dropped += 1;
                self.router.undelivered(id, parcel.bytes.len(), Reason::QueueFull);
                if errno == Errno::BADFD {
                    self.end(seat, "its device is gone".into());
                }
            }
        }
    }

    /// A packet, or all that it stands for, behind those that wait for a peer to read them.
    fn send_to_stream(&mut self, seat: Seat, id: PeerId, parcel: Parcel<'_>) {
        let Some(connection) = self.seats.get_mut(seat) else { return };
        let most = if connection.speaks { self.charter.mtu as usize } else { UWSGI_PACKET_MAX };
        if parcel.offload.longest(parcel.bytes.len()) > most {
            connection.dropped += 1;
            self.router.undelivered(id, parcel.bytes.len(), Reason::TooLong);
            return self.tell_too_big(id, most, &parcel);
        }
        let mut segments = Segments::new(parcel.bytes, parcel.offload);
        let mut lost = false;
        while let Some(segment) = segments.next_into(&mut self.rooms.segment) {
            let Some(header) = packet_header(segment.len()) else { break };
            lost |= connection.queue.push(&header, segment).is_err();
        }
        if lost {
            connection.dropped += 1;
            self.router.undelivered(id, parcel.bytes.len(), Reason::QueueFull);
        }
        self.flush(seat);
    }

    /// Datagrams that do not go are lost, as on any link.
    fn send_to_gateway(&mut self, gateway: SocketAddr, parcel: Parcel<'_>) {
        let Some(socket) = &self.ports.gateway else { return };
        let mut segments = Segments::new(parcel.bytes, parcel.offload);
        while let Some(segment) = segments.next_into(&mut self.rooms.segment) {
            let _ = sendto(socket.as_fd(), segment, SendFlags::DONTWAIT | SendFlags::NOSIGNAL, &gateway);
        }
    }
}
