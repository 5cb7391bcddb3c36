//! Hooks that change files. What is changed is an open file, never a path that was only looked at.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use jail::sys;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, chmod, chownat, fstat, ftruncate, mkdirat, unlinkat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::super::trouble::number;
use super::spot::{Last, find, kind};

/// The bit that lets only owners remove what is in a directory.
pub const STICKY: u32 = 0o1000;
/// Bits that `chmod(2)` sets.
const MODE_BITS: u32 = 0o7777;

type Base<'a> = Option<&'a OwnedFd>;

/// Opens a directory for what follows.
///
/// # Errors
/// `ENOTDIR`; those of `find` and `Spot::open`.
pub fn directory(base: Base<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    find(base, path, Last::Followed)?.open(OFlags::PATH | OFlags::DIRECTORY)
}

/// Makes a directory; the umask takes from 0777.
///
/// # Errors
/// Those of `find` and of `mkdir(2)`; also when it is there already.
pub fn make_directory(base: Base<'_>, path: &Path) -> Result<(), Errno> {
    let spot = find(base, path, Last::Itself)?;
    mkdirat(&spot.directory, &spot.name, Mode::from_raw_mode(0o777))
}

/// Gives a file the mode that `change` makes of its old one.
///
/// # Errors
/// Those of `find`, `Spot::open` and `chmod(2)`; `ENOENT` before Linux 6.6 where there is no `/proc` yet.
pub fn set_mode(base: Base<'_>, path: &Path, change: impl Fn(u32) -> u32) -> Result<(), Errno> {
    let file = find(base, path, Last::Followed)?.look()?;
    let mode = change(fstat(&file)?.st_mode & MODE_BITS);
    match sys::fchmodat2(file.as_fd(), mode) {
        Err(Errno::NOSYS) => chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), Mode::from_raw_mode(mode)),
        done => done,
    }
}

/// Gives a file to this uid and gid.
///
/// # Errors
/// Those of `find`, `Spot::open` and `chown(2)`.
pub fn set_owner(base: Base<'_>, path: &Path, (uid, gid): (u32, u32)) -> Result<(), Errno> {
    let file = find(base, path, Last::Followed)?.look()?;
    chownat(&file, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH)
}

/// Removes a name, and never what a link leads to.
///
/// # Errors
/// Those of `find` and of `unlink(2)`.
pub fn unlink(base: Base<'_>, path: &Path) -> Result<(), Errno> {
    let spot = find(base, path, Last::Itself)?;
    unlinkat(&spot.directory, &spot.name, AtFlags::empty())
}

/// Lets a file hold this text and nothing else.
///
/// # Errors
/// Those of `find`, `Spot::open` and `write(2)`.
pub fn write(base: Base<'_>, path: &Path, text: &str) -> Result<(), Errno> {
    let file = find(base, path, Last::Followed)?.open(OFlags::WRONLY | OFlags::CREATE | OFlags::NONBLOCK)?;
    // Only now: before, it might have been somebody else's file.
    if kind(&fstat(&file)?) == FileType::RegularFile {
        ftruncate(&file, 0)?;
    }
    all(file, text)
}

/// Adds this text to a file.
///
/// # Errors
/// Those of `find`, `Spot::open` and `write(2)`.
pub fn append(base: Base<'_>, path: &Path, text: &str) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NONBLOCK;
    all(find(base, path, Last::Followed)?.open(flags)?, text)
}

/// Writes into a FIFO that somebody reads.
///
/// # Errors
/// `ENXIO` without a reader, `EINVAL` for anything but a FIFO; those of `find`, `Spot::open` and `write(2)`.
pub fn write_fifo(base: Base<'_>, path: &Path, text: &str) -> Result<(), Errno> {
    let spot = find(base, path, Last::Followed)?;
    if kind(&fstat(spot.look()?)?) != FileType::Fifo {
        return Err(Errno::INVAL);
    }
    let fifo = spot.open(OFlags::WRONLY | OFlags::NONBLOCK)?;
    // Another file may stand there by now.
    if kind(&fstat(&fifo)?) == FileType::Fifo { all(fifo, text) } else { Err(Errno::INVAL) }
}

fn all(file: OwnedFd, text: &str) -> Result<(), Errno> {
    File::from(file).write_all(text.as_bytes()).map_err(|error| number(&error))
}
