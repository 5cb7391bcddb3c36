//! One process as `/proc` shows it.

use std::collections::BTreeMap;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::PATIENCE;

/// Every kind of namespace, as `/proc/PID/ns` has it.
pub const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];
/// What of `/proc/PID/status` says how much somebody may do.
pub const RIGHTS: [&str; 11] = [
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
];

/// A process, held by a descriptor so that its number cannot become another's.
pub struct Process {
    /// Its number out here.
    pub pid: i32,
    handle: rustix::fd::OwnedFd,
}

impl Process {
    /// The process of this number.
    ///
    /// # Panics
    /// When there is none.
    pub fn of(pid: i32) -> Self {
        Self::if_there(pid).unwrap_or_else(|error| panic!("process {pid}: {error}"))
    }

    /// The process of this number.
    ///
    /// # Errors
    /// When there is none.
    pub fn if_there(pid: i32) -> Result<Self, rustix::io::Errno> {
        let number = Pid::from_raw(pid).expect("a pid is positive");
        Ok(Self { pid, handle: rustix::process::pidfd_open(number, PidfdFlags::empty())? })
    }

    /// The test itself: what a vassal must not share with it.
    pub fn of_this_test() -> Self {
        Self::of(std::process::id().cast_signed())
    }

    /// Sends a signal; to one that has gone, nothing.
    pub fn signal(&self, signal: Signal) {
        let _ = rustix::process::pidfd_send_signal(&self.handle, signal);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_gone(&self) {
        let timeout = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
        let mut one = [PollFd::new(&self.handle, PollFlags::IN)];
        let ready = rustix::event::poll(&mut one, Some(&timeout)).unwrap();
        assert_eq!(ready, 1, "process {} ({}) lives on", self.pid, self.command_line().join(" "));
    }

    /// True until it has ended.
    pub fn is_alive(&self) -> bool {
        let mut one = [PollFd::new(&self.handle, PollFlags::IN)];
        rustix::event::poll(&mut one, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() == 0
    }

    /// A file below `/proc/PID`.
    pub fn read(&self, name: &str) -> String {
        let bytes = std::fs::read(format!("/proc/{}/{name}", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A link below `/proc/PID`.
    pub fn link(&self, name: &str) -> String {
        let link = std::fs::read_link(format!("/proc/{}/{name}", self.pid));
        link.map_or_else(|error| error.to_string(), |path| path.display().to_string())
    }

    /// One field of `/proc/PID/status`, its words joined by single spaces.
    ///
    /// # Panics
    /// When there is no such field.
    pub fn status(&self, field: &str) -> String {
        let text = self.read("status");
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let words = line.unwrap_or_else(|| panic!("process {} has no {field}", self.pid));
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The inode of one of its namespaces (`net`, `mnt`, …).
    pub fn namespace(&self, name: &str) -> String {
        let link = std::fs::read_link(format!("/proc/{}/ns/{name}", self.pid));
        link.unwrap_or_else(|error| panic!("process {}: {name}: {error}", self.pid)).display().to_string()
    }

    /// Its open descriptors: number and what it names.
    pub fn descriptors(&self) -> BTreeMap<i32, String> {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap();
        let one = |entry: std::fs::DirEntry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, std::fs::read_link(entry.path()).ok()?.display().to_string()))
        };
        entries.flatten().filter_map(one).collect()
    }

    /// Its environment, sorted.
    pub fn environment(&self) -> Vec<String> {
        let mut list = split(&self.read("environ"));
        list.sort();
        list
    }

    /// Its arguments.
    pub fn command_line(&self) -> Vec<String> {
        split(&self.read("cmdline"))
    }

    /// Its children.
    pub fn children(&self) -> Vec<Process> {
        let ours = self.pid.to_string();
        processes()
            .into_iter()
            .filter(|pid| parent(*pid).as_deref() == Some(&ours))
            .map(Process::of)
            .collect()
    }

    /// Its only child that runs a program of this name, waited for: on the way to its command a vassal may ask others,
    /// such as `getent`.
    pub fn child_named(&self, name: &str) -> Process {
        let runs = |child: &Process| {
            child.command_line().first().is_some_and(|first| first.rsplit('/').next() == Some(name))
        };
        super::eventually(&format!("exactly one child {name}"), || {
            let mut children: Vec<Process> = self.living_children().into_iter().filter(runs).collect();
            (children.len() == 1).then(|| children.remove(0))
        })
    }

    /// Its children that have not gone while they were looked at.
    fn living_children(&self) -> Vec<Process> {
        let ours = self.pid.to_string();
        let children = processes().into_iter().filter(|pid| parent(*pid).as_deref() == Some(&ours));
        children.filter_map(Process::try_of).collect()
    }

    /// The process of this number, if there is one.
    fn try_of(pid: i32) -> Option<Self> {
        let handle = rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        Some(Self { pid, handle })
    }

    /// Its only child, waited for.
    pub fn child(&self) -> Process {
        super::eventually("exactly one child", || {
            let mut children = self.children();
            (children.len() == 1).then(|| children.remove(0))
        })
    }
}

fn split(text: &str) -> Vec<String> {
    text.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn parent(pid: i32) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:")).map(|value| value.trim().to_owned())
}

/// How many processes that can be seen have this word among their arguments.
pub fn running(word: &str) -> usize {
    let has = |pid: &i32| {
        split(&std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default())
            .iter()
            .any(|one| one == word)
    };
    processes().iter().filter(|pid| has(pid)).count()
}

/// Every process that can be seen.
pub fn processes() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
