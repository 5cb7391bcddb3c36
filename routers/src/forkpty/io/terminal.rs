//! Pseudo terminals and the programs on them (`pty(7)`).

use std::ffi::OsString;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use jail::run::Terminal;
use jail::sys;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, ioctl_tiocsctty, pidfd_open, set_parent_process_death_signal, setsid,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::{SpecialCodeIndex, Winsize, tcgetattr, tcsetwinsize};

use crate::forkpty::Window;

/// Status of a program that could not be run, as shells have it.
const NOT_RUN: i32 = 127;

/// What is run for each client.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Program and arguments, at least one; a name without `/` is searched on the `PATH` of the environment.
    pub argv: Vec<OsString>,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// A program on a terminal of its own, leader of its session.
#[derive(Debug)]
pub struct Leader {
    /// Its pid; nobody else has it before it is reaped.
    pub pid: Pid,
    /// Readable once it has ended.
    pub pidfd: OwnedFd,
    /// Our side of its terminal, not blocking.
    pub master: OwnedFd,
}

impl Launch {
    /// Starts the program on a new terminal of this size.
    ///
    /// # Errors
    /// No terminal (`ENOENT` without `/dev/ptmx`, `ENOSPC` when all are taken) or no process. A program that cannot be
    /// run is told on its terminal.
    pub fn start(&self, window: Window) -> Result<Leader, Errno> {
        let Terminal { master, peer } = Terminal::make((window.rows, window.columns))?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let pid = sys::fork(|| self.become_program(peer.as_fd()))?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Leader { pid, pidfd, master })
    }

    fn become_program(&self, terminal: BorrowedFd<'_>) -> i32 {
        let told = match take_terminal(terminal) {
            Ok(()) => self.exec(),
            Err(errno) => format!("cannot take the terminal: {errno}"),
        };
        // Whoever sits there reads it; there is nobody else to tell.
        let _ = writeln!(std::io::stderr(), "liege: {told}\r");
        NOT_RUN
    }

    /// Comes back only with what went wrong.
    fn exec(&self) -> String {
        let Some((program, arguments)) = self.argv.split_first() else { return "there is no program".into() };
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(self.environment.iter().cloned());
        // Signals that we ignore or block would stay so in every program behind it.
        if let Err(failure) = jail::run::perform(&jail::Step::DefaultSignals) {
            return format!("cannot give signals their usual meaning: {}", failure.cause());
        }
        format!("cannot run {}: {}", program.display(), command.exec())
    }
}

/// A session of its own, with this terminal as that of all its processes.
fn take_terminal(terminal: BorrowedFd<'_>) -> Result<(), Errno> {
    setsid()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    ioctl_tiocsctty(terminal)?;
    dup2_stdin(terminal)?;
    dup2_stdout(terminal)?;
    dup2_stderr(terminal)
}

/// Gives a terminal another size; programs on it get `SIGWINCH`.
///
/// # Errors
/// Those of `TIOCSWINSZ`.
pub fn resize(master: impl AsFd, window: Window) -> Result<(), Errno> {
    let size = Winsize { ws_row: window.rows, ws_col: window.columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size)
}

/// The byte that ends the input of a program, as its terminal has it now (`VEOF`).
pub fn end_of_input(master: impl AsFd) -> u8 {
    const CTRL_D: u8 = 4;
    tcgetattr(master).map_or(CTRL_D, |attributes| attributes.special_codes[SpecialCodeIndex::VEOF])
}
