//! Who connects: let in while there is room, or somebody's place.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use jail::sys::{Credentials, peer};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_passcred, set_socket_send_buffer_size};
use rustix::net::{SocketFlags, accept_with};

use super::closer::Rest;
use super::events::Token;
use super::life::Service;
use super::seats::{Connection, Seat};
use super::silence::Room;
use super::unread::NARROW;

/// Connections that are accepted at once: packets wait meanwhile.
const ACCEPT_MAX: usize = 4;
/// Why somebody has to leave who has done nothing wrong.
const GAVE_WAY: &str = "too many connections are no peers, and it was one longest";

impl Service {
    /// Lets in whoever waits.
    pub(super) fn accept_all(&mut self) {
        for _ in 0..ACCEPT_MAX {
            if let Err(errno) = self.doors.has_room(&self.ports.channel) {
                return self.close_doors(errno);
            }
            match accept_with(&self.ports.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => {
                    self.doors.passed();
                    self.accept(socket);
                }
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return,
                Err(errno) => return self.close_doors(errno),
            }
        }
    }

    fn accept(&mut self, socket: OwnedFd) {
        // It has it from the listener, unless that is of an Emperor who did not set it there.
        let who = match set_socket_passcred(&socket, true).and_then(|()| peer(socket.as_fd())) {
            Ok(who) => who,
            Err(errno) => return self.telling.warn(&format!("cannot ask who has connected: {errno}")),
        };
        match self.place_for(who.uid) {
            Ok(Room::Of(longest)) => self.drive_out(longest),
            Ok(Room::Free) => {}
            Ok(Room::Nowhere) => return self.turn_away((socket, who), "too many connections are no peers"),
            Err(why) => return self.turn_away((socket, who), why),
        }
        if self.is_much_unread(who.uid)
            && let Err(errno) = set_socket_send_buffer_size(&socket, NARROW)
        {
            return self.turn_away((socket, who), &format!("its buffer cannot be made small: {errno}"));
        }
        self.let_in(socket, who);
    }

    fn turn_away(&mut self, (socket, who): (OwnedFd, Credentials), why: &str) {
        self.telling.warn(&format!("user {} gets no connection: {why}", who.uid));
        self.closer.close(who.uid, Rest::Connection(socket));
    }

    fn let_in(&mut self, socket: OwnedFd, who: Credentials) {
        let seat = self.seats.seat(Connection::new(socket, who, self.charter.queue_bytes));
        let connection = self.seats.get(seat).expect("it has just been seated");
        if let Err(errno) = self.events.watch_edge(&connection.socket, Token::Socket(seat)) {
            return self.end(seat, format!("cannot wait for it: {errno}"));
        }
        self.wake(seat);
        // A client of uWSGI may say nothing for long, and ends with its connection.
        self.park(seat);
    }

    /// At once, as nobody looks at anybody while somebody comes: nobody has to leave twice, or becomes a peer before.
    fn drive_out(&mut self, seat: Seat) {
        self.end(seat, GAVE_WAY.to_owned());
        self.end_all();
    }

    /// # Errors
    /// The user has too much already, and what.
    fn place_for(&self, uid: u32) -> Result<Room, &'static str> {
        if self.closer.is_held_up_by(uid) {
            return Err("what it has sent cannot be closed");
        }
        let silence = self.seats.silence();
        let left = self.charter.peers_of_user_max.saturating_sub(silence.of_user(uid));
        if left == 0 {
            return Err("too many of its connections are no peers");
        }
        if self.closer.unread_of(uid, left) >= left {
            return Err("it has not read what was said on too many connections");
        }
        Ok(silence.room(uid, Instant::now()))
    }

    /// Whether what may be left unread by now is as much as shall be. Nobody can take it back, and whoever has left it there has more
    /// users: to keep newcomers out for it keeps others out. They have narrow connections, in which no more is left than
    /// what the other end, kept open for it, costs him too.
    fn is_much_unread(&self, uid: u32) -> bool {
        let silence = self.seats.silence();
        let left = silence.left();
        !silence.may_rule(uid) && self.closer.unread(left) >= left
    }
}
