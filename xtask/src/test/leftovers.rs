//! What a test run must not leave behind: processes, mounts, cgroups, interfaces, sockets, files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait};

use crate::scratch::Scratch;

/// The kernel takes a jail apart after its last process has gone; this long is waited for the last of it.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// What there is on this machine, each as one line.
#[derive(Debug)]
pub struct Snapshot(BTreeSet<String>);

impl Snapshot {
    /// Looks around.
    pub fn take() -> Self {
        let sources = [processes(), mounts(), cgroups(), interfaces(), sockets(), files()];
        Self(sources.into_iter().flatten().collect())
    }
}

/// Compares, patiently.
///
/// # Errors
/// The list of what is still there and was not before.
pub fn check(before: &Snapshot, scratch: &Scratch) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = left(before, scratch);
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            children().into_iter().for_each(end_child);
            bail!("left behind:\n  {}", left.join("\n  "));
        }
        thread::sleep(PAUSE);
    }
}

fn left(before: &Snapshot, scratch: &Scratch) -> Vec<String> {
    let mut left: Vec<String> = Snapshot::take().0.difference(&before.0).cloned().collect();
    left.extend(scratch.entries().iter().map(|path| format!("temporary file {}", path.display())));
    left
}

/// Our children: whatever a test started and lost was given to us (`PR_SET_CHILD_SUBREAPER`).
fn processes() -> Vec<String> {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    children().into_iter().map(|(pid, name)| format!("process {pid} ({name})")).collect()
}

fn children() -> Vec<(Pid, String)> {
    let pids =
        entries("/proc").into_iter().filter_map(|path| path.file_name()?.to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((Pid::from_raw(pid)?, child(pid)?))).collect()
}

/// The name of the process, if it is a child of ours.
fn child(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let parent: i32 = rest.split_whitespace().nth(1)?.parse().ok()?;
    (parent == getpid().as_raw_nonzero().get()).then(|| name.to_owned())
}

/// A child that was not reaped yet: its pid can be nobody else's.
fn end_child((pid, _): (Pid, String)) {
    let _ = kill_process(pid, Signal::KILL);
}

fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(|line| Some(format!("mount {}", line.split(' ').nth(4)?))).collect()
}

/// Of the unified hierarchy, from our own cgroup down; but not those of an Emperor that is running, since
/// ours have ended.
fn cgroups() -> Vec<String> {
    let Some(own) = own_cgroup() else { return Vec::new() };
    let mut found = Vec::new();
    let mut open = vec![own];
    while let Some(directory) = open.pop() {
        let below = entries(&directory).into_iter().filter(|path| path.is_dir() && !is_of_another(path));
        open.extend(below.inspect(|path| found.push(format!("cgroup {}", path.display()))));
    }
    found
}

fn is_of_another(cgroup: &Path) -> bool {
    let pid = cgroup.file_name().and_then(|name| name.to_str()?.strip_prefix("liege-"));
    pid.is_some_and(|pid| Path::new("/proc").join(pid).exists())
}

fn own_cgroup() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
    let root = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].into_iter().map(Path::new);
    let root = root.into_iter().find(|root| root.join("cgroup.procs").exists())?;
    Some(root.join(own))
}

fn interfaces() -> Vec<String> {
    entries("/sys/class/net").iter().map(|path| format!("interface {}", path.display())).collect()
}

/// Bound unix sockets that bear our name; abstract ones start with `@`.
fn sockets() -> Vec<String> {
    let text = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split_whitespace().nth(7));
    names.filter(|name| name.contains("liege")).map(|name| format!("socket {name}")).collect()
}

/// Ours, in the places where programs put files for a while.
fn files() -> Vec<String> {
    let places = ["/tmp", "/var/tmp", "/dev/shm", "/run", "/run/liege", "/var/lib/liege-test"];
    let all = places.into_iter().flat_map(entries);
    all.filter(|path| path.to_string_lossy().contains("liege"))
        .map(|path| format!("file {}", path.display()))
        .collect()
}

fn entries(directory: impl AsRef<Path>) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}
