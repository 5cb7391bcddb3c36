//! A cgroup for each Emperor that a test starts: whoever it gave birth to is in there, whatever they did.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A cgroup (v2) below the one that the test runs in.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes one.
    ///
    /// # Panics
    /// Where no cgroup can be made.
    pub fn new() -> Self {
        let name = format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = own().join(name);
        std::fs::create_dir(&path)
            .unwrap_or_else(|error| panic!("cannot make cgroup {}: {error}", path.display()));
        Self(path)
    }

    /// Where cgroups are mounted.
    pub fn mount() -> PathBuf {
        mount()
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Everybody in it and below it.
    pub fn pids(&self) -> Vec<i32> {
        let mut pids = Vec::new();
        collect(&self.0, &mut pids);
        pids
    }

    /// Cgroups below it.
    pub fn children(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect()
    }

    /// SIGKILL for everybody in it, waited for.
    pub fn kill(&self) {
        let _ = std::fs::write(self.0.join("cgroup.kill"), "1");
        super::eventually("the end of a cgroup", || self.is_empty().then_some(()));
    }

    /// True when nobody is left in it.
    pub fn is_empty(&self) -> bool {
        let events = std::fs::read_to_string(self.0.join("cgroup.events")).unwrap_or_default();
        events.contains("populated 0")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.kill();
        remove(&self.0);
        // Whoever died last may still be on its way out.
        if !std::thread::panicking() {
            super::eventually("the removal of a cgroup", || {
                remove(&self.0);
                (!self.0.exists()).then_some(())
            });
        }
    }
}

fn remove(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = std::fs::remove_dir(directory);
}

fn collect(directory: &Path, pids: &mut Vec<i32>) {
    let text = std::fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&entry.path(), pids);
        }
    }
}

/// The directory of the cgroup that this process is in.
fn own() -> PathBuf {
    let cgroups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let ours =
        cgroups.lines().find_map(|line| line.strip_prefix("0::/")).expect("these tests need cgroup v2");
    mount().join(ours)
}

fn mount() -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .expect("these tests need a mounted cgroup v2");
    PathBuf::from(line.split(' ').nth(4).expect("mountinfo has a mount point"))
}
