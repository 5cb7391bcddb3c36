//! Makes a fence and goes behind it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use crate::plan::{Failure, Fence, Filter, Rights, SCOPES_SINCE, Scopes};
use crate::sys;

/// The version of Landlock that this kernel has; 0 for none.
pub fn landlock_version() -> u32 {
    sys::landlock_version().unwrap_or(0)
}

/// Makes a fence, with the rights that we have now; nobody is behind it yet.
///
/// # Errors
/// A path that cannot be opened, a kernel without Landlock or with an older one than the fence needs: what was asked for
/// holds, or nothing runs.
pub fn build(fence: &Fence) -> Result<OwnedFd, Failure> {
    let version = sys::landlock_version()?;
    if version < fence.needs() {
        return Err(Failure { errno: libc::EOPNOTSUPP, ..Failure::default() });
    }
    let all = if fence.has_files() { Rights::all(version) } else { 0 };
    let ruleset = sys::landlock_ruleset(all, fence.scopes.0)?;
    for (paths, rights) in [(&fence.read, Rights::READ), (&fence.write, all)] {
        for path in paths {
            allow(&ruleset, path, rights).map_err(|errno| about(path, errno))?;
        }
    }
    Ok(ruleset)
}

/// Goes behind a fence, for ever.
///
/// # Errors
/// Neither `no_new_privs` nor CAP_SYS_ADMIN, or too many fences.
pub fn go_behind(fence: BorrowedFd<'_>) -> Result<(), Errno> {
    sys::landlock_restrict(fence)
}

/// From now on this process opens no file by name and, as far as the kernel knows how to, reaches no process or abstract socket of
/// anybody; what is open stays open.
///
/// # Errors
/// As [`build`] and [`go_behind`].
pub fn open_nothing() -> Result<(), Failure> {
    let version = sys::landlock_version()?;
    let all = Scopes::ABSTRACT_SOCKETS.with(Scopes::SIGNALS);
    let scopes = if version < SCOPES_SINCE { Scopes::default() } else { all };
    let ruleset = sys::landlock_ruleset(Rights::all(version), scopes.0)?;
    Ok(go_behind(ruleset.as_fd())?)
}

/// The same, but for what lies in this directory.
///
/// # Errors
/// As [`build`] and [`go_behind`].
pub fn open_only_in(directory: BorrowedFd<'_>) -> Result<(), Failure> {
    let version = sys::landlock_version()?;
    let ruleset = sys::landlock_ruleset(Rights::all(version), 0)?;
    sys::landlock_allow(ruleset.as_fd(), directory, Rights::all(version))?;
    Ok(go_behind(ruleset.as_fd())?)
}

/// Puts this process under a filter of system calls, for ever.
///
/// # Errors
/// As [`go_behind`]; `EINVAL` or `ENOSYS` where the kernel was built without filters.
pub fn filter(filter: &Filter) -> Result<(), Errno> {
    sys::filter(filter.program)
}

pub(super) fn fence_in(fence: &Fence) -> Result<(), Failure> {
    Ok(go_behind(build(fence)?.as_fd())?)
}

fn allow(ruleset: &OwnedFd, path: &Path, rights: u64) -> Result<(), Errno> {
    let opened = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let is_directory = FileType::from_raw_mode(fstat(&opened)?.st_mode) == FileType::Directory;
    let rights = if is_directory { rights } else { rights & Rights::OF_A_FILE };
    sys::landlock_allow(ruleset.as_fd(), opened.as_fd(), rights)
}

fn about(path: &Path, errno: Errno) -> Failure {
    Failure { detail: path.display().to_string(), ..Failure::from(errno) }
}
