//! What peers say through their connections: looked at, and taken only frame by frame, so that whoever comes after us
//! finds the begin of one.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use jail::sys::{Credentials, look_from, receive_all};
use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendFlags, recv, recvmsg, sendmsg,
};

use super::super::Verdict;
use super::super::frame::{self, Breach, Frame, HEADER};
use super::super::talk::{self, Word};
use super::closer::Rest;
use super::ending::LEFT;
use super::life::Service;
use super::seats::{Connection, Seat};
use super::traffic::{Moved, PACKET_COST, Parcel};

/// Longest table or message.
const MESSAGE_MAX: usize = 4096;
/// Most borders between senders in a frame: each byte that comes has us look at all of them again.
const BORDERS_MAX: usize = 8;
/// Looks at a frame with borders in it before it is somebody else's turn.
const LOOKS_MAX: usize = 64;

const BROKEN: &str = "its connection broke";
const UNCLOSED: &str = "what it has sent cannot be closed";

/// A frame that says who somebody is, or has a descriptor, taken with what came along.
struct Taken {
    length: usize,
    descriptor: Option<OwnedFd>,
    sender: Option<Credentials>,
}

/// What was seen over borders.
struct Beyond {
    seen: usize,
    /// Nothing is behind it yet.
    is_all: bool,
    looks: usize,
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

fn has_more_than(connection: &Connection, seen: usize) -> bool {
    ioctl_fionread(&connection.socket).is_ok_and(|waiting| waiting > seen as u64)
}

/// Whether descriptors come along with what is to be read: then there is more than what every piece has.
fn brings_descriptors(socket: &OwnedFd, room: &mut [u8]) -> bool {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let (mut control, looking) =
        (RecvAncillaryBuffer::new(&mut space), RecvFlags::PEEK | RecvFlags::DONTWAIT);
    let seen = recvmsg(socket, &mut [IoSliceMut::new(room)], &mut control, looking);
    seen.is_ok_and(|seen| seen.flags.contains(ReturnFlags::CTRUNC))
}

/// Who has sent two pieces: nobody, unless it was one user.
fn both(first: Option<Credentials>, second: Option<Credentials>) -> Option<Credentials> {
    first.filter(|first| second.is_some_and(|second| (second.uid, second.gid) == (first.uid, first.gid)))
}

impl Service {
    pub(super) fn move_from_stream(&mut self, seat: Seat) -> Moved {
        let mut room = std::mem::take(&mut self.rooms.stream);
        let mut moved = Moved { has_more: true, ..Moved::default() };
        let is_silent = self.seats.get(seat).is_some_and(|connection| connection.peer.is_none());
        let most = if is_silent { super::life::SILENT_QUANTUM } else { super::life::QUANTUM };
        while moved.has_more && moved.cost < most as usize {
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
            Err(_) => return self.leave(seat, BROKEN),
        };
        let (mut used, mut stop) = self.walk(seat, &room[..seen], moved);
        let mut is_all = true;
        if matches!(stop, Stop::Short) && used == 0 {
            let beyond = match self.look_beyond(seat, room, seen) {
                Ok(beyond) => beyond,
                Err(why) => return self.leave(seat, &why),
            };
            moved.cost += beyond.looks * PACKET_COST;
            is_all = beyond.is_all;
            (used, stop) = self.walk(seat, &room[..beyond.seen], moved);
        }
        if let Err(why) = self.discard(seat, used, room) {
            return self.leave(seat, why);
        }
        match stop {
            Stop::Enough => true,
            Stop::Short if is_hung_up && used == 0 && is_all => {
                self.leave(seat, "it has left in the midst of a frame")
            }
            // What follows may be of another sender, which is never seen together with what came before.
            Stop::Short => used > 0 || !is_all,
            Stop::Special(length) => {
                moved.count(length);
                self.take_special(seat, length, room)
            }
            Stop::Breach(why) => self.leave(seat, &why),
        }
    }

    /// Follows a frame over the borders between senders, where the kernel ends a look (`unix(7)`): of a client that changes its
    /// user, or has a child, in the midst of a frame.
    ///
    /// # Errors
    /// It has to go.
    fn look_beyond(&self, seat: Seat, room: &mut [u8], seen: usize) -> Result<Beyond, String> {
        let Some(connection) = self.seats.get(seat) else {
            return Ok(Beyond { seen, is_all: true, looks: 0 });
        };
        if !has_more_than(connection, seen) {
            return Ok(Beyond { seen, is_all: true, looks: 0 });
        }
        let looked = self.look_on(connection, room, seen);
        look_from(connection.socket.as_fd(), None)
            .map_err(|errno| format!("its connection broke: {errno}"))?;
        looked
    }

    fn look_on(&self, connection: &Connection, room: &mut [u8], mut seen: usize) -> Result<Beyond, String> {
        let (mut begin, mut borders) = (0, 0);
        for looks in 0..LOOKS_MAX {
            if !has_more_than(connection, seen) {
                return Ok(Beyond { seen, is_all: true, looks });
            }
            let looked = look_from(connection.socket.as_fd(), Some(begin)).and_then(|()| {
                recv(&connection.socket, &mut room[begin..], RecvFlags::PEEK | RecvFlags::DONTWAIT)
            });
            match looked {
                // It was no border: more has come since the last look.
                Ok((length, _)) if begin + length > seen => seen = begin + length,
                // Nothing but a border is between this and what there was before we looked.
                Ok((length, _)) if length > 0 => (begin, borders) = (seen, borders + 1),
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => return Ok(Beyond { seen, is_all: true, looks }),
            }
            if borders > BORDERS_MAX {
                return Err(format!("a frame of it has more than {BORDERS_MAX} borders between senders"));
            }
            if !matches!(frame::first(&room[..seen], connection.is_begin, self.longest()), Ok(None)) {
                return Ok(Beyond { seen, is_all: false, looks });
            }
        }
        Ok(Beyond { seen, is_all: false, looks: LOOKS_MAX })
    }

    fn longest(&self) -> usize {
        MESSAGE_MAX.max(self.charter.mtu as usize)
    }

    fn leave(&mut self, seat: Seat, why: &str) -> bool {
        self.end(seat, why.to_owned());
        false
    }

    /// Packets and rules are done with in passing; how many bytes they were.
    fn walk(&mut self, seat: Seat, seen: &[u8], moved: &mut Moved) -> (usize, Stop) {
        let most = self.longest();
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
        self.deliver(verdict, Parcel::plain(bytes, Verdict::Peer(id)));
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

    /// Takes bytes that were looked at.
    ///
    /// # Errors
    /// It has to go: the stream does not have them any more, or something came along that can be closed by nobody.
    fn discard(&mut self, seat: Seat, bytes: usize, room: &mut [u8]) -> Result<Taken, &'static str> {
        let connection = self.seats.get(seat).ok_or(LEFT)?;
        let uid = connection.who.uid;
        if self.closer.is_crowded() && brings_descriptors(&connection.socket, &mut room[..bytes]) {
            return Err(UNCLOSED);
        }
        let mut outcome = Ok(());
        let mut taken = Taken { length: 0, descriptor: None, sender: None };
        while taken.length < bytes {
            let room = &mut room[taken.length..bytes];
            match receive_all(connection.socket.as_fd(), room, RecvFlags::empty()) {
                Ok(arrived) if arrived.length > 0 => {
                    // Nothing takes more than one, and each piece may bring hundreds.
                    let mut more = arrived.descriptors.into_iter();
                    taken.descriptor = taken.descriptor.or_else(|| more.next());
                    self.close_all(uid, more);
                    taken.sender =
                        if taken.length == 0 { arrived.sender } else { both(taken.sender, arrived.sender) };
                    taken.length += arrived.length;
                }
                Err(Errno::INTR) => {}
                Ok(_) | Err(_) => {
                    outcome = Err(BROKEN);
                    break;
                }
            }
        }
        // Whatever came along with a packet is nothing that we asked for.
        if taken.descriptor.is_some() && (outcome.is_err() || !self.is_special(&room[..bytes], seat)) {
            self.close_all(uid, taken.descriptor.take().into_iter());
            outcome = outcome.and(if self.closer.is_held_up_by(uid) { Err(UNCLOSED) } else { Ok(()) });
        }
        outcome.map(|()| taken)
    }

    fn close_all(&self, uid: u32, descriptors: impl Iterator<Item = OwnedFd>) {
        descriptors.for_each(|one| self.closer.close(uid, Rest::Descriptor(one)));
    }

    fn is_special(&self, bytes: &[u8], seat: Seat) -> bool {
        let is_begin = self.seats.get(seat).is_some_and(|connection| connection.is_begin);
        let first = frame::first(bytes, is_begin, bytes.len());
        matches!(first, Ok(Some((Frame::Greeting | Frame::Hello | Frame::Message(_), length))) if length == bytes.len())
    }

    fn take_special(&mut self, seat: Seat, length: usize, room: &mut [u8]) -> bool {
        let taken = match self.discard(seat, length, room) {
            Ok(taken) => taken,
            Err(why) => return self.leave(seat, why),
        };
        let connection = self.seats.get_mut(seat).expect("it was there to be read");
        let is_begin = std::mem::replace(&mut connection.is_begin, false);
        connection.received += length as u64;
        let uid = connection.who.uid;
        let Ok(Some((frame, _))) = frame::first(&room[..length], is_begin, length) else {
            self.close_all(uid, taken.descriptor.into_iter());
            return self.leave(seat, BROKEN);
        };
        let mut descriptor = taken.descriptor;
        let heard = match frame {
            Frame::Greeting => self.greet(seat, taken.sender),
            Frame::Hello => self.welcome(seat, taken.sender),
            Frame::Message(payload) => self.hear(seat, (payload, taken.sender), descriptor.take()),
            Frame::Packet(_) | Frame::Rules(_) => Ok(()),
        };
        self.close_all(uid, descriptor.into_iter());
        if self.closer.is_held_up_by(uid) {
            return self.leave(seat, UNCLOSED);
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

    /// Says something with a descriptor, to somebody who may rule: it counts for us until it is taken.
    ///
    /// # Errors
    /// `EAGAIN` where something waits already; those of `sendmsg(2)`. Nothing was said.
    pub(super) fn say_with(&self, seat: Seat, word: &Word, descriptor: &OwnedFd) -> Result<(), Errno> {
        let connection = self.seats.get(seat).ok_or(Errno::PIPE)?;
        if connection.queue.packets() > 0 {
            return Err(Errno::AGAIN);
        }
        let frame = talk::encode(word).map_err(|_| Errno::MSGSIZE)?;
        jail::run::send(&connection.socket, &frame, &[descriptor.as_fd()])
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
                Err(_) => return self.end(seat, BROKEN.into()),
            }
        }
    }
}
