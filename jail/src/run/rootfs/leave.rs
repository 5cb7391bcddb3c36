//! Out of the old root, and the proof that nothing of it is left.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, fstat, fstatfs, openat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{chdir, fchdir, getcwd, pivot_root};

use super::place::{path_flags, top};
use super::{mount_id, sources};
use crate::plan::Failure;
use crate::plan::mountinfo::{self, Expected};

/// The root of a proc (`PROC_ROOT_INO`).
const PROC_ROOT: u64 = 1;
/// Bytes of a table of mounts.
const TABLE_MAX: usize = 32 << 20;

/// The proc of the old root, which outlives the way into the new one.
pub(in crate::run) fn proc() -> Result<OwnedFd, Failure> {
    let wanted = "/proc must be mounted where the jail is made: what was mounted is read back there";
    let proc = openat(CWD, c"/proc", path_flags() | OFlags::DIRECTORY, Mode::empty())?;
    let genuine =
        fstatfs(&proc)?.f_type as u64 == PROC_SUPER_MAGIC as u64 && fstat(&proc)?.st_ino == PROC_ROOT;
    if genuine { Ok(proc) } else { Err(wanted.into()) }
}

/// Makes `root` the root, with the old one on top of it: no directory is needed for that.
///
/// Must: run after all mounts, and be followed by `drop_old`.
pub(super) fn pivot(root: BorrowedFd<'_>) -> Result<(), Failure> {
    fchdir(root)?;
    pivot_root(c".", c".").map_err(refused)
}

/// Leaves the old root behind, with all mounts below it.
///
/// Must not: run while mounts are shared, or the host sees our unmount.
pub(super) fn drop_old(root: BorrowedFd<'_>) -> Result<(), Failure> {
    fchdir(root)?;
    unmount(c".", UnmountFlags::DETACH)?;
    stand_in(root)
}

/// The same, with the old root at `place` until somebody leaves it.
pub(super) fn pivot_keeping(
    root: BorrowedFd<'_>,
    place: &OwnedFd,
    proc: &OwnedFd,
) -> Result<OldRoot, Failure> {
    let old = top()?;
    fchdir(place)?;
    pivot_root(format!("/proc/self/fd/{}", root.as_raw_fd()), c".").map_err(refused)?;
    stand_in(root)?;
    Ok(OldRoot {
        id: mount_id(old.as_fd())?,
        old,
        proc: proc.try_clone().map_err(|_| Failure::from(Errno::MFILE))?,
    })
}

fn refused(errno: Errno) -> Failure {
    let detail = match errno {
        Errno::INVAL => "the root cannot be changed here (it may be the first one of the system, a ramfs)",
        _ => "pivot_root",
    };
    Failure { detail: detail.into(), ..errno.into() }
}

/// The working directory is the root, and that is the one that was built.
fn stand_in(root: BorrowedFd<'_>) -> Result<(), Failure> {
    chdir(c"/")?;
    let (built, here) = (fstat(root)?, fstat(top()?)?);
    let path = getcwd(Vec::new())?;
    match path.as_bytes() == b"/" && (built.st_dev, built.st_ino) == (here.st_dev, here.st_ino) {
        true => Ok(()),
        false => Err("the working directory is not inside the new root".into()),
    }
}

/// Reads back what is mounted.
pub(super) fn verify(proc: &OwnedFd, made: &[Expected], closed: bool) -> Result<(), Failure> {
    mountinfo::verify(&table(proc)?, made, closed).map_err(|detail| detail.as_str().into())
}

fn table(proc: &OwnedFd) -> Result<String, Failure> {
    let file = openat(proc, c"self/mountinfo", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let bytes = sources::content_up_to(&file, TABLE_MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The root from before, still to be seen at a path of the new one.
#[derive(Debug)]
pub struct OldRoot {
    old: OwnedFd,
    id: u64,
    proc: OwnedFd,
}

impl OldRoot {
    /// Leaves it behind, whether somebody has unmounted it already or not; by descriptor, whatever its path is by now.
    ///
    /// # Errors
    /// It cannot be unmounted, or is still there.
    pub fn leave(self) -> Result<(), Failure> {
        fchdir(&self.old)?;
        match unmount(c".", UnmountFlags::DETACH) {
            // No mount of ours any more: it was unmounted.
            Ok(()) | Err(Errno::INVAL) => chdir(Path::new("/"))?,
            Err(errno) => return Err(errno.into()),
        }
        if mountinfo::has(&table(&self.proc)?, self.id) {
            Err("the old root is still there".into())
        } else {
            Ok(())
        }
    }
}
