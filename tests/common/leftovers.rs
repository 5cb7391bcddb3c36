//! What must be the same after an Emperor as before it.

use std::collections::BTreeSet;
use std::path::Path;

/// What an Emperor could have changed for the rest of the machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Surroundings {
    hostname: String,
    mounts: BTreeSet<String>,
}

impl Surroundings {
    /// Looks around: what a jail must not touch, and whatever names this tree.
    pub fn look(tree: &Path) -> Self {
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounts = mounts.lines().filter(|line| concerns_us(line, tree)).map(str::to_owned).collect();
        Self { hostname, mounts }
    }
}

fn concerns_us(mount: &str, tree: &Path) -> bool {
    let point = mount.split(' ').nth(4).unwrap_or_default();
    ["/", "/proc", "/sys", "/tmp", "/dev", "/dev/shm", "/dev/pts"].contains(&point)
        || mount.contains(&tree.display().to_string())
}

/// Network interfaces that can be seen from here.
pub fn interfaces() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Unix sockets that are bound below this tree.
pub fn bound_below(tree: &Path) -> Vec<String> {
    let text = std::fs::read_to_string("/proc/net/unix").unwrap();
    let tree = tree.display().to_string();
    text.lines()
        .filter_map(|line| line.split_whitespace().nth(7))
        .filter(|path| path.starts_with(&tree))
        .map(str::to_owned)
        .collect()
}
