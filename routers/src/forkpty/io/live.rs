//! One session as it is: a connection, a terminal, a program; it carries out what `Session` orders.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::run::signal_session;
use rustix::event::epoll::EventFlags;
use rustix::io::{Errno, read, write};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_send_signal, waitid};
use rustix::termios::tcgetpgrp;

use super::terminal::{Leader, end_of_input, resize};
use crate::forkpty::{Event, Order, Session};

/// How often whoever is left of a session is killed: one may be born while we look.
const KILLS_MAX: usize = 16;
/// Rounds of one turn: others have theirs.
const ROUNDS_MAX: usize = 16;

/// A session and what it is made of.
#[derive(Debug)]
pub struct Live {
    session: Session,
    pid: Pid,
    pidfd: OwnedFd,
    /// None once it was closed.
    client: Option<OwnedFd>,
    /// None once it was hung up.
    terminal: Option<OwnedFd>,
    /// Nobody had it open when it was heard last.
    is_hung_up: bool,
    /// The end of the input goes behind what waits.
    ends_input: bool,
}

impl Live {
    /// A session whose program was started.
    pub fn new(session: Session, leader: Leader, client: OwnedFd) -> Self {
        let Leader { pid, pidfd, master } = leader;
        let (client, terminal) = (Some(client), Some(master));
        Self { session, pid, pidfd, client, terminal, is_hung_up: false, ends_input: false }
    }

    /// The connection, while it is open.
    pub fn client(&self) -> Option<BorrowedFd<'_>> {
        self.client.as_ref().map(AsFd::as_fd)
    }

    /// The terminal, while it is ours.
    pub fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.as_ref().map(AsFd::as_fd)
    }

    /// The program.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Pid of the program.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// What is to be waited for on the connection.
    pub fn client_interest(&self) -> Option<EventFlags> {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.session.client_room() > 0);
        flags.set(EventFlags::OUT, !self.session.output.is_empty());
        Some(flags)
    }

    /// What is to be waited for on the terminal; not even its end while there is no room for what comes before it: that would be
    /// told again and again.
    pub fn terminal_interest(&self) -> Option<EventFlags> {
        let has_room = self.session.output.free() > 0;
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, has_room);
        flags.set(EventFlags::OUT, !self.session.input.is_empty());
        (has_room || !self.is_hung_up).then_some(flags)
    }

    /// When `settle` is to be called, in milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        self.session.next_deadline()
    }

    /// Whether nothing is left of it but to be reaped.
    pub fn is_over(&self) -> bool {
        self.session.is_over()
    }

    /// The connection has something to say, or takes more.
    pub fn client_ready(&mut self, flags: EventFlags, now_ms: u64) {
        if flags.contains(EventFlags::IN) {
            self.hear_client(flags.intersects(EventFlags::HUP | EventFlags::ERR), now_ms);
        } else if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            self.session.handle(Event::ClientGone, now_ms);
        }
        self.pump(now_ms);
    }

    /// The terminal has something to say, or takes more.
    pub fn terminal_ready(&mut self, flags: EventFlags, now_ms: u64) {
        self.is_hung_up = flags.contains(EventFlags::HUP);
        self.pump(now_ms);
    }

    /// The program has ended. It stays unreaped until all is over, so that its number names this session alone.
    pub fn program_ended(&mut self, now_ms: u64) {
        // What it has written last comes first.
        self.pump(now_ms);
        self.session.handle(Event::ProgramEnded, now_ms);
        self.pump(now_ms);
    }

    /// Some time has passed.
    pub fn settle(&mut self, now_ms: u64) {
        self.session.settle(now_ms);
        self.obey();
    }

    fn hear_client(&mut self, is_gone: bool, now_ms: u64) {
        let room = self.session.client_room();
        let Some(client) = self.client.as_ref().filter(|_| room > 0) else { return };
        let mut bytes = [0; 16_384];
        let room = room.min(bytes.len());
        match recv(client, &mut bytes[..room], RecvFlags::DONTWAIT) {
            Ok((0, _)) if is_gone => self.session.handle(Event::ClientGone, now_ms),
            Ok((0, _)) => self.session.handle(Event::InputEnded, now_ms),
            Ok((count, _)) => self.session.from_client(&bytes[..count], now_ms),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.session.handle(Event::ClientGone, now_ms),
        }
    }

    /// Moves what can be moved, and does what is ordered.
    fn pump(&mut self, now_ms: u64) {
        self.obey();
        self.feed_program();
        for _ in 0..ROUNDS_MAX {
            let has_read = self.hear_program(now_ms);
            let has_sent = self.feed_client(now_ms);
            if !has_read && !has_sent {
                break;
            }
        }
        self.session.settle(now_ms);
        self.obey();
    }

    fn feed_program(&mut self) {
        let Some(terminal) = &self.terminal else { return };
        while !self.session.input.is_empty() {
            match write(terminal, self.session.input.pending()) {
                Ok(count) => self.session.input.sent(count),
                // Nobody reads there: what waits waits.
                Err(_) => return,
            }
        }
        if std::mem::take(&mut self.ends_input) {
            let byte = [end_of_input(terminal)];
            self.ends_input = write(terminal, &byte).is_err_and(|errno| errno == Errno::AGAIN);
        }
    }

    /// Whether something was read.
    fn hear_program(&mut self, now_ms: u64) -> bool {
        let Some(terminal) = self.terminal.as_ref().filter(|_| self.session.output.free() > 0) else {
            return false;
        };
        match read(terminal, self.session.output.room()) {
            Ok(count) if count > 0 => {
                self.session.output.filled(count);
                self.session.stirred(now_ms);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            // `EIO`: nobody has it open.
            Ok(_) | Err(_) => {
                self.terminal = None;
                self.session.handle(Event::TerminalClosed, now_ms);
                false
            }
        }
    }

    /// Whether something was sent.
    fn feed_client(&mut self, now_ms: u64) -> bool {
        let Some(client) = self.client.as_ref().filter(|_| !self.session.output.is_empty()) else {
            return false;
        };
        match send(client, self.session.output.pending(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(count) => {
                self.session.output.sent(count);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(_) => {
                self.session.handle(Event::ClientGone, now_ms);
                false
            }
        }
    }

    fn obey(&mut self) {
        while let Some(order) = self.session.next_order() {
            self.carry_out(order);
        }
    }

    /// Nothing here can fail in a way that would change what is to be done.
    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Resize(window) => {
                self.terminal.iter().for_each(|terminal| _ = resize(terminal, window));
            }
            Order::Signal(number) => self.signal_foreground(number),
            Order::EndInput => self.ends_input = true,
            Order::HangUp => {
                self.terminal = None;
                signal_session(self.pid(), Signal::HUP);
            }
            Order::Terminate => drop(signal_session(self.pid(), Signal::TERM)),
            Order::Kill => self.kill(),
            Order::CloseClient => self.client = None,
        }
    }

    fn signal_foreground(&self, number: u8) {
        let group = self.terminal.as_ref().and_then(|terminal| tcgetpgrp(terminal).ok());
        if let (Some(group), Some(signal)) = (group, Signal::from_named_raw(number.into())) {
            let _ = kill_process_group(group, signal);
        }
    }

    fn kill(&self) {
        // By itself: it may not have begun its session yet.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        for _ in 0..KILLS_MAX {
            if signal_session(self.pid(), Signal::KILL) == 0 {
                return;
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // The leader was killed, or has ended: nobody waits here for long.
        self.kill();
        let _ = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}
