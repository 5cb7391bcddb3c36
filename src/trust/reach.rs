//! How far a look goes. On a file system that does not answer the kernel lets nobody wait but for ever, so whoever
//! serves others stops where another mount begins that may be such a one.

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags, openat, openat2, readlink, statx};
use rustix::io::Errno;

use super::mount_table::MountTable;
use super::stat::proc_path;
use crate::emperor::event::Owner;

/// What a look ends with that would leave what is near.
pub const AWAY: Errno = Errno::XDEV;

/// Only names the inode: opens no device, waits for no FIFO, needs no right to read.
pub(super) const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How far a look goes.
#[derive(Clone, Copy, Debug)]
pub enum Reach<'a> {
    /// Only where the kernel answers by itself. Anything beyond is `AWAY`.
    Near(&'a Mounts),
    /// Anywhere: only for a process that nobody waits for.
    Anywhere,
}

/// The mounts, read again when they have changed and somebody asks.
#[derive(Debug)]
pub struct Mounts {
    file: Option<RefCell<File>>,
    table: RefCell<MountTable>,
    stopped: Cell<u64>,
}

impl Default for Mounts {
    fn default() -> Self {
        Self::new()
    }
}

impl Mounts {
    /// The mounts of this process. Without `/proc` only what is on the mount of the root is near.
    pub fn new() -> Self {
        let file = File::open("/proc/thread-self/mountinfo").ok().map(RefCell::new);
        let mounts = Self { file, table: RefCell::default(), stopped: Cell::new(0) };
        mounts.read();
        mounts
    }

    /// The mount at which the last look was stopped.
    pub fn stopped(&self) -> u64 {
        self.stopped.get()
    }

    /// Whose process answers for an open file, if it is not root's.
    pub(super) fn server_of(&self, file: BorrowedFd<'_>) -> Option<Owner> {
        self.table.borrow().server(mount_of(file).ok()?)
    }

    /// Word of a change comes once for each open table (`POLLPRI`), so this one is nobody else's.
    fn refresh(&self) {
        let changed = self.file.as_ref().is_some_and(|file| {
            let file = file.borrow();
            let mut set = [PollFd::new(&*file, PollFlags::PRI)];
            poll(&mut set, Some(&Timespec::default())).is_ok_and(|count| count > 0)
        });
        if changed {
            self.read();
        }
    }

    fn read(&self) {
        let mut text = Vec::new();
        if let Some(file) = &self.file {
            let mut file = file.borrow_mut();
            if file.rewind().and_then(|()| file.read_to_end(&mut text)).is_err() {
                text.clear();
            }
        }
        let root = openat(CWD, c"/", LOOK, Mode::empty());
        let root = root.and_then(|root| mount_of(root.as_fd())).unwrap_or(0);
        self.table.replace(MountTable::parse(&text, root));
    }

    fn require_near(&self, mount: u64) -> Result<(), Errno> {
        if self.table.borrow().is_near(mount) {
            return Ok(());
        }
        self.stopped.set(mount);
        Err(AWAY)
    }

    /// Whether another mount begins at this name, and may be entered. No part of it is touched to find out.
    fn require_near_below(&self, dir: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        self.refresh();
        let mount = mount_of(dir)?;
        // Above what is near all is near.
        if name == c".." {
            return self.require_near(mount);
        }
        let mut path = readlink(proc_path(dir), Vec::new())?.into_bytes();
        if path != b"/" {
            path.push(b'/');
        }
        path.extend(name.to_bytes());
        let there = self.table.borrow().mounted_at(mount, &path);
        // An automounter's, or moved meanwhile: what cannot be found is not near.
        self.require_near(there.unwrap_or_default())
    }
}

impl Reach<'_> {
    /// Refuses an open directory (or file) that is away, without touching it.
    ///
    /// # Errors
    /// `AWAY`.
    pub fn admit(self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        let Self::Near(mounts) = self else { return Ok(()) };
        mounts.refresh();
        // One that will not even say where it is (FUSE of another user) is looked at elsewhere.
        mounts.require_near(mount_of(file).unwrap_or_default())
    }

    /// Opens one component (`O_PATH`), and no link behind it.
    ///
    /// Must: be called for a directory that was admitted.
    ///
    /// # Errors
    /// `AWAY`; what opening gives.
    pub fn open(self, dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
        let Self::Near(mounts) = self else { return openat(dir, name, LOOK, Mode::empty()) };
        match openat2(dir, name, LOOK, Mode::empty(), ResolveFlags::NO_XDEV) {
            Err(Errno::XDEV) => mounts.require_near_below(dir, name)?,
            // In a vassal of our own a filter hides it; there only the root of a mount that is away is touched.
            Err(Errno::NOSYS) => {}
            opened => return opened,
        }
        let opened = openat(dir, name, LOOK, Mode::empty())?;
        self.admit(opened.as_fd()).map(|()| opened)
    }
}

/// The mount that an open file was reached by. Asks no server (`AT_STATX_DONT_SYNC`).
fn mount_of(file: BorrowedFd<'_>) -> Result<u64, Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    statx(file, c"", flags, StatxFlags::MNT_ID).map(|found| found.stx_mnt_id)
}
