//! uWSGI's cgroups of version 1: made, entered, and limited.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags, chmodat, fstatfs, mkdirat, open, openat};
use rustix::io::{Errno, write};

use super::trouble::Trouble;
use crate::config::vassal::cgroups::Cgroups;

/// `CGROUP_SUPER_MAGIC` and `CGROUP2_SUPER_MAGIC` of `linux/magic.h`.
const VERSION_1: u64 = 0x0027_e0eb;
const VERSION_2: u64 = 0x6367_7270;

/// Enters each cgroup, limits first: nothing of ours is in it before they count.
///
/// # Errors
/// A path that is no cgroup of version 1, a limit that none of them has or that the kernel refuses.
pub fn enter(cgroups: &Cgroups) -> Result<(), Trouble> {
    let opened = cgroups.paths.iter().map(|path| made(path, cgroups)).collect::<Result<Vec<_>, _>>()?;
    for (file, content) in &cgroups.options {
        limit(&opened, file, content)?;
    }
    for (cgroup, path) in opened.iter().zip(&cgroups.paths) {
        // 0 is the writer.
        put(cgroup, "cgroup.procs", "0").map_err(|errno| Trouble::errno(format!("enter {path}"), errno))?;
    }
    Ok(())
}

/// A directory below one that is there, as uWSGI makes it; also the mode of one that was there counts.
fn made(path: &str, cgroups: &Cgroups) -> Result<OwnedFd, Trouble> {
    let failed = |errno| Trouble::errno(format!("make cgroup {path}"), errno);
    let (above, name) = path.rsplit_once('/').unwrap_or_default();
    let above =
        open(above, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
    require_version_1(&above, path, cgroups)?;
    let mode = Mode::from_raw_mode(cgroups.mode());
    match mkdirat(&above, name, mode) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    chmodat(&above, name, mode, AtFlags::empty()).map_err(failed)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    openat(&above, name, flags, Mode::empty()).map_err(failed)
}

/// A cgroup file system has no links: what lies in one leads nowhere else.
fn require_version_1(above: &OwnedFd, path: &str, cgroups: &Cgroups) -> Result<(), Trouble> {
    let stat = fstatfs(above).map_err(|errno| Trouble::errno(format!("look at {path}"), errno))?;
    match u64::try_from(stat.f_type).unwrap_or_default() {
        VERSION_1 => Ok(()),
        VERSION_2 => {
            Err(Trouble::new(format!("{path} is of version 2 of cgroups")).advise(cgroups.instead()))
        }
        _ => Err(Trouble::new(format!("{path} is no cgroup"))
            .advise("give a path below /sys/fs/cgroup/CONTROLLER")),
    }
}

/// A limit belongs to one of the controllers; the cgroups of the others do not have its file.
fn limit(opened: &[OwnedFd], file: &str, content: &str) -> Result<(), Trouble> {
    let mut found = false;
    for cgroup in opened {
        match put(cgroup, file, content) {
            Ok(()) => found = true,
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(Trouble::errno(format!("write {content} to {file}"), errno)),
        }
    }
    let missing =
        || Trouble::new(format!("none of the cgroups has {file}")).advise("add `cgroup` for its controller");
    if found { Ok(()) } else { Err(missing()) }
}

fn put(cgroup: &OwnedFd, file: &str, text: &str) -> Result<(), Errno> {
    let file = openat(cgroup, file, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    write(file, text.as_bytes()).map(|_| ())
}
