//! The ids of a user namespace (`user_namespaces(7)`), written once.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{DumpableBehavior, dumpable_behavior, geteuid, set_dumpable_behavior};

use crate::plan::{Extent, Failure, UserMap};
use crate::sys;

/// Gives the process its ids: waits at the gate for a map that comes from outside, else writes its own.
pub(super) fn map(map: &UserMap, gate: Option<RawFd>) -> Result<(), Failure> {
    match (map.groups, gate) {
        (true, Some(gate)) => wait_at(gate),
        (true, None) => Err("a map that leaves setgroups allowed must be written from outside".into()),
        (false, _) => while_dumpable(|| write_own(map)),
    }
}

/// True in a user namespace that is not the first one: there not every id has a number.
pub(super) fn inside_user_namespace() -> bool {
    let whole = |text: String| text.split_whitespace().eq(["0", "0", "4294967295"]);
    !std::fs::read_to_string("/proc/self/uid_map").is_ok_and(whole)
}

/// Whether this group has a number in our user namespace.
pub(super) fn has_number(group: u32) -> bool {
    let extent = |line: &str| {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse::<u32>().ok());
        Some(Extent { inside: numbers.next()?, outside: numbers.next()?, count: numbers.next()? })
    };
    let map = std::fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    map.lines().filter_map(extent).any(|one| one.inside <= group && group - one.inside < one.count)
}

/// Makes sure that the files below `/proc/PID` of ourselves, or of a child made meanwhile, belong to us: a spawner
/// is not dumpable, and then they are root's.
///
/// # Errors
/// Those of `work`.
pub(super) fn while_dumpable<T, E: From<Errno>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let before = dumpable_behavior()?;
    if geteuid().is_root() || before == DumpableBehavior::Dumpable {
        return work();
    }
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let worked = work();
    set_dumpable_behavior(before)?;
    worked
}

fn write_own(map: &UserMap) -> Result<(), Failure> {
    let own = openat(CWD, c"/proc/self", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    write_file(&own, "setgroups", "deny")?;
    write_maps(&own, map)
}

pub(super) fn write_maps(process: &OwnedFd, map: &UserMap) -> Result<(), Failure> {
    write_file(process, "uid_map", &lines(&map.uid))?;
    write_file(process, "gid_map", &lines(&map.gid))
}

fn lines(extents: &[Extent]) -> String {
    extents.iter().map(|one| format!("{} {} {}\n", one.inside, one.outside, one.count)).collect()
}

fn write_file(process: &OwnedFd, name: &'static str, text: &str) -> Result<(), Failure> {
    let named = |errno: Errno| Failure { detail: name.into(), ..Failure::from(errno) };
    let file = openat(process, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(named)?;
    write(&file, text.as_bytes()).map(|_| ()).map_err(named)
}

/// Where a child waits until the map that it may not write itself is written.
#[derive(Debug)]
pub(crate) struct Gate {
    map: UserMap,
    inner: OwnedFd,
    outer: OwnedFd,
}

/// Makes a gate.
///
/// # Errors
/// No descriptor is free.
pub(super) fn gate(map: UserMap) -> Result<Gate, Errno> {
    let (inner, outer) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok(Gate { map, inner, outer })
}

impl Gate {
    /// The child's end.
    pub(super) fn inner(&self) -> RawFd {
        self.inner.as_raw_fd()
    }

    /// Writes the map of the child and lets it go on, with the reason if that failed.
    pub(super) fn open_for(self, pid: i32, pidfd: &OwnedFd) {
        let failure = write_for(&self.map, pid, pidfd).err().unwrap_or_default();
        // A child that is gone needs no answer. (SIGPIPE is blocked or ignored: it has our pipe open itself.)
        let _ = write(&self.outer, &failure.encode());
    }
}

/// Writes the map of another process.
fn write_for(map: &UserMap, pid: i32, pidfd: &OwnedFd) -> Result<(), Failure> {
    let path = format!("/proc/{pid}");
    let process = openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // It lives after its directory was opened: so the directory is its own and not that of a later process.
    if has_ended(pidfd)? {
        return Err(Errno::SRCH.into());
    }
    write_maps(&process, map)
}

fn has_ended(pidfd: &OwnedFd) -> Result<bool, Errno> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&now)).map(|ready| ready > 0)
}

fn wait_at(gate: RawFd) -> Result<(), Failure> {
    // The child let go of its copy of our end: were we gone, it would read the end of the file.
    let gate = sys::borrow(gate)?;
    let mut wire = [0; Failure::WIRE_MAX];
    let length = loop {
        match read(gate, &mut wire) {
            Err(Errno::INTR) => {}
            read => break read?,
        }
    };
    match Failure::decode(&wire[..length]) {
        // Made while we were dumpable for its sake.
        Some(failure) if failure == Failure::default() => {
            Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
        }
        Some(failure) => Err(failure),
        None => Err("the spawner is gone".into()),
    }
}
