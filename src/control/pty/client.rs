//! A client of a terminal that somebody serves: keys one way by a loop that also hears signals, output the other way by a
//! thread, so that a screen that is stopped keeps nobody from ending it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::{JoinHandle, spawn};

use anyhow::{Context, Result};
use jail::sys;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{SendFlags, Shutdown, send, shutdown};

use super::line::{Line, Speech, Wish};
use crate::control::attach::screen::{size, stir};

/// Bytes of one go.
const PIECE: usize = 65_536;
/// No copy lies on a standard descriptor.
const LOWEST: i32 = 3;
/// How often it is looked whether a frame was read, in ms: at first, and where nobody reads.
const LOOKS_MS: (i64, i64) = (1, 64);
/// Exit status when the connection broke.
const LOST: u8 = 255;
const HELP: &[u8] =
    b"\r\nAt the beginning of a line:\r\n  ~.  ends the connection\r\n  ~~  a tilde\r\n  ~?  this\r\n";

/// A connection and what is on our side of it.
pub struct Client {
    socket: OwnedFd,
    line: Line,
    has_keyboard: bool,
    input: File,
    /// No more keys come, and the other end knows.
    input_ended: bool,
    told_of_end: bool,
    /// Readable once all that the other end wrote is shown, and nothing more comes.
    shown: Arc<OwnedFd>,
    output: JoinHandle<io::Result<()>>,
    look_ms: i64,
}

impl Client {
    /// Begins to show what comes.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn begin(socket: OwnedFd, speech: Speech, has_keyboard: bool) -> Result<Self> {
        let shown = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (from, told) = (File::from(fcntl_dupfd_cloexec(&socket, LOWEST)?), Arc::clone(&shown));
        let to = File::from(fcntl_dupfd_cloexec(rustix::stdio::stdout(), LOWEST)?);
        let output = spawn(move || {
            let outcome = show(from, to);
            stir(&told);
            outcome
        });
        let input = File::from(fcntl_dupfd_cloexec(rustix::stdio::stdin(), LOWEST)?);
        // Who has no terminal types no tilde.
        let line = Line::new(speech, !has_keyboard);
        let (input_ended, told_of_end) = (false, false);
        let look_ms = LOOKS_MS.0;
        let mut client =
            Self { socket, line, has_keyboard, input, input_ended, told_of_end, shown, output, look_ms };
        client.resize();
        Ok(client)
    }

    /// Until its end: the exit status.
    ///
    /// # Errors
    /// Nothing can be waited for.
    pub fn mind(mut self, signals: &SignalFd) -> Result<u8> {
        loop {
            self.send();
            let [signalled, has_ended, typed] = self.wait(signals)?;
            if signalled && let Some(status) = self.heed(signals) {
                return Ok(status);
            }
            if has_ended {
                let is_whole = self.output.join().is_ok_and(|shown| shown.is_ok());
                return Ok(if is_whole { 0 } else { LOST });
            }
            if typed && self.read_keys() == Some(Wish::End) {
                return Ok(0);
            }
        }
    }

    /// Who is ready: signals, the end of the output, the keyboard.
    fn wait(&mut self, signals: &SignalFd) -> Result<[bool; 3]> {
        let (reads, sends) = (!self.input_ended && self.line.room() > 0, !self.line.piece().is_empty());
        let patience = self.patience();
        let on = |fd, flags| PollFd::from_borrowed_fd(fd, flags);
        let mut set = vec![on(signals.as_fd(), PollFlags::IN), on((*self.shown).as_fd(), PollFlags::IN)];
        set.extend(reads.then(|| on(self.input.as_fd(), PollFlags::IN)));
        set.extend(sends.then(|| on(self.socket.as_fd(), PollFlags::OUT)));
        match poll(&mut set, patience.as_ref()) {
            Ok(_) => {
                let ready = |place: usize| !set[place].revents().is_empty();
                Ok([ready(0), ready(1), reads && ready(2)])
            }
            Err(Errno::INTR) => Ok([false; 3]),
            Err(errno) => Err(errno).context("cannot wait"),
        }
    }

    /// Nothing tells when a frame is read: while another one waits for that it is looked for, ever more seldom.
    fn patience(&mut self) -> Option<Timespec> {
        let waits = self.line.piece().is_empty() && self.line.has_more();
        let look_ms = if waits { self.look_ms } else { LOOKS_MS.0 };
        self.look_ms = (look_ms * 2).min(LOOKS_MS.1);
        waits.then_some(Timespec { tv_sec: 0, tv_nsec: look_ms * 1_000_000 })
    }

    fn send(&mut self) {
        while self.has_piece() {
            match send(&self.socket, self.line.piece(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => self.line.sent(count),
                Err(Errno::AGAIN | Errno::INTR) => return,
                // Nobody reads there any more; what was written before is still to be shown.
                Err(_) => return self.end_input(),
            }
        }
        if self.input_ended && !self.line.has_more() && !std::mem::replace(&mut self.told_of_end, true) {
            let _ = shutdown(&self.socket, Shutdown::Write);
        }
    }

    /// Whether there is something to be sent now.
    fn has_piece(&mut self) -> bool {
        if self.line.piece().is_empty() && self.line.has_more() && self.may_go_on() {
            self.line.advance();
            self.look_ms = LOOKS_MS.0;
        }
        !self.line.piece().is_empty()
    }

    fn may_go_on(&self) -> bool {
        !self.line.waits_for_reader() || !matches!(sys::unread(self.socket.as_fd()), Ok(1..))
    }

    fn end_input(&mut self) {
        self.line = Line::new(Speech::Raw, true);
        self.input_ended = true;
    }

    /// The exit status, if a signal ends us.
    fn heed(&mut self, signals: &SignalFd) -> Option<u8> {
        while let Ok(Some(one)) = signals.read_signal() {
            if one.ssi_signo != Signal::SIGWINCH as u32 {
                return Some(u8::try_from(128 + one.ssi_signo).unwrap_or(u8::MAX));
            }
            self.resize();
        }
        None
    }

    fn resize(&mut self) {
        if self.has_keyboard {
            let size = size();
            self.line.resized((size.rows, size.columns));
        }
    }

    fn read_keys(&mut self) -> Option<Wish> {
        let mut keys = vec![0; PIECE.min(self.line.room())];
        match self.input.read(&mut keys) {
            Ok(0) => self.input_ended = true,
            Ok(count) => return self.typed(&keys[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.input_ended = true,
        }
        None
    }

    fn typed(&mut self, keys: &[u8]) -> Option<Wish> {
        let wishes = self.line.typed(keys);
        for wish in &wishes {
            if *wish == Wish::Help {
                let _ = io::stdout().write_all(HELP).and_then(|()| io::stdout().flush());
            }
        }
        wishes.into_iter().find(|wish| *wish == Wish::End)
    }
}

/// Until the other end has nothing more to say, or nobody looks any more.
fn show(mut from: File, mut to: File) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                if to.write_all(&piece[..length]).is_err() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
