//! Into the namespaces that somebody serves.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use jail::{Namespaces, run};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::geteuid;

use super::{MAGIC, PACKET, is_trusted};
use crate::emperor::event::Moment;
use crate::vassal::programs;
use crate::vassal::state::Vassal;
use crate::vassal::trouble::Trouble;
use crate::vassal::watch::{Happening, now};

/// The longest that is waited for a server.
const WAIT_MS_MAX: u64 = 60_000;
/// Between two attempts where no event tells of a change: somebody has bound, but does not listen yet.
const PAUSE: Duration = Duration::from_millis(100);
/// The same where not even the directory is there.
const LONG_PAUSE: Duration = Duration::from_secs(1);
/// What the waiting is called.
const NAMED: &str = "setns";

/// Waits for whoever serves namespaces on this socket, and joins them. True where only a child of ours will be in all
/// of them.
///
/// # Errors
/// Nobody in time, somebody who is not to be trusted, what the kernel refuses, or the vassal is to stop.
pub fn join(vassal: &mut Vassal, path: &Path) -> Result<bool, Trouble> {
    let end = now().plus_ms(WAIT_MS_MAX);
    let server = reach(vassal, path, end)?;
    if !is_trusted(&server).map_err(|errno| Trouble::errno("look at who serves namespaces", errno))? {
        let trouble = Trouble::new(format!("{} is served by somebody else", path.display()));
        return Err(trouble.advise("only namespaces that root or the vassal's own user serves are joined"));
    }
    let served = receive(vassal, &server, end)?;
    let joined = run::join(&served).map_err(|failure| {
        let trouble =
            Trouble::new(format!("cannot join the namespaces of {}: {}", path.display(), failure.cause()));
        match failure.errno {
            errno if errno == Errno::PERM.raw_os_error() => {
                trouble.advise("it takes root of the user namespace that they belong to")
            }
            _ => trouble,
        }
    })?;
    // Paths mean what they mean there.
    vassal.moved |= joined.has(Namespaces::FS);
    Ok(joined.has(Namespaces::PID))
}

/// A connection, once somebody listens. What is to be seen of the directory wakes us; the rest is looked for.
fn reach(vassal: &mut Vassal, path: &Path, end: Moment) -> Result<OwnedFd, Trouble> {
    loop {
        // Before the look: what comes after it is told.
        let events = watch(path);
        let pause = match (attempt(path), &events) {
            (Ok(server), _) => return Ok(server),
            (Err(Errno::NOENT), Some(_)) => None,
            (Err(Errno::NOENT), None) => Some(LONG_PAUSE),
            (Err(Errno::CONNREFUSED | Errno::AGAIN), _) => Some(PAUSE),
            (Err(errno), _) => return Err(unreachable(path, errno)),
        };
        wait(vassal, events.as_ref().map(AsFd::as_fd), pause, end)?;
        if now() >= end {
            let waited =
                format!("nobody served namespaces on {} for {} s", path.display(), WAIT_MS_MAX / 1000);
            return Err(Trouble::new(waited).advise("start whoever has that path as `setns-socket`"));
        }
    }
}

fn unreachable(path: &Path, errno: Errno) -> Trouble {
    let trouble = Trouble::errno(format!("connect to {}", path.display()), errno);
    match errno {
        Errno::NOTSOCK => {
            trouble.advise("it is no socket: name the `setns-socket` of the other vassal, no link")
        }
        Errno::PERM => trouble.advise("the socket must be root's or the vassal's own user's"),
        _ => trouble,
    }
}

/// Of a directory that is not there nothing is told.
fn watch(path: &Path) -> Option<OwnedFd> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let changes = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ATTRIB | WatchFlags::ONLYDIR;
    inotify::add_watch(&events, parent, changes).ok()?;
    Some(events)
}

/// Connects to the very file that was looked at: it is root's or ours, and no link to another one.
fn attempt(path: &Path) -> Result<OwnedFd, Errno> {
    let file = openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let seen = fstat(&file)?;
    if FileType::from_raw_mode(seen.st_mode) != FileType::Socket {
        return Err(Errno::NOTSOCK);
    }
    if seen.st_uid != 0 && seen.st_uid != geteuid().as_raw() {
        return Err(Errno::PERM);
    }
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?)?;
    Ok(socket)
}

/// The one packet that is sent to whoever connects.
fn receive(vassal: &mut Vassal, server: &OwnedFd, end: Moment) -> Result<Vec<OwnedFd>, Trouble> {
    let mut packet = [0; PACKET];
    loop {
        match run::receive(server, &mut packet) {
            Err(Errno::AGAIN) if now() < end => wait(vassal, Some(server.as_fd()), None, end)?,
            Err(errno) => return Err(Trouble::errno("receive namespaces", errno)),
            Ok(parcel) => {
                let served = parcel.filter(|parcel| parcel.length == PACKET).map(|parcel| parcel.descriptors);
                let served = served.filter(|served| is_whole(&packet, served.len()));
                return served.ok_or_else(|| Trouble::new("what was sent is no list of namespaces"));
            }
        }
    }
}

fn is_whole(packet: &[u8; PACKET], received: usize) -> bool {
    let (magic, count) = packet.split_at(MAGIC.len());
    let count = count.try_into().map(i32::from_ne_bytes);
    magic == MAGIC && received > 0 && count.is_ok_and(|count| usize::try_from(count) == Ok(received))
}

/// Until something is told on a descriptor, a pause is over, or the time; a stop is heeded.
fn wait(
    vassal: &mut Vassal,
    told: Option<BorrowedFd<'_>>,
    pause: Option<Duration>,
    end: Moment,
) -> Result<(), Trouble> {
    let left = Duration::from_nanos(end.0.saturating_sub(now().0));
    let told = told.map(|told| PollFd::from_borrowed_fd(told, PollFlags::IN));
    match vassal.next_beside(Some(pause.unwrap_or(left).min(left)), told)? {
        Happening::Child => drop(programs::reap_all(vassal, None)),
        happening => programs::heed(vassal, happening, NAMED)?,
    }
    Ok(())
}
