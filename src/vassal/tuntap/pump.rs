//! `tuntap-device`: a device, and the process that carries its packets to a router as a client of uWSGI does.
//!
//! The process is a child of the vassal master and ends with it. It keeps the device while the router is away, and comes back
//! to it. A router that knows us gets the device itself; then the process only waits for its end.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use caps::Capability;
use jail::run::{NetworkEnd, die_with_parent, not_dumpable, perform};
use jail::{Capabilities, Identity, Step, sys};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, getpid, getppid};
use rustix::thread::set_name;

use super::super::net::Feed;
use super::super::state::Vassal;
use super::super::tell::Teller;
use super::super::trouble::Trouble;
use super::super::watch::now;
use super::call::{credentials, pause, unreached};
use super::carry::{Carrier, End};
use super::lent::{Way, way_to};
use super::{device, join, knobs};
use crate::config::vassal::tuntap::Device;

/// What the process is called.
const NAME: &std::ffi::CStr = c"liege-tuntap";
/// The longest that is waited for the router at the start, as in uWSGI.
const WAIT_MS_MAX: u64 = 30_000;
/// Pauses between two attempts to reach the router: the first, the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// Pauses are not longer before the router was reached for the first time.
const FIRST_PAUSE_MAX: Duration = Duration::from_millis(200);
/// Bytes of one report.
const REPORT: usize = 4;

/// Makes the device, and starts the process if it has a router.
///
/// # Errors
/// What the kernel refuses, or no router in time.
pub fn start(vassal: &mut Vassal, wanted: &Device, feed: &Feed) -> Result<(), Trouble> {
    let tun = device::make(vassal, &wanted.name)?;
    let told = |errno| Trouble::errno(format!("set up {}", wanted.name), errno);
    device::plain(&tun).map_err(told)?;
    quieten(&wanted.name)?;
    if let Some(path) = &wanted.router {
        let who = join::known(vassal, feed.who.as_ref())?;
        let routers = std::mem::take(&mut vassal.routers);
        let way = way_to(&routers, path);
        let started = launch(vassal, (&tun, &way), (feed, who.as_ref()));
        vassal.routers = routers;
        started?;
    }
    // It outlives the process, which somebody may kill.
    vassal.lines.push(tun);
    Ok(())
}

/// Nothing of version 6 that nobody has asked for: to a router of uWSGI that is a packet without an address.
fn quieten(name: &str) -> Result<(), Trouble> {
    knobs::set(name, true);
    match NetworkEnd::open().map_err(Into::into).and_then(|end| end.silence(name)) {
        Err(failure) if failure.errno != Errno::AFNOSUPPORT.raw_os_error() => {
            Err(Trouble::new(format!("cannot set up {name}: {}", failure.cause())))
        }
        _ => Ok(()),
    }
}

fn launch(
    vassal: &mut Vassal,
    (tun, way): (&OwnedFd, &Way<'_>),
    (feed, who): (&Feed, Option<&Identity>),
) -> Result<(), Trouble> {
    let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
    let (reports, reporter) = pipe_with(flags).map_err(|errno| Trouble::errno("make a pipe", errno))?;
    let parent = getpid();
    let teller = vassal.teller.clone();
    sys::fork(|| {
        let pump = Pump { tun, way, feed, who, teller: &teller };
        pump.live(parent, reporter.as_raw_fd(), &reporter)
    })
    .map_err(|errno| Trouble::errno("fork", errno))?;
    drop(reporter);
    first_report(vassal, &way.name, reports)
}

/// Waits until the process has reached the router.
fn first_report(vassal: &mut Vassal, name: &str, reports: OwnedFd) -> Result<(), Trouble> {
    let end = now().plus_ms(WAIT_MS_MAX);
    let mut reports = std::fs::File::from(reports);
    let mut last = None;
    loop {
        let mut report = [0; REPORT];
        match reports.read(&mut report) {
            Ok(0) => return Err(Trouble::new(format!("the process for router {name} has ended"))),
            Ok(_) if report == [0; REPORT] => return Ok(()),
            Ok(_) => last = Some(Errno::from_raw_os_error(i32::from_ne_bytes(report))),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let left = Duration::from_nanos(end.0.saturating_sub(now().0));
                if left.is_zero() {
                    return Err(unreached(name, last.unwrap_or(Errno::TIMEDOUT)));
                }
                pause(vassal, name, Some(reports.as_fd()), left)?;
            }
            Err(error) => return Err(Trouble::new(format!("cannot read a pipe: {error}"))),
        }
    }
}

/// What the process has.
struct Pump<'a> {
    tun: &'a OwnedFd,
    way: &'a Way<'a>,
    feed: &'a Feed,
    who: Option<&'a Identity>,
    teller: &'a Teller,
}

impl Pump<'_> {
    /// Carries packets until its parent is gone or the device is.
    fn live(&self, parent: Pid, number: RawFd, reporter: &OwnedFd) -> i32 {
        let kept: Vec<RawFd> =
            [Some(self.tun.as_raw_fd()), Some(number), self.way.kept()].into_iter().flatten().collect();
        if let Err(trouble) = self.settle_down(parent, &kept) {
            self.teller.trouble(&trouble);
            return 1;
        }
        let who = self.who.map(credentials);
        let mut carrier = Carrier::new(self.tun.as_fd(), (self.feed, who));
        let mut reporter = Some(reporter);
        let mut pause = PAUSES.0;
        loop {
            let reached = self.way.connect();
            if let Some(pipe) = reporter {
                let errno = reached.as_ref().err().map_or(0, |errno| errno.raw_os_error());
                // Who does not read any more has given up, and ends us.
                let _ = rustix::io::write(pipe, &errno.to_ne_bytes());
            }
            match reached {
                Ok(socket) => {
                    reporter = None;
                    pause = PAUSES.0;
                    match carrier.serve(&socket, (&self.way.name, self.teller)) {
                        End::Device => return 0,
                        End::Router => {}
                    }
                }
                Err(_) => {}
            }
            std::thread::sleep(pause);
            let longest = if reporter.is_some() { FIRST_PAUSE_MAX } else { PAUSES.1 };
            pause = (pause * 2).min(longest);
        }
    }

    /// Gives up all that carrying packets does not take.
    fn settle_down(&self, parent: Pid, kept: &[RawFd]) -> Result<(), Trouble> {
        let told = |errno| Trouble::errno("set up the process of a device", errno);
        // Ours alone; the numbers of all else are the master's.
        sys::close_all_but(kept).map_err(told)?;
        set_name(NAME).map_err(told)?;
        not_dumpable().map_err(told)?;
        // To say that it speaks for another user takes the right to become him.
        let rights: &[Capability] = match self.who {
            Some(_) => &[Capability::CAP_SETUID, Capability::CAP_SETGID],
            None => &[],
        };
        let rights = Capabilities::of(rights);
        for step in
            [Step::Bound(rights), Step::Capabilities(Capabilities::NONE.with(rights)), Step::NoNewPrivs]
        {
            perform(&step).map_err(|failure| Trouble::new(format!("cannot {step}: {}", failure.cause())))?;
        }
        die_with_parent().map_err(told)?;
        if getppid().is_some_and(|now| now != parent) {
            return Err(Trouble::new("the vassal has ended"));
        }
        Ok(())
    }
}
