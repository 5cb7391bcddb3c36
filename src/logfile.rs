//! Where the log goes besides standard error: a file that is appended to, or somebody who takes datagrams. It takes the place
//! of standard output and error, so that whoever is started later writes there too.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Gid, Mode, OFlags, Stat, Uid, fchown, fstat, makedev, openat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::process::geteuid;
use rustix::stdio::{dup2_stderr, dup2_stdout};
use serde::{Deserialize, Serialize};

use crate::emperor::event::Owner;
use crate::guarded::{Name, Others};
use crate::vassal::identity::is_hosts_root;

/// A file that is made: for its owner, and his group to read.
const MODE: u32 = 0o640;
/// `/dev/null` (`null(4)`).
const NULL: (u32, u32) = (1, 3);

/// A file that is appended to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    /// Absolute.
    pub path: String,
    /// The user that we are about to become: file and directory may be his.
    pub owner: Option<Owner>,
    /// It is given to him.
    pub gives: bool,
}

impl LogFile {
    /// Opens it at its end; one that is not there is made.
    ///
    /// As the host's root: only in a directory where nobody else makes files, and no file of anybody else.
    ///
    /// # Errors
    /// Why not, in one sentence.
    pub fn open(&self) -> Result<OwnedFd, String> {
        let cannot = |why: &str| format!("cannot log to {}: {why}", self.path);
        let others = Others { owner: self.owner, group: true };
        let name = Name::of(Path::new(&self.path), others).map_err(|why| cannot(&why))?;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(&name.directory, name.name(), flags, Mode::from_raw_mode(MODE))
            .map_err(|errno| cannot(&reason(errno)))?;
        let found = fstat(&file).map_err(|errno| cannot(&errno.to_string()))?;
        self.judge(&found).map_err(|why| cannot(&why))?;
        self.give(&file, &found).map_err(|errno| cannot(&format!("it cannot be given away: {errno}")))?;
        Ok(file)
    }

    /// Must: come after it was judged; a file with a second name stays whose it is.
    fn give(&self, file: &OwnedFd, found: &Stat) -> Result<(), Errno> {
        let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
        match self.owner.filter(|_| self.gives && is_file && is_hosts_root()) {
            // Only what is as it was made: whatever has text may be another file that somebody has given this name.
            Some(owner) if found.st_size == 0 && (owner.uid, owner.gid) != (found.st_uid, found.st_gid) => {
                fchown(file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))
            }
            _ => Ok(()),
        }
    }

    /// Whether this is a file to write to, and its text nobody's whom we do not know.
    fn judge(&self, found: &Stat) -> Result<(), String> {
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => {}
            FileType::CharacterDevice if found.st_rdev == makedev(NULL.0, NULL.1) => return Ok(()),
            _ => return Err("it is no regular file".into()),
        }
        let owners = [Some(0), Some(geteuid().as_raw()), self.owner.map(|owner| owner.uid)];
        if is_hosts_root() && !owners.contains(&Some(found.st_uid)) {
            return Err(format!("it belongs to uid {}: move it away", found.st_uid));
        }
        if is_hosts_root() && found.st_nlink != 1 {
            return Err("it has a second name, which others may have given it: move it away".into());
        }
        Ok(())
    }
}

fn reason(errno: Errno) -> String {
    match errno {
        Errno::LOOP => "it is a symbolic link: name the file itself".into(),
        Errno::NXIO => "it is no regular file".into(),
        errno => errno.to_string(),
    }
}

/// A socket that sends to this address, where somebody listens or not.
///
/// # Errors
/// There is no way to the address.
pub fn datagrams(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &address)?;
    Ok(socket)
}

/// Puts it in the place of standard output and error.
///
/// # Errors
/// Those of `dup3(2)`.
pub fn take(log: impl AsFd) -> Result<(), Errno> {
    dup2_stdout(&log)?;
    dup2_stderr(&log)?;
    crate::log::reopen();
    Ok(())
}

/// Whether somebody who is less than we are may have us take it for our log.
pub fn is_one(log: impl AsFd) -> bool {
    let kind = fstat(log).map_or(FileType::Unknown, |found| FileType::from_raw_mode(found.st_mode));
    matches!(kind, FileType::RegularFile | FileType::Socket | FileType::CharacterDevice)
}
