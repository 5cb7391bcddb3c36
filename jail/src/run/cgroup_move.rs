//! Moves a process that somebody else has made, with what it has made meanwhile.

use std::fs::read_to_string;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, write};

/// Most processes that are moved at once.
const MOVED_MAX: usize = 1024;

/// Moves a process and its descendants into a cgroup. Each is moved before its children are asked for, so that none is
/// born behind us.
///
/// Must: be called for a process that somebody holds (a number that was given anew is moved likewise); the caller sees
/// afterwards whether it still lives.
///
/// # Errors
/// `EACCES`, `EBUSY`, `ESRCH` for the first one; `E2BIG` for more than [`MOVED_MAX`].
pub fn move_tree(leaf: &OwnedFd, pid: i32) -> Result<(), Errno> {
    let members = openat(leaf, c"cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    let put = |pid: i32| write(&members, pid.to_string().as_bytes()).map(|_| ());
    put(pid)?;
    let mut found = children(pid);
    let mut moved = 1;
    while let Some(child) = found.pop() {
        moved += 1;
        if moved > MOVED_MAX {
            return Err(Errno::TOOBIG);
        }
        match put(child) {
            Ok(()) => found.extend(children(child)),
            Err(Errno::SRCH) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Of all threads (`/proc/PID/task/TID/children`, `proc_tid_children(5)`).
fn children(pid: i32) -> Vec<i32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>())
        .collect()
}
