//! Pure. What a vassal waits for before it goes on: `wait-for-…`.

use std::fmt;
use std::path::PathBuf;

use super::Address;
use crate::config::admit::value;
use crate::config::hook::{interface, path};
use crate::config::place::{ConfigError, Entry};
use crate::config::values::{address, count};

/// Seconds that are waited when the config says nothing, as in uWSGI.
const SECONDS: u32 = 60;

/// Something that is not there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A network interface of this name.
    Interface(String),
    /// A file.
    Path(PathBuf, FileKind),
    /// A directory or file that something is mounted on.
    Mountpoint(PathBuf),
    /// Somebody who listens here.
    Socket(Address),
}

/// What kind of file is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Any.
    Any,
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
}

/// All that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    things: Vec<Thing>,
    interface_seconds: u32,
    file_seconds: u32,
    socket_seconds: u32,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            things: Vec::new(),
            interface_seconds: SECONDS,
            file_seconds: SECONDS,
            socket_seconds: SECONDS,
        }
    }
}

impl Waits {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub(super) fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        let file = |kind| value(entry, path).map(|path| Thing::Path(path, kind));
        let thing = match name {
            "wait-for-interface" => Thing::Interface(value(entry, interface)?),
            "wait-for-fs" => file(FileKind::Any)?,
            "wait-for-file" => file(FileKind::Regular)?,
            "wait-for-dir" => file(FileKind::Directory)?,
            "wait-for-mountpoint" => Thing::Mountpoint(value(entry, path)?),
            "wait-for-socket" => Thing::Socket(value(entry, address)?),
            timeout => return self.apply_timeout(timeout, entry),
        };
        self.things.push(thing);
        Ok(true)
    }

    fn apply_timeout(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        let slot = match name {
            "wait-for-interface-timeout" => &mut self.interface_seconds,
            "wait-for-fs-timeout" => &mut self.file_seconds,
            "wait-for-socket-timeout" => &mut self.socket_seconds,
            _ => return Ok(false),
        };
        *slot = value(entry, count)?;
        Ok(true)
    }

    /// What the as-root phase waits for, with seconds: interfaces, files, mounts, each in the order written.
    pub fn before_root(&self) -> Vec<(Thing, u32)> {
        let mut list: Vec<_> = self.timed().filter(|(thing, _)| thing.rank() < SOCKETS).collect();
        list.sort_by_key(|(thing, _)| thing.rank());
        list
    }

    /// What the command waits for, with seconds.
    pub fn before_command(&self) -> Vec<(Thing, u32)> {
        self.timed().filter(|(thing, _)| thing.rank() == SOCKETS).collect()
    }

    fn timed(&self) -> impl Iterator<Item = (Thing, u32)> {
        self.things.iter().map(|thing| {
            let seconds = match thing {
                Thing::Interface(_) => self.interface_seconds,
                Thing::Path(..) | Thing::Mountpoint(_) => self.file_seconds,
                Thing::Socket(_) => self.socket_seconds,
            };
            (thing.clone(), seconds)
        })
    }
}

/// Rank of what is waited for after all others.
const SOCKETS: u8 = 3;

impl Thing {
    /// In this order they are waited for, as in uWSGI.
    fn rank(&self) -> u8 {
        match self {
            Self::Interface(_) => 0,
            Self::Path(..) => 1,
            Self::Mountpoint(_) => 2,
            Self::Socket(_) => SOCKETS,
        }
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "interface {name}"),
            Self::Path(path, FileKind::Any) => write!(f, "{}", path.display()),
            Self::Path(path, FileKind::Regular) => write!(f, "the file {}", path.display()),
            Self::Path(path, FileKind::Directory) => write!(f, "the directory {}", path.display()),
            Self::Mountpoint(path) => write!(f, "a mount on {}", path.display()),
            Self::Socket(Address::Tcp(address)) => write!(f, "a listener on {address}"),
            Self::Socket(Address::Unix(path)) => write!(f, "a listener on {}", path.display()),
            Self::Socket(Address::Abstract(name)) => write!(f, "a listener on @{name}"),
            Self::Socket(Address::Inherited(number)) => write!(f, "a listener on fd://{number}"),
        }
    }
}
