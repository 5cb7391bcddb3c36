//! Sockets bound to an address.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
use rustix::process::umask;

/// One of TCP, whose address is free for us also while the last connections of its port are still closing; `prepare` sets
/// what has to be set before it is bound.
///
/// # Errors
/// Those of `socket(2)`, `setsockopt(2)` and `bind(2)`.
pub fn tcp(
    address: SocketAddr,
    prepare: impl FnOnce(&OwnedFd) -> Result<(), Errno>,
) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = stream(family)?;
    set_socket_reuseaddr(&socket, true)?;
    prepare(&socket)?;
    bind(&socket, &SocketAddrAny::from(address))?;
    Ok(socket)
}

/// One with an abstract name (`unix(7)`).
///
/// # Errors
/// Those of `socket(2)` and `bind(2)`; a name that is too long.
pub fn hidden(name: &str) -> Result<OwnedFd, Errno> {
    let socket = stream(AddressFamily::UNIX)?;
    bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
    Ok(socket)
}

/// One that is not bound yet.
///
/// # Errors
/// Those of `socket(2)`.
pub fn stream(family: AddressFamily) -> Result<OwnedFd, Errno> {
    socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// Does something while new files get `mode`, so that there is no moment in which others could open or connect to them.
pub fn born_with<T>(mode: u32, work: impl FnOnce() -> T) -> T {
    /// All threads have one umask.
    static UMASK: Mutex<()> = Mutex::new(());
    let _alone = UMASK.lock().unwrap_or_else(PoisonError::into_inner);
    let before = umask(Mode::from_raw_mode(!mode & 0o777));
    let done = work();
    umask(before);
    done
}
