//! Waits for signals, children and the Emperor, all at once and without polling.

use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, wait};
use rustix::time::{ClockId, clock_gettime};

use super::control::{Control, Word};
use super::duties::Exit;
use crate::emperor::event::Moment;

/// Signals that are not for us but for the command.
const FORWARDED: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGQUIT,
    Signal::SIGWINCH,
];

/// Something happened.
#[derive(Debug)]
pub enum Happening {
    /// A signal for the command.
    Signal(i32),
    /// At least one child may have ended.
    Child,
    /// The Emperor said something, or is gone.
    Emperor(Word),
    /// The time given is over, or there is news of what was waited for.
    Deadline,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    /// Signals or words.
    Us,
    /// Time, or news.
    Time,
}

/// Takes the signals of this process from their usual way.
#[derive(Debug)]
pub struct Watch {
    signals: SignalFd,
}

impl Watch {
    /// Blocks the signals that are read here from now on. Programs started later begin with none blocked.
    ///
    /// # Errors
    /// Those of `sigprocmask(2)` and `signalfd(2)`.
    pub fn new() -> Result<Self, Errno> {
        let mut set: SigSet = FORWARDED.into_iter().collect();
        set.add(Signal::SIGCHLD);
        let mut blocked = set;
        // Giving the terminal away and taking it back must not stop us.
        blocked.add(Signal::SIGTTOU);
        blocked.thread_block().map_err(errno)?;
        let signals =
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(errno)?;
        Ok(Self { signals })
    }

    /// The next thing that happens, at most `timeout` from now, or until there is `news`.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub fn next(
        &self,
        control: Option<&Control>,
        timeout: Option<Duration>,
        news: Option<PollFd<'_>>,
    ) -> Result<Happening, Errno> {
        loop {
            if let Some(signal) = self.signals.read_signal().map_err(errno)? {
                return Ok(told(signal.ssi_signo.cast_signed()));
            }
            if let Some(word) = control.and_then(Control::receive) {
                return Ok(Happening::Emperor(word));
            }
            // Behind signals and words: a stop is heard however often something changes.
            match self.wait(control, timeout, news.clone()) {
                Ok(Ready::Us) | Err(Errno::INTR) => {}
                Ok(Ready::Time) => return Ok(Happening::Deadline),
                Err(errno) => return Err(errno),
            }
        }
    }

    fn wait(
        &self,
        control: Option<&Control>,
        timeout: Option<Duration>,
        news: Option<PollFd<'_>>,
    ) -> Result<Ready, Errno> {
        let timeout =
            timeout.map(|time| Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 }));
        let heard = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let ours = [Some(heard(self.signals.as_fd())), control.map(|control| heard(control.as_fd()))];
        let mut list: Vec<PollFd<'_>> = ours.into_iter().flatten().collect();
        let count = list.len();
        list.extend(news);
        poll(&mut list, timeout.as_ref())?;
        let us = list[..count].iter().any(|one| !one.revents().is_empty());
        Ok(if us { Ready::Us } else { Ready::Time })
    }
}

fn told(signal: i32) -> Happening {
    if signal == Signal::SIGCHLD as i32 { Happening::Child } else { Happening::Signal(signal) }
}

fn errno(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(errno as i32)
}

/// The monotonic clock.
pub fn now() -> Moment {
    let time = clock_gettime(ClockId::Monotonic);
    let nanoseconds = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    Moment(u64::try_from(nanoseconds).unwrap_or_default())
}

/// The next child that has ended, or `None`. Orphans that came to us are reaped by the way.
pub fn reap() -> Option<(Pid, Exit)> {
    let (pid, status) = wait(WaitOptions::NOHANG).ok()??;
    let exit = status
        .terminating_signal()
        .map_or_else(|| Exit::Code(status.exit_status().unwrap_or(1)), Exit::Signal);
    Some((pid, exit))
}
