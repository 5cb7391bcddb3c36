//! The vassal's own log where it is more than a file: a process beside the command writes it, puts it aside, and opens it anew.

mod touched;
mod writer;

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use jail::sys;
use nix::sys::signal::{SigSet, Signal as Asked};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, fchmod};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, fchdir, getppid, kill_process, pidfd_open, set_parent_process_death_signal,
    setpgid,
};

use super::companions::{self, Work};
use super::hooks::spot::{self, Last};
use super::state::Vassal;
use super::step::Step;
use super::trouble::Trouble;
use crate::config::vassal::VassalConfig;
use crate::config::vassal::logs::Minding;

pub use writer::Writer;

/// How long its end is waited for.
const END_MAX: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// What is to be written, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    file: PathBuf,
    minding: Minding,
    backup: Option<PathBuf>,
}

/// Where it is written: found once, with the rights of the command.
#[derive(Debug)]
pub struct Sink {
    wanted: Wanted,
    directory: OwnedFd,
    name: String,
    backup: Option<(OwnedFd, String)>,
    reader: OwnedFd,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log to {} by a process of its own", self.file.display())
    }
}

/// To the log of a config: a file, or somebody who minds it.
pub fn step(config: &VassalConfig) -> Option<Step> {
    let logs = &config.logs;
    let file = logs.file.as_ref()?.value.clone();
    if !logs.is_minded() {
        return Some(Step::LogTo(file));
    }
    let (minding, backup) = (logs.minding.clone(), logs.backup.clone());
    Some(Step::WriteLog(Box::new(Wanted { file, minding, backup })))
}

/// Has what the command writes go to such a process.
///
/// # Errors
/// The file cannot be opened, or there is no process for it.
pub fn begin(vassal: &mut Vassal, wanted: &Wanted) -> Result<(), Trouble> {
    // Whoever writes it outlives a reload in which nothing of it has changed.
    if vassal.companions.has_writer() {
        // Each reload opens the log anew.
        for pid in vassal.companions.writers() {
            let _ = kill_process(pid, Signal::HUP);
        }
        return Ok(());
    }
    let (sink, writer) = Sink::find(vassal, wanted)?;
    companions::start(vassal, Work::Log(Rc::new(sink)))?;
    vassal.log = Some(writer);
    Ok(())
}

impl Wanted {
    /// The log of a daemon: what is put aside is numbered.
    pub fn of_daemon(file: PathBuf, minding: Minding) -> Self {
        Self { file, minding, backup: None }
    }
}

impl Sink {
    /// Finds it, with the rights that we have now; and the end that is written to, which the sink reads.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn find(vassal: &Vassal, wanted: &Wanted) -> Result<(Self, OwnedFd), Trouble> {
        // What is wrong with it is told now.
        vassal.open_log(&wanted.file)?;
        let at = |path: &PathBuf| -> Result<_, Trouble> {
            let cannot = |errno| Trouble::errno(format!("log to {}", path.display()), errno);
            let spot = spot::find(vassal.directory.as_ref(), path, Last::Itself).map_err(cannot)?;
            let name = spot.name.into_string().map_err(|_| cannot(Errno::ILSEQ))?;
            Ok((spot.directory, name))
        };
        let (directory, name) = at(&wanted.file)?;
        let backup = wanted.backup.as_ref().map(at).transpose()?;
        let (reader, writer) = pipe().map_err(|errno| Trouble::errno("make a pipe for the log", errno))?;
        Ok((Self { wanted: wanted.clone(), directory, name, backup, reader }, writer))
    }

    /// All that it has open.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let backup = self.backup.iter().map(|(directory, _)| directory);
        [&self.directory, &self.reader].into_iter().chain(backup).map(AsFd::as_fd)
    }
}

/// Whoever has the end to write can open it by name (`/dev/stderr`), whatever his ids are.
///
/// # Errors
/// Those of `pipe2(2)`.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    ioctl_fionbio(&reader, true)?;
    fchmod(&writer, Mode::from_raw_mode(0o222))?;
    Ok((reader, writer))
}

/// Makes the process.
///
/// # Errors
/// Those of `fork(2)`.
pub fn write(vassal: &Vassal, sink: &Sink) -> Result<Pid, Trouble> {
    let pid = sys::fork(|| {
        match settle(vassal, sink).and_then(|signals| Writer::new(sink, &vassal.teller).live(&signals)) {
            Ok(()) => 0,
            Err(errno) => {
                vassal.teller.nuisance(&Trouble::errno(format!("write {}", sink.name), errno));
                1
            }
        }
    });
    pid.map_err(|errno| Trouble::errno("make a process for the log", errno))
}

/// The command is gone: it writes what is there, and ends.
pub fn end(vassal: &mut Vassal) {
    vassal.log = None;
    for pid in vassal.companions.writers() {
        let process = pidfd_open(pid, PidfdFlags::empty());
        let _ = kill_process(pid, Signal::TERM);
        if let Ok(process) = process {
            let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&END_MAX));
        }
    }
}

fn settle(vassal: &Vassal, sink: &Sink) -> Result<SignalFd, Errno> {
    let master = getppid();
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have ended before that was said.
    if getppid() != master {
        return Err(Errno::SRCH);
    }
    setpgid(None, None)?;
    vassal.directory.as_ref().map_or(Ok(()), fchdir)?;
    let errno = |error: nix::errno::Errno| Errno::from_raw_os_error(error as i32);
    let set: SigSet = [Asked::SIGTERM, Asked::SIGHUP].into_iter().collect();
    set.thread_block().map_err(errno)?;
    // A log that may not become longer is no reason to end: that it cannot be written is told.
    SigSet::from(Asked::SIGXFSZ).thread_block().map_err(errno)?;
    let signals =
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(errno)?;
    vassal.confinement.put_on()?;
    let own = sink.descriptors().chain([signals.as_fd()]).map(|one| one.as_raw_fd());
    sys::close_all_but(&own.collect::<Vec<_>>())?;
    Ok(signals)
}
