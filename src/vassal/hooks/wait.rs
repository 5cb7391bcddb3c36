//! Hooks that wait: for a file, a listener, a reader. They hear a stop meanwhile.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::super::programs;
use super::super::state::Vassal;
use super::super::trouble::Trouble;
use super::super::watch::{Happening, now};
use super::spot::{Last, find, kind};
use super::{Broken, files};
use crate::config::hook::{Awaited, Reader};
use crate::config::vassal::Address;

/// The longest that is waited for a file or a listener, as in uWSGI.
const WAIT_MS_MAX: u64 = 60_000;
/// Between two looks: no system call tells of a listener or of a FIFO's reader.
const PAUSE: Duration = Duration::from_millis(50);
/// What a host may take to answer.
const ANSWER: Duration = Duration::from_millis(200);

/// Waits until the path is there, and is what it should be.
///
/// # Errors
/// It did not come in time, or the vassal was told to stop.
pub fn path(vassal: &mut Vassal, named: &str, path: &Path, awaited: Awaited) -> Result<(), Trouble> {
    until(vassal, named, |vassal| {
        let file = find(vassal.directory.as_ref(), path, Last::Followed).and_then(|spot| spot.look());
        let found = file.and_then(fstat).map(|found| kind(&found));
        found.is_ok_and(|kind| match awaited {
            Awaited::Any => true,
            Awaited::File => kind == FileType::RegularFile,
            Awaited::Directory => kind == FileType::Directory,
        })
    })
}

/// Waits until somebody listens.
///
/// # Errors
/// Nobody did in time, or the vassal was told to stop.
pub fn socket(vassal: &mut Vassal, named: &str, address: &Address) -> Result<(), Trouble> {
    until(vassal, named, |_| match address {
        Address::Tcp(address) => TcpStream::connect_timeout(address, ANSWER).is_ok(),
        Address::Unix(path) => SocketAddrUnix::new(path).is_ok_and(|address| listens(&address)),
        Address::Abstract(name) => {
            SocketAddrUnix::new_abstract_name(name.as_bytes()).is_ok_and(|address| listens(&address))
        }
        // It was checked when it was taken over.
        Address::Inherited(_) => true,
    })
}

/// Writes into a FIFO; when nobody reads it, that is either fine or waited for.
///
/// # Errors
/// Not a FIFO, no right to write, or the vassal was told to stop.
pub fn fifo(
    vassal: &mut Vassal,
    named: &str,
    (path, text): (&Path, &str),
    reader: Reader,
) -> Result<(), Broken> {
    loop {
        match (files::write_fifo(vassal.directory.as_ref(), path, text), reader) {
            (Err(Errno::NXIO | Errno::NODEV), Reader::Optional) => return Ok(()),
            (Err(Errno::NXIO | Errno::NODEV | Errno::NOENT), Reader::Awaited) => pause(vassal, named)?,
            (done, _) => return Ok(done?),
        }
    }
}

fn until(vassal: &mut Vassal, named: &str, is_there: impl Fn(&Vassal) -> bool) -> Result<(), Trouble> {
    let end = now().plus_ms(WAIT_MS_MAX);
    while !is_there(vassal) {
        if now() >= end {
            return Err(Trouble::new(format!("{named} waited {} s in vain", WAIT_MS_MAX / 1000)));
        }
        pause(vassal, named)?;
    }
    Ok(())
}

/// Until the next look, or less when something happens.
fn pause(vassal: &mut Vassal, named: &str) -> Result<(), Trouble> {
    match vassal.next(Some(PAUSE))? {
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
