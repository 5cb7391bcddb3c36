//! `liege attach` and `liege exec`: a program in the jail of a running vassal.

pub(super) mod ask;
pub(super) mod escape;
mod input_end;
mod pipes;
pub(super) mod screen;
mod ssh;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::isatty;

pub use self::ask::Connection;
use self::ask::surroundings;
use self::pipes::Pipes;
use self::screen::Screen;
use super::messages::{Answer, Ask, Entry, Manner, Say};
use super::target::Called;

/// Exit status when the session was lost: by the end of its vassal or of the Emperor.
const LOST: u8 = 255;

/// Exit status where a signal has come before there was a command.
const SIGNALLED: u8 = 130;

/// What a signal of ours means for the program.
const PASSED_ON: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// How a session is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looking {
    /// A new one.
    First,
    /// One that was left.
    Again,
}

/// `liege exec`: its exit status is that of the command.
///
/// # Errors
/// It is refused, or nobody is there to ask.
pub fn exec(called: &Called) -> Result<u8> {
    let signals = signals(&PASSED_ON)?;
    let connection = Connection::open(called.address.as_ref())?;
    let (pipes, lent) = Pipes::lay().context("cannot lend what the command reads and writes")?;
    let entry = entry(called, Manner::Plain);
    connection.ask(&Ask::Enter(entry))?;
    let status = follow(&connection, &signals, lent)?;
    pipes.finish();
    Ok(status.unwrap_or(LOST))
}

/// Hears what becomes of a command. `None` when its session was lost.
fn follow(connection: &Connection, signals: &SignalFd, lent: Vec<OwnedFd>) -> Result<Option<u8>> {
    let mut lent = Some(lent);
    loop {
        let [heard, signalled] = ready(connection, signals)?;
        match (signalled, &lent) {
            (true, None) => pass_on(connection, signals),
            // Nothing runs yet that could hear it.
            (true, Some(_)) => return Ok(Some(SIGNALLED)),
            (false, _) => {}
        }
        if !heard {
            continue;
        }
        match connection.hear()? {
            Some((Answer::Ended(status), _)) => return Ok(Some(status)),
            Some((Answer::Refused(sentence), _)) => bail!("{sentence}"),
            Some((Answer::Begun | Answer::Waiting(_), _)) => {}
            Some((Answer::Lend, _)) => lent.take().into_iter().for_each(|lent| connection.lend(&lent)),
            Some((other, _)) => bail!("what came makes no sense here: {other:?}"),
            None => return Ok(lost()),
        }
    }
}

fn lost() -> Option<u8> {
    let _ = writeln!(io::stderr(), "liege: the session was lost: its vassal has ended, or the Emperor\r");
    None
}

fn ready(connection: &Connection, signals: &SignalFd) -> Result<[bool; 2]> {
    let mut set = [
        PollFd::from_borrowed_fd(connection.descriptor(), PollFlags::IN),
        PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
    ];
    match poll(&mut set, None) {
        Ok(_) => Ok([0, 1].map(|place: usize| !set[place].revents().is_empty())),
        Err(Errno::INTR) => Ok([false; 2]),
        Err(errno) => Err(errno).context("cannot wait"),
    }
}

fn pass_on(connection: &Connection, signals: &SignalFd) {
    while let Ok(Some(one)) = signals.read_signal() {
        if let Ok(number) = u8::try_from(one.ssi_signo) {
            connection.say(Say::Signal(number));
        }
    }
}

/// `liege attach`: a terminal in the jail. Its exit status is that of the program.
///
/// # Errors
/// It is refused, or nobody is there to ask.
pub fn attach(called: &Called, looking: Looking, no_escape: bool) -> Result<u8> {
    let signals =
        signals(&[Signal::SIGWINCH, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT])?;
    let connection = Connection::open(called.address.as_ref())?;
    let ask = match looking {
        Looking::First => Ask::Enter(entry(called, Manner::Terminal(screen::size()))),
        Looking::Again => Ask::Again(called.name.clone()),
    };
    connection.ask(&ask)?;
    let (master, missed) = terminal(&connection)?;
    let screen = Screen::begin(master, &missed, no_escape).context("cannot use the terminal")?;
    let outcome = screen.mind(&connection, &signals);
    // The terminal is as it was from here on.
    drop(screen);
    match outcome? {
        screen::End::Ended(status) => Ok(status),
        screen::End::Detached(number) => {
            let name = &called.name;
            eprint_line(&format!(
                "detached: `liege attach --again {name}` takes it up, or its number, {number}"
            ));
            Ok(0)
        }
        screen::End::Closed => Ok(0),
        screen::End::Lost => Ok(lost().unwrap_or(LOST)),
    }
}

/// `liege attach --ssh`: what whoever has logged in wants. Its exit status is that of the program.
///
/// # Errors
/// It is refused, or nobody is there to ask.
pub fn login(called: Called) -> Result<u8> {
    let sent = std::env::var_os("SSH_ORIGINAL_COMMAND").map(OsString::into_string).transpose();
    let sent = sent.map_err(|_| anyhow!("the command that ssh has sent is not UTF-8"))?;
    let has_terminal = isatty(rustix::stdio::stdin());
    let called = Called { command: ssh::command(sent, called.command, has_terminal), ..called };
    // The client of ssh has escapes of its own.
    if has_terminal { attach(&called, Looking::First, true) } else { exec(&called) }
}

fn entry(called: &Called, manner: Manner) -> Entry {
    let environment = if manner == Manner::Plain { Vec::new() } else { surroundings() };
    Entry { name: called.name.clone(), argv: called.command.clone(), environment, manner }
}

/// Our side of the terminal, and what was written while nobody looked.
fn terminal(connection: &Connection) -> Result<(OwnedFd, Vec<u8>)> {
    loop {
        match connection.hear()? {
            Some((Answer::Terminal(missed), lent)) => {
                let master = lent.into_iter().next().context("no terminal came along")?;
                rustix::termios::tcgetwinsize(&master).context("what came along is no terminal")?;
                return Ok((master, missed));
            }
            Some((Answer::Waiting(numbers), _)) => tell_of(&numbers),
            Some((Answer::Refused(sentence), _)) => bail!("{sentence}"),
            Some((other, _)) => bail!("what came makes no sense here: {other:?}"),
            None => return Err(anyhow!("the session was lost before it began: see the Emperor's log")),
        }
    }
}

fn tell_of(numbers: &[u32]) {
    let list = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    eprint_line(&format!("a session of yours waits there ({list}): `liege attach --again` takes it up"));
}

fn eprint_line(sentence: &str) {
    let _ = writeln!(io::stderr(), "liege: {sentence}");
}

/// These, to be read from now on.
///
/// # Errors
/// Those of `sigprocmask(2)` and `signalfd(2)`.
pub(super) fn signals(heard: &[Signal]) -> Result<SignalFd> {
    let set: SigSet = heard.iter().copied().collect();
    set.thread_block().context("cannot block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).context("cannot read signals")
}
