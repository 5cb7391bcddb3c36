//! The vassal's own log where it is more than a file: a process beside the command writes it, puts it aside, and opens it anew.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use jail::sys;
use nix::sys::signal::SigSet;
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
use super::tell::Teller;
use super::touch::Touches;
use super::trouble::Trouble;
use crate::config::rotation::Rotation;
use crate::config::vassal::VassalConfig;
use crate::keeper::files::{Aside, LogFile};

/// A file that is made: for its owner, and his group to read.
const MODE: u32 = 0o640;
/// Read at once, in bytes: what a pipe holds.
const PIECE_MAX: usize = 64 << 10;
/// Read at the end, in pieces, whoever goes on writing.
const LAST_PIECES_MAX: usize = 20;
/// How long its end is waited for.
const END_MAX: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// What is to be written, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    file: PathBuf,
    rotation: Rotation,
    backup: Option<PathBuf>,
    rotates: Vec<PathBuf>,
    reopens: Vec<PathBuf>,
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
    let (rotation, backup) = (logs.rotation(), logs.backup.clone());
    let (rotates, reopens) = (logs.rotates.clone(), logs.reopens.clone());
    Some(Step::WriteLog(Box::new(Wanted { file, rotation, backup, rotates, reopens })))
}

/// Has what the command writes go to such a process.
///
/// # Errors
/// The file cannot be opened, or there is no process for it.
pub fn begin(vassal: &mut Vassal, wanted: &Wanted) -> Result<(), Trouble> {
    // Whoever writes it outlives a reload in which nothing of it has changed.
    if vassal.companions.has_writer() {
        return Ok(());
    }
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
    let sink = Sink { wanted: wanted.clone(), directory, name, backup, reader };
    companions::start(vassal, Work::Log(Rc::new(sink)))?;
    vassal.log = Some(writer);
    Ok(())
}

/// Whoever has the end to write can open it by name (`/dev/stderr`), whatever his ids are.
fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
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
    let set: SigSet = [nix::sys::signal::Signal::SIGTERM].into_iter().collect();
    set.thread_block().map_err(errno)?;
    let signals =
        SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).map_err(errno)?;
    vassal.confinement.put_on()?;
    let backup = sink.backup.iter().map(|(directory, _)| directory.as_raw_fd());
    let own = [sink.directory.as_raw_fd(), sink.reader.as_raw_fd(), signals.as_fd().as_raw_fd()];
    sys::close_all_but(&own.into_iter().chain(backup).collect::<Vec<_>>())?;
    Ok(signals)
}

struct Writer<'a> {
    sink: &'a Sink,
    file: LogFile,
    touches: Option<Touches>,
    teller: &'a Teller,
    /// That lines are lost has been told.
    told: bool,
}

impl<'a> Writer<'a> {
    fn new(sink: &'a Sink, teller: &'a Teller) -> Self {
        let wanted = &sink.wanted;
        let aside = match &sink.backup {
            Some((directory, name)) => match rustix::io::fcntl_dupfd_cloexec(directory, 0) {
                Ok(directory) => Aside::Named(directory, name.clone()),
                Err(_) => Aside::Numbered,
            },
            None => Aside::Numbered,
        };
        let paths: Vec<PathBuf> = wanted.rotates.iter().chain(&wanted.reopens).cloned().collect();
        let touches = (!paths.is_empty()).then(|| Touches::new(paths));
        let touches = touches.and_then(|touches| touches.map_err(|trouble| teller.nuisance(&trouble)).ok());
        let file = LogFile::new(sink.name.clone(), MODE).put_aside_as(aside);
        Self { sink, file, touches, teller, told: false }
    }

    fn live(&mut self, signals: &SignalFd) -> Result<(), Errno> {
        let mut buffer = vec![0; PIECE_MAX];
        loop {
            let touches =
                self.touches.as_ref().map(|one| PollFd::from_borrowed_fd(one.as_fd(), PollFlags::IN));
            let mut set =
                vec![PollFd::new(&self.sink.reader, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
            set.extend(touches);
            match poll(&mut set, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            }
            let ready: Vec<bool> = set.iter().map(|one| !one.revents().is_empty()).collect();
            if ready[1] {
                let _ = (0..LAST_PIECES_MAX).all(|_| self.take(&mut buffer).unwrap_or(false));
                return Ok(());
            }
            if ready.get(2) == Some(&true) {
                self.heed();
            }
            if ready[0] && !self.take(&mut buffer)? {
                return Ok(());
            }
        }
    }

    /// Whether there may be more, now or later.
    fn take(&mut self, buffer: &mut [u8]) -> Result<bool, Errno> {
        let count = match rustix::io::read(&self.sink.reader, &mut *buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(true),
            Err(errno) => return Err(errno),
        };
        // A file is put aside behind a whole line.
        let end = buffer[..count].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.write(&buffer[..end]);
        self.write(&buffer[end..count]);
        Ok(true)
    }

    /// What cannot be written is lost, and whoever writes it goes on.
    fn write(&mut self, bytes: &[u8]) {
        let rotation = self.sink.wanted.rotation;
        let written = self.file.write(self.sink.directory.as_fd(), bytes, (rotation, now_s()));
        self.complain(written, "lines are lost, or it cannot be put aside");
    }

    fn complain(&mut self, outcome: Result<(), Errno>, consequence: &str) {
        if let (Err(errno), false) = (outcome, self.told) {
            self.told = true;
            self.teller.nuisance(&Trouble::errno(format!("write {}, {consequence}", self.sink.name), errno));
        }
    }

    fn heed(&mut self) {
        let changed = self.touches.as_mut().map(Touches::changed).unwrap_or_default();
        let rotates = self.sink.wanted.rotates.len();
        if changed.iter().any(|number| *number < rotates) {
            let aside = self.file.put_aside(self.sink.directory.as_fd(), self.sink.wanted.rotation);
            self.complain(aside, "cannot put the log aside");
        }
        if changed.iter().any(|number| *number >= rotates) {
            self.file.reopen();
        }
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
