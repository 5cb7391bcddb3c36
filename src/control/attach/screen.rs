//! Our terminal and that of the session: keys one way, output the other, each in a thread of its own, so that neither
//! waits for the other however much is pasted.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, spawn};

use anyhow::{Result, bail};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize,
};

use super::ask::Connection;
use super::escape::{Act, Escape};
use super::input_end::{self, Shown};
use crate::control::messages::{Answer, Say, Size};

/// Bytes of one go: a terminal gives no more.
const PIECE: usize = 4096;
/// No copy lies on a standard descriptor.
const LOWEST: i32 = 3;
/// What a program left on its terminal is waited for no longer.
const LAST_WORDS: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
const HELP: &[u8] = b"\r\nAt the beginning of a line:\r\n  ~.  ends the session\r\n  ~d  detaches: it goes on, and\r\n      `liege attach --again` takes it up\r\n  ~~  a tilde\r\n  ~?  this\r\n";

/// How it came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The program has ended with this status.
    Ended(u8),
    /// It goes on under this number.
    Detached(u32),
    /// We ended it.
    Closed,
    /// Nobody knows.
    Lost,
}

/// A session on our terminal.
pub struct Screen {
    master: Arc<OwnedFd>,
    before: Option<Termios>,
    wanted: Arc<Mutex<Option<Act>>>,
    /// Something is wanted, or the output has ended.
    stirred: Arc<OwnedFd>,
    /// Readable when all that there was is written.
    written: Arc<AtomicBool>,
    output: Option<JoinHandle<()>>,
}

impl Screen {
    /// Takes over the terminal, if there is one.
    ///
    /// # Errors
    /// It cannot be read or written to.
    pub fn begin(master: OwnedFd, missed: &[u8], no_escape: bool) -> Result<Self> {
        let master = Arc::new(master);
        let before = raw()?;
        let stirred = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let wanted = Arc::new(Mutex::new(None));
        let written = Arc::new(AtomicBool::new(false));
        let mut screen = Self { master, before, wanted, stirred, written, output: None };
        screen.resize();
        let mut out = File::from(fcntl_dupfd_cloexec(rustix::stdio::stdout(), LOWEST)?);
        out.write_all(missed)?;
        screen.start(out, no_escape)?;
        Ok(screen)
    }

    fn start(&mut self, out: File, no_escape: bool) -> Result<()> {
        let shown = Shown::new()?;
        let copy = |fd: &OwnedFd| fcntl_dupfd_cloexec(fd, LOWEST).map(File::from);
        let keys = Keys {
            input: File::from(fcntl_dupfd_cloexec(rustix::stdio::stdin(), LOWEST)?),
            screen: out.try_clone()?,
            master: copy(&self.master)?,
            // Who has no terminal types no tilde.
            escape: Escape::new(no_escape || self.before.is_none()),
            wanted: Arc::clone(&self.wanted),
            stirred: Arc::clone(&self.stirred),
            shown: Arc::clone(&shown),
        };
        spawn(|| keys.carry());
        let (from, written, stirred) =
            (copy(&self.master)?, Arc::clone(&self.written), Arc::clone(&self.stirred));
        self.output = Some(spawn(move || {
            show(from, out, &shown);
            written.store(true, Ordering::Release);
            stir(&stirred);
        }));
        Ok(())
    }

    /// Until the end of it.
    ///
    /// # Errors
    /// What came from the session makes no sense.
    pub fn mind(&self, connection: &Connection, signals: &SignalFd) -> Result<End> {
        loop {
            self.wait(connection, signals);
            if let Some(Act::End) = self.take_wish(connection) {
                return Ok(End::Closed);
            }
            if !self.heed(signals) {
                return Ok(End::Closed);
            }
            if !is_readable(connection) {
                continue;
            }
            match connection.hear()? {
                Some((Answer::Ended(status), _)) => {
                    self.await_output();
                    return Ok(End::Ended(status));
                }
                Some((Answer::Detached(number), _)) => return Ok(End::Detached(number)),
                Some((Answer::Refused(sentence), _)) => bail!("{sentence}"),
                Some((other, _)) => bail!("what came makes no sense here: {other:?}"),
                None => {
                    self.await_output();
                    return Ok(End::Lost);
                }
            }
        }
    }

    fn wait(&self, connection: &Connection, signals: &SignalFd) {
        let input = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut set = [input(connection.descriptor()), input(signals.as_fd()), input(self.stirred())];
        let _ = poll(&mut set, None);
        let _ = rustix::io::read(&*self.stirred, &mut [0; 8]);
    }

    fn stirred(&self) -> BorrowedFd<'_> {
        (*self.stirred).as_fd()
    }

    /// What somebody has typed for us.
    fn take_wish(&self, connection: &Connection) -> Option<Act> {
        let wish = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
        if wish == Some(Act::Detach) {
            connection.say(Say::Detach);
        }
        wish
    }

    /// False when we are to end.
    fn heed(&self, signals: &SignalFd) -> bool {
        while let Ok(Some(one)) = signals.read_signal() {
            if one.ssi_signo != Signal::SIGWINCH as u32 {
                return false;
            }
            self.resize();
        }
        true
    }

    /// Lines and columns at once: the program gets one signal.
    fn resize(&self) {
        if let Some(size) = winsize() {
            let _ = tcsetwinsize(&*self.master, size);
        }
    }

    fn await_output(&self) {
        let mut left = [PollFd::from_borrowed_fd(self.stirred(), PollFlags::IN)];
        while !self.written.load(Ordering::Acquire) {
            if poll(&mut left, Some(&LAST_WORDS)) == Ok(0) {
                return;
            }
            let _ = rustix::io::read(&*self.stirred, &mut [0; 8]);
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // Not what was typed ahead: it was for the session.
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, before);
        }
    }
}

/// From the keyboard to the program.
struct Keys {
    input: File,
    screen: File,
    master: File,
    escape: Escape,
    wanted: Arc<Mutex<Option<Act>>>,
    stirred: Arc<OwnedFd>,
    shown: Arc<Shown>,
}

impl Keys {
    fn carry(mut self) {
        let mut piece = [0; PIECE];
        loop {
            match self.input.read(&mut piece) {
                Ok(0) => return self.end_input(),
                Ok(length) => {
                    if !self.take(&piece[..length]) {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return self.want(Act::End),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> bool {
        for act in self.escape.take(bytes) {
            match act {
                Act::Pass(bytes) => {
                    if self.master.write_all(&bytes).is_err() {
                        return false;
                    }
                }
                Act::Help => drop(self.screen.write_all(HELP)),
                wish @ (Act::End | Act::Detach) => self.want(wish),
            }
        }
        true
    }

    fn want(&self, wish: Act) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(wish);
        stir(&self.stirred);
    }

    /// Whoever does not end by it is hung up.
    fn end_input(mut self) {
        if input_end::say(&mut self.master, &self.shown) {
            self.want(Act::End);
        }
    }
}

/// From the program to the screen, until nobody has the terminal open any more.
fn show(mut from: File, mut to: File, shown: &Shown) {
    let mut piece = [0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => {
                if to.write_all(&piece[..length]).is_err() {
                    return;
                }
                shown.tell();
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Makes it readable.
pub fn stir(stirred: &OwnedFd) {
    let _ = rustix::io::write(stirred, &1_u64.to_ne_bytes());
}

fn is_readable(connection: &Connection) -> bool {
    let mut set = [PollFd::from_borrowed_fd(connection.descriptor(), PollFlags::IN)];
    poll(&mut set, Some(&Timespec::default())).is_ok_and(|count| count > 0)
}

/// Our terminal gives us every key as it is; how it was before, if there is one.
///
/// # Errors
/// Those of `tcsetattr(3)`.
pub fn raw() -> Result<Option<Termios>, Errno> {
    let stdin = rustix::stdio::stdin();
    if !isatty(stdin) {
        return Ok(None);
    }
    let before = tcgetattr(stdin)?;
    let mut modes = before.clone();
    modes.make_raw();
    tcsetattr(stdin, OptionalActions::Drain, &modes)?;
    Ok(Some(before))
}

fn winsize() -> Option<Winsize> {
    let of = |fd| tcgetwinsize(fd).ok().filter(|size| size.ws_row > 0);
    of(rustix::stdio::stdin()).or_else(|| of(rustix::stdio::stdout()))
}

/// The size of our terminal; nothing of its pixels, which are those of another one.
pub fn size() -> Size {
    winsize().map_or(Size { rows: 24, columns: 80 }, |size| Size { rows: size.ws_row, columns: size.ws_col })
}
