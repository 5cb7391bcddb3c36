//! The directory of the files that the log keeper writes: its own, and nothing else of anybody's is in it.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    AtFlags, Dir, Gid, Mode, OFlags, RawMode, Stat, Uid, chownat, fchmod, fstat, mkdirat, openat,
};
use rustix::io::Errno;

use crate::emperor::event::Owner;
use crate::guarded::{Name, SHARED};

/// A directory that is made.
const MODE: u32 = 0o750;

/// What is made in it has its group, whoever makes it.
const OF_ITS_GROUP: RawMode = 0o2000;

/// Opens it, and makes it if it is not there. `keeper`: whose it is to be.
///
/// Must not: give away a directory with anything in it, or follow a link.
///
/// # Errors
/// It lies where others can put something; it is somebody's, or in use. One sentence.
pub fn directory(path: &Path, keeper: Option<Owner>) -> Result<OwnedFd, String> {
    let name = Name::of(path, crate::guarded::Others { owner: None, group: true })?;
    match mkdirat(&name.directory, name.name(), Mode::from_raw_mode(MODE)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(format!("{} cannot be made: {errno}", path.display())),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let cannot = |errno: Errno| format!("{} cannot be opened: {errno}", path.display());
    let directory = openat(&name.directory, name.name(), flags, Mode::empty()).map_err(cannot)?;
    let found = fstat(&directory).map_err(cannot)?;
    let Some(keeper) = keeper else {
        share(&directory, &found);
        return Ok(directory);
    };
    if found.st_mode & SHARED & !0o020 != 0 {
        return Err(format!("{} is writable by others: chmod o-w it", path.display()));
    }
    if found.st_uid == keeper.uid {
        share(&directory, &found);
        return Ok(directory);
    }
    if found.st_uid != 0 || !is_empty(&directory).map_err(cannot)? {
        return Err(format!(
            "{} is in use: name a directory of its own, which is not there yet or is empty and root's",
            path.display()
        ));
    }
    share(&directory, &found);
    // Its group stays who may read.
    let uid = Uid::from_raw(keeper.uid);
    chownat(&directory, c"", Some(uid), None::<Gid>, AtFlags::EMPTY_PATH).map_err(cannot)?;
    Ok(directory)
}

/// The keeper is in no group, so it could give its files to none: the kernel does.
///
/// Must not: change who may do what in the directory itself.
fn share(directory: &OwnedFd, found: &Stat) {
    let mode = Mode::from_raw_mode(found.st_mode & 0o7777 | OF_ITS_GROUP);
    if found.st_mode & OF_ITS_GROUP == 0 {
        // Who may not do it writes what nobody else reads.
        let _ = fchmod(directory, mode);
    }
}

fn is_empty(directory: &OwnedFd) -> Result<bool, Errno> {
    for entry in Dir::read_from(directory)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}
