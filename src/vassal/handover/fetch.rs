//! What somebody serves, fetched.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use jail::run::{self, Parcel};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::geteuid;

use super::{Goods, is_trusted};
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
/// Room for the longest packet and a byte more, so that a longer one is seen to be none.
const PACKET_MAX: usize = 16;

/// Waits for whoever serves this on the socket, and takes what is handed over.
///
/// # Errors
/// Nobody in time, somebody who is not to be trusted, or the vassal is to stop.
pub fn fetch(vassal: &mut Vassal, path: &Path, goods: Goods) -> Result<Vec<OwnedFd>, Trouble> {
    let end = now().plus_ms(WAIT_MS_MAX);
    fetch_until(vassal, (path, goods), (end, end))
}

/// The same of somebody who is there at this moment.
///
/// # Errors
/// As above.
pub fn fetch_at_once(vassal: &mut Vassal, path: &Path, goods: Goods) -> Result<Vec<OwnedFd>, Trouble> {
    fetch_until(vassal, (path, goods), (now(), now().plus_ms(WAIT_MS_MAX)))
}

/// Somebody has to be there until the first of these, and to have answered until the second.
fn fetch_until(
    vassal: &mut Vassal,
    (path, goods): (&Path, Goods),
    (there, end): (Moment, Moment),
) -> Result<Vec<OwnedFd>, Trouble> {
    let word = goods.word();
    let server = reach(vassal, (path, goods), there)?;
    if !is_trusted(&server).map_err(|errno| Trouble::errno(format!("look at who serves {word}"), errno))? {
        let trouble = Trouble::new(format!("{} is served by somebody else", path.display()));
        return Err(
            trouble.advise(format!("only {word} that root or the vassal's own user serves are taken"))
        );
    }
    receive(vassal, (&server, goods), end)
}

/// A connection, once somebody listens. What is to be seen of the directory wakes us; the rest is looked for.
fn reach(vassal: &mut Vassal, (path, goods): (&Path, Goods), end: Moment) -> Result<OwnedFd, Trouble> {
    loop {
        // Before the look: what comes after it is told.
        let events = watch(path);
        let pause = match (attempt(path), &events) {
            (Ok(server), _) => return Ok(server),
            (Err(Errno::NOENT), Some(_)) => None,
            (Err(Errno::NOENT), None) => Some(LONG_PAUSE),
            (Err(Errno::CONNREFUSED | Errno::AGAIN), _) => Some(PAUSE),
            (Err(errno), _) => return Err(unreachable((path, goods), errno)),
        };
        wait(vassal, (events.as_ref().map(AsFd::as_fd), goods), pause, end)?;
        if now() >= end {
            let waited = format!("nobody serves {} on {}", goods.word(), path.display());
            return Err(
                Trouble::new(waited).advise(format!("start whoever has that path as `{}`", goods.server()))
            );
        }
    }
}

fn unreachable((path, goods): (&Path, Goods), errno: Errno) -> Trouble {
    let trouble = Trouble::errno(format!("connect to {}", path.display()), errno);
    match errno {
        Errno::NOTSOCK => {
            let option = goods.server();
            trouble.advise(format!("it is no socket: name the `{option}` of the other vassal, no link"))
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
fn receive(
    vassal: &mut Vassal,
    (server, goods): (&OwnedFd, Goods),
    end: Moment,
) -> Result<Vec<OwnedFd>, Trouble> {
    let mut packet = [0; PACKET_MAX];
    loop {
        match run::receive(server, &mut packet) {
            Err(Errno::AGAIN) if now() < end => wait(vassal, (Some(server.as_fd()), goods), None, end)?,
            Err(errno) => return Err(Trouble::errno(format!("receive {}", goods.word()), errno)),
            Ok(parcel) => {
                let is_whole = |parcel: &Parcel| {
                    let count = parcel.descriptors.len();
                    count > 0 && packet[..parcel.length] == goods.packet(count)[..]
                };
                let served = parcel.filter(is_whole).map(|parcel| parcel.descriptors);
                return served
                    .ok_or_else(|| Trouble::new(format!("what was sent is no list of {}", goods.word())));
            }
        }
    }
}

/// Until something is told on a descriptor, a pause is over, or the time; a stop is heeded.
fn wait(
    vassal: &mut Vassal,
    (told, goods): (Option<BorrowedFd<'_>>, Goods),
    pause: Option<Duration>,
    end: Moment,
) -> Result<(), Trouble> {
    let left = Duration::from_nanos(end.0.saturating_sub(now().0));
    let told = told.map(|told| PollFd::from_borrowed_fd(told, PollFlags::IN));
    match vassal.next_beside(Some(pause.unwrap_or(left).min(left)), told)? {
        Happening::Child => drop(programs::reap_all(vassal, None)),
        happening => programs::heed(vassal, happening, goods.client())?,
    }
    Ok(())
}
