//! The output of a command that a config names.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Instant;

use jail::sys;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, set_parent_process_death_signal,
    setsid, waitpid,
};
use rustix::stdio::{dup2_stdin, dup2_stdout};

use super::{failed, stream};
use crate::config::FILE_MAX;

/// Exit status of a child that could not become the command.
const NOT_RUN: i32 = 127;

/// What the command prints. It has a session of its own, none of our descriptors, an empty input; when the deadline
/// comes, or it has printed too much, it is killed with all of its group.
///
/// # Errors
/// It cannot be run, takes too long, or prints nothing and fails. Whoever prints something may end as he likes.
pub fn output(argv: &[&str], deadline: Instant) -> io::Result<Vec<u8>> {
    let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
    let pid = sys::fork(|| child(argv, &writing))?;
    drop(writing);
    let text = stream::read(reading.as_fd(), deadline);
    // It may wait for its output to be read.
    drop(reading);
    let too_much = text.as_ref().is_ok_and(|text| text.len() > FILE_MAX);
    let ended = end(pid, if too_much { Instant::now() } else { deadline });
    match (text?, ended?) {
        (text, _) if too_much => Ok(text),
        (text, None) if text.is_empty() => Err(failed("the command does not end in time")),
        (text, Some(status)) if text.is_empty() && status != 0 => {
            Err(failed(format!("the command prints nothing and fails with status {status}")))
        }
        (text, _) => Ok(text),
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

/// Waits for it, kills what is left of its group, and gives its status; `None` when it was killed.
fn end(pid: Pid, deadline: Instant) -> io::Result<Option<i32>> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    stream::is_ready(pidfd.as_fd(), deadline)?;
    // Not reaped yet: no other group can have its number.
    let _ = kill_process_group(pid, Signal::KILL);
    let status = waitpid(Some(pid), WaitOptions::empty())?;
    Ok(status.and_then(|(_, status)| status.exit_status()))
}
