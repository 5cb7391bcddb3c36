//! How monitors see: by their own rights, or by those that somebody lends them. What is away (`AWAY`) they see by report
//! only.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::inotify::{WatchFlags, add_watch};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use crate::trust::{self, Examined, Mounts, Reach, Refusal, TrustPolicy, proc_path};

const DIRECTORY: OFlags =
    OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// What a monitor needs from the file system. Nothing here waits for anybody: `AWAY` is what cannot be had so.
pub trait Eyes {
    /// Opens a directory to stat in, without the right to list it; links are followed, as the admin wrote the path.
    fn reach(&self, path: &Path) -> Result<OwnedFd, Errno>;

    /// Opens a source's directory for listing; links are followed, as the admin wrote the path.
    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Errno>;

    /// Opens a directory below one for listing, through no link; the empty path is that directory itself.
    fn open_below(&self, dir: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno>;

    /// `trust::find`.
    fn find(&self, dir: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno>;

    /// `trust::examine`.
    fn examine(&self, dir: BorrowedFd<'_>, name: &str, policy: &TrustPolicy) -> Result<Examined, Refusal>;

    /// Watches the inode of `file` with the inotify instance; gives the watch descriptor.
    fn watch(&self, inotify: BorrowedFd<'_>, file: BorrowedFd<'_>, mask: WatchFlags) -> Result<i32, Errno>;
}

/// Sees what this process may see.
#[derive(Debug, Default)]
pub struct OwnEyes {
    mounts: Mounts,
}

impl OwnEyes {
    fn near(&self) -> Reach<'_> {
        Reach::Near(&self.mounts)
    }
}

impl Eyes for OwnEyes {
    fn reach(&self, path: &Path) -> Result<OwnedFd, Errno> {
        trust::open_path(path.as_os_str().as_bytes(), self.near())
    }

    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        openat(self.reach(path)?, c".", DIRECTORY, Mode::empty())
    }

    fn open_below(&self, dir: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
        let found = trust::open_below(dir, path.as_bytes(), self.near())?;
        openat(found, c".", DIRECTORY, Mode::empty())
    }

    fn find(&self, dir: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
        trust::find(dir, name, self.near())
    }

    fn examine(&self, dir: BorrowedFd<'_>, name: &str, policy: &TrustPolicy) -> Result<Examined, Refusal> {
        trust::examine(dir, name, policy, self.near())
    }

    fn watch(&self, inotify: BorrowedFd<'_>, file: BorrowedFd<'_>, mask: WatchFlags) -> Result<i32, Errno> {
        self.near().admit(file.as_fd())?;
        add_watch(inotify, proc_path(file), mask)
    }
}
