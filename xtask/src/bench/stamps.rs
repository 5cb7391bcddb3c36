//! Where `benches/stamp.c` reports: who runs, since when, with which pid.

use std::fs::{self, Permissions};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg, sockopt};
use rustix::process::Pid;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// One report.
#[derive(Debug)]
pub struct Stamp {
    /// `s`: runs; `r`: was told to reload.
    pub event: char,
    /// Last argument of the program.
    pub name: String,
    /// Monotonic clock, nanoseconds.
    pub at_ns: u64,
    /// As we see it, whatever namespace it lives in.
    pub pid: Option<Pid>,
}

/// The receiving end.
#[derive(Debug)]
pub struct Stamps(OwnedFd);

impl Stamps {
    /// Binds the socket; every user may send.
    ///
    /// # Errors
    /// It cannot be bound.
    pub fn bind(path: &Path) -> Result<Self> {
        let socket = UnixDatagram::bind(path).with_context(|| format!("cannot bind {}", path.display()))?;
        fs::set_permissions(path, Permissions::from_mode(0o666))?;
        sockopt::set_socket_passcred(&socket, true)?;
        Ok(Self(socket.into()))
    }

    /// The next report, whosever it is.
    ///
    /// # Errors
    /// None came within this time.
    pub fn next(&self, patience: Duration) -> Result<Stamp> {
        let mut ready = [PollFd::new(&self.0, PollFlags::IN)];
        if poll(&mut ready, Some(&Timespec::try_from(patience)?))? == 0 {
            bail!("nothing reported for {} s", patience.as_secs());
        }
        self.receive()
    }

    /// The next report of this event and name that was made after `since_ns`; others are dropped.
    ///
    /// # Errors
    /// None came within this time.
    pub fn of(&self, event: char, name: &str, since_ns: u64, patience: Duration) -> Result<Stamp> {
        let end = Instant::now() + patience;
        loop {
            let stamp = self.next(end.saturating_duration_since(Instant::now()));
            let stamp = stamp.with_context(|| format!("`{event} {name}` did not come"))?;
            if stamp.event == event && stamp.name == name && stamp.at_ns >= since_ns {
                return Ok(stamp);
            }
        }
    }

    /// When the last of `count` programs ran, in nanoseconds of the monotonic clock.
    ///
    /// # Errors
    /// For `patience` no further one reported.
    pub fn last_of(&self, count: usize, patience: Duration) -> Result<u64> {
        let mut last = 0;
        for seen in 0..count {
            let stamp = self.next(patience).with_context(|| format!("{seen} of {count} programs ran"))?;
            last = last.max(stamp.at_ns);
        }
        Ok(last)
    }

    /// Drops what has come.
    pub fn drain(&self) {
        while self.next(Duration::ZERO).is_ok() {}
    }

    fn receive(&self) -> Result<Stamp> {
        let mut text = [0; 256];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(&self.0, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::empty())?;
        let pid = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmCredentials(sender) => Some(sender.pid),
            _ => None,
        });
        parse(&String::from_utf8_lossy(&text[..got.bytes]), pid)
    }
}

fn parse(text: &str, pid: Option<Pid>) -> Result<Stamp> {
    let (event, rest) = text.split_once(' ').context("a stamp without a name")?;
    let (name, at) = rest.rsplit_once(' ').context("a stamp without a time")?;
    let event = event.chars().next().context("a stamp without an event")?;
    Ok(Stamp { event, name: name.into(), at_ns: at.parse()?, pid })
}

/// The monotonic clock, in nanoseconds; the same for all processes.
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Milliseconds between two points of it.
pub fn ms(from_ns: u64, to_ns: u64) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / 1e6
}
