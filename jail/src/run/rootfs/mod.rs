//! Builds the root file system of a jail, by descriptors alone.
//!
//! Sources are opened once, before anything is mounted; places are opened beneath the new root, where no symbolic
//! link is followed. What a name leads to later changes nothing any more. In the end it is read back.

mod cover;
mod directory;
mod leave;
mod owners;
mod place;
mod sources;
mod stage;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, StatxFlags, fstat, statx};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::plan::mountinfo::Expected;
use crate::plan::{Attributes, Depth, Failure, HARMLESS, Mount, Old, Presence, Root, Rootfs, Source};
use crate::sys;

pub use cover::cover;
pub(super) use directory::{change_directory, settle_in_directory, take_file_ids};
pub use leave::OldRoot;
pub(super) use leave::proc;
use place::Place;
use sources::{Opened, named};
use stage::Stage;

/// Builds and enters it; `None` when nothing of the old root is kept.
///
/// Must: run in a mount namespace of our own, whose mounts are private.
/// Must not: be followed by the use of a path that was meant in the old root.
///
/// # Errors
/// What the kernel refuses, a symbolic link where something is to be mounted, or a mount that did not become what it
/// was to be. The process must then end: it stands in a half-built root.
pub fn enter(rootfs: &Rootfs) -> Result<Option<OldRoot>, Failure> {
    let proc = leave::proc()?;
    let opened = sources::open_all(rootfs)?;
    let stage = rootfs.needs_stage().then(|| Stage::new(&rootfs.root)).transpose()?;
    let mut building = Building::begin(rootfs, &opened, (stage, &proc))?;
    for (mount, source) in rootfs.mounts.iter().zip(&opened.mounts) {
        building.add(mount, source.as_ref(), &proc).map_err(|failure| named(&mount.target, failure))?;
    }
    let old = match (&rootfs.old, rootfs.moves()) {
        (_, false) => building.stay().map(|()| None),
        (Old::Left, true) => {
            leave::pivot(building.root.as_fd())?;
            building.stay()?;
            leave::drop_old(building.root.as_fd()).map(|()| None)
        }
        (Old::Kept(path), true) => {
            let place = building.find(path).map_err(|failure| named(path, failure))?;
            let old = leave::pivot_keeping(building.root.as_fd(), &place.0, &proc)?;
            building.stay().map(|()| Some(old))
        }
    }?;
    let closed = rootfs.moves() && old.is_none();
    leave::verify(&proc, &building.made, closed)?;
    Ok(old)
}

/// A root that is being built.
struct Building {
    root: OwnedFd,
    stage: Option<Stage>,
    made: Vec<Expected>,
    /// File systems of our own: there, places that are missing are made.
    own: Vec<u64>,
}

impl Building {
    fn begin(
        rootfs: &Rootfs,
        opened: &Opened,
        (stage, proc): (Option<Stage>, &OwnedFd),
    ) -> Result<Self, Failure> {
        let (root, mut attributes) = match (&rootfs.root, &opened.root) {
            (Root::Directory(_, attributes) | Root::Owned(_, attributes, _), Some(source)) => {
                (clone(source.as_fd(), Depth::All)?, *attributes)
            }
            (Root::Overlay(_, attributes), Some(lower)) => {
                let stage = stage.as_ref().ok_or("an overlay without a place for its changes")?;
                (stage.overlay(lower.as_fd())?, *attributes)
            }
            _ => return Ok(Self { root: place::top()?, stage, made: Vec::new(), own: Vec::new() }),
        };
        let mut building = Self { root, stage, made: Vec::new(), own: Vec::new() };
        match &rootfs.root {
            Root::Owned(path, _, owners) => {
                owners::set(proc, &building.root, (attributes, *owners))
                    .map_err(|failure| named(path, failure))?;
                attributes = attributes.with(Attributes::IDMAPPED);
            }
            _ => sys::set_attributes(building.root.as_fd(), attributes)?,
        }
        if matches!(rootfs.root, Root::Overlay(..)) {
            building.own.push(fstat(&building.root)?.st_dev);
        }
        // On top of the old root: reachable for pivot_root, and needing no directory of anybody's.
        move_mount(&building.root, c"", CWD, c"/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        building.expect(building.id()?, Path::new("/"), attributes);
        Ok(building)
    }

    fn add(&mut self, mount: &Mount, source: Option<&OwnedFd>, proc: &OwnedFd) -> Result<(), Failure> {
        let tree = match &mount.source {
            Source::Link(to) => return self.link(&mount.target, to),
            Source::Directory => return self.find_or_make(&mount.target, FileType::Directory).map(|_| ()),
            Source::Sealed(presence, depth) => return self.seal(mount, (*presence, *depth)),
            Source::Lent(fd) => {
                sys::borrow(*fd)?.try_clone_to_owned().map_err(|_| Failure::from(Errno::MFILE))?
            }
            Source::Device(device, crate::plan::Made::New) => return self.device(&mount.target, *device),
            Source::Itself(presence) => match (self.find(&mount.target), presence) {
                (Ok(place), _) => clone(place.0.as_fd(), Depth::All)?,
                (Err(failure), Presence::Optional) if place::is_missing(&failure) => return Ok(()),
                (Err(failure), _) => return Err(failure),
            },
            Source::Nothing => match self.find(&mount.target) {
                Ok(place) => self.nothing(&place)?,
                Err(failure) if place::is_missing(&failure) => return Ok(()),
                Err(failure) => return Err(failure),
            },
            Source::Owned(path, depth, owners) => {
                let tree = clone(source.ok_or("no source")?.as_fd(), *depth)?;
                let wanted = (mount.attributes, *owners);
                owners::set(proc, &tree, wanted).map_err(|failure| named(path, failure))?;
                return self.place(mount, &tree, mount.attributes.with(Attributes::IDMAPPED));
            }
            Source::Tree(_, depth) => clone(source.ok_or("no source")?.as_fd(), *depth)?,
            Source::Before(_) => {
                source.ok_or("no source")?.try_clone().map_err(|_| Failure::from(Errno::MFILE))?
            }
            Source::Device(..) => clone(source.ok_or("no source")?.as_fd(), Depth::One)?,
            Source::Text(text) => self.staged()?.file(text.as_bytes())?,
            Source::Copy(_) => self.staged()?.file(&sources::content(source.ok_or("no source")?)?)?,
            Source::Memory(size, mode) => stage::memory(*size, *mode)?,
            Source::Proc => stage::proc()?,
            Source::Terminals(group) => stage::terminals(*group)?,
        };
        self.attach(mount, &tree)
    }

    /// Attributes come before the place: there is no moment in which it lacks one.
    fn attach(&mut self, mount: &Mount, tree: &OwnedFd) -> Result<(), Failure> {
        sys::set_attributes(tree.as_fd(), mount.attributes)?;
        self.place(mount, tree, mount.attributes)
    }

    fn place(&mut self, mount: &Mount, tree: &OwnedFd, attributes: Attributes) -> Result<(), Failure> {
        let place = self.find_or_make(&mount.target, place::kind_of(tree)?)?;
        let both = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(tree, c"", &place.0, c"", both)?;
        if matches!(mount.source, Source::Memory(..)) {
            self.own.push(fstat(tree)?.st_dev);
        }
        self.expect(mount_id(tree.as_fd())?, &mount.target, attributes);
        Ok(())
    }

    /// In the place where it is: whoever copies this mount namespace into another user namespace cannot undo it.
    fn seal(&mut self, mount: &Mount, (presence, depth): (Presence, Depth)) -> Result<(), Failure> {
        let place = match (self.find(&mount.target), presence) {
            (Err(failure), Presence::Optional) if place::is_missing(&failure) => return Ok(()),
            (found, _) => found?,
        };
        let below = depth == Depth::All;
        sys::set_mount_attributes(place.0.as_fd(), mount.attributes.0, below)?;
        for made in self.made.iter_mut().filter(|made| made.target == mount.target) {
            let sealed = if below { &mut made.attributes } else { &mut made.alone };
            *sealed = sealed.with(mount.attributes);
        }
        Ok(())
    }

    fn nothing(&self, place: &Place) -> Result<OwnedFd, Failure> {
        if place::kind_of(&place.0)?.is_dir() { stage::memory(Some(0), 0) } else { self.staged()?.file(b"") }
    }

    fn staged(&self) -> Result<&Stage, Failure> {
        self.stage.as_ref().ok_or_else(|| "nothing was kept ready for this".into())
    }

    fn id(&self) -> Result<u64, Failure> {
        mount_id(self.root.as_fd())
    }

    fn expect(&mut self, id: u64, target: &Path, attributes: Attributes) {
        let alone = Attributes::NONE;
        self.made.push(Expected { id, target: target.to_path_buf(), attributes, alone });
    }

    /// What was kept ready goes. It lies on the old root: that could neither be seen nor unmounted below it.
    fn stay(&mut self) -> Result<(), Failure> {
        self.stage.take().map_or(Ok(()), Stage::remove)
    }
}

/// A copy of this directory with all mounts below it, seen by nobody yet, for [`Source::Lent`]: it can be given to a
/// process in another mount namespace, which may not make it there. Nosuid and nodev.
///
/// # Errors
/// `EPERM` without CAP_SYS_ADMIN, `EINVAL` for a directory of another mount namespace.
pub fn lend(directory: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let tree = clone(directory, Depth::All)?;
    sys::set_attributes(tree.as_fd(), HARMLESS)?;
    Ok(tree)
}

/// A copy of a mount, seen by nobody yet.
pub(super) fn clone(source: BorrowedFd<'_>, depth: Depth) -> Result<OwnedFd, Failure> {
    let one =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    match depth {
        Depth::One => Ok(open_tree(source, c"", one)?),
        Depth::All => Ok(open_tree(source, c"", one | OpenTreeFlags::AT_RECURSIVE)?),
    }
}

fn mount_id(tree: BorrowedFd<'_>) -> Result<u64, Failure> {
    Ok(statx(tree, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?.stx_mnt_id)
}

/// Mode of what is made for a mount; what is mounted there has its own.
const PLACE_MODE: Mode = Mode::from_raw_mode(0o755);
