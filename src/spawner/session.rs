//! Ends a whole session, where neither a pid namespace nor a cgroup holds a vassal together.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Places after the name in a line of `/proc/PID/stat` (`proc_pid_stat(5)`).
const PARENT: usize = 1;
const SESSION: usize = 3;

/// SIGKILL for every process whose session was begun by this pid. The number cannot stand for another session
/// while a member of this one lives.
pub fn kill(leader: i32) {
    let Ok(entries) = std::fs::read_dir("/proc") else { return };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.for_each(|pid| kill_member(pid, leader));
}

/// The pid of a process's parent; `None` when it cannot be seen.
pub fn parent(pid: i32) -> Option<i32> {
    field(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, PARENT)
}

/// Must: look at the session after the descriptor was opened, so that the process that is killed is the one
/// that was looked at.
fn kill_member(pid: i32, leader: i32) {
    let Some(pidfd) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return;
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    if field(&stat, SESSION) == Some(leader) {
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    }
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
    }
}
