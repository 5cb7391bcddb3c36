//! Listening sockets, bound before the ids drop and handed on to the command.

mod directory;
mod file;

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use jail::Identity;
use rustix::io::Errno;
use rustix::net::{SocketAddrUnix, getsockname, listen};

use super::identity;
use super::step::Socket;
use super::trouble::Trouble;
use crate::config::place::{ConfigError, Placed};
use crate::config::vassal::{Address, VassalConfig};
use crate::{bound, inherited};

use file::SocketFile;

/// Connections that wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 100;
/// Where an Emperor leaves the socket of a vassal on demand.
const STDIN: RawFd = 0;
/// Longest name in `LISTEN_FDNAMES` (`sd_listen_fds_with_names(3)`).
const NAME_MAX: usize = 255;

/// A socket that listens. Its file, if it has one, goes when this is dropped.
#[derive(Debug)]
pub struct Listening {
    socket: OwnedFd,
    name: String,
    address: Option<Address>,
    #[expect(dead_code, reason = "removes the file at the end")]
    file: Option<SocketFile>,
}

impl Listening {
    /// Binds and listens; `known` is who the vassal becomes, where that was looked up already.
    ///
    /// # Errors
    /// A path that others could redirect, something else under the name, or what the system refuses.
    pub fn bind(wanted: &Socket, known: Option<&Identity>) -> Result<Self, Trouble> {
        let (socket, file) = match &wanted.address {
            Address::Tcp(address) => {
                (bound::tcp(*address, |_| Ok(())).map_err(|errno| unbound(wanted, errno))?, None)
            }
            Address::Abstract(name) => (bound::hidden(name).map_err(|errno| unbound(wanted, errno))?, None),
            Address::Inherited(number) => return Self::inherit(*number),
            Address::Unix(path) => {
                let vassal = known.cloned().map_or_else(|| identity::resolve(&wanted.vassal), Ok)?;
                let owner = match &wanted.owner {
                    Some(text) => Some(identity::owner(text)?),
                    None => wanted.vassal.uid.as_ref().map(|_| (vassal.uid, vassal.gid)),
                };
                let (socket, file) = file::bind(path, wanted.mode, owner, vassal.uid)?;
                (socket, Some(file))
            }
        };
        listen(&socket, BACKLOG).map_err(|errno| unbound(wanted, errno))?;
        let address = match &wanted.address {
            // The system knows but the last part of a path, or no port.
            Address::Unix(path) => Some(Address::Unix(path.clone())),
            _ => address_of(&socket),
        };
        Ok(Self { socket, name: name(&wanted.address), address, file })
    }

    /// Takes a copy of a socket that listens already: whoever started us bound it, and to him its file belongs.
    fn inherit(number: RawFd) -> Result<Self, Trouble> {
        let cannot =
            |why| Trouble::new(format!("cannot listen on fd://{number}: {why}")).advise(inherited::CURE);
        let socket = inherited::listening(number).map_err(cannot)?;
        Ok(Self::left(socket, number))
    }

    /// What an Emperor bound for a vassal on demand, and left it as standard input; the command has it there, too.
    pub fn handed() -> Option<Self> {
        let socket = inherited::standard_input()?;
        Some(Self::left(socket, STDIN))
    }

    fn left(socket: OwnedFd, number: RawFd) -> Self {
        let address = address_of(&socket);
        let name = name(address.as_ref().unwrap_or(&Address::Inherited(number)));
        Self { socket, name, address: address.filter(is_for_others), file: None }
    }

    /// Where it listens, as far as that is known.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// One that another vassal has bound, to whom its file belongs.
    pub fn of_another(socket: OwnedFd) -> Self {
        let address = address_of(&socket);
        let name = address.as_ref().map_or_else(|| "zerg".to_owned(), name);
        Self { socket, name, address: address.filter(is_for_others), file: None }
    }

    /// A further descriptor of the same socket.
    ///
    /// # Errors
    /// Those of `fcntl(2)`.
    pub fn copy(&self) -> Result<OwnedFd, Errno> {
        rustix::io::fcntl_dupfd_cloexec(&self.socket, 0)
    }

    /// What the command calls it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What is wrong with the sockets that a config expects to be there.
pub fn missing(config: &VassalConfig) -> Vec<ConfigError> {
    let refusal = |socket: &Placed<Address>| {
        let Address::Inherited(number) = socket.value else { return None };
        let why = inherited::listening(number).err()?;
        Some(
            ConfigError::at(&socket.place, format!("cannot listen on fd://{number}: {why}"))
                .cure(inherited::CURE),
        )
    };
    config.sockets.iter().filter_map(refusal).collect()
}

/// Where a socket listens, as a config says it.
fn address_of(socket: &OwnedFd) -> Option<Address> {
    let address = getsockname(socket).ok()?;
    match SocketAddr::try_from(address.clone()) {
        Ok(address) => Some(Address::Tcp(address)),
        Err(_) => {
            let unix = SocketAddrUnix::try_from(address).ok()?;
            let hidden = unix
                .abstract_name()
                .map(|name| Address::Abstract(String::from_utf8_lossy(name).into_owned()));
            hidden.or_else(|| Some(Address::Unix(unix.path()?.to_str().ok()?.into())))
        }
    }
}

/// The directory of a socket is reached by descriptor when it is bound, and the system knows no other name: it leads nobody
/// else there.
fn is_for_others(address: &Address) -> bool {
    !matches!(address, Address::Unix(path) if path.starts_with("/proc/self/fd"))
}

fn unbound(wanted: &Socket, errno: Errno) -> Trouble {
    let trouble = Trouble::errno(format!("listen on {wanted}"), errno);
    match errno {
        Errno::ADDRINUSE => trouble.advise("another program listens there"),
        Errno::ACCESS => trouble.advise("ports below 1024 need root or the capability net_bind_service"),
        Errno::ADDRNOTAVAIL => trouble.advise("no interface of this network namespace has that address"),
        _ => trouble,
    }
}

/// File name, port, abstract name or number, without what the list of names cannot hold.
fn name(address: &Address) -> String {
    let text = match address {
        Address::Inherited(number) => number.to_string(),
        Address::Tcp(address) => address.port().to_string(),
        Address::Abstract(name) => name.clone(),
        Address::Unix(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let allowed = |letter: char| if letter.is_ascii_graphic() && letter != ':' { letter } else { '_' };
    text.chars().map(allowed).take(NAME_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_by_which_it_was_bound_is_no_address_for_others() {
        for (path, is) in [("/run/od.socket", true), ("/proc/self/fd/9/od.socket", false)] {
            assert_eq!(is_for_others(&Address::Unix(path.into())), is, "{path}");
        }
        assert!(is_for_others(&Address::Abstract("/proc/self/fd/9".into())));
    }
}
