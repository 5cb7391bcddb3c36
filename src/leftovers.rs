//! Nothing stays behind of a vassal when its master leaves, nor of a command when it has said what was asked.

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

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

/// Children as the kernel lists them; none where there is no `/proc` of our pid namespace.
fn children() -> Vec<Pid> {
    let list = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

fn kill(pid: Pid) {
    if kill_process(pid, Signal::KILL).is_ok() {
        // It cannot be a stranger's number: it is our child, and nobody else reaps it.
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
}
