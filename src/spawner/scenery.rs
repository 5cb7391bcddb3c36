//! What of the host the jails of `jail` are built on: made once, or opened for one of them by a spawner that may.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use caps::Capability;
use jail::Capabilities;
use jail::plan::standard::{self, Strictness};
use jail::plan::{Host, Made, Step, advise};
use jail::run::Backdrop;
use rustix::fs::{CWD, fstat, readlinkat};

use super::charter::Charter;
use super::court::Court;
use super::jailing::{Kept, Scenery};
use super::owners::own_ids;
use crate::names::User;
use crate::trust::{self, Examined, Reach, proc_path};

/// To make mounts, and to have a child born before others than ours.
const NEEDED: [Capability; 2] = [Capability::CAP_SYS_ADMIN, Capability::CAP_SYS_CHROOT];

/// A directory that stays writable; without a descriptor it is named.
pub(super) type Tree = (PathBuf, Option<OwnedFd>);

/// The backdrop of all jails, where we have the right to make one.
///
/// # Errors
/// Why there is none: then nobody is born.
pub(super) fn backdrop(charter: &Charter, host: &Host) -> Result<Option<Backdrop>, String> {
    let Some(strictness) = charter.jail.filter(|_| charter.privileged) else { return Ok(None) };
    let held = charter.capabilities.unwrap_or(crate::permitted());
    let lacks = Capabilities::of(&NEEDED).without(held);
    if !lacks.is_empty() {
        return Err(format!(
            "jails need {lacks}: give it to liege and list it in `cap`, or say `jail = none`"
        ));
    }
    // Root of a container may be without it.
    let may_make = crate::permitted().has(Capability::CAP_MKNOD) && !host.inside_user;
    let made = if may_make { Made::New } else { Made::Bound };
    let rootfs = standard::backdrop(strictness, made, charter.devices());
    Backdrop::make(&rootfs).map(Some).map_err(|failure| {
        let advice = advise(&Step::Mounts(rootfs), failure.errno, host);
        let advice = advice.map(|advice| format!("; advice: {advice}")).unwrap_or_default();
        format!("cannot make what jails are built on: {}{advice}", failure.cause())
    })
}

impl Court {
    /// What the jail of one vassal is built on.
    pub(super) fn scenery(&self, directory: BorrowedFd<'_>, trees: &[Tree]) -> Scenery {
        let kept = |(path, tree): &Tree| {
            let kept = tree.as_ref().map_or(Kept::Named, |tree| Kept::Lent(tree.as_raw_fd()));
            (path.clone(), kept)
        };
        Scenery {
            path: path_of(directory),
            kept: trees.iter().map(kept).collect(),
            backdrop: self.backdrop.is_some(),
        }
    }

    /// What its owner may go on writing to where all else is read-only: his home, and the directory of the config where
    /// that is his.
    ///
    /// # Errors
    /// It cannot be lent.
    pub(super) fn trees(&self, directory: BorrowedFd<'_>, config: &Examined) -> Result<Vec<Tree>, String> {
        if self.charter.jail != Some(Strictness::Strict) {
            return Ok(Vec::new());
        }
        let owner = self.charter.owner_of(config.trust, own_ids()).uid;
        let home = User::by_uid(owner).and_then(|user| self.home(&user.home));
        let own = path_of(directory).map(|path| (path, directory.try_clone_to_owned().ok()));
        let places = home.map(|(path, home)| (path, Some(home))).into_iter().chain(own);
        let mut trees: Vec<Tree> = Vec::new();
        for (path, place) in places {
            let Some(place) = place.filter(|place| fstat(place).is_ok_and(|stat| stat.st_uid == owner))
            else {
                continue;
            };
            if path != Path::new("/") && !trees.iter().any(|(above, _)| path.starts_with(above)) {
                trees.push((path, self.lend(place.as_fd())?));
            }
        }
        Ok(trees)
    }

    /// A home that is near, by a path without links. Nobody waits for one that is away.
    fn home(&self, path: &str) -> Option<(PathBuf, OwnedFd)> {
        let below = path.strip_prefix('/')?.trim_end_matches('/');
        let near = Reach::Near(&self.mounts);
        let top = trust::open_path(b"/", near).ok()?;
        let home = trust::open_below(top.as_fd(), below.as_bytes(), near).ok()?;
        Some((Path::new("/").join(below), home))
    }

    fn lend(&self, place: BorrowedFd<'_>) -> Result<Option<OwnedFd>, String> {
        if !self.charter.privileged {
            return Ok(None);
        }
        let lent = jail::run::lend(place);
        lent.map(Some).map_err(|failure| format!("cannot lend a directory to its jail: {}", failure.cause()))
    }
}

/// Where an open directory is, in our mounts.
fn path_of(directory: BorrowedFd<'_>) -> Option<PathBuf> {
    let path = readlinkat(CWD, proc_path(directory), Vec::new()).ok()?.into_string().ok()?;
    path.starts_with('/').then(|| path.into())
}
