//! Places in the new root: opened beneath it, over no symbolic link, and made only where the file system is ours.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, chmodat, fstat, makedev, mkdirat, mknodat, openat, symlinkat,
};
use rustix::io::Errno;

use super::{Building, PLACE_MODE};
use crate::plan::{Device, Failure};

/// Directories that one place may lie below.
const DEPTH_MAX: usize = 64;
/// Mode of a device that is nobody's.
const DEVICE_MODE: Mode = Mode::from_raw_mode(0o666);

/// An open place (`O_PATH`).
pub(super) struct Place(pub(super) OwnedFd);

/// The root that is there.
pub(super) fn top() -> Result<OwnedFd, Failure> {
    Ok(openat(CWD, c"/", path_flags() | OFlags::DIRECTORY, Mode::empty())?)
}

pub(super) fn path_flags() -> OFlags {
    OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW
}

/// Goes down from a directory, name by name: over mounts, but over no symbolic link (`None`) and never up. Whoever
/// renames something meanwhile is met with what he had there before or after. (`openat2(2)` does the same in one call,
/// but the filter of a tenant's system calls refuses it.)
pub(super) fn walk(from: OwnedFd, path: &Path) -> Result<Option<OwnedFd>, Failure> {
    let mut here = from;
    for part in path.components() {
        match part {
            Component::RootDir => continue,
            Component::Normal(name) => here = openat(&here, name, path_flags(), Mode::empty())?,
            Component::CurDir | Component::ParentDir | Component::Prefix(_) => {
                return Err("a path must not lead up".into());
            }
        }
        if kind_of(&here)?.is_symlink() {
            return Ok(None);
        }
    }
    Ok(Some(here))
}

pub(super) fn is_missing(failure: &Failure) -> bool {
    failure.errno == libc::ENOENT
}

pub(super) fn kind_of(fd: impl AsFd) -> Result<FileType, Failure> {
    Ok(FileType::from_raw_mode(fstat(fd)?.st_mode))
}

impl Building {
    /// The place of this name, which is not a link and is not below one.
    pub(super) fn find(&self, path: &Path) -> Result<Place, Failure> {
        let root = self.root.try_clone().map_err(|_| Failure::from(Errno::MFILE))?;
        match walk(root, path)? {
            Some(place) => Ok(Place(place)),
            None => Err("it is a symbolic link in the root file system, or below one: make it a real directory or file".into()),
        }
    }

    /// The same; what is missing is made in file systems of ours, where it ends with the jail.
    pub(super) fn find_or_make(&self, path: &Path, kind: FileType) -> Result<Place, Failure> {
        match self.find(path) {
            Err(failure) if is_missing(&failure) => self.make(path, kind)?,
            found => return fitting(found?, kind),
        }
        fitting(self.find(path)?, kind)
    }

    fn make(&self, path: &Path, kind: FileType) -> Result<(), Failure> {
        let mut missing: Vec<&Path> = Vec::new();
        for directory in path.ancestors().skip(1).take(DEPTH_MAX) {
            match self.find(directory) {
                Err(failure) if is_missing(&failure) => missing.push(directory),
                Err(failure) => return Err(failure),
                Ok(_) => break,
            }
        }
        missing.into_iter().rev().try_for_each(|directory| self.make_one(directory, FileType::Directory))?;
        self.make_one(path, kind)
    }

    fn make_one(&self, path: &Path, kind: FileType) -> Result<(), Failure> {
        let (parent, name) = self.parent_of(path)?;
        match kind.is_dir() {
            true => Ok(mkdirat(&parent.0, name, PLACE_MODE)?),
            false => Ok(mknodat(&parent.0, name, FileType::RegularFile, PLACE_MODE, 0)?),
        }
    }

    pub(super) fn link(&self, path: &Path, to: &str) -> Result<(), Failure> {
        let (parent, name) = self.parent_of(path)?;
        Ok(symlinkat(to, &parent.0, name)?)
    }

    pub(super) fn device(&self, path: &Path, device: Device) -> Result<(), Failure> {
        let (parent, name) = self.parent_of(path)?;
        let number = makedev(device.number.0, device.number.1);
        mknodat(&parent.0, name, FileType::CharacterDevice, DEVICE_MODE, number)?;
        // Whatever our umask is.
        Ok(chmodat(&parent.0, name, DEVICE_MODE, AtFlags::empty())?)
    }

    /// The directory in which something is made: on a file system of ours, and nowhere else. Who can rename the directory
    /// that we mounted it on must not have us make devices and links in another one.
    fn parent_of<'a>(&self, path: &'a Path) -> Result<(Place, &'a OsStr), Failure> {
        let name = path.file_name().ok_or("it has no name")?;
        let parent = self.find(path.parent().unwrap_or(Path::new("/")))?;
        match self.own.contains(&fstat(&parent.0)?.st_dev) {
            true => Ok((parent, name)),
            false => {
                Err("it is missing in the root file system: make an empty directory or file there".into())
            }
        }
    }
}

/// A directory goes on a directory, anything else on anything else.
fn fitting(place: Place, kind: FileType) -> Result<Place, Failure> {
    match (kind.is_dir(), kind_of(&place.0)?.is_dir()) {
        (true, false) => Err("it has to be a directory there".into()),
        (false, true) => Err("it has to be a file there, not a directory".into()),
        _ => Ok(place),
    }
}
