//! A user namespace entered by the process that we are: a child that stays outside writes the ids.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, dumpable_behavior, set_dumpable_behavior, waitpid};
use rustix::thread::capabilities;

use super::identity::become_exactly;
use super::rootfs::proc;
use super::user_map::write_maps;
use crate::plan::{Capabilities, Failure, Identity, Namespaces, UserMap};
use crate::sys::{self, real_effective_saved_gid, real_effective_saved_uid};

/// Into a new user namespace with these ids, as its root.
///
/// Must: be root of the user namespace outside, and have one thread.
/// Must not: be done in a `chroot`, from which the kernel lets nobody.
///
/// # Errors
/// What the kernel refuses, or ids that are not what was asked for afterwards.
pub fn enter_user_namespace(map: &UserMap) -> Result<(), Failure> {
    let own = openat(&proc()?, c"self", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let (hears, tells) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut tells = Some(tells);
    // Whoever is inside has no right outside, which a map of more than its own id takes.
    let scribe = sys::fork(|| {
        // With a copy of ours it would never hear of our end.
        tells.take();
        inscribe(hears.as_fd(), &own, map).map_or_else(Errno::raw_os_error, |()| 0)
    })?;
    let made = sys::unshare(Namespaces::USER);
    let told = match (made, tells.take()) {
        (Ok(()), Some(tells)) => write(&tells, b".").map(|_| ()),
        _ => Ok(()),
    };
    let written = end(scribe);
    made.and(told)?;
    written?;
    become_root()
}

/// Writes the map once there is something to write it for.
fn inscribe(hears: BorrowedFd<'_>, process: &OwnedFd, map: &UserMap) -> Result<(), Errno> {
    let told = loop {
        match read(hears, &mut [0]) {
            Err(Errno::INTR) => {}
            told => break told?,
        }
    };
    if told == 0 {
        return Ok(());
    }
    write_maps(process, map).map_err(|failure| Errno::from_raw_os_error(failure.errno))
}

fn end(scribe: Pid) -> Result<(), Failure> {
    let status = loop {
        match waitpid(Some(scribe), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            Ok(Some((_, status))) => break status,
            Ok(None) => return Err("nobody wrote the map of ids".into()),
            Err(errno) => return Err(errno.into()),
        }
    };
    match status.exit_status() {
        Some(0) => Ok(()),
        Some(errno) => {
            Err(Failure { detail: "the map of ids".into(), ..Errno::from_raw_os_error(errno).into() })
        }
        None => Err("whoever was to write the map of ids was killed".into()),
    }
}

/// Where our old id has no number inside, its root is somebody else, and our groups are nobody's.
fn become_root() -> Result<(), Failure> {
    if real_effective_saved_uid() == [0; 3] && real_effective_saved_gid() == [0; 3] {
        return Ok(());
    }
    let before = dumpable_behavior()?;
    let held = Capabilities(capabilities(None)?.permitted.bits());
    become_exactly(&Identity { uid: 0, gid: 0, groups: Vec::new() }, held)?;
    // Our files below /proc stay ours: more of them are to be written.
    Ok(set_dumpable_behavior(before)?)
}
