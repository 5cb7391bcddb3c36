//! Starts a program: in a child of ours, or in our place.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use jail::{Capabilities, Identity, run, sys};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, Signal, WaitOptions, fchdir, getpgrp, ioctl_tiocsctty, set_parent_process_death_signal, setpgid,
    setsid, waitpid,
};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::termios::tcsetpgrp;
use rustix::thread::set_no_new_privs;

use super::confine::Ready;
use super::environment::Environment;
use super::groupless;
use super::trouble::{Trouble, number};

/// A program and what it starts with.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Program and arguments; a name without `/` is searched on the `PATH` of the environment.
    pub argv: &'a [&'a str],
    /// All of its environment, except what speaks of sockets.
    pub environment: Environment,
    /// Listening sockets, handed over from descriptor 3 on, and their names.
    pub sockets: Vec<(BorrowedFd<'a>, String)>,
    /// Working directory, if not ours.
    pub directory: Option<BorrowedFd<'a>>,
    /// Standard input; `None` is ours.
    pub input: Option<BorrowedFd<'a>>,
    /// Standard output and error; `None` is ours.
    pub output: Option<BorrowedFd<'a>>,
    /// What is put on the program, as the last thing before it runs.
    pub confinement: Option<&'a Ready>,
    /// What it leads.
    pub leads: Leads<'a>,
    /// Who it becomes, if not who we are.
    pub identity: Option<&'a Identity>,
    /// Descriptors that stay open, by the numbers that they have.
    pub kept: Vec<BorrowedFd<'a>>,
    /// It may give terminals to their group where that has no number.
    pub bears_terminals: bool,
}

/// What a program is the first of.
#[derive(Clone, Copy, Debug)]
pub enum Leads<'a> {
    /// A process group, in our session.
    Group,
    /// The same, and keys of the terminal on standard input reach it.
    Foreground,
    /// A session.
    Session,
    /// A session of this terminal.
    Terminal(BorrowedFd<'a>),
}

/// What the child was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Stage {
    Birth,
    Directory,
    Descriptors,
    Exec,
    Confine,
}

impl Launch<'_> {
    /// Starts it as a child in a process group of its own, killed when we die. Comes back when the program runs.
    ///
    /// # Errors
    /// Why it does not run; then no child is left.
    pub fn start(&self) -> Result<Pid, Trouble> {
        let (report, failed) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Trouble::errno("make a pipe", errno))?;
        let pid = sys::fork(|| self.child(&failed)).map_err(|errno| Trouble::errno("fork", errno))?;
        drop(failed);
        let mut told = Vec::new();
        File::from(report)
            .take(5)
            .read_to_end(&mut told)
            .map_err(|error| Trouble::errno("read a pipe", number(&error)))?;
        match told[..] {
            [] => Ok(pid),
            [stage, a, b, c, d] => Err(self.reaped(pid, stage, i32::from_ne_bytes([a, b, c, d]))),
            _ => Err(self.reaped(pid, Stage::Birth as u8, Errno::IO.raw_os_error())),
        }
    }

    /// Puts the program in our place, with our descriptors 0 to 2, its sockets and `kept`.
    ///
    /// Must not: keep a descriptor that stands where a socket goes (`Launch::first_free`).
    ///
    /// Comes back only with what went wrong.
    pub fn replace_us(&self, kept: Option<BorrowedFd<'_>>) -> Trouble {
        let stay_open = |kept| fcntl_setfd(kept, FdFlags::empty());
        let placed = self.place_sockets().and_then(|()| kept.map_or(Ok(()), stay_open));
        let (stage, errno) = placed.map_or_else(|errno| (Stage::Descriptors, errno), |()| self.exec());
        self.trouble(stage as u8, errno)
    }

    fn child(&self, failed: &OwnedFd) -> i32 {
        // Above the numbers that the sockets are going to take.
        let Ok(failed) = fcntl_dupfd_cloexec(failed, self.first_free()) else { return 1 };
        let (stage, errno) = self.prepare().map_or_else(|failure| failure, |()| self.exec());
        let mut message = vec![stage as u8];
        message.extend(errno.raw_os_error().to_ne_bytes());
        // A parent that does not listen any more is gone.
        let _ = File::from(failed).write_all(&message);
        1
    }

    fn prepare(&self) -> Result<(), (Stage, Errno)> {
        self.be_born().map_err(|errno| (Stage::Birth, errno))?;
        self.directory.map_or(Ok(()), fchdir).map_err(|errno| (Stage::Directory, errno))?;
        let kept = || self.kept.iter().try_for_each(|one| fcntl_setfd(one, FdFlags::empty()));
        let placed = self.standard().and_then(|()| self.place_sockets()).and_then(|()| kept());
        placed.map_err(|errno| (Stage::Descriptors, errno))
    }

    fn be_born(&self) -> Result<(), Errno> {
        if let Some(identity) = self.identity {
            let step = jail::Step::Identity(identity.clone(), Capabilities::NONE);
            run::perform(&step).map_err(|failure| Errno::from_raw_os_error(failure.errno))?;
            // Whoever has become somebody else does not become root again.
            set_no_new_privs(true)?;
        }
        if self.bears_terminals {
            groupless::bear();
        }
        // A change of ids would clear it.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        match self.leads {
            Leads::Group => setpgid(None, None),
            Leads::Foreground => {
                setpgid(None, None)?;
                tcsetpgrp(rustix::stdio::stdin(), getpgrp())
            }
            Leads::Session => setsid().map(drop),
            Leads::Terminal(terminal) => {
                setsid()?;
                ioctl_tiocsctty(terminal)
            }
        }
    }

    fn standard(&self) -> Result<(), Errno> {
        self.input.map_or(Ok(()), dup2_stdin)?;
        self.output.map_or(Ok(()), dup2_stdout)?;
        self.output.map_or(Ok(()), dup2_stderr)
    }

    fn place_sockets(&self) -> Result<(), Errno> {
        let free = self.first_free();
        // First out of the way, so that no copy lands on a socket that is yet to be copied.
        let moved = self
            .sockets
            .iter()
            .map(|(socket, _)| fcntl_dupfd_cloexec(socket, free))
            .collect::<Result<Vec<_>, _>>()?;
        (sys::FIRST..).zip(&moved).try_for_each(|(number, socket)| sys::place(socket.as_fd(), number))
    }

    /// First descriptor number that no socket takes.
    pub fn first_free(&self) -> RawFd {
        sys::FIRST + RawFd::try_from(self.sockets.len()).unwrap_or(RawFd::MAX - sys::FIRST)
    }

    fn exec(&self) -> (Stage, Errno) {
        let Some((program, arguments)) = self.argv.split_first() else { return (Stage::Exec, Errno::NOENT) };
        let mut environment = self.environment.clone();
        let names: Vec<String> = self.sockets.iter().map(|(_, name)| name.clone()).collect();
        environment.set_sockets(std::process::id(), &names);
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment.each());
        // We block signals in order to read them; a program expects to get them.
        if let Err(failure) = jail::run::perform(&jail::Step::DefaultSignals) {
            return (Stage::Exec, Errno::from_raw_os_error(failure.errno));
        }
        match self.confinement.map_or(Ok(()), Ready::put_on) {
            Ok(()) => (Stage::Exec, number(&command.exec())),
            Err(errno) => (Stage::Confine, errno),
        }
    }

    fn reaped(&self, pid: Pid, stage: u8, errno: i32) -> Trouble {
        // It is about to exit; its status says no more than its report.
        let _ = waitpid(Some(pid), WaitOptions::empty());
        self.trouble(stage, Errno::from_raw_os_error(errno))
    }

    fn trouble(&self, stage: u8, errno: Errno) -> Trouble {
        let program = self.argv.first().copied().unwrap_or_default();
        let what = match stage {
            stage if stage == Stage::Directory as u8 => "change directory for",
            stage if stage == Stage::Descriptors as u8 => "arrange the descriptors of",
            stage if stage == Stage::Exec as u8 => return not_run(program, errno),
            stage if stage == Stage::Confine as u8 => "put the limits of its config on",
            _ => "start",
        };
        advised(Trouble::errno(format!("{what} `{program}`"), errno), errno)
    }
}

/// What is said of a program that cannot be run.
pub fn not_run(program: &str, errno: Errno) -> Trouble {
    advised(Trouble::errno(format!("run `{program}`"), errno), errno)
}

fn advised(trouble: Trouble, errno: Errno) -> Trouble {
    match errno {
        Errno::NOENT => trouble.advise("is it installed, and can it be seen in the jail?"),
        Errno::ACCESS => {
            trouble.advise("may the user of this vassal execute it and enter every directory above it?")
        }
        _ => trouble,
    }
}
