//! Where a vassal on demand listens: its own name, or what the file beside its config says.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::{Errno, pread};

use super::charter::OnDemand;
use super::listeners::Wanted;
use crate::config::address;
use crate::config::vassal::Address;
use crate::emperor::event::Owner;
use crate::guarded::SHARED;
use crate::trust::{self, Examined, Mounts, Reach, Trust};

/// Longest text with an address, in bytes.
pub const TEXT_MAX: usize = 256;
/// Lowest port that a tenant's file may ask for.
const PORT_MIN: u16 = 1024;

/// Where one listens.
#[derive(PartialEq, Eq)]
pub enum Place {
    /// An address and a port.
    Tcp(SocketAddr),
    /// An abstract name.
    Abstract(String),
    /// A name in the directory of the sockets.
    File(String),
}

impl Place {
    /// As people are told.
    pub fn shown(&self, rules: &OnDemand) -> String {
        match self {
            Self::File(name) => format!("{}/{name}", rules.sockets.as_deref().unwrap_or_default()),
            _ => self.to_string(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Abstract(name) => write!(f, "@{name}"),
            Self::File(name) => f.write_str(name),
        }
    }
}

/// Where this config is to listen; `None` when it is not on demand.
///
/// # Errors
/// One sentence: what is wrong with the file, or with what it asks for.
pub fn place_of(rules: &OnDemand, wanted: Wanted<'_>, config: &Examined) -> Result<Option<Place>, String> {
    match &rules.extension {
        Some(extension) => read_place(rules, extension, wanted, config),
        None if !rules.program.is_empty() => told_place(rules, wanted, config),
        None => Ok(Some(Place::File(own_name(wanted, config)))),
    }
}

/// What the administrator's program said. It ran with the ids of the vassal: its word counts no more than a file of his.
fn told_place(rules: &OnDemand, wanted: Wanted<'_>, config: &Examined) -> Result<Option<Place>, String> {
    let refused = |why: &str| format!("emperor-on-demand-exec: {why}");
    let Some(text) = wanted.told else {
        return Err(refused("nobody is asked about a config where a file system may not answer"));
    };
    let text = first_line(text);
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    judge(rules, text, wanted, config).map(Some).map_err(|why| refused(&why))
}

/// The name of a config without its last suffix. Below a pattern two users may have the same one, so there it begins
/// with the uid.
fn own_name(wanted: Wanted<'_>, config: &Examined) -> String {
    let base = wanted.file.rsplit_once('.').map_or(wanted.file, |(base, _)| base);
    match config.trust {
        Trust::Tenant(owner) if wanted.name != wanted.file => format!("{}-{base}.socket", owner.uid),
        _ => format!("{base}.socket"),
    }
}

/// What the file beside a config asks for; `None` without one, or where it says nothing.
fn read_place(
    rules: &OnDemand,
    extension: &str,
    wanted: Wanted<'_>,
    config: &Examined,
) -> Result<Option<Place>, String> {
    let side = format!("{}{extension}", wanted.file);
    let refused = |why: &str| format!("{side}: {why}");
    if wanted.away {
        return Err(refused("files with addresses are not read where a file system may not answer"));
    }
    let Some(text) = read(wanted.directory, &side, config.owner).map_err(|why| refused(&why))? else {
        return Ok(None);
    };
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    judge(rules, &text, wanted, config).map(Some).map_err(|why| refused(&why))
}

/// A tenant's file may ask for what is his alone.
fn judge(rules: &OnDemand, text: &str, wanted: Wanted<'_>, config: &Examined) -> Result<Place, String> {
    let tenant = matches!(config.trust, Trust::Tenant(_));
    match address(text).map_err(|wrong| wrong.cause)? {
        Address::Tcp(address) if tenant && address.port() < PORT_MIN => {
            Err(format!("a tenant's port is {PORT_MIN} or above"))
        }
        Address::Tcp(address) => Ok(Place::Tcp(address)),
        Address::Abstract(_) if tenant => {
            Err("an abstract name belongs to nobody: a tenant's address is a port or a path".into())
        }
        Address::Abstract(name) => Ok(Place::Abstract(name)),
        Address::Unix(path) => {
            let (name, own) = (in_directory(rules, &path)?, own_name(wanted, config));
            if tenant && name != own {
                return Err(format!("the socket of this vassal is {own}, and no other"));
            }
            Ok(Place::File(name))
        }
        Address::Inherited(_) => Err("fd:// is no address of its own".into()),
    }
}

/// The name of a socket that lies in the directory for them.
fn in_directory(rules: &OnDemand, path: &Path) -> Result<String, String> {
    let Some(sockets) = &rules.sockets else {
        return Err("a unix socket needs a directory: set on-demand-sockets".into());
    };
    let name = path.file_name().and_then(|name| name.to_str()).filter(|name| *name != "..");
    match (path.parent(), name) {
        (Some(parent), Some(name)) if parent == Path::new(sockets) => Ok(name.to_owned()),
        _ => Err(format!("its socket is to be directly in {sockets} (on-demand-sockets)")),
    }
}

/// The first line of a small file of the config's owner, or of root.
///
/// Must not: wait, follow a link, or open anything but a regular file.
fn read(directory: BorrowedFd<'_>, name: &str, owner: Owner) -> Result<Option<String>, String> {
    let mounts = Mounts::new();
    let found = match trust::find(directory, name, Reach::Near(&mounts)) {
        Ok(found) => found,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(format!("cannot open it: {errno}")),
    };
    let stat = fstat(&found).map_err(|errno| format!("cannot stat it: {errno}"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err("it is no regular file".into());
    }
    if stat.st_uid != owner.uid && stat.st_uid != 0 {
        return Err(format!("it belongs to uid {}, and not to who owns the config", stat.st_uid));
    }
    if stat.st_mode & SHARED != 0 {
        return Err(format!("it is writable by others (mode {:04o})", stat.st_mode & 0o7777));
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = openat(CWD, trust::proc_path(found.as_fd()), flags, Mode::empty())
        .map_err(|errno| format!("cannot open it: {errno}"))?;
    let mut text = [0; TEXT_MAX + 1];
    let length = pread(&opened, &mut text, 0).map_err(|errno| format!("cannot read it: {errno}"))?;
    if length > TEXT_MAX {
        return Err(format!("it is longer than {TEXT_MAX} bytes"));
    }
    let text = std::str::from_utf8(&text[..length]).map_err(|_| "it is no UTF-8".to_owned())?;
    Ok(Some(first_line(text).to_owned()))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}
