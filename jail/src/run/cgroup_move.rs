//! Moves a process that somebody else has made, with what it has made meanwhile.

use std::fs::read_to_string;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, write};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Most processes that are moved at once.
const MOVED_MAX: usize = 1024;

/// Moves a process and its descendants into a cgroup. Each is moved before its children are asked for, so that none is
/// born behind us. A cgroup takes numbers only (`cgroups(7)`), so each process is held by a descriptor, and its number is
/// seen to be its own before and after.
///
/// Must: not kill a cgroup whose move has failed: a number that was given anew in between may have brought a stranger.
///
/// # Errors
/// `EACCES`, `EBUSY`; `E2BIG` for more than [`MOVED_MAX`]; `ESRCH` when the first one has ended, or any of them while it was
/// moved.
pub fn move_tree(leaf: &OwnedFd, process: BorrowedFd<'_>) -> Result<(), Errno> {
    let members = openat(leaf, c"cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    let first = Rc::new(Held::of(process.try_clone_to_owned().map_err(|_| Errno::MFILE)?)?);
    if !first.put(&members)? {
        return Err(Errno::SRCH);
    }
    let mut found = first.children();
    let mut moved = 1;
    while let Some((child, parent)) = found.pop() {
        moved += 1;
        if moved > MOVED_MAX {
            return Err(Errno::TOOBIG);
        }
        if let Some(child) = parent.take_hold_of(child)?.map(Rc::new) {
            let there = child.put(&members)?;
            found.extend(there.then(|| child.children()).into_iter().flatten());
        }
    }
    Ok(())
}

/// The number that a descriptor's process has; `None` once it is reaped (`pidfd_open(2)`, `/proc/PID/fdinfo`).
pub fn pid_of(pidfd: BorrowedFd<'_>) -> Option<i32> {
    let text = read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())?;
    Some(pid).filter(|pid| *pid > 0)
}

/// A process that cannot become another one.
struct Held {
    pid: i32,
    process: OwnedFd,
}

impl Held {
    fn of(process: OwnedFd) -> Result<Self, Errno> {
        let pid = pid_of(process.as_fd()).ok_or(Errno::SRCH)?;
        Ok(Self { pid, process })
    }

    fn has_its_number(&self) -> bool {
        pid_of(self.process.as_fd()) == Some(self.pid)
    }

    /// False when nobody has its number any more.
    fn put(&self, members: &OwnedFd) -> Result<bool, Errno> {
        match write(members, self.pid.to_string().as_bytes()) {
            Ok(_) if self.has_its_number() => Ok(true),
            // Perhaps it was somebody else whom we moved.
            Ok(_) => Err(Errno::SRCH),
            Err(Errno::SRCH) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Of all threads (`/proc/PID/task/TID/children`, `proc_tid_children(5)`): numbers, which prove nothing.
    fn children(self: Rc<Self>) -> Vec<(i32, Rc<Self>)> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).into_iter().flatten().flatten();
        let lists = threads.filter_map(|thread| read_to_string(thread.path().join("children")).ok());
        lists
            .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>())
            .map(|child| (child, Rc::clone(&self)))
            .collect()
    }

    /// The process of this number, if it is a child of this one.
    ///
    /// Must: ask for its parent after the descriptor was opened, and for both numbers after that.
    fn take_hold_of(&self, child: i32) -> Result<Option<Self>, Errno> {
        let process = match Pid::from_raw(child).map(|pid| pidfd_open(pid, PidfdFlags::empty())) {
            Some(Ok(process)) => process,
            None | Some(Err(Errno::SRCH | Errno::INVAL)) => return Ok(None),
            Some(Err(errno)) => return Err(errno),
        };
        let held = Self { pid: child, process };
        let is_ours = parent(child) == Some(self.pid) && held.has_its_number() && self.has_its_number();
        Ok(is_ours.then_some(held))
    }
}

/// From `/proc/PID/stat` (`proc_pid_stat(5)`); the name in it may hold anything but ends at the last parenthesis.
fn parent(pid: i32) -> Option<i32> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> (Child, Held) {
        let child = Command::new("/bin/sleep").arg("1000000").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        let held = Held::of(pidfd_open(pid, PidfdFlags::empty()).unwrap()).unwrap();
        (child, held)
    }

    fn ourselves() -> Held {
        Held::of(pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).unwrap()).unwrap()
    }

    #[test]
    fn a_process_has_its_number_until_it_is_reaped() {
        let (mut child, held) = sleeper();
        assert!(held.has_its_number());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!held.has_its_number());
    }

    #[test]
    fn only_a_child_is_taken_hold_of() {
        let (mut child, held) = sleeper();
        assert!(ourselves().take_hold_of(held.pid).unwrap().is_some());
        assert!(held.take_hold_of(ourselves().pid).unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ourselves().take_hold_of(held.pid).unwrap().is_none());
    }
}
