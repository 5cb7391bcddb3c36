//! The loop of a terminal that many share: it carries out what `Shared` decides.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::Receiver;

use jail::sys;
use rustix::event::epoll::{self, EventFlags};
use rustix::io::{Errno, read, write};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};
use rustix::process::geteuid;
use rustix::termios::tcgetwinsize;

use super::console::{Console, Front, Heard};
use super::pipes::{LogEnd, Pipes};
use super::terminal::resize;
use super::{ACCEPTED_MAX, BATCH_MAX, REST_MS, add_number, now_ms, patience, set_number};
use crate::forkpty::{Listener, Missing, Ration, Shared, SharedOrder, Window};

/// Clients at once.
pub const CLIENTS_MAX: usize = 64;
/// How long those who listen have for what was written last, in ms.
const LAST_MS: u64 = 1_000;
/// Complaints about strangers at once, and milliseconds between two of a flood.
const COMPLAINTS: (u64, u64) = (5, 10_000);
/// Bytes of one go.
const PIECE: usize = 16_384;
/// Bytes of some signals, each of 128 (`signalfd(2)`).
const SIGNALS: usize = 512;
/// Rounds of one turn: others have theirs.
const ROUNDS_MAX: usize = 16;
/// Numbers of the poller below those of guests.
const TERMINAL: u64 = 0;
const END: u64 = 1;
const RESIZED: u64 = 2;
const GAPS: u64 = 3;
const FIRST_DOOR: u64 = 4;
const FIRST_GUEST: u64 = 1 << 32;

#[derive(Debug)]
struct Guest {
    socket: OwnedFd,
    /// What it says is typed.
    speaks: bool,
    /// One that is lent to us goes without a word lost; of a client who has gone nobody waits for what finds no room.
    is_lent: bool,
    is_hung_up: bool,
    interest: Option<EventFlags>,
}

struct Hall<T> {
    doors: Vec<OwnedFd>,
    terminal: OwnedFd,
    end: OwnedFd,
    front: Option<Front>,
    epoll: OwnedFd,
    shared: Shared,
    guests: BTreeMap<u64, Guest>,
    births: u64,
    interest: Option<EventFlags>,
    is_hung_up: bool,
    /// Nothing will ever come from the terminal again.
    is_silent: bool,
    /// All that there was to be read was read.
    is_drained: bool,
    complaints: Ration,
    closed_until: Option<u64>,
    /// The program has ended; until when those who listen have time.
    ends_at: Option<u64>,
    gaps: Option<Gaps>,
    tell: T,
}

/// What is told of gaps in the log, and what is readable then.
type Gaps = (OwnedFd, Receiver<Missing>);

/// Serves until the program has ended and all that it wrote is taken.
///
/// Must: be a process by itself, in which nobody waits for a thread.
///
/// # Errors
/// The poller is broken or cannot be made, or no thread for log or input.
pub fn share(mut console: Console, tell: impl FnMut(Heard)) -> Result<(), Errno> {
    let (log, input) = (console.log.take(), console.input.take());
    let mut hall = Hall::open(console, tell)?;
    let mut pipes = Pipes::default();
    if let Some(log) = log {
        hall.keep(pipes.onto(log)?)?;
    }
    if let Some(input) = input {
        hall.take_in(pipes.out_of(input)?, None, true)?;
    }
    let mut events = Vec::with_capacity(BATCH_MAX);
    while !hall.is_over() {
        hall.turn(&mut events)?;
    }
    // Its end is what the thread of the log waits for.
    let (mut tell, gaps) = hall.leave();
    pipes.finish();
    gaps.iter().flat_map(Receiver::try_iter).for_each(|missing| tell(Heard::Missing(missing)));
    Ok(())
}

impl<T: FnMut(Heard)> Hall<T> {
    /// For whoever comes to these doors.
    fn open(console: Console, tell: T) -> Result<Self, Errno> {
        let Console { doors, terminal, end, front, .. } = console;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        add_number(&epoll, terminal.as_fd(), TERMINAL, EventFlags::IN)?;
        add_number(&epoll, end.as_fd(), END, EventFlags::IN)?;
        front.iter().try_for_each(|one| add_number(&epoll, one.resized.as_fd(), RESIZED, EventFlags::IN))?;
        let mut hall = Self {
            doors,
            terminal,
            end,
            front,
            epoll,
            shared: Shared::default(),
            guests: BTreeMap::new(),
            births: FIRST_GUEST,
            interest: Some(EventFlags::IN),
            is_hung_up: false,
            is_silent: false,
            is_drained: false,
            complaints: Ration::new(COMPLAINTS.0, COMPLAINTS.1),
            closed_until: None,
            ends_at: None,
            gaps: None,
            tell,
        };
        hall.open_doors()?;
        // It may have changed while nobody served.
        hall.follow_front();
        Ok(hall)
    }

    /// All is closed but the way from the thread of the log.
    fn leave(self) -> (T, Option<Receiver<Missing>>) {
        (self.tell, self.gaps.map(|(_, gaps)| gaps))
    }

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
                TERMINAL => self.is_hung_up = { event.flags }.contains(EventFlags::HUP),
                RESIZED => self.follow_front(),
                GAPS => self.hear_of_gaps(),
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

    /// As many changes as there were are one.
    fn follow_front(&mut self) {
        let Some(Front { terminal, resized }) = &self.front else { return };
        while read(resized, &mut [0; SIGNALS]).is_ok_and(|length| length > 0) {}
        let size = |terminal: &OwnedFd| tcgetwinsize(terminal).map(|size| (size.ws_row, size.ws_col));
        match size(terminal) {
            Ok((rows @ 1.., columns @ 1..)) if size(&self.terminal) != Ok((rows, columns)) => {
                let _ = resize(&self.terminal, Window { rows, columns });
            }
            _ => {}
        }
    }

    fn keep(&mut self, LogEnd { socket, bell, gaps }: LogEnd) -> Result<(), Errno> {
        add_number(&self.epoll, bell.as_fd(), GAPS, EventFlags::IN)?;
        self.gaps = Some((bell, gaps));
        self.take_in(socket, Some(Listener::Log), false)
    }

    fn hear_of_gaps(&mut self) {
        let Some((bell, gaps)) = &self.gaps else { return };
        // At its end the thread is gone, and what it has told last is told when all is over.
        if !matches!(recv(bell, &mut [0; 64], RecvFlags::DONTWAIT), Ok((1.., _))) {
            let _ = epoll::delete(&self.epoll, bell);
        }
        gaps.try_iter().for_each(|missing| (self.tell)(Heard::Missing(missing)));
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
        let (is_lent, interest) = (listens != Some(Listener::Client), Some(interest));
        self.guests.insert(id, Guest { socket, speaks, is_lent, is_hung_up: false, interest });
        Ok(())
    }

    fn let_go(&mut self, id: u64) {
        self.shared.leave(id);
        self.guests.remove(&id);
    }

    fn hear(&mut self, id: u64, flags: EventFlags) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        let is_gone = flags.intersects(EventFlags::ERR | EventFlags::HUP);
        guest.is_hung_up = is_gone;
        let room = self.shared.input.free().min(PIECE);
        if !guest.speaks || room == 0 {
            let is_over = is_gone && !(guest.speaks && guest.is_lent);
            return if is_over {
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
            Ok(0) | Err(_) => self.is_silent = true,
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

    /// Not even an end is waited for while there is no room for what comes before it: that would be told again and again.
    fn settle_waits(&mut self) {
        let wanted = self.terminal_interest();
        let _ = set_number(&self.epoll, self.terminal.as_fd(), TERMINAL, (self.interest, wanted));
        self.interest = wanted;
        let has_room = self.shared.input.free() > 0;
        for (id, guest) in &mut self.guests {
            let mut flags = EventFlags::empty();
            flags.set(EventFlags::IN, guest.speaks && has_room);
            flags.set(EventFlags::OUT, !self.shared.pending(*id).is_empty());
            let wanted = (has_room || !guest.is_hung_up).then_some(flags);
            let _ = set_number(&self.epoll, guest.socket.as_fd(), *id, (guest.interest, wanted));
            guest.interest = wanted;
        }
    }

    fn terminal_interest(&self) -> Option<EventFlags> {
        let has_room = self.shared.room() > 0;
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, has_room);
        flags.set(EventFlags::OUT, !self.shared.input.is_empty());
        (!self.is_silent && (has_room || !self.is_hung_up)).then_some(flags)
    }
}

#[cfg(test)]
#[path = "share_tests.rs"]
mod tests;
