//! What peers say through their connections: looked at, and taken only frame by frame, so that whoever comes after us
//! finds the begin of one.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};

use jail::sys::{Credentials, receive_all};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};

use super::super::frame::{self, Breach, Frame, HEADER};
use super::super::talk::{self, Word};
use super::closer::Rest;
use super::ending::LEFT;
use super::life::Service;
use super::seats::Seat;
use super::traffic::{Moved, Parcel};

/// Longest table or message.
const MESSAGE_MAX: usize = 4096;

/// A frame that says who somebody is, or has descriptors, taken with what came along.
struct Taken {
    length: usize,
    descriptors: Vec<OwnedFd>,
    sender: Option<Credentials>,
}

/// Where a walk along frames has stopped.
enum Stop {
    /// No further frame is whole.
    Short,
    /// The turn is over.
    Enough,
    /// The next frame, of so many bytes, is one to be taken alone.
    Special(usize),
    /// The peer has to go.
    Breach(String),
}

impl Service {
    pub(super) fn move_from_stream(&mut self, seat: Seat) -> Moved {
        let mut room = std::mem::take(&mut self.rooms.stream);
        let mut moved = Moved { has_more: true, ..Moved::default() };
        while moved.has_more && moved.cost < super::life::QUANTUM as usize {
            moved.has_more = self.look(seat, &mut room, &mut moved);
        }
        self.rooms.stream = room;
        self.notice_addresses(seat);
        moved
    }

    /// Looks at what there is and takes what is whole of it; whether there may be more.
    fn look(&mut self, seat: Seat, room: &mut [u8], moved: &mut Moved) -> bool {
        let Some(connection) = self.seats.get(seat) else { return false };
        let is_hung_up = connection.is_hung_up;
        let seen = match recv(&connection.socket, &mut room[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((0, _)) => return self.leave(seat, LEFT),
            Ok((seen, _)) => seen,
            Err(Errno::INTR) => return true,
            Err(Errno::AGAIN) => return false,
            Err(_) => return self.leave(seat, "its connection broke"),
        };
        let (used, stop) = self.walk(seat, &room[..seen], moved);
        if self.discard(seat, used, room).is_none() {
            return self.leave(seat, "its connection broke");
        }
        match stop {
            Stop::Enough => true,
            Stop::Short if is_hung_up && used == 0 => self.leave(seat, "it has left in the midst of a frame"),
            // More may lie behind the border of another sender.
            Stop::Short => used > 0,
            Stop::Special(length) => {
                moved.count(length);
                self.take_special(seat, length, room)
            }
            Stop::Breach(why) => self.leave(seat, &why),
        }
    }

    fn leave(&mut self, seat: Seat, why: &str) -> bool {
        self.end(seat, why.to_owned());
        false
    }

    /// Packets and rules are done with in passing; how many bytes they were.
    fn walk(&mut self, seat: Seat, seen: &[u8], moved: &mut Moved) -> (usize, Stop) {
        let most = MESSAGE_MAX.max(self.charter.mtu as usize);
        let mut at = 0;
        loop {
            let Some(connection) = self.seats.get(seat) else { return (at, Stop::Short) };
            let is_begin = connection.is_begin && at == 0;
            let (frame, length) = match frame::first(&seen[at..], is_begin, most) {
                Ok(Some(first)) => first,
                Ok(None) => return (at, Stop::Short),
                Err(breach) => return (at, Stop::Breach(breach.to_string())),
            };
            let done = match frame {
                Frame::Packet(bytes) => self.take_packet(seat, bytes),
                Frame::Rules(table) => self.take_rules(seat, table),
                Frame::Greeting | Frame::Hello | Frame::Message(_) => return (at, Stop::Special(length)),
            };
            if let Err(why) = done {
                return (at, Stop::Breach(why));
            }
            at += length;
            if !moved.count(length) {
                return (at, Stop::Enough);
            }
        }
    }

    fn take_packet(&mut self, seat: Seat, bytes: &[u8]) -> Result<(), String> {
        if bytes.len() > self.charter.mtu as usize {
            return Err(Breach::TooLong(bytes.len()).to_string());
        }
        let id = self.enrolled(seat)?;
        let connection = self.seats.get_mut(seat).ok_or("it has left")?;
        connection.is_begin = false;
        connection.received += (HEADER + bytes.len()) as u64;
        if connection.device.is_some() {
            return Err("it has lent a device and sends packets beside it".into());
        }
        let verdict = self.router.from_peer(id, bytes);
        self.deliver(verdict, Parcel::plain(bytes));
        Ok(())
    }

    fn take_rules(&mut self, seat: Seat, table: &[u8]) -> Result<(), String> {
        let id = self.enrolled(seat)?;
        self.router.upload(id, table).map_err(|breach| breach.to_string())?;
        let connection = self.seats.get_mut(seat).ok_or("it has left")?;
        connection.is_begin = false;
        connection.received += (HEADER + table.len()) as u64;
        table.clone_into(&mut connection.records);
        self.park(seat);
        Ok(())
    }

    /// Takes bytes that were looked at; none if the stream does not have them any more.
    fn discard(&mut self, seat: Seat, bytes: usize, room: &mut [u8]) -> Option<Taken> {
        let connection = self.seats.get(seat)?;
        let mut taken = Taken { length: 0, descriptors: Vec::new(), sender: None };
        while taken.length < bytes {
            let room = &mut room[taken.length..bytes];
            match receive_all(connection.socket.as_fd(), room, RecvFlags::empty()) {
                Ok(arrived) if arrived.length > 0 => {
                    taken.length += arrived.length;
                    taken.descriptors.extend(arrived.descriptors);
                    taken.sender = taken.sender.or(arrived.sender);
                }
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return None,
            }
        }
        // Whatever came along with a packet is nothing that we asked for.
        let uid = connection.who.uid;
        if bytes > 0 && !taken.descriptors.is_empty() && !self.is_special(&room[..bytes], seat) {
            taken.descriptors.drain(..).for_each(|one| self.closer.close(uid, Rest::Descriptor(one)));
        }
        Some(taken)
    }

    fn is_special(&self, bytes: &[u8], seat: Seat) -> bool {
        let is_begin = self.seats.get(seat).is_some_and(|connection| connection.is_begin);
        let first = frame::first(bytes, is_begin, bytes.len());
        matches!(first, Ok(Some((Frame::Greeting | Frame::Hello | Frame::Message(_), length))) if length == bytes.len())
    }

    fn take_special(&mut self, seat: Seat, length: usize, room: &mut [u8]) -> bool {
        let Some(taken) = self.discard(seat, length, room) else {
            return self.leave(seat, "its connection broke");
        };
        let Some(connection) = self.seats.get_mut(seat) else { return false };
        let is_begin = std::mem::replace(&mut connection.is_begin, false);
        connection.received += length as u64;
        let Ok(Some((frame, _))) = frame::first(&room[..length], is_begin, length) else { return false };
        let uid = connection.who.uid;
        let mut descriptors = taken.descriptors.into_iter();
        let heard = match frame {
            Frame::Greeting => self.greet(seat, taken.sender),
            Frame::Hello => self.welcome(seat, taken.sender),
            Frame::Message(payload) => self.hear(seat, (payload, taken.sender), descriptors.next()),
            Frame::Packet(_) | Frame::Rules(_) => Ok(()),
        };
        descriptors.for_each(|one| self.closer.close(uid, Rest::Descriptor(one)));
        if self.closer.is_held_up_by(uid) {
            return self.leave(seat, "what it has sent cannot be closed");
        }
        heard.map_or_else(|why| self.leave(seat, &why), |()| true)
    }

    /// Says something to a peer, behind what waits for it.
    pub(super) fn say(&mut self, seat: Seat, word: &Word) {
        let Some(connection) = self.seats.get_mut(seat) else { return };
        let said = talk::encode(word).map(|frame| connection.queue.push(&[], &frame).is_ok());
        if said != Ok(true) {
            return self.end(seat, "it does not read its answers".into());
        }
        self.flush(seat);
    }

    /// Says something with a descriptor.
    pub(super) fn say_with(&mut self, seat: Seat, word: &Word, descriptor: &OwnedFd) {
        let Some(connection) = self.seats.get(seat) else { return };
        let frame = talk::encode(word).unwrap_or_default();
        let sent = connection.queue.packets() == 0
            && jail::run::send(&connection.socket, &frame, &[descriptor.as_fd()]).is_ok();
        if !sent {
            self.end(seat, "it does not read its answers".into());
        }
    }

    /// Sends what waits, one frame each, as long as there is room.
    pub(super) fn flush(&mut self, seat: Seat) {
        let Some(connection) = self.seats.get_mut(seat) else { return };
        while let Some((first, second)) = connection.queue.front() {
            let parts = [IoSlice::new(first), IoSlice::new(second)];
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            match sendmsg(&connection.socket, &parts, &mut SendAncillaryBuffer::default(), flags) {
                Ok(sent) => {
                    connection.sent += sent as u64;
                    connection.queue.sent(sent);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => return self.end(seat, "its connection broke".into()),
            }
        }
    }
}
