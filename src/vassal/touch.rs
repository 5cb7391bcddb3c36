//! Files that are touched: the kernel tells of their directories, a look at each tells which one it was.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use rustix::fs::stat;
use rustix::io::Errno;

use super::trouble::Trouble;

/// Bytes of events read at once.
const EVENTS_MAX: usize = 4096;
/// Reads in one go; what is left wakes us again.
const READS_MAX: usize = 64;

/// What changes when a file is written, touched or replaced: seconds, nanoseconds, inode.
type Stamp = (i64, u64, u64);

/// Watched files.
#[derive(Debug)]
pub struct Touches {
    inotify: OwnedFd,
    files: Vec<(PathBuf, Option<Stamp>)>,
}

impl Touches {
    /// Watches these paths; a file need not be there yet, its directory must.
    ///
    /// # Errors
    /// Those of `inotify_add_watch(2)`.
    pub fn new(paths: Vec<PathBuf>) -> Result<Self, Trouble> {
        let cannot = |errno| Trouble::errno("watch for touches", errno);
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(cannot)?;
        let wanted = WatchFlags::ATTRIB
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        for path in &paths {
            let named = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let directory = named.unwrap_or(Path::new("."));
            let cannot = |errno| Trouble::errno(format!("watch {} for touches", directory.display()), errno);
            add_watch(&inotify, directory, wanted).map_err(cannot)?;
        }
        // After the watches: what happens from here on is either seen now or told.
        let files =
            paths.into_iter().map(|path| (stamp(&path), path)).map(|(stamp, path)| (path, stamp)).collect();
        Ok(Self { inotify, files })
    }

    /// Which of them have been touched since the last time, by their numbers.
    pub fn changed(&mut self) -> Vec<usize> {
        self.drain();
        let mut changed = Vec::new();
        for (number, (path, seen)) in self.files.iter_mut().enumerate() {
            let now = stamp(path);
            if now.is_some() && now != *seen {
                changed.push(number);
            }
            *seen = now;
        }
        changed
    }

    /// Whether one of them was touched, made or removed since the last time.
    pub fn any_differs(&mut self) -> bool {
        self.drain();
        let differs = |(path, seen): &mut (PathBuf, Option<Stamp>)| {
            let now = stamp(path);
            std::mem::replace(seen, now) != now
        };
        // All of them: what is not looked at now would count later.
        self.files.iter_mut().map(differs).fold(false, |any, one| any | one)
    }

    fn drain(&self) {
        let mut buffer = [MaybeUninit::uninit(); EVENTS_MAX];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        for _ in 0..READS_MAX {
            match reader.next() {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Touches {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = stat(path).ok()?;
    Some((found.st_mtime, found.st_mtime_nsec, found.st_ino))
}
