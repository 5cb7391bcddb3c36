//! Shell programs of the phases (`exec-*`): each in a process of its own, waited for to its end.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use jail::Phase;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};

use super::control::Word;
use super::duties::Exit;
use super::environment::Environment;
use super::launch::Launch;
use super::state::Vassal;
use super::step::option_of;
use super::trouble::Trouble;
use super::watch::{Happening, reap};
use crate::emperor::order::to_vassal;

/// Where the shell is; never searched for.
pub const SHELL: &str = "/bin/sh";

/// Runs one program.
///
/// A vassal that is told to stop meanwhile kills it: its end would be waited for in vain.
///
/// # Errors
/// A status other than 0, a death by signal, or no process at all.
pub fn run(vassal: &mut Vassal, phase: Phase, text: &str, environment: Environment) -> Result<(), Trouble> {
    let pid = start(text, environment)?;
    loop {
        match vassal.next(None)? {
            Happening::Child => {
                if let Some(exit) = ended(pid) {
                    return judge(phase, text, exit);
                }
            }
            Happening::Emperor(Word::Byte(to_vassal::RELOAD, config)) => vassal.reload_later(config),
            happening if is_stop(&happening) => return Err(stopped(pid, phase, text)),
            Happening::Signal(_) | Happening::Emperor(_) | Happening::Deadline => {}
        }
    }
}

fn start(text: &str, environment: Environment) -> Result<Pid, Trouble> {
    let null = empty()?;
    let launch = Launch {
        argv: &[SHELL, "-c", text],
        environment,
        sockets: Vec::new(),
        directory: None,
        input: Some(null.as_fd()),
        output: None,
        confinement: None,
        terminal: false,
    };
    launch.start()
}

/// A jail may have no `/dev`: a pipe that nobody writes to is as empty.
fn empty() -> Result<OwnedFd, Trouble> {
    match File::open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(_) => Ok(pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Trouble::errno("make a pipe", errno))?.0),
    }
}

/// How `pid` ended, if it did; every other child that ended is reaped by the way.
fn ended(pid: Pid) -> Option<Exit> {
    let mut of_pid = None;
    while let Some((who, exit)) = reap() {
        if who == pid {
            of_pid = Some(exit);
        }
    }
    of_pid
}

fn judge(phase: Phase, text: &str, exit: Exit) -> Result<(), Trouble> {
    match exit {
        Exit::Code(0) => Ok(()),
        // Death by a signal is no success.
        Exit::Code(_) | Exit::Signal(_) => Err(Trouble::new(format!("{} `{text}` {exit}", option_of(phase)))),
    }
}

fn is_stop(happening: &Happening) -> bool {
    match happening {
        Happening::Emperor(Word::End) => true,
        Happening::Emperor(Word::Byte(byte, _)) => {
            *byte == to_vassal::STOP || *byte == to_vassal::STOP_GRACEFULLY
        }
        Happening::Signal(number) => {
            [Signal::TERM, Signal::INT, Signal::QUIT].iter().any(|stop| stop.as_raw() == *number)
        }
        Happening::Child | Happening::Deadline => false,
    }
}

fn stopped(pid: Pid, phase: Phase, text: &str) -> Trouble {
    // It may have ended in this moment; then there is nothing to kill.
    let _ = kill_process_group(pid, Signal::KILL);
    Trouble::new(format!("stopped while {} `{text}` ran", option_of(phase)))
}
