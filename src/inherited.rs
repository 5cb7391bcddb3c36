//! Listening sockets that whoever started us left open, known by their numbers: `fd://N`, as `sd_listen_fds(3)` and
//! uWSGI hand them over.

use std::os::fd::{OwnedFd, RawFd};

use jail::sys;
use rustix::io::{Errno, FdFlags};
use rustix::net::sockopt::{socket_acceptconn, socket_domain, socket_type};
use rustix::net::{AddressFamily, SocketType};

use crate::config::DESCRIPTOR_MAX;

/// What to do about a socket that is not there.
pub const CURE: &str =
    "only who starts this process can leave it a listening socket there; else use an address";

/// A copy of the bound unix datagram socket of this number, for ourselves.
///
/// # Errors
/// Why it is none.
pub fn datagrams(number: RawFd) -> Result<OwnedFd, String> {
    let socket = copy(number)?;
    match (socket_domain(&socket), socket_type(&socket)) {
        (Ok(AddressFamily::UNIX), Ok(SocketType::DGRAM)) => Ok(socket),
        (Ok(_), Ok(_)) => Err(format!("descriptor {number} is no unix socket for datagrams")),
        _ => Err(format!("descriptor {number} is no socket")),
    }
}

/// A copy of the listening socket of this number, for ourselves.
///
/// # Errors
/// Why it is none.
pub fn listening(number: RawFd) -> Result<OwnedFd, String> {
    let socket = copy(number)?;
    match socket_acceptconn(&socket) {
        Ok(true) => Ok(socket),
        Ok(false) => Err(format!("descriptor {number} is a socket that does not listen")),
        Err(_) => Err(format!("descriptor {number} is no socket")),
    }
}

fn copy(number: RawFd) -> Result<OwnedFd, String> {
    sys::copy_of(number).map_err(|errno| match errno {
        Errno::BADF => format!("no descriptor {number} is open"),
        errno => format!("cannot copy descriptor {number}: {errno}"),
    })
}

/// A copy of standard input, if that is a listening socket.
pub fn standard_input() -> Option<OwnedFd> {
    let socket = rustix::stdio::stdin().try_clone_to_owned().ok()?;
    matches!(socket_acceptconn(&socket), Ok(true)).then_some(socket)
}

/// The same as `listening`, and the socket is left to no program that we start.
///
/// # Errors
/// As above.
pub fn take(number: RawFd) -> Result<OwnedFd, String> {
    listening(number).and_then(|socket| hide(number).map(|()| socket))
}

/// The same as `datagrams`, and the socket is left to no program that we start.
///
/// # Errors
/// As above.
pub fn take_datagrams(number: RawFd) -> Result<OwnedFd, String> {
    datagrams(number).and_then(|socket| hide(number).map(|()| socket))
}

fn hide(number: RawFd) -> Result<(), String> {
    sys::set_flags(number, FdFlags::CLOEXEC)
        .map_err(|errno| format!("cannot hide descriptor {number}: {errno}"))
}

/// Leaves every listening socket to the program that takes our place.
///
/// Must: be called by a process that has no listening socket of its own any more.
pub fn hand_on() {
    for number in (sys::FIRST..=DESCRIPTOR_MAX).filter(|number| listening(*number).is_ok()) {
        // What cannot be kept open the program will miss, and say so.
        let _ = sys::set_flags(number, FdFlags::empty());
    }
}
