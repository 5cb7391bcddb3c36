//! Waits for what is not there yet: a file, a mount, an interface, a listener, a reader. A stop is heard meanwhile.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use jail::run::NetworkEnd;
use rustix::fs::{AtFlags, FileType, StatxAttributes, StatxFlags, fstat, statx};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::super::programs;
use super::super::state::Vassal;
use super::super::trouble::Trouble;
use super::super::watch::{Happening, now};
use super::news::News;
use super::spot::{Last, find, kind};
use super::{Broken, files};
use crate::config::hook::Reader;
use crate::config::vassal::Address;
use crate::config::vassal::waits::{FileKind, Thing};

/// The longest that a hook waits, as in uWSGI.
pub const SECONDS: u32 = 60;
/// Between two looks where no system call tells: of a listener, of a FIFO's reader.
const PAUSE: Duration = Duration::from_millis(50);
/// What a host may take to answer.
const ANSWER: Duration = Duration::from_millis(200);

/// Waits until it is there, and is what it should be.
///
/// # Errors
/// It did not come in time, or the vassal was told to stop.
pub fn thing(vassal: &mut Vassal, named: &str, thing: &Thing, seconds: u32) -> Result<(), Trouble> {
    let end = now().plus_ms(u64::from(seconds) * 1000);
    let mut news = News::of(thing);
    loop {
        // Before the look: what comes after it is heard.
        news.listen();
        if is_there(vassal, thing) {
            return Ok(());
        }
        let left = Duration::from_nanos(end.0.saturating_sub(now().0));
        if left.is_zero() {
            return Err(in_vain(named, thing, seconds));
        }
        pause(vassal, named, (left.min(news.pause()), &news))?;
    }
}

fn in_vain(named: &str, thing: &Thing, seconds: u32) -> Trouble {
    let trouble = Trouble::new(format!("{named}: nothing came in {seconds} s"));
    match thing {
        Thing::Path(_, FileKind::Regular) => {
            trouble.advise("only a regular file counts: `wait-for-fs` takes any kind")
        }
        Thing::Path(_, FileKind::Directory) => {
            trouble.advise("only a directory counts: `wait-for-fs` takes any kind")
        }
        _ => trouble,
    }
}

fn is_there(vassal: &Vassal, thing: &Thing) -> bool {
    match thing {
        Thing::Interface(name) => NetworkEnd::open().is_ok_and(|network| network.has(name)),
        Thing::Path(path, kind) => is_file(vassal, path, *kind),
        Thing::Mountpoint(path) => is_mounted(vassal, path).unwrap_or(false),
        Thing::Socket(address) => is_heard(address),
    }
}

fn is_file(vassal: &Vassal, path: &Path, wanted: FileKind) -> bool {
    let file = find(vassal.directory.as_ref(), path, Last::Followed).and_then(|spot| spot.look());
    let found = file.and_then(fstat).map(|found| kind(&found));
    found.is_ok_and(|kind| match wanted {
        FileKind::Any => true,
        FileKind::Regular => kind == FileType::RegularFile,
        FileKind::Directory => kind == FileType::Directory,
    })
}

fn is_mounted(vassal: &Vassal, path: &Path) -> Result<bool, Errno> {
    let file = find(vassal.directory.as_ref(), path, Last::Followed)?.look()?;
    let found = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::TYPE)?;
    Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

fn is_heard(address: &Address) -> bool {
    match address {
        Address::Tcp(address) => TcpStream::connect_timeout(address, ANSWER).is_ok(),
        Address::Unix(path) => SocketAddrUnix::new(path).is_ok_and(|address| listens(&address)),
        Address::Abstract(name) => {
            SocketAddrUnix::new_abstract_name(name.as_bytes()).is_ok_and(|address| listens(&address))
        }
        // It was checked when it was taken over.
        Address::Inherited(_) => true,
    }
}

/// Writes into a FIFO; when nobody reads it, that is either fine or waited for.
///
/// # Errors
/// Not a FIFO, no right to write, or the vassal was told to stop.
pub(super) fn fifo(
    vassal: &mut Vassal,
    named: &str,
    (path, text): (&Path, &str),
    reader: Reader,
) -> Result<(), Broken> {
    loop {
        match (files::write_fifo(vassal.directory.as_ref(), path, text), reader) {
            (Err(Errno::NXIO | Errno::NODEV), Reader::Optional) => return Ok(()),
            (Err(Errno::NXIO | Errno::NODEV | Errno::NOENT), Reader::Awaited) => {
                briefly(vassal, named)?;
            }
            (done, _) => return Ok(done?),
        }
    }
}

/// Waits a little; a stop is heard meanwhile.
///
/// # Errors
/// The vassal was told to stop.
pub fn briefly(vassal: &mut Vassal, named: &str) -> Result<(), Trouble> {
    pause(vassal, named, (PAUSE, &News::None))
}

/// Until the next look, or less when something happens.
fn pause(vassal: &mut Vassal, named: &str, (time, news): (Duration, &News)) -> Result<(), Trouble> {
    match vassal.next_beside(Some(time), news.poll())? {
        Happening::Child => drop(programs::reap_all(vassal, None)),
        happening => programs::heed(vassal, happening, named)?,
    }
    match vassal.command_ended {
        Some(_) => Err(Trouble::new(format!("the command ended while {named} waited"))),
        None => Ok(()),
    }
}

/// A queue that is full belongs to a listener too.
fn listens(address: &SocketAddrUnix) -> bool {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
    matches!(socket.and_then(|socket| connect(&socket, address)), Ok(()) | Err(Errno::AGAIN))
}
