//! Shell programs of the phases (`exec-*`): each in a process of its own, waited for to its end.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use jail::Phase;
use rustix::fs::{Access, access};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};

use super::control::Word;
use super::environment::Environment;
use super::exit::Exit;
use super::launch::{Launch, Leads};
use super::state::Vassal;
use super::trouble::Trouble;
use super::watch::{Happening, reap};
use super::{companions, daemons};
use crate::emperor::order::to_vassal;

/// Where the shell is; never searched for.
const SHELL: &str = "/bin/sh";

/// The first shell of the config that may be read and run here, as in uWSGI.
pub fn shell(vassal: &Vassal) -> String {
    let can = |path: &&PathBuf| access(path.as_path(), Access::READ_OK | Access::EXEC_OK).is_ok();
    let own = vassal.shells.iter().find(can);
    own.map_or_else(|| SHELL.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// Runs one program; `named` is how it is told of.
///
/// A vassal that is told to stop meanwhile kills it: its end would be waited for in vain.
///
/// # Errors
/// A status other than 0, a death by signal, or no process at all.
pub fn run(vassal: &mut Vassal, named: &str, text: &str, environment: Environment) -> Result<(), Trouble> {
    let shell = shell(vassal);
    run_program(vassal, named, &[&shell, "-c", text], environment)
}

/// The same for a program without a shell: its name or path, and its arguments.
///
/// # Errors
/// As above.
pub fn run_program(
    vassal: &mut Vassal,
    named: &str,
    argv: &[&str],
    environment: Environment,
) -> Result<(), Trouble> {
    let pid = start(vassal, argv, environment)?;
    wait_for(vassal, named, pid)
}

/// Waits for the end of a child in a process group of its own, and kills that when it has to end sooner.
///
/// # Errors
/// As above.
pub fn wait_for(vassal: &mut Vassal, named: &str, pid: Pid) -> Result<(), Trouble> {
    loop {
        let too_late = |trouble: Trouble| Trouble { cause: format!("{named}: {}", trouble.cause), ..trouble };
        match vassal.next(None).inspect_err(|_| kill(pid)).map_err(too_late)? {
            Happening::Child => {
                if let Some(exit) = reap_all(vassal, Some(pid)) {
                    return judge(named, exit);
                }
            }
            happening => heed(vassal, happening, named).inspect_err(|_| kill(pid))?,
        }
    }
}

/// What programs of a phase know: after the user was changed, who that is.
pub fn environment(vassal: &Vassal, phase: Phase) -> Environment {
    if phase >= Phase::AsUser { vassal.user_environment() } else { vassal.environment() }
}

/// Heeds what happens while something else is waited for: a reload is kept, a stop ends the waiting.
///
/// # Errors
/// The vassal is to stop.
pub fn heed(vassal: &mut Vassal, happening: Happening, named: &str) -> Result<(), Trouble> {
    if is_stop(&happening) {
        vassal.interrupted = Some(happening);
        return Err(Trouble::new(format!("stopped while {named} ran")));
    }
    if let Happening::Emperor(Word::Byte(to_vassal::RELOAD, config)) = happening {
        vassal.reload_later(config);
    }
    Ok(())
}

/// How `pid` ended, if it did. Every other child that ended is reaped by the way; of the command it is kept.
pub fn reap_all(vassal: &mut Vassal, pid: Option<Pid>) -> Option<Exit> {
    let mut of_pid = None;
    while let Some((who, exit)) = reap() {
        if Some(who) == pid {
            of_pid = Some(exit);
        }
        if Some(who) == vassal.command {
            vassal.command_ended = Some(exit);
        }
        companions::mourn(vassal, who, exit);
        daemons::mourn(vassal, who, exit);
    }
    of_pid
}

fn start(vassal: &Vassal, argv: &[&str], environment: Environment) -> Result<Pid, Trouble> {
    let null = empty()?;
    let launch = Launch {
        argv,
        environment,
        sockets: Vec::new(),
        directory: vassal.directory.as_ref().map(AsFd::as_fd),
        input: Some(null.as_fd()),
        output: None,
        confinement: None,
        leads: Leads::Group,
        identity: None,
        kept: Vec::new(),
        bears_terminals: false,
    };
    launch.start()
}

/// A jail may have no `/dev`: a pipe that nobody writes to is as empty.
///
/// # Errors
/// Those of `pipe(2)`.
pub fn empty() -> Result<OwnedFd, Trouble> {
    match File::open("/dev/null") {
        Ok(null) => Ok(null.into()),
        Err(_) => Ok(pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Trouble::errno("make a pipe", errno))?.0),
    }
}

fn judge(named: &str, exit: Exit) -> Result<(), Trouble> {
    match exit {
        Exit::Code(0) => Ok(()),
        // Death by a signal is no success.
        Exit::Code(_) | Exit::Signal(_) => Err(Trouble::new(format!("{named} {exit}"))),
    }
}

/// Whether it ends what waits.
pub fn is_stop(happening: &Happening) -> bool {
    match happening {
        Happening::Emperor(Word::End) => true,
        Happening::Emperor(Word::Byte(byte, _)) => {
            *byte == to_vassal::STOP || *byte == to_vassal::STOP_GRACEFULLY
        }
        Happening::Signal(number) => {
            [Signal::TERM, Signal::INT, Signal::QUIT].iter().any(|stop| stop.as_raw() == *number)
        }
        Happening::Child | Happening::Other | Happening::Deadline => false,
    }
}

fn kill(pid: Pid) {
    // It may have ended in this moment; then there is nothing to kill.
    let _ = kill_process_group(pid, Signal::KILL);
}
