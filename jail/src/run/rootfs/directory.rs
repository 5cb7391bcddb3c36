//! Where a process stands in its own mounts, and as whom it makes files there.

use std::os::fd::RawFd;
use std::path::Path;

use rustix::fs::fstat;
use rustix::process::{chdir, fchdir};

use super::place::{top, walk};
use crate::plan::Failure;
use crate::sys;

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
