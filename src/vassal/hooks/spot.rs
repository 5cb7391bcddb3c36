//! Where the path of a hook or a log leads: walked one name after the other, so that whoever may write to a directory on the way
//! cannot lead the host's root anywhere else by swapping a name for a link.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use rustix::io::Errno;

use super::super::identity;

/// Links on one path, as the kernel has it.
const LINKS_MAX: usize = 40;
/// Only names the file: opens no device, waits for no FIFO, follows no link.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Write bits of the group and of everybody.
const OTHERS_WRITE: u32 = 0o022;

/// A name in an open directory; when it was looked at, no link stood there.
#[derive(Debug)]
pub struct Spot {
    /// The directory.
    pub directory: OwnedFd,
    /// The name in it.
    pub name: OsString,
    guarded: bool,
}

/// What a link at the end of a path means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// The file it leads to.
    Followed,
    /// The link itself.
    Itself,
}

/// Finds the spot of `path`, a relative one below `base` or the working directory. Its last name need not exist.
///
/// As the host's root, links are followed only out of directories that nobody but root may write to.
///
/// # Errors
/// `ELOOP` for a link of somebody else, or too many of them; else those of `openat(2)`.
pub fn find(base: Option<&OwnedFd>, path: &Path, last: Last) -> Result<Spot, Errno> {
    let guarded = identity::is_hosts_root();
    let mut here = start(base, path)?;
    let mut left = names(path);
    let mut links = 0;
    while let Some(name) = left.pop() {
        let at_end = left.is_empty();
        let next = match openat(&here, &name, LOOK, Mode::empty()) {
            Err(Errno::NOENT) if at_end => return Ok(Spot { directory: here, name, guarded }),
            next => next?,
        };
        if kind(&fstat(&next)?) == FileType::Symlink {
            if at_end && last == Last::Itself {
                return Ok(Spot { directory: here, name, guarded });
            }
            links += 1;
            if links > LINKS_MAX || (guarded && !is_roots(here.as_fd())?) {
                return Err(Errno::LOOP);
            }
            // Of the link that was looked at, whatever stands in its place by now.
            let target = OsString::from_vec(readlinkat(&next, "", Vec::new())?.into_bytes());
            let target = Path::new(&target);
            if target.is_absolute() {
                here = start(None, target)?;
            }
            left.extend(names(target));
        } else if at_end && name != ".." {
            return Ok(Spot { directory: here, name, guarded });
        } else {
            here = next;
        }
    }
    Ok(Spot { directory: here, name: ".".into(), guarded })
}

impl Spot {
    /// Opens the file there, and no link that took its place.
    ///
    /// # Errors
    /// `ELOOP` for a link; `EMLINK` for a file of several names, in a directory where others than root may have given
    /// it one; else those of `openat(2)`.
    pub fn open(&self, flags: OFlags) -> Result<OwnedFd, Errno> {
        self.open_or_make(flags, 0o666)
    }

    /// The same; a file that is made gets this mode, less the umask.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_or_make(&self, flags: OFlags, mode: u32) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = openat(&self.directory, &self.name, flags, Mode::from_raw_mode(mode))?;
        let found = fstat(&file)?;
        if kind(&found) == FileType::Symlink {
            return Err(Errno::LOOP);
        }
        let many = kind(&found) != FileType::Directory && found.st_nlink > 1;
        if many && self.guarded && !is_roots(self.directory.as_fd())? {
            return Err(Errno::MLINK);
        }
        Ok(file)
    }

    /// Opens the file there for looking, and for what a descriptor alone is good for.
    ///
    /// # Errors
    /// As `open`.
    pub fn look(&self) -> Result<OwnedFd, Errno> {
        self.open(OFlags::PATH)
    }
}

/// The kind of file that a `stat` is of.
pub fn kind(found: &Stat) -> FileType {
    FileType::from_raw_mode(found.st_mode)
}

/// Whether nobody but root may change this file, or what the names in this directory mean. Who is foreign to its user
/// namespace sees a tenant where it looks for root.
///
/// # Errors
/// Those of `fstat(2)`.
pub fn is_roots(directory: BorrowedFd<'_>) -> Result<bool, Errno> {
    let found = fstat(directory)?;
    Ok(found.st_uid == 0 && found.st_mode & OTHERS_WRITE == 0 && !identity::is_foreigner())
}

fn start(base: Option<&OwnedFd>, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match base {
        _ if path.is_absolute() => openat(CWD, "/", flags, Mode::empty()),
        Some(base) => openat(base, ".", flags, Mode::empty()),
        None => openat(CWD, ".", flags, Mode::empty()),
    }
}

/// The names of a path, the first one last. `..` at a root leads nowhere, as for the kernel.
fn names(path: &Path) -> Vec<OsString> {
    let name = |component: Component<'_>| match component {
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        Component::ParentDir | Component::Normal(_) => Some(component.as_os_str().as_bytes().to_vec()),
    };
    path.components().rev().filter_map(name).map(OsString::from_vec).collect()
}
