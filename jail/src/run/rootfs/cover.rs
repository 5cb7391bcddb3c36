//! A text in the place of a file, for whoever sees our mounts.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MoveMountFlags, move_mount};
use rustix::process::fchdir;

use super::place::{kind_of, path_flags, top, walk};
use super::sources::named;
use super::stage::Stage;
use crate::plan::{Attributes, Failure, INERT, Root};
use crate::sys;

/// Puts a text in the place of what is at this absolute path. A symbolic link there is covered itself, and leads nowhere any
/// more; on the way there none is followed.
///
/// Must: run in a mount namespace of our own, whose mounts are private.
///
/// # Errors
/// Nothing is there (`ENOENT`), a directory is, or what the kernel refuses.
pub fn cover(path: &Path, text: &str) -> Result<(), Failure> {
    let place = place(path).map_err(|failure| named(path, failure))?;
    let here = openat(CWD, c".", path_flags() | OFlags::DIRECTORY, Mode::empty())?;
    let stage = Stage::new(&Root::Present)?;
    let covered = stage.file(text.as_bytes()).and_then(|file| put(&file, &place));
    stage.remove()?;
    // Taking that away has led us to the root.
    fchdir(here)?;
    covered.map_err(|failure| named(path, failure))
}

fn place(path: &Path) -> Result<OwnedFd, Failure> {
    let (parent, name) = path.parent().zip(path.file_name()).ok_or("it has no name")?;
    let parent = walk(top()?, parent)?.ok_or("it is below a symbolic link")?;
    let place = openat(&parent, name, path_flags(), Mode::empty())?;
    if kind_of(&place)?.is_dir() { Err("it is a directory".into()) } else { Ok(place) }
}

fn put(file: &OwnedFd, place: &OwnedFd) -> Result<(), Failure> {
    sys::set_attributes(file.as_fd(), INERT.with(Attributes::RO))?;
    let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(file, c"", place, c"", both)?)
}
