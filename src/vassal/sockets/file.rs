//! A socket that has a file.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fstat, openat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind as bind_to, connect, socket_with,
};
use rustix::process::{fchdir, geteuid};

use super::directory;
use crate::bound::born_with;
use crate::vassal::trouble::Trouble;

/// The file of a socket of ours, by directory and name. Goes when this is dropped, as far as our rights allow then.
#[derive(Debug)]
pub struct SocketFile {
    directory: OwnedFd,
    name: OsString,
    inode: (u64, u64),
}

/// Binds a socket at `path`, born with `mode`, then given to `owner`.
///
/// An old file goes first, if it is a socket of root or of the vassal and nobody listens on it.
///
/// # Errors
/// A directory that is not to be trusted, something else under the name, or what the system refuses.
pub fn bind(
    path: &Path,
    mode: u32,
    owner: Option<(u32, u32)>,
    vassal: u32,
) -> Result<(OwnedFd, SocketFile), Trouble> {
    let name =
        path.file_name().ok_or_else(|| Trouble::new(format!("socket {}: no file name", path.display())))?;
    let directory = directory::open(path.parent().unwrap_or(Path::new("")), vassal)?;
    let cannot = |errno| Trouble::errno(format!("bind {}", path.display()), errno);
    make_way(&directory, name, path, vassal)?;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).map_err(cannot)?;
    born_with(mode, || inside(&directory, || bind_to(&socket, &SocketAddrUnix::new(name)?)))
        .map_err(cannot)?;
    let stat = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(cannot)?;
    let file = SocketFile { directory, name: name.into(), inode: inode(&stat) };
    owner
        .map_or(Ok(()), |owner| give(&file, owner))
        .map_err(|errno| Trouble::errno(format!("give {} away", path.display()), errno))?;
    Ok((socket, file))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let Ok(stat) = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) else { return };
        if self.inode == inode(&stat) {
            // In a directory of root's, the user that we are by now cannot; the next start finds it unused.
            let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }
}

fn inode(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

/// Removes an old socket that nobody uses.
fn make_way(directory: &OwnedFd, name: &OsStr, path: &Path, vassal: u32) -> Result<(), Trouble> {
    let cannot = |errno| Trouble::errno(format!("look at {}", path.display()), errno);
    let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        found => found.map_err(cannot)?,
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(Trouble::new(format!("{} is there and is no socket", path.display())).advise("remove it"));
    }
    if geteuid().is_root() && stat.st_uid != 0 && stat.st_uid != vassal {
        return Err(Trouble::new(format!("{} is a socket of uid {}", path.display(), stat.st_uid))
            .advise("remove it"));
    }
    if is_used(directory, name).map_err(cannot)? {
        return Err(Trouble::new(format!("another program listens on {}", path.display())));
    }
    unlinkat(directory, name, AtFlags::empty())
        .map_err(|errno| Trouble::errno(format!("remove {}", path.display()), errno))
}

/// Only a refused connection says that nobody listens.
fn is_used(directory: &OwnedFd, name: &OsStr) -> Result<bool, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let answer = inside(directory, || connect(&probe, &SocketAddrUnix::new(name)?));
    Ok(answer != Err(Errno::CONNREFUSED))
}

/// Does something with `directory` as working directory: a socket has no call that takes a directory descriptor, its
/// path holds 107 bytes only, and a jail need not have a `/proc` to lead us there.
fn inside<T>(directory: &OwnedFd, work: impl FnOnce() -> Result<T, Errno>) -> Result<T, Errno> {
    let before = openat(CWD, ".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    fchdir(directory)?;
    let done = work();
    fchdir(before)?;
    done
}

/// Changes the owner of a socket that is only where we put it: another name for it would be somebody's trick.
fn give(file: &SocketFile, (uid, gid): (u32, u32)) -> Result<(), Errno> {
    let opened = openat(
        &file.directory,
        &file.name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let stat = fstat(&opened)?;
    let ours = file.inode == inode(&stat) && stat.st_nlink == 1;
    if !ours || FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return Err(Errno::STALE);
    }
    chownat(&opened, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH)
}
