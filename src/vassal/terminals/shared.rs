//! One terminal for the command and for whoever connects: made as the command's user in its jail, kept by the master, and
//! served by a process that may end and be born again without anybody losing the terminal.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use jail::run::Terminal;
use jail::sys;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use routers::forkpty::Missing;
use routers::forkpty::io::{Console, Front, Heard, share};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::process::{Pid, PidfdFlags, getpgrp, pidfd_open};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr, tcsetpgrp};

use super::{WINDOW, settle};
use crate::vassal::companions::{self, Work};
use crate::vassal::sockets::Listening;
use crate::vassal::state::Vassal;
use crate::vassal::tell::Teller;
use crate::vassal::trouble::{Trouble, name};

/// Those who listen have a second for the last of it; then nobody is waited for.
const LAST: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// What is done beside serving clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// What is written goes to the log, too.
    pub log: bool,
    /// What comes on our standard input is typed, too.
    pub input: bool,
}

/// The terminal of the command.
#[derive(Debug)]
pub struct Shared {
    master: OwnedFd,
    /// Open as long as we are: so it is not hung up by a command that closes it and opens it again.
    peer: OwnedFd,
    /// Readable once the command has ended.
    end: OwnedFd,
    /// How our own terminal was, if its keys are typed there.
    before: Option<Termios>,
}

impl Shared {
    fn make(sharing: Sharing) -> Result<Self, Errno> {
        let stdin = rustix::stdio::stdin();
        let keyboard = (sharing.input && isatty(stdin)).then(|| raw(stdin)).transpose()?;
        let size = keyboard.as_ref().and_then(|_| tcgetwinsize(stdin).ok()).filter(|size| size.ws_row > 0);
        let window = size.map_or(WINDOW, |size| (size.ws_row, size.ws_col));
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let Terminal { master, peer } = Terminal::make(window)?;
        ioctl_fionbio(&master, true)?;
        Ok(Self { master, peer, end, before: keyboard })
    }

    /// The side of the command.
    pub fn peer(&self) -> BorrowedFd<'_> {
        self.peer.as_fd()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, before);
        }
    }
}

/// Our own terminal gives every key as it is; how it was before.
fn raw(stdin: BorrowedFd<'_>) -> Result<Termios, Errno> {
    let before = tcgetattr(stdin)?;
    let mut modes = before.clone();
    modes.make_raw();
    tcsetattr(stdin, OptionalActions::Drain, &modes)?;
    Ok(before)
}

/// Makes the terminal and the process that serves it.
///
/// # Errors
/// No terminal (no `/dev/ptmx`, or all are taken), or no process.
pub fn start(vassal: &mut Vassal, sharing: Sharing) -> Result<(), Trouble> {
    let made = Shared::make(sharing).map_err(|errno| {
        let trouble = Trouble::errno("make the terminal of the command", errno);
        match errno {
            Errno::NOENT | Errno::NODEV => trouble.advise("the jail needs a /dev/ptmx: `dev = minimal`"),
            _ => trouble,
        }
    });
    vassal.terminals.shared = Some(made?);
    companions::start(vassal, Work::Shared(sharing))
}

/// Makes the process that serves it.
///
/// # Errors
/// Those of `fork(2)`.
pub fn begin(vassal: &Vassal, sharing: Sharing) -> Result<Pid, Trouble> {
    let console = console(vassal, sharing).map_err(|errno| Trouble::errno("copy sockets", errno))?;
    let pid = sys::fork(|| live(vassal, (console, sharing)));
    pid.map_err(|errno| Trouble::errno("make a process for the terminal", errno))
}

fn console(vassal: &Vassal, sharing: Sharing) -> Result<Console, Errno> {
    let copy = |fd: BorrowedFd<'_>| fcntl_dupfd_cloexec(fd, sys::FIRST);
    let shared = vassal.terminals.shared.as_ref().ok_or(Errno::NOTTY)?;
    let stdout = rustix::stdio::stdout();
    let log = vassal.log.as_ref().map_or(stdout, AsFd::as_fd);
    Ok(Console {
        doors: vassal.terminals.desks.iter().map(Listening::copy).collect::<Result<_, _>>()?,
        terminal: copy(shared.master.as_fd())?,
        end: copy(shared.end.as_fd())?,
        log: sharing.log.then(|| copy(log)).transpose()?,
        input: sharing.input.then(|| copy(rustix::stdio::stdin())).transpose()?,
        front: None,
    })
}

/// All of its life, in the child.
fn live(vassal: &Vassal, (mut console, sharing): (Console, Sharing)) -> i32 {
    let teller = &vassal.teller;
    let stdin = rustix::stdio::stdin();
    let outcome = settle(vassal, &kept(&console), || match sharing.input && isatty(stdin) {
        true => tcsetpgrp(stdin, getpgrp()),
        false => Ok(()),
    });
    let outcome = outcome.and_then(|()| {
        leave_failures_to_writers()?;
        console.front = console.input.as_ref().filter(|input| isatty(*input)).map(front).transpose()?;
        share(console, |heard| tell(teller, heard))
    });
    match outcome {
        Ok(()) => 0,
        Err(errno) => {
            teller.nuisance(&Trouble::errno("serve the terminal", errno));
            1
        }
    }
}

/// A log that may not become longer, or that nobody reads any more, is no reason to end: that it cannot be written is told.
///
/// Must: be called before there is a thread.
fn leave_failures_to_writers() -> Result<(), Errno> {
    block([Signal::SIGXFSZ, Signal::SIGPIPE]).map(drop)
}

fn block<const N: usize>(signals: [Signal; N]) -> Result<SigSet, Errno> {
    let set: SigSet = signals.into_iter().collect();
    set.thread_block().map_err(errno_of)?;
    Ok(set)
}

fn errno_of(error: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(error as i32)
}

/// Must: be called before there is a thread, whose signals would be its own.
fn front(keyboard: &OwnedFd) -> Result<Front, Errno> {
    let set = block([Signal::SIGWINCH])?;
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let resized = SignalFd::with_flags(&set, flags).map_err(errno_of)?;
    Ok(Front {
        terminal: fcntl_dupfd_cloexec(keyboard, sys::FIRST)?,
        resized: fcntl_dupfd_cloexec(&resized, sys::FIRST)?,
    })
}

/// Besides those of what is before us, which are made later.
fn kept(console: &Console) -> Vec<i32> {
    let Console { doors, terminal, end, log, input, front: _ } = console;
    doors.iter().chain([terminal, end]).chain(log).chain(input).map(AsRawFd::as_raw_fd).collect()
}

fn tell(teller: &Teller, heard: Heard) {
    teller.nuisance(&Trouble::new(match heard {
        Heard::Stranger(uid) => {
            format!("uid {uid} came to the terminal: it is for the vassal's user and for root")
        }
        Heard::Crowded => "too many are at the terminal: one more was refused".to_owned(),
        Heard::LetGo => "a client of the terminal was let go: it was too slow".to_owned(),
        Heard::Missing(Missing::FromNow(why)) => {
            let what = "write the log of the terminal, and what comes now is not in it";
            return teller.nuisance(&Trouble::errno(what, why));
        }
        Heard::Missing(Missing::Bytes(why, bytes)) => {
            format!("{bytes} bytes of the terminal are not in the log: {}", name(why))
        }
        Heard::LeftOut(bytes) => format!("the log is too slow: {bytes} bytes of the terminal are not in it"),
    }));
}

/// The command has ended: whoever is at its terminal gets the rest, and our own terminal is as it was.
pub fn finish(vassal: &mut Vassal) {
    let Some(shared) = vassal.terminals.shared.take() else { return };
    let _ = rustix::io::write(&shared.end, &1_u64.to_ne_bytes());
    let server = vassal.companions.alive(|work| matches!(work, Work::Shared(_)));
    // It is our child and not reaped: the number is its own.
    if let Some(server) = server.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
        let _ = poll(&mut [PollFd::new(&server, PollFlags::IN)], Some(&LAST));
    }
}
