//! What comes from the old root: opened once, before anything is mounted.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, major, minor, openat};
use rustix::io::{Errno, read};

use super::clone;
use super::place::{kind_of, top, walk};
use crate::plan::{Depth, Device, Failure, Made, Root, Rootfs, Source};

/// Bytes of a file that is copied into the jail.
const COPY_MAX: usize = 1 << 20;
/// Bytes that are read at once.
const PIECE: usize = 1 << 14;

/// Everything that is named in the old root.
pub(super) struct Opened {
    pub(super) root: Option<OwnedFd>,
    pub(super) mounts: Vec<Option<OwnedFd>>,
}

pub(super) fn open_all(rootfs: &Rootfs) -> Result<Opened, Failure> {
    let root = match &rootfs.root {
        Root::Present => None,
        Root::Directory(path, _) | Root::Owned(path, ..) | Root::Overlay(path, _) => Some(directory(path)?),
    };
    let mounts = rootfs.mounts.iter().map(|mount| open(&mount.source)).collect::<Result<_, _>>()?;
    Ok(Opened { root, mounts })
}

fn open(source: &Source) -> Result<Option<OwnedFd>, Failure> {
    match source {
        Source::Tree(path, _) | Source::Owned(path, ..) => {
            tree(path).map(Some).map_err(|failure| named(path, failure))
        }
        Source::Before(path) => {
            let copy = tree(path).and_then(|tree| clone(tree.as_fd(), Depth::All));
            copy.map(Some).map_err(|failure| named(path, failure))
        }
        Source::Device(device, Made::Bound) => {
            let path = device.path();
            own_device(*device, &path).map(Some).map_err(|failure| named(&path, failure))
        }
        // Only names that are ours to choose: links on the way are the system's own.
        Source::Copy(path) => copied(path).map(Some).map_err(|failure| named(path, failure)),
        _ => Ok(None),
    }
}

/// Over no symbolic link: whoever may write somewhere on the way must not choose what is shown.
fn tree(path: &Path) -> Result<OwnedFd, Failure> {
    match walk(top()?, path)? {
        Some(tree) => Ok(tree),
        None => Err("a part of this path is a symbolic link: write the path without links".into()),
    }
}

fn directory(path: &Path) -> Result<OwnedFd, Failure> {
    let opened = tree(path).map_err(|failure| named(path, failure))?;
    match kind_of(&opened)?.is_dir() {
        true => Ok(opened),
        false => Err(named(path, "it is no directory".into())),
    }
}

/// Not what merely has its name.
fn own_device(device: Device, path: &Path) -> Result<OwnedFd, Failure> {
    let opened = tree(path)?;
    let stat = fstat(&opened)?;
    let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    match is_device && (major(stat.st_rdev), minor(stat.st_rdev)) == device.number {
        true => Ok(opened),
        false => Err("it is not that device".into()),
    }
}

fn copied(path: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let opened = openat(CWD, path, flags, Mode::empty())?;
    if kind_of(&opened)?.is_file() { Ok(opened) } else { Err("it is no regular file".into()) }
}

/// All of a file that is to be copied.
pub(super) fn content(file: impl AsFd) -> Result<Vec<u8>, Failure> {
    content_up_to(file, COPY_MAX)
}

/// All of a file, unless it is longer than `most` bytes.
pub(super) fn content_up_to(file: impl AsFd, most: usize) -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        match read(&file, &mut piece[..]) {
            Err(Errno::INTR) => {}
            Ok(0) => return Ok(content),
            more => content.extend_from_slice(&piece[..more?]),
        }
        if content.len() > most {
            return Err("it is too long".into());
        }
    }
}

/// A failure with the path that it is about.
pub(super) fn named(path: &Path, failure: Failure) -> Failure {
    let path = path.display();
    let detail =
        if failure.detail.is_empty() { path.to_string() } else { format!("{path}: {}", failure.detail) };
    Failure { detail, ..failure }
}
