//! The loop of a terminal that many share: it carries out what `Shared` decides.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::sys;
use rustix::event::epoll::{self, EventFlags};
use rustix::io::{Errno, read, write};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use rustix::process::geteuid;

use super::pipes::Pipes;
use super::{ACCEPTED_MAX, BATCH_MAX, REST_MS, add_number, now_ms, patience};
use crate::forkpty::{Listener, Ration, Shared, SharedOrder};

/// Clients at once.
pub const CLIENTS_MAX: usize = 64;
/// How long those who listen have for what was written last, in ms.
const LAST_MS: u64 = 1_000;
/// Complaints about strangers at once, and milliseconds between two of a flood.
const COMPLAINTS: (u64, u64) = (5, 10_000);
/// Bytes of one go.
const PIECE: usize = 16_384;
/// Rounds of one turn: others have theirs.
const ROUNDS_MAX: usize = 16;
/// Numbers of the poller below those of guests.
const TERMINAL: u64 = 0;
const END: u64 = 1;
const FIRST_DOOR: u64 = 2;
const FIRST_GUEST: u64 = 1 << 32;

/// A terminal to be shared.
#[derive(Debug)]
pub struct Console {
    /// Listen, not blocking: whoever connects there is the same user as we are, or root.
    pub doors: Vec<OwnedFd>,
    /// Our side of the terminal, not blocking.
    pub terminal: OwnedFd,
    /// Readable once the program has ended.
    pub end: OwnedFd,
    /// What is written goes there, too.
    pub log: Option<OwnedFd>,
    /// What comes from there is typed, too.
    pub input: Option<OwnedFd>,
}

/// What happens at a shared terminal, to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody of this user came who may not.
    Stranger(u32),
    /// As many are there as may be.
    Crowded,
    /// A client was let go: it was too slow.
    LetGo,
    /// So many bytes are not in the log, which was too slow.
    LeftOut(u64),
}

#[derive(Debug)]
struct Guest {
    socket: OwnedFd,
    /// What it says is typed.
    speaks: bool,
    interest: EventFlags,
}

struct Hall<T> {
    doors: Vec<OwnedFd>,
    terminal: OwnedFd,
    end: OwnedFd,
    epoll: OwnedFd,
    shared: Shared,
    guests: BTreeMap<u64, Guest>,
    births: u64,
    interest: EventFlags,
    /// All that there was to be read was read.
    is_drained: bool,
    complaints: Ration,
    closed_until: Option<u64>,
    /// The program has ended; until when those who listen have time.
    ends_at: Option<u64>,
    tell: T,
}

/// Serves until the program has ended and all that it wrote is taken.
///
/// Must: be a process by itself, in which nobody waits for a thread.
///
/// # Errors
/// The poller is broken or cannot be made, or no thread for log or input.
pub fn share(console: Console, tell: impl FnMut(Heard)) -> Result<(), Errno> {
    let Console { doors, terminal, end, log, input } = console;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    add_number(&epoll, terminal.as_fd(), TERMINAL, EventFlags::IN)?;
    add_number(&epoll, end.as_fd(), END, EventFlags::IN)?;
    let mut pipes = Pipes::default();
    let mut hall = Hall {
        doors,
        terminal,
        end,
        epoll,
        shared: Shared::default(),
        guests: BTreeMap::new(),
        births: FIRST_GUEST,
        interest: EventFlags::IN,
        is_drained: false,
        complaints: Ration::new(COMPLAINTS.0, COMPLAINTS.1),
        closed_until: None,
        ends_at: None,
        tell,
    };
    hall.open_doors()?;
    if let Some(log) = log {
        hall.take_in(pipes.onto(log)?, Some(Listener::Log), false)?;
    }
    if let Some(input) = input {
        hall.take_in(pipes.out_of(input)?, None, true)?;
    }
    let mut events = Vec::with_capacity(BATCH_MAX);
    while !hall.is_over() {
        hall.turn(&mut events)?;
    }
    // Its end is what the thread of the log waits for.
    drop(hall);
    pipes.finish();
    Ok(())
}

impl<T: FnMut(Heard)> Hall<T> {
    fn open_doors(&mut self) -> Result<(), Errno> {
        self.closed_until = None;
        let mut doors = (FIRST_DOOR..).zip(&self.doors);
        doors.try_for_each(|(number, door)| add_number(&self.epoll, door.as_fd(), number, EventFlags::IN))
    }

    /// Whoever waits there would have us look again at once, for ever.
    fn close_doors(&mut self, now: u64) {
        if self.closed_until.replace(now + REST_MS).is_none() {
            self.doors.iter().for_each(|door| _ = epoll::delete(&self.epoll, door));
        }
    }

    fn is_over(&self) -> bool {
        let is_taken = self.is_drained && self.shared.is_taken();
        self.ends_at.is_some_and(|at| is_taken || at <= now_ms())
    }

    fn turn(&mut self, events: &mut Vec<epoll::Event>) -> Result<(), Errno> {
        let deadlines = [self.shared.next_deadline(), self.closed_until, self.ends_at];
        let first = deadlines.into_iter().flatten().min();
        let wait = first.map(|at| patience(at.saturating_sub(now_ms())));
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let now = now_ms();
        let mut has_ended = false;
        for event in events.iter() {
            match event.data.u64() {
                END => has_ended = true,
                TERMINAL => {}
                id @ FIRST_GUEST.. => self.hear(id, event.flags),
                door => self.greet(door - FIRST_DOOR, now),
            }
        }
        self.pump();
        self.shared.settle(now);
        self.obey();
        self.settle_waits();
        if has_ended && self.ends_at.is_none() {
            self.begin_to_end(now);
        }
        if self.closed_until.is_some_and(|until| until <= now) { self.open_doors() } else { Ok(()) }
    }

    /// All that the program wrote is there to be read by now.
    fn begin_to_end(&mut self, now: u64) {
        self.ends_at = Some(now + LAST_MS);
        let _ = epoll::delete(&self.epoll, &self.end);
        // Closed, they are out of the poller; their files are somebody else's.
        self.doors.clear();
    }

    fn greet(&mut self, door: u64, now: u64) {
        for _ in 0..ACCEPTED_MAX {
            let Some(door) = usize::try_from(door).ok().and_then(|door| self.doors.get(door)) else { return };
            match accept_with(door, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(_) if self.guests.len() >= CLIENTS_MAX => {
                    if self.complaints.take(now) {
                        (self.tell)(Heard::Crowded);
                    }
                }
                Ok(client) => self.judge(client, now),
                // One that has gone again.
                Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => return,
                Err(_) => return self.close_doors(now),
            }
        }
    }

    /// By what the kernel says of him: a mode can be changed, and a socket that was left open to us may have any.
    fn judge(&mut self, client: OwnedFd, now: u64) {
        let uid = sys::peer_uid(client.as_fd()).unwrap_or(u32::MAX);
        if uid != 0 && uid != geteuid().as_raw() {
            if self.complaints.take(now) {
                (self.tell)(Heard::Stranger(uid));
            }
            return;
        }
        // Without a place in the poller nobody would hear of it: then it is closed.
        let _ = self.take_in(client, Some(Listener::Client), true);
    }

    fn take_in(&mut self, socket: OwnedFd, listens: Option<Listener>, speaks: bool) -> Result<(), Errno> {
        let id = self.births;
        self.births += 1;
        let interest = if speaks { EventFlags::IN } else { EventFlags::empty() };
        add_number(&self.epoll, socket.as_fd(), id, interest)?;
        listens.into_iter().for_each(|who| self.shared.join(id, who));
        self.guests.insert(id, Guest { socket, speaks, interest });
        Ok(())
    }

    fn let_go(&mut self, id: u64) {
        self.shared.leave(id);
        self.guests.remove(&id);
    }

    fn hear(&mut self, id: u64, flags: EventFlags) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        let is_gone = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        let room = self.shared.input.free().min(PIECE);
        if !guest.speaks || room == 0 {
            return if is_gone {
                self.let_go(id)
            };
        }
        let mut bytes = [0; PIECE];
        match recv(&guest.socket, &mut bytes[..room], RecvFlags::DONTWAIT) {
            // It types no more, but may still listen.
            Ok((0, _)) => guest.speaks = false,
            // What it typed before it went is typed.
            Ok((count, _)) => _ = self.shared.input.take(&bytes[..count]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.let_go(id),
        }
    }

    /// Moves what can be moved.
    fn pump(&mut self) {
        self.feed_program();
        for _ in 0..ROUNDS_MAX {
            let has_read = self.hear_program();
            let has_sent = self.feed_guests();
            self.obey();
            if !has_read && !has_sent {
                return;
            }
        }
    }

    fn feed_program(&mut self) {
        while !self.shared.input.is_empty() {
            match write(&self.terminal, self.shared.input.pending()) {
                Ok(count) => self.shared.input.sent(count),
                // Nobody reads there: what waits waits.
                Err(_) => return,
            }
        }
    }

    /// Whether something was read.
    fn hear_program(&mut self) -> bool {
        let mut bytes = [0; PIECE];
        let room = self.shared.room().min(PIECE);
        self.is_drained = false;
        if room == 0 {
            return false;
        }
        match read(&self.terminal, &mut bytes[..room]) {
            Ok(count @ 1..) => {
                self.shared.wrote(&bytes[..count]);
                return true;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            // Hung up: it would be ready for ever.
            Ok(0) | Err(_) => drop(epoll::delete(&self.epoll, &self.terminal)),
        }
        self.is_drained = true;
        false
    }

    /// Whether something was sent.
    fn feed_guests(&mut self) -> bool {
        let (mut has_sent, mut gone) = (false, Vec::new());
        for (id, guest) in &self.guests {
            let pending = self.shared.pending(*id);
            if pending.is_empty() {
                continue;
            }
            match send(&guest.socket, pending, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => {
                    self.shared.took(*id, count);
                    has_sent = true;
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                // What it typed last is yet to be heard.
                Err(_) => gone.push(*id),
            }
        }
        gone.into_iter().for_each(|id| self.shared.leave(id));
        has_sent
    }

    fn obey(&mut self) {
        while let Some(order) = self.shared.next_order() {
            match order {
                SharedOrder::LetGo(id) => {
                    self.let_go(id);
                    (self.tell)(Heard::LetGo);
                }
                SharedOrder::LeftOut(bytes) => (self.tell)(Heard::LeftOut(bytes)),
            }
        }
    }

    fn settle_waits(&mut self) {
        let mut terminal = EventFlags::empty();
        terminal.set(EventFlags::IN, self.shared.room() > 0);
        terminal.set(EventFlags::OUT, !self.shared.input.is_empty());
        set(&self.epoll, self.terminal.as_fd(), TERMINAL, (&mut self.interest, terminal));
        let has_room = self.shared.input.free() > 0;
        for (id, guest) in &mut self.guests {
            let mut wanted = EventFlags::empty();
            wanted.set(EventFlags::IN, guest.speaks && has_room);
            wanted.set(EventFlags::OUT, !self.shared.pending(*id).is_empty());
            set(&self.epoll, guest.socket.as_fd(), *id, (&mut guest.interest, wanted));
        }
    }
}

/// What is waited for on a descriptor from now on.
fn set(epoll: &OwnedFd, fd: BorrowedFd<'_>, number: u64, (had, wanted): (&mut EventFlags, EventFlags)) {
    if *had != wanted {
        let _ = epoll::modify(epoll, fd, epoll::EventData::new_u64(number), wanted);
        *had = wanted;
    }
}
