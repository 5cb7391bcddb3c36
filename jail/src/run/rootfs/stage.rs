//! File systems that are made for a jail, and the memory in which its own files are kept ready.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, fchmod, mkdirat, openat};
use rustix::io::{Errno, write};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree, unmount,
};
use rustix::process::fchdir;

use super::PLACE_MODE;
use crate::plan::{Failure, Root, files_max};
use crate::run::user_map::{has_number, inside_user_namespace};

/// Bytes of the memory for files of ours.
const FILES_MAX: &str = "4m";
/// Others see neither what a user runs nor its arguments (`hidepid` of `proc_pid(5)`).
const HIDDEN: &str = "2";

/// Memory mounted on top of the old root, which goes away with that.
pub(super) struct Stage(OwnedFd);

impl Stage {
    /// Limited, except for the changes in a root, which are limited by what the jail may have.
    pub(super) fn new(root: &Root) -> Result<Self, Failure> {
        let settings: &[(&str, &str)] = if matches!(root, Root::Overlay(..)) {
            &[("mode", "755")]
        } else {
            &[("mode", "755"), ("size", FILES_MAX)]
        };
        let stage = mounted("tmpfs", settings)?;
        move_mount(&stage, c"", CWD, c"/", MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        Ok(Self(stage))
    }

    /// The layers are named by descriptor: no path of the host stands in the table of mounts.
    pub(super) fn overlay(&self, lower: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
        let layer = |name: &str| -> Result<OwnedFd, Failure> {
            mkdirat(&self.0, name, PLACE_MODE)?;
            Ok(openat(&self.0, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
        };
        let (upper, work) = (layer("upper")?, layer("work")?);
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        for (key, layer) in [("lowerdir", lower), ("upperdir", upper.as_fd()), ("workdir", work.as_fd())] {
            fsconfig_set_string(context.as_fd(), key, format!("/proc/self/fd/{}", layer.as_raw_fd()))?;
        }
        if inside_user_namespace() {
            // Root of a user namespace writes no `trusted` attributes.
            fsconfig_set_flag(context.as_fd(), "userxattr")?;
        }
        made(&context)
    }

    /// A file with this content that nobody can change, as a mount of its own.
    pub(super) fn file(&self, content: &[u8]) -> Result<OwnedFd, Failure> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let name = self.next_name()?;
        let file = openat(&self.0, &name, flags | OFlags::EXCL, Mode::RUSR)?;
        let mut rest = content;
        while !rest.is_empty() {
            rest = &rest[write(&file, rest)?..];
        }
        // An empty one stands for what is hidden.
        fchmod(&file, if content.is_empty() { Mode::empty() } else { Mode::from_raw_mode(0o644) })?;
        Ok(open_tree(&self.0, name, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?)
    }

    fn next_name(&self) -> Result<String, Failure> {
        for number in 0..FILES_NUMBER_MAX {
            let name = format!("file-{number}");
            match openat(&self.0, &name, super::place::path_flags(), Mode::empty()) {
                Err(Errno::NOENT) => return Ok(name),
                answer => drop(answer?),
            }
        }
        Err("too many files are made for this jail".into())
    }

    /// Takes it away where the old root stays.
    pub(super) fn remove(self) -> Result<(), Failure> {
        fchdir(&self.0)?;
        unmount(c".", UnmountFlags::DETACH)?;
        Ok(rustix::process::chdir(c"/")?)
    }
}

/// Files that can be made for one jail.
const FILES_NUMBER_MAX: usize = 1_000;

/// Of the machine's memory, as the runtime directories of users have it (`logind.conf(5)`); the kernel would give half.
const TENTH: &str = "10%";

/// Memory: bytes at most (0: nothing can be made in it), and the mode of its root.
pub(super) fn memory(size: Option<u64>, mode: u32) -> Result<OwnedFd, Failure> {
    let mode = format!("{mode:o}");
    let bounded = |bytes: &str, files: u64| {
        mounted("tmpfs", &[("mode", &mode), ("size", bytes), ("nr_inodes", &files.to_string())])
    };
    match size {
        // A size of 0 would be no limit.
        Some(0) => bounded("4k", 1),
        Some(size) => bounded(&size.to_string(), files_max(size)),
        None => bounded(TENTH, files_max(machines_memory() / 10)),
    }
}

/// Bytes of the machine's memory.
fn machines_memory() -> u64 {
    let known = rustix::system::sysinfo();
    known.totalram.saturating_mul(known.mem_unit.into())
}

pub(super) fn proc() -> Result<OwnedFd, Failure> {
    mounted("proc", &[("hidepid", HIDDEN)])
}

pub(super) fn terminals(group: u32) -> Result<OwnedFd, Failure> {
    let group = has_number(group).then(|| group.to_string());
    let mut settings = vec![("ptmxmode", "0666"), ("mode", "0620")];
    settings.extend(group.as_ref().map(|group| ("gid", group.as_str())));
    mounted("devpts", &settings)
}

fn mounted(kind: &'static str, settings: &[(&str, &str)]) -> Result<OwnedFd, Failure> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in settings {
        let told = |errno: Errno| Failure { detail: format!("{kind}: {key}={value}"), ..errno.into() };
        fsconfig_set_string(context.as_fd(), *key, *value).map_err(told)?;
    }
    made(&context)
}

fn made(context: &OwnedFd) -> Result<OwnedFd, Failure> {
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NOSUID)?)
}
