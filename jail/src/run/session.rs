//! Whole sessions, where neither a pid namespace nor a cgroup holds processes together.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::sys;

/// Places after the name in a line of `/proc/PID/stat` (`proc_pid_stat(5)`).
const PARENT: usize = 1;
const SESSION: usize = 3;
/// How that directory is opened.
const PLACE: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// A signal for every process whose session was begun by this pid, and how many that were. The number cannot stand for
/// another session while a member of this one lives, or its leader was not reaped.
pub fn signal_session(leader: i32, signal: Signal) -> usize {
    let Ok(processes) = openat(CWD, c"/proc", PLACE, Mode::empty()) else { return 0 };
    signal_session_in(processes.as_fd(), leader, signal)
}

/// The same by a directory that is a `/proc` of our own pid namespace, whatever lies at that name by now.
pub fn signal_session_in(processes: BorrowedFd<'_>, leader: i32, signal: Signal) -> usize {
    // Opened anew: whoever shares the descriptor shares the place in it.
    let listed = openat(processes, c".", OFlags::RDONLY | PLACE, Mode::empty()).and_then(Dir::new);
    let Ok(entries) = listed else { return 0 };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str().ok()?.parse::<i32>().ok());
    pids.filter(|pid| may_be_member(*pid, leader))
        .filter(|pid| signal_member(processes, *pid, (leader, signal)))
        .count()
}

/// The pid of a process's parent; `None` when it cannot be seen.
pub fn parent_of(pid: i32) -> Option<i32> {
    field(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, PARENT)
}

/// One call instead of the seven that it takes to be sure: most processes are of another session. A filter may keep us from
/// asking.
fn may_be_member(pid: i32, leader: i32) -> bool {
    sys::session_of(pid).map_or_else(|errno| errno != Errno::SRCH, |session| session == leader)
}

/// Must: look at the session after the descriptor was opened, so that the process that gets it is the one
/// that was looked at.
fn signal_member(processes: BorrowedFd<'_>, pid: i32, (leader, signal): (i32, Signal)) -> bool {
    let Some(pidfd) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return false;
    };
    let stat = stat_of(processes, pid).unwrap_or_default();
    let is_member = field(&stat, SESSION) == Some(leader) && !has_ended(&stat);
    is_member && pidfd_send_signal(&pidfd, signal).is_ok()
}

fn stat_of(processes: BorrowedFd<'_>, pid: i32) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = openat(processes, format!("{pid}/stat"), flags, Mode::empty()).ok()?;
    let mut stat = String::new();
    File::from(file).read_to_string(&mut stat).ok().map(|_| stat)
}

/// A process that waits for nothing but to be reaped (`Z`, `X`).
fn has_ended(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// A number of that line; the name in it may hold anything but ends at the last parenthesis.
fn field(stat: &str, place: usize) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pose_as_a_session() {
        assert_eq!(field("12 (sh) S 1 12 77 0 -1", SESSION), Some(77));
        assert_eq!(field("12 (a) S 1 2 3) S 5 12 77 0", SESSION), Some(77));
        assert_eq!(field("12 (a) S 1 2 3) S 5 12 77 0", PARENT), Some(5));
        assert_eq!(field("garbage", SESSION), None);
        assert_eq!([has_ended("12 (a) Z) S 5"), has_ended("12 (a) Z 5")], [false, true]);
    }
}
