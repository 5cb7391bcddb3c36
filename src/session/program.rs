//! The program of a session: on a terminal of the jail's, or with what its client lent.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use jail::plan::Step;
use jail::run::Terminal;
use jail::sys;
use rustix::fs::{Access, FileType, OFlags, access, fcntl_getfl, fstat};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, chdir, ioctl_tiocsctty, set_parent_process_death_signal, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::isatty;

use super::limits::Limits;
use crate::control::messages::{Entry, Size};
use crate::errand::perform;
use crate::vassal::environment::{Environment, PATH};
use crate::vassal::identity;
use crate::vassal::trouble::Trouble;

/// Status of a program that could not be run, and of one that is not there, as shells have it.
const NOT_RUN: i32 = 126;
const NOT_THERE: i32 = 127;
/// The shell of whoever has none.
const SHELL: &str = "/bin/sh";

/// What holds the command of the vassal besides its jail.
#[derive(Debug)]
pub struct Held {
    /// What its Emperor knows, and its process shows.
    pub steps: Vec<Step>,
    /// What its own config asks for.
    pub own: Limits,
}

impl Held {
    fn kept(&self) -> Vec<RawFd> {
        self.own.kept()
    }

    fn limit(&self) -> Result<(), Trouble> {
        sys::alarm(0);
        self.steps.iter().chain([&Step::DefaultSignals]).try_for_each(perform)?;
        self.own.put_on()
    }
}

/// Makes a terminal of this size in the jail that we are in.
///
/// # Errors
/// There is none, or what stands in its place is no terminal.
pub fn terminal(size: Size) -> Result<Terminal, Trouble> {
    Terminal::make((size.rows, size.columns)).map_err(|errno| {
        let trouble = Trouble::errno("make a terminal in the jail", errno);
        trouble.advise("it needs /dev/ptmx and a devpts of its own on /dev/pts; `liege exec` needs none")
    })
}

/// What a client may lend to a program in a jail: nothing that leads out of it, and no terminal, which whoever is in
/// the jail could listen at.
///
/// # Errors
/// Which one may not, and why.
pub fn judge(lent: &[OwnedFd]) -> Result<(), Trouble> {
    let refused = |number: usize, why: &str| Trouble::new(format!("descriptor {number} of the client {why}"));
    if lent.len() != 3 {
        return Err(Trouble::new(format!("{} descriptors came along, and 3 are needed", lent.len())));
    }
    for (number, one) in lent.iter().enumerate() {
        let stat = fstat(one).map_err(|errno| Trouble::errno("look at a descriptor", errno))?;
        let flags = fcntl_getfl(one).map_err(|errno| Trouble::errno("look at a descriptor", errno))?;
        match FileType::from_raw_mode(stat.st_mode) {
            _ if flags.contains(OFlags::PATH) => return Err(refused(number, "only names a file")),
            FileType::Directory => return Err(refused(number, "is a directory")),
            FileType::BlockDevice => return Err(refused(number, "is a disk")),
            FileType::CharacterDevice if isatty(one) => return Err(refused(number, "is a terminal")),
            _ => {}
        }
    }
    Ok(())
}

/// Starts it on a terminal.
///
/// # Errors
/// No process can be made.
pub fn start_on(terminal: &Terminal, entry: &Entry, held: &Held) -> Result<Pid, Trouble> {
    let peer = terminal.peer.as_fd();
    let standard = [peer, peer, peer];
    start(|| take_terminal(peer).and_then(|()| place(standard, &held.kept())), entry, held)
}

/// Starts it with these.
///
/// # Errors
/// No process can be made.
pub fn start_with(lent: &[OwnedFd], entry: &Entry, held: &Held) -> Result<Pid, Trouble> {
    let [input, output, errors] = lent else { return Err(Trouble::new("it needs three descriptors")) };
    let standard = [input.as_fd(), output.as_fd(), errors.as_fd()];
    start(|| setsid().and_then(|_| place(standard, &held.kept())), entry, held)
}

fn start(settle: impl Fn() -> Result<(), Errno>, entry: &Entry, held: &Held) -> Result<Pid, Trouble> {
    let pid = sys::fork(|| {
        let settled = settle().map_err(|errno| Trouble::errno("settle in the jail", errno));
        let (trouble, status) = match settled.and_then(|()| held.limit()) {
            Ok(()) => become_program(entry),
            Err(trouble) => (trouble, NOT_RUN),
        };
        // Whoever sits there reads it.
        let _ = writeln!(std::io::stderr(), "liege: {trouble}\r");
        status
    });
    pid.map_err(|errno| Trouble::errno("make a process in the jail", errno))
}

/// A session of its own, with this terminal as that of all its processes.
fn take_terminal(terminal: BorrowedFd<'_>) -> Result<(), Errno> {
    setsid()?;
    ioctl_tiocsctty(terminal)
}

fn place([input, output, errors]: [BorrowedFd<'_>; 3], kept: &[RawFd]) -> Result<(), Errno> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    dup2_stdin(input)?;
    dup2_stdout(output)?;
    dup2_stderr(errors)?;
    sys::close_all_but(kept)
}

/// Comes back only with what went wrong.
fn become_program(entry: &Entry) -> (Trouble, i32) {
    let environment = environment(entry);
    let home = environment.get("HOME").map(OsStr::to_owned);
    if home.is_none_or(|home| chdir(home).is_err()) {
        let _ = chdir("/");
    }
    let shell = shell(&environment);
    let mut words = entry.argv.iter().map(OsString::from).collect::<Vec<_>>();
    if words.is_empty() {
        words.push(shell);
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_clear().envs(environment.each());
    let errno = crate::vassal::trouble::number(&command.exec());
    let status = if errno == Errno::NOENT { NOT_THERE } else { NOT_RUN };
    (Trouble::errno(format!("run `{}`", words[0].display()), errno), status)
}

/// That of the vassal's user, and what the client says of his terminal.
fn environment(entry: &Entry) -> Environment {
    let mut environment = Environment::new(std::env::vars_os());
    if let Some(user) = identity::current_user() {
        environment.set_user(&user);
    }
    if environment.get("PATH").is_none() {
        environment.set("PATH", PATH);
    }
    environment.replace(&entry.environment);
    environment
}

/// One that lets nobody in is for those who come by a password.
fn shell(environment: &Environment) -> OsString {
    let own = environment.get("SHELL").unwrap_or_default();
    let lets_nobody_in = ["nologin", "false"].iter().any(|name| Path::new(own).ends_with(name));
    if !lets_nobody_in && access(own, Access::EXEC_OK).is_ok() { own.to_owned() } else { SHELL.into() }
}
