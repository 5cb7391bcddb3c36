//! The output of a command that a config names.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

use jail::sys;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, set_parent_process_death_signal,
    setsid, waitpid,
};
use rustix::stdio::{dup2_stdin, dup2_stdout};

use super::{failed, stream};
use crate::config::FILE_MAX;
use crate::leftovers;

/// Exit status of a child that could not become the command.
const NOT_RUN: i32 = 127;
/// Of one whose command was killed by a signal.
const KILLED: i32 = 126;

/// What the command prints. It has a session of its own, none of our descriptors, an empty input; when it has ended, when
/// the deadline comes, or when it has printed too much, whoever is left of it is killed, wherever he has gone.
///
/// # Errors
/// It cannot be run, takes too long, or prints nothing and fails. Whoever prints something may end as he likes.
pub fn output(argv: &[&str], deadline: Instant) -> io::Result<Vec<u8>> {
    let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
    let (leash, held) = pipe_with(PipeFlags::CLOEXEC)?;
    let pid = sys::fork(|| mind(argv, &writing, &leash))?;
    drop((writing, leash));
    let text = stream::read(reading.as_fd(), deadline);
    // It may wait for its output to be read.
    drop(reading);
    let too_much = text.as_ref().is_ok_and(|text| text.len() > FILE_MAX);
    let ended = end(pid, held, if too_much { Instant::now() } else { deadline });
    match (text?, ended?) {
        (text, _) if too_much => Ok(text),
        (text, None) if text.is_empty() => Err(failed("the command does not end in time")),
        (text, Some(status)) if text.is_empty() && status != 0 => {
            Err(failed(format!("the command prints nothing and fails with status {status}")))
        }
        (text, _) => Ok(text),
    }
}

/// In a process of its own, which orphans of the command come to: runs it, and leaves nobody behind.
fn mind(argv: &[&str], output: &OwnedFd, leash: &OwnedFd) -> i32 {
    leftovers::adopt_orphans();
    let Ok(pid) = sys::fork(|| child(argv, output)) else { return NOT_RUN };
    // Our copy of its output would keep that from ending.
    if sys::close_all_but(&[leash.as_raw_fd()]).is_err() {
        return NOT_RUN;
    }
    let _ = wait_for(pid, leash);
    // Not reaped yet: no other group can have its number.
    let _ = kill_process_group(pid, Signal::KILL);
    let status = waitpid(Some(pid), WaitOptions::empty()).ok().flatten();
    leftovers::kill_all();
    status.and_then(|(_, status)| status.exit_status()).unwrap_or(KILLED)
}

/// Until the command has ended, or whoever holds our leash lets it go.
fn wait_for(pid: Pid, leash: &OwnedFd) -> io::Result<()> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut ends = [PollFd::new(&pidfd, PollFlags::IN), PollFd::new(leash, PollFlags::IN)];
    loop {
        match poll(&mut ends, None) {
            Err(Errno::INTR) => {}
            other => return Ok(other.map(|_| ())?),
        }
    }
}

fn child(argv: &[&str], output: &OwnedFd) -> i32 {
    match become_it(argv, output) {
        Ok(never) => match never {},
        Err(_) => NOT_RUN,
    }
}

fn become_it(argv: &[&str], output: &OwnedFd) -> io::Result<std::convert::Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    setsid()?;
    dup2_stdin(std::fs::File::open("/dev/null")?)?;
    dup2_stdout(output)?;
    sys::close_on_exec_from_first()?;
    // A master reads its signals; a program expects to get them.
    jail::run::perform(&jail::Step::DefaultSignals)
        .map_err(|failure| Errno::from_raw_os_error(failure.errno))?;
    let (program, arguments) = argv.split_first().ok_or(Errno::NOENT)?;
    Err(Command::new(program).args(arguments).exec())
}

/// Waits for it until the deadline, then has it killed; its status, if it ended in time.
fn end(minder: Pid, held: OwnedFd, deadline: Instant) -> io::Result<Option<i32>> {
    let pidfd = pidfd_open(minder, PidfdFlags::empty())?;
    let in_time = stream::is_ready(pidfd.as_fd(), deadline);
    drop(held);
    let status = waitpid(Some(minder), WaitOptions::empty())?;
    Ok(status.filter(|_| matches!(in_time, Ok(true))).and_then(|(_, status)| status.exit_status()))
}
