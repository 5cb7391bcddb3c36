//! Waits for signals, children and the Emperor, all at once and without polling.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, wait};
use rustix::time::{ClockId, clock_gettime};

use super::control::{Control, Word};
use super::exit::Exit;
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
    /// Something else that is watched.
    Other,
    /// The time given is over.
    Deadline,
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

    /// The next thing that happens, at most `timeout` from now; one of `others` is not told before all else. What they
    /// were ready for stands in them.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub fn next<'a>(
        &'a self,
        control: Option<&'a Control>,
        others: &mut [PollFd<'a>],
        timeout: Option<Duration>,
    ) -> Result<Happening, Errno> {
        loop {
            if let Some(signal) = self.signals.read_signal().map_err(errno)? {
                return Ok(told(signal.ssi_signo.cast_signed()));
            }
            if let Some(word) = control.and_then(Control::receive) {
                return Ok(Happening::Emperor(word));
            }
            // Behind signals and words: a stop is heard however often something else happens.
            match self.wait(control, others, timeout)? {
                Ready::Ours => {}
                Ready::Other => return Ok(Happening::Other),
                Ready::Nothing => return Ok(Happening::Deadline),
            }
        }
    }

    fn wait<'a>(
        &'a self,
        control: Option<&'a Control>,
        others: &mut [PollFd<'a>],
        timeout: Option<Duration>,
    ) -> Result<Ready, Errno> {
        let timeout =
            timeout.map(|time| Timespec::try_from(time).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 }));
        let ours = [Some(self.signals.as_fd()), control.map(AsFd::as_fd)].into_iter().flatten();
        let ours = ours.map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN));
        let mut watched: Vec<PollFd<'a>> = others.iter().cloned().chain(ours).collect();
        let ready = poll(&mut watched, timeout.as_ref());
        others.clone_from_slice(&watched[..others.len()]);
        match ready {
            Ok(0) => Ok(Ready::Nothing),
            Err(Errno::INTR) => Ok(Ready::Ours),
            Err(errno) => Err(errno),
            Ok(_) if watched[others.len()..].iter().any(|one| !one.revents().is_empty()) => Ok(Ready::Ours),
            Ok(_) => Ok(Ready::Other),
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }
}

/// What `poll(2)` has seen.
enum Ready {
    Ours,
    Other,
    Nothing,
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

/// How long it is until then.
pub fn until(moment: Moment) -> Duration {
    Duration::from_nanos(moment.0.saturating_sub(now().0))
}

/// The next child that has ended, or `None`. Orphans that came to us are reaped by the way.
pub fn reap() -> Option<(Pid, Exit)> {
    let (pid, status) = wait(WaitOptions::NOHANG).ok()??;
    let exit = status
        .terminating_signal()
        .map_or_else(|| Exit::Code(status.exit_status().unwrap_or(1)), Exit::Signal);
    Some((pid, exit))
}
