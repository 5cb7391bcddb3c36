//! Where a process stands in its own mounts, and as whom it makes files there.

use std::ffi::OsStr;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::fstat;
use rustix::process::{chdir, fchdir, getcwd};

use super::place::{top, walk};
use crate::plan::Failure;
use crate::sys;

/// What the kernel says before the name of a directory that is among other mounts (`getcwd(2)`).
const ELSEWHERE: &[u8] = b"(unreachable)";

/// Enters the directory that `known` is, by the path that the kernel knows of it: in mounts of somebody else's it would be nowhere
/// for `getcwd(3)`, and what is mounted below it in ours would not be seen.
pub(in crate::run) fn settle_in_directory(known: RawFd) -> Result<(), Failure> {
    fchdir(sys::borrow(known)?)?;
    // Without a name it was removed, or it lies too deep.
    let Ok(told) = getcwd(Vec::new()) else { return Ok(chdir(c"/")?) };
    match told.to_bytes().strip_prefix(ELSEWHERE) {
        Some(path) => change_directory(known, Path::new(OsStr::from_bytes(path))),
        None => Ok(()),
    }
}

/// Enters the directory that `known` is, by its path in our own mounts: `known` itself is in those of somebody else,
/// and from there `..` would lead past all that is hidden here. Where the path leads elsewhere or nowhere, `/` it is.
pub(in crate::run) fn change_directory(known: RawFd, path: &Path) -> Result<(), Failure> {
    let wanted = fstat(sys::borrow(known)?)?;
    // Whatever keeps us from it: nothing is lost but a place to begin.
    let found = walk(top()?, path).ok().flatten();
    let found = found
        .filter(|one| fstat(one).is_ok_and(|is| (is.st_dev, is.st_ino) == (wanted.st_dev, wanted.st_ino)));
    match found.map(|directory| fchdir(&directory)) {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => Ok(chdir(c"/")?),
    }
}

/// Files are made, and looked for, as this user and group of our user namespace from here on. Signals still ask for
/// the rights that we were born with.
pub(in crate::run) fn take_file_ids(uid: u32, gid: u32) -> Result<(), Failure> {
    match (sys::set_file_gid(gid), sys::set_file_uid(uid)) {
        (true, true) => Ok(()),
        _ => Err("the ids of files are not what was asked for".into()),
    }
}
