//! `tuntap-device`: a device, and the process that carries its packets to a router as a client of uWSGI does.
//!
//! The process is a child of the vassal master and ends with it: when it is told that its parent is gone, or when the other
//! end of its line is. It keeps the device while the router is away, and comes back
//! to it. A router that knows us gets the device itself; then the process only waits for its end. Whoever kills it meets the
//! next one.

use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use jail::run::{NetworkEnd, die_with_parent, not_dumpable, perform};
use jail::{Capabilities, Failure, Identity, Step, sys};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};
use rustix::process::{Pid, getpid, getppid};
use rustix::thread::set_name;

use super::super::companions::{self, Work};
use super::super::net::Feed;
use super::super::state::Vassal;
use super::super::tell::Teller;
use super::super::trouble::Trouble;
use super::super::watch::now;
use super::call::{credentials, pause, unreached};
use super::carry::{Carrier, End};
use super::lent::{Router, Way, way_to};
use super::pace::Pace;
use super::{device, join, knobs};
use crate::config::vassal::tuntap::Device;
use crate::emperor::event::Moment;

/// What the process is called.
const NAME: &std::ffi::CStr = c"liege-tuntap";
/// The longest that is waited for the router at the start, as in uWSGI.
const WAIT_MS_MAX: u64 = 30_000;
/// Bytes of one report.
const REPORT: usize = 4;

/// What is carried, and where to; each process that carries it is told.
#[derive(Debug)]
pub struct Carriage {
    router: Router,
    feed: Feed,
    who: Option<Identity>,
    /// Places of the device, and of our end of the process's line, among the lines of the vassal.
    device: usize,
    line: usize,
}

/// Makes the device, and starts the process if it has a router.
///
/// # Errors
/// What the kernel refuses, or no router in time.
pub fn start(vassal: &mut Vassal, wanted: &Device, feed: &Feed) -> Result<(), Trouble> {
    let tun = device::make(vassal, &wanted.name)?;
    let told = |errno| Trouble::errno(format!("set up {}", wanted.name), errno);
    device::plain(&tun).map_err(told)?;
    quieten(&wanted.name)?;
    // It outlives the process, which somebody may kill.
    vassal.lines.push(tun);
    let Some(path) = &wanted.router else { return Ok(()) };
    let who = join::known(vassal, feed.who.as_ref())?;
    let router = way_to(&vassal.routers, path).to_router().map_err(told)?;
    let line = vassal.lines.len();
    let carriage = Carriage { router, feed: feed.clone(), who, device: line - 1, line };
    let (pid, ours) = launch(vassal, &carriage, Pace::default())?;
    first_report(vassal, &carriage.router.name, &ours)?;
    vassal.lines.push(ours);
    companions::accompany(vassal, Work::Packets(Rc::new(carriage)), pid);
    Ok(())
}

/// Another process in the place of one that has ended, as whoever the vassal is by now.
///
/// # Errors
/// Those of `fork(2)`.
pub fn revive(vassal: &mut Vassal, carriage: &Carriage) -> Result<Pid, Trouble> {
    let (pid, ours) = launch(vassal, carriage, Pace::known())?;
    vassal.lines[carriage.line] = ours;
    Ok(pid)
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

/// The process, and our end of its line.
fn launch(vassal: &Vassal, carriage: &Carriage, pace: Pace) -> Result<(Pid, OwnedFd), Trouble> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (ours, line) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
        .map_err(|errno| Trouble::errno("make a pair of sockets", errno))?;
    let parent = getpid();
    let (way, tun) = (carriage.router.way(), &vassal.lines[carriage.device]);
    let pump = Pump { tun, way: &way, carriage, teller: &vassal.teller, line: &line };
    let pid = sys::fork(|| pump.live(parent, pace)).map_err(|errno| Trouble::errno("fork", errno))?;
    Ok((pid, ours))
}

/// Waits until the process has reached the router.
fn first_report(vassal: &mut Vassal, name: &str, reports: &OwnedFd) -> Result<(), Trouble> {
    let end = now().plus_ms(WAIT_MS_MAX);
    let mut last = Errno::TIMEDOUT;
    loop {
        let mut report = [0; REPORT];
        match recv(reports, &mut report, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return Err(Trouble::new(format!("the process for router {name} has ended"))),
            Ok(_) if report == [0; REPORT] => return Ok(()),
            Ok(_) => last = Errno::from_raw_os_error(i32::from_ne_bytes(report)),
            Err(Errno::AGAIN | Errno::INTR) => {
                let left = Duration::from_nanos(end.0.saturating_sub(now().0));
                if left.is_zero() {
                    return Err(unreached(name, last));
                }
                pause(vassal, name, Some(reports.as_fd()), left)?;
            }
            Err(errno) => return Err(Trouble::errno(format!("hear the process for router {name}"), errno)),
        }
    }
}

/// What the process has.
struct Pump<'a> {
    tun: &'a OwnedFd,
    way: &'a Way<'a>,
    carriage: &'a Carriage,
    teller: &'a Teller,
    /// To the master; it says nothing on it, but has it as long as it lives.
    line: &'a OwnedFd,
}

impl Pump<'_> {
    /// Carries packets until its parent is gone or the device is.
    fn live(&self, parent: Pid, mut pace: Pace) -> i32 {
        if let Err(trouble) = self.settle_down(parent, pace.is_known()) {
            self.teller.trouble(&trouble);
            return 1;
        }
        let who = self.carriage.who.as_ref().map(credentials);
        let mut carrier = Carrier::new((self.tun.as_fd(), self.line.as_fd()), (&self.carriage.feed, who));
        loop {
            let (reached, begin) = (self.way.connect(), now());
            if !pace.is_known() {
                self.report(reached.as_ref().err());
            }
            match reached {
                Ok(socket) => {
                    pace.reached();
                    match carrier.serve(&socket, self.teller) {
                        End::Router(why) => self.lost(&mut pace, &why, begin),
                        End::Device | End::Vassal => return 0,
                    }
                }
                // Nothing that waiting helps against.
                Err(Errno::ACCESS) if pace.is_known() => {
                    self.lost(&mut pace, "its socket is not open to this user", begin);
                }
                Err(_) => {}
            }
            if self.is_over_after(pace.pause_ms()) {
                return 0;
            }
        }
    }

    fn lost(&self, pace: &mut Pace, why: &str, begin: Moment) {
        let lasted_ms = now().0.saturating_sub(begin.0) / 1_000_000;
        if pace.lost(why, lasted_ms) {
            let name = &self.way.name;
            let trouble = format!("router {name}: {why}; the device stays, and it is called again");
            self.teller.nuisance(&Trouble::new(trouble));
        }
    }

    fn report(&self, errno: Option<&Errno>) {
        let report = errno.map_or(0, |errno| errno.raw_os_error()).to_ne_bytes();
        // Whoever does not read any more is gone, which is seen next.
        let _ = send(self.line, &report, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }

    /// Waits so long, unless the master is gone.
    fn is_over_after(&self, pause_ms: u64) -> bool {
        let pause = Duration::from_millis(pause_ms);
        let mut watched = [PollFd::new(self.line, PollFlags::IN)];
        let timeout = Timespec::try_from(pause).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        matches!(poll(&mut watched, Some(&timeout)), Ok(1))
    }

    /// Gives up all that carrying packets does not take. Whoever comes later may have no right to give up some of it.
    fn settle_down(&self, parent: Pid, is_later: bool) -> Result<(), Trouble> {
        let told = |errno| Trouble::errno("set up the process of a device", errno);
        let kept = [Some(self.tun.as_raw_fd()), Some(self.line.as_raw_fd()), self.way.kept()];
        let kept: Vec<RawFd> = kept.into_iter().flatten().collect();
        // Ours alone; the numbers of all else are the master's.
        sys::close_all_but(&kept).map_err(told)?;
        set_name(NAME).map_err(told)?;
        if let Some(who) = &self.carriage.who {
            // In name alone: the master may end us when it is that user, and we may say that we speak for him. Sockets
            // of root stay open to us.
            sys::set_real_ids(who.uid, who.gid).map_err(told)?;
        }
        let refused = |failure: &Failure| failure.errno == Errno::PERM.raw_os_error();
        for step in
            [Step::NoNewPrivs, Step::Bound(Capabilities::NONE), Step::Capabilities(Capabilities::NONE)]
        {
            match perform(&step) {
                // What it bounds is what a program gains that is executed: nobody gains anything any more.
                Err(failure) if is_later && matches!(step, Step::Bound(_)) && refused(&failure) => {}
                done => done.map_err(|failure| {
                    Trouble::new(format!("cannot set up the process of a device: {}", failure.cause()))
                })?,
            }
        }
        not_dumpable().map_err(told)?;
        die_with_parent().map_err(told)?;
        if getppid().is_some_and(|now| now != parent) {
            return Err(Trouble::new("the vassal has ended"));
        }
        Ok(())
    }
}
