//! Mounts that are made once, for all jails: each gets a copy of them.
//!
//! What a copy in another user namespace has from here is locked (`mount_namespaces(7)`): root of that namespace can
//! neither unmount it, nor see what lies below, nor make it writable again.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{chroot, fchdir};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::rootfs::enter;
use crate::plan::{Failure, Namespaces, Rootfs};
use crate::sys;

/// A mount namespace in which nobody lives, and the way back to our own.
#[derive(Debug)]
pub struct Backdrop {
    there: View,
    home: View,
}

impl Backdrop {
    /// Makes one: our own mounts, and above them what `rootfs` says. Mounts that are made here later are seen there too.
    ///
    /// Must: be called by the only thread, or by one that nobody else counts on: for a moment it is elsewhere.
    ///
    /// # Errors
    /// What the kernel refuses. Whatever happens, the caller is back in its own mounts; were that impossible, the
    /// process would end.
    pub fn make(rootfs: &Rootfs) -> Result<Self, Failure> {
        let home = View::now()?;
        sys::unshare(Namespaces::FS)?;
        let built = mount_change(c"/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
            .map_err(Failure::from)
            .and_then(|()| enter(rootfs))
            .and_then(|_| Ok(View::now()?));
        home.must_enter();
        Ok(Self { there: built?, home })
    }
}

/// Does something, such as to make a process, in front of a backdrop.
///
/// Must: be called by the only thread.
pub(super) fn before<T>(
    backdrop: Option<&Backdrop>,
    deed: impl FnOnce() -> Result<T, Errno>,
) -> Result<T, Errno> {
    let Some(backdrop) = backdrop else { return deed() };
    // Without the right to it we have not moved.
    backdrop.there.move_in()?;
    let done = backdrop.there.stand().and_then(|()| deed());
    backdrop.home.must_enter();
    done
}

/// A mount namespace, as a process sees it: its root may be below that of the namespace.
#[derive(Debug)]
struct View {
    mounts: OwnedFd,
    root: OwnedFd,
    directory: OwnedFd,
}

impl View {
    fn now() -> Result<Self, Errno> {
        let open = |path, flags| openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty());
        let place = OFlags::PATH | OFlags::DIRECTORY;
        Ok(Self {
            mounts: open(c"/proc/thread-self/ns/mnt", OFlags::RDONLY)?,
            root: open(c"/", place)?,
            directory: open(c".", place)?,
        })
    }

    fn move_in(&self) -> Result<(), Errno> {
        move_into_link_name_space(self.mounts.as_fd(), Some(LinkNameSpaceType::Mount))
    }

    /// Who moves into a namespace finds himself at its root, wherever he stood before.
    fn stand(&self) -> Result<(), Errno> {
        fchdir(&self.root)?;
        chroot(c".")?;
        fchdir(&self.directory)
    }

    fn must_enter(&self) {
        if self.move_in().and_then(|()| self.stand()).is_err() {
            // Every path that this process opens from here on would mean another file.
            std::process::abort();
        }
    }
}
