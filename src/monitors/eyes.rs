//! How monitors see: by their own rights, or by those that somebody lends them.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::{WatchFlags, add_watch};
use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::io::Errno;

use crate::trust::{Examined, Refusal, TrustPolicy, examine, open_beneath, proc_path};

const DIRECTORY: OFlags =
    OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// What a monitor needs from the file system.
pub trait Eyes {
    /// Opens a source's directory for listing; links are followed, as the admin wrote the path.
    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Errno>;

    /// Opens a directory below one for listing, through no link; the empty path is that directory itself.
    fn open_below(&self, dir: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno>;

    /// `trust::examine`.
    fn examine(&self, dir: BorrowedFd<'_>, name: &str, policy: &TrustPolicy) -> Result<Examined, Refusal>;

    /// Watches the inode of `file` with the inotify instance; gives the watch descriptor.
    fn watch(&self, inotify: BorrowedFd<'_>, file: BorrowedFd<'_>, mask: WatchFlags) -> Result<i32, Errno>;
}

/// Sees what this process may see.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnEyes;

impl Eyes for OwnEyes {
    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        open(path, DIRECTORY, Mode::empty())
    }

    fn open_below(&self, dir: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
        open_beneath(dir, Path::new(path))
    }

    fn examine(&self, dir: BorrowedFd<'_>, name: &str, policy: &TrustPolicy) -> Result<Examined, Refusal> {
        examine(dir, name, policy)
    }

    fn watch(&self, inotify: BorrowedFd<'_>, file: BorrowedFd<'_>, mask: WatchFlags) -> Result<i32, Errno> {
        add_watch(inotify, proc_path(file), mask)
    }
}

/// An open directory to stat in without the right to list it.
pub fn open_for_looking(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
