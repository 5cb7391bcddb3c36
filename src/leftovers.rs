//! Nothing stays behind of a vassal when its master leaves, nor of a command when it has said what was asked.

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group,
    set_child_subreaper, waitid, waitpid,
};

/// Rounds of killing: each one sees the children of those that died in the round before.
const ROUNDS_MAX: usize = 64;

/// Makes orphans come to us, as they do to PID 1 anyway.
pub fn adopt_orphans() {
    // It cannot fail with a kernel that can do anything else we need; orphans would merely go elsewhere.
    let _ = set_child_subreaper(Some(getpid()));
}

/// Orphans go where they would go without us.
pub fn leave_orphans() {
    let _ = set_child_subreaper(None);
}

/// Kills whatever is left below us. The kernel does the same for PID 1 when it ends.
pub fn kill_all() {
    if getpid().is_init() {
        return;
    }
    for _ in 0..ROUNDS_MAX {
        let children = children();
        if children.is_empty() {
            return;
        }
        children.into_iter().for_each(kill);
    }
}

/// Children as `/proc` lists them; none where there is none of our pid namespace. In a root that is somebody else's it may
/// be his file, so it is no more than a list of numbers to ask the kernel about.
fn children() -> Vec<Pid> {
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_whitespace().filter_map(pid_of).filter(is_child).collect()
}

/// Never a number that means a group, or everybody.
fn pid_of(word: &str) -> Option<Pid> {
    Pid::from_raw(word.parse().ok().filter(|number| *number > 0)?)
}

/// `waitid(2)` knows nobody but our children, whatever it is asked.
pub fn is_child(pid: &Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(*pid), options).is_ok()
}

/// Whether a child of ours is in that group. As long as one is, the number is the group's own; where none is it may be
/// anybody's. `waitid(2)` knows no stranger, and whoever has lost its parents is our child.
pub fn is_in_group(group: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pgid(Some(group)), options).is_ok()
}

/// A signal to what is left of a group whose leader was reaped; nobody else gets one.
pub fn signal_group(group: Pid, signal: Signal) {
    if is_in_group(group) {
        // It is not reaped before we do it.
        let _ = kill_process_group(group, signal);
    }
}

fn kill(pid: Pid) {
    if kill_process(pid, Signal::KILL).is_ok() {
        // It cannot be a stranger's number: it is our child, and nobody else reaps it.
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_somebody_else_wrote_makes_nobody_our_child() {
        let mut child = std::process::Command::new("true").spawn().expect("a child");
        let pid = Pid::from_child(&child);
        assert_eq!(pid_of(&pid.as_raw_nonzero().to_string()), Some(pid));
        assert!(is_child(&pid));
        assert!(!is_child(&getpid()) && !is_child(&Pid::INIT), "they are nobody's child here");
        child.wait().expect("ours");
        assert!(!is_child(&pid), "its number may be anybody's");
        assert!(!is_in_group(pid) && !is_in_group(Pid::INIT), "and so may that of its group");
        for word in ["-1", "0", "-7", "1x", "", "99999999999"] {
            assert_eq!(pid_of(word), None, "{word}");
        }
    }
}
