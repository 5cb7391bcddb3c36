//! One cgroup v2 for everything we start, with one leaf for each jail: whatever a vassal forks, and wherever it
//! hides in its process tree, `cgroup.kill` finds it. No controller is needed for that.

use std::fs::read_to_string;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, flock, fstat, mkdirat, openat, unlinkat};
use rustix::io::{Errno, write};
use rustix::process::getpid;

use super::cgroup_place::place;
use crate::plan::errno_name;

/// Our cgroup. Nothing is removed when it is dropped: see [`Cgroup::remove_all`].
#[derive(Debug)]
pub struct Cgroup {
    pub(super) parent: OwnedFd,
    name: String,
    pub(super) top: OwnedFd,
    path: PathBuf,
    /// The leaf beside `top` that the Emperor and we have moved to.
    pub(super) aside: Option<String>,
}

/// What came of removing a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is no more.
    Gone,
    /// Processes are still in it, perhaps only dying ones: try again when they are reaped.
    Busy,
}

/// The leaf of processes that need no jail of their own to be killed by.
const SHARED: &str = "shared";

/// What the names of our cgroups begin with.
const PREFIX: &str = "liege-";

/// What the names of leaves begin with that an Emperor steps aside to.
pub(super) const ASIDE: &str = "liege-emperor-";

/// How often we try to make our cgroup while others sweep.
const CLAIMS_MAX: usize = 8;

/// How deep a tree of cgroups is removed; what is deeper counts as busy.
const DEPTH_MAX: usize = 16;

impl Cgroup {
    /// Founds `liege-PID` below the cgroup that we are in, and clears away what others left behind that are no more
    /// (where no process is left in it).
    ///
    /// # Errors
    /// Why there is none: no cgroup2 is mounted, or we may not write there. Jails then are killed by other means.
    pub fn found() -> Result<Self, String> {
        let read = |file: &str| read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"));
        let own = place(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?);
        let own = own.map(home).ok_or("no cgroup v2 is mounted that shows our own")?;
        let name = format!("{PREFIX}{}", getpid().as_raw_nonzero());
        let path = own.join(&name);
        let failed =
            |errno: Errno| format!("cannot make {}: {}", path.display(), errno_name(errno.raw_os_error()));
        let parent = directory(rustix::fs::CWD, &own).map_err(failed)?;
        sweep(&parent).map_err(failed)?;
        let top = claim(&parent, &name).map_err(failed)?;
        kill_file(&top).map_err(|_| "this kernel has no cgroup.kill (Linux 5.14)".to_owned())?;
        Ok(Self { parent, name, top, path, aside: None })
    }

    /// Removes what a founder that was killed has left: he who started it may have the right to, and nobody else
    /// comes by before the next start. Nothing that anybody still owns.
    ///
    /// `Busy` while its last processes are dying.
    ///
    /// # Errors
    /// `EACCES` and others: it stays, empty.
    pub fn remove_remains(founder: i32) -> Result<Removed, Errno> {
        let read = |file: &str| read_to_string(file).map_err(|_| Errno::NOENT);
        let own = place(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?).map(home);
        let own = own.ok_or(Errno::NOENT)?;
        let (parent, name) = (directory(rustix::fs::CWD, &own)?, format!("{PREFIX}{founder}"));
        let top = match directory(&parent, name.as_str()) {
            Err(Errno::NOENT) => return Ok(Removed::Gone),
            top => top?,
        };
        match lock(&top) {
            // A child on its way has a copy of the lock until it is dead.
            Err(Errno::WOULDBLOCK) => Ok(Removed::Busy),
            locked => locked.and_then(|()| remove(&parent, &name)),
        }
    }

    /// Its path, for people.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The directory of jail `number`, made when it is not there: to be born into.
    ///
    /// # Errors
    /// `ENOSPC` or `EAGAIN` at a limit of cgroups.
    pub fn leaf(&self, number: u64) -> Result<OwnedFd, Errno> {
        make(&self.top, &number.to_string())
    }

    /// The directory of everything that gets no leaf of its own.
    ///
    /// # Errors
    /// As for [`Self::leaf`].
    pub fn shared(&self) -> Result<OwnedFd, Errno> {
        make(&self.top, SHARED)
    }

    /// SIGKILL for every process of jail `number`. A jail that is not there has none.
    ///
    /// # Errors
    /// `EACCES`, `EIO`: the hierarchy is not ours any more.
    pub fn kill(&self, number: u64) -> Result<(), Errno> {
        match directory(&self.top, number.to_string()) {
            Err(Errno::NOENT) => Ok(()),
            leaf => kill_all(&leaf?),
        }
    }

    /// Removes the leaf of jail `number`.
    ///
    /// # Errors
    /// As for [`Self::kill`].
    pub fn remove(&self, number: u64) -> Result<Removed, Errno> {
        remove(&self.top, &number.to_string())
    }

    /// Kills everything and removes all cgroups, ours last. `Busy` when dying processes still hold one.
    ///
    /// # Errors
    /// As for [`Self::kill`].
    pub fn remove_all(&mut self) -> Result<Removed, Errno> {
        match kill_all(&self.top) {
            // Removed before.
            Err(Errno::NOENT | Errno::NODEV) => return Ok(Removed::Gone),
            killed => killed?,
        }
        for name in below(&self.top)? {
            remove(&self.top, &name)?;
        }
        let removed = remove(&self.parent, &self.name)?;
        if removed == Removed::Gone {
            self.come_back();
        }
        Ok(removed)
    }

    /// An open `cgroup.kill` of the whole: who holds it kills everything by writing `1`, whatever rights are left.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn kill_switch(&self) -> Result<OwnedFd, Errno> {
        kill_file(&self.top)
    }
}

/// Takes this process into the cgroup of this directory.
///
/// # Errors
/// `EACCES` where somebody else owns it, `ENODEV` when it has been removed. Whoever is moved is not kept out by a limit of processes, as
/// whoever is born there is.
pub fn join_cgroup(cgroup: BorrowedFd<'_>) -> Result<(), Errno> {
    let members = openat(cgroup, c"cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(members, b"0").map(|_| ())
}

/// Where we were before one of us stepped aside ([`Cgroup::delegate`]).
fn home(own: PathBuf) -> PathBuf {
    let aside = own.file_name().is_some_and(|name| name.to_string_lossy().starts_with(ASIDE));
    if aside { own.parent().map(PathBuf::from).unwrap_or(own) } else { own }
}

/// Makes our cgroup and locks it. Between the two another's sweep may take it for an orphan: then once more.
fn claim(parent: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    for _ in 0..CLAIMS_MAX {
        let top = make(parent, name)?;
        match lock(&top) {
            // Whoever can open the directory can hold the lock; as long as he does nobody sweeps it either.
            Ok(()) | Err(Errno::WOULDBLOCK) => {}
            Err(errno) => return Err(errno),
        }
        let there = directory(parent, name).and_then(fstat);
        if there.is_ok_and(|there| fstat(&top).is_ok_and(|ours| ours.st_ino == there.st_ino)) {
            return Ok(top);
        }
    }
    Err(Errno::AGAIN)
}

/// The sign of a living owner, in whatever pid namespace: it goes with the last copy of the descriptor.
fn lock(top: &OwnedFd) -> Result<(), Errno> {
    flock(top, FlockOperation::NonBlockingLockExclusive)
}

/// Removes the cgroups of our kind that nobody owns any more. One that processes are in stays, and so does
/// another user's.
fn sweep(parent: &OwnedFd) -> Result<(), Errno> {
    for name in below(parent)?.iter().filter(|name| name.starts_with(PREFIX)) {
        if directory(parent, name.as_str()).is_ok_and(|top| lock(&top).is_ok()) {
            // What cannot be removed harms nobody: it is empty or not ours.
            let _ = remove(parent, name);
        }
    }
    Ok(())
}

fn directory(parent: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(
        parent,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    )
}

pub(super) fn make(parent: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => directory(parent, name),
        Err(errno) => Err(errno),
    }
}

fn kill_file(cgroup: &OwnedFd) -> Result<OwnedFd, Errno> {
    openat(cgroup, c"cgroup.kill", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
}

fn kill_all(cgroup: &OwnedFd) -> Result<(), Errno> {
    write(kill_file(cgroup)?, b"1").map(|_| ())
}

/// Removes a cgroup and what its processes have made below it (root in a jail may do so).
fn remove(parent: &OwnedFd, name: &str) -> Result<Removed, Errno> {
    remove_to_depth(parent, name, DEPTH_MAX)
}

fn remove_to_depth(parent: &OwnedFd, name: &str, depth: usize) -> Result<Removed, Errno> {
    let own = match directory(parent, name) {
        Err(Errno::NOENT) => return Ok(Removed::Gone),
        own => own?,
    };
    let below = if depth == 0 { Vec::new() } else { below(&own)? };
    for child in below {
        remove_to_depth(&own, &child, depth - 1)?;
    }
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(Removed::Gone),
        Err(Errno::BUSY) => Ok(Removed::Busy),
        Err(errno) => Err(errno),
    }
}

/// Names of the cgroups below.
fn below(cgroup: &OwnedFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(cgroup)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type() == rustix::fs::FileType::Directory && !name.starts_with('.') {
            names.push(name);
        }
    }
    Ok(names)
}
