//! Terminals for whoever connects: sockets bound while there are rights to, and a process that serves them as jailed as
//! the command.

mod shared;

use std::ffi::OsString;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use jail::{run, sys};
use routers::forkpty::io::{Charter, Door, Launch, Told, serve};
use routers::forkpty::{Mode, Rules, Window};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, fchdir, getppid, set_parent_process_death_signal, setpgid};

use super::companions::{self, Work};
use super::programs;
use super::sockets::Listening;
use super::state::Vassal;
use super::step::{Socket, Step};
use super::tell::Teller;
use super::trouble::Trouble;
use crate::config::place::Placed;
use crate::config::vassal::terminals::Terminals;
use crate::config::vassal::{Address, VassalConfig};

pub use shared::{Shared, Sharing, begin as begin_shared, finish};

/// Mode of their sockets when `chmod-socket` says nothing: whoever connects is the vassal's user from then on.
const MODE: u32 = 0o600;
/// Milliseconds between HUP, TERM and KILL for what a client leaves behind.
const GRACE_MS: u64 = 3_000;
/// Size of a terminal, in lines and characters.
const WINDOW: (u16, u16) = (24, 80);
/// `TERM` where nobody says another: every system knows it.
const TERM: &str = "xterm";

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalStep {
    /// A socket whose clients get terminals.
    Bind(Socket, Speech),
    /// A socket that tells numbers.
    Stats(Socket),
    /// The process that serves them.
    Serve(Wanted),
    /// A socket whose clients share the terminal of the command.
    Desk(Socket),
    /// That terminal, and the process that serves it.
    Share(Sharing),
}

/// How clients of a socket speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Their bytes are input.
    Raw,
    /// In frames.
    Framed,
}

/// What is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    command: Option<String>,
    window: (u16, u16),
    idle_s: Option<u32>,
}

/// Sockets bound for terminals.
#[derive(Debug, Default)]
pub struct Bound {
    doors: Vec<(Listening, Speech, String)>,
    stats: Option<Listening>,
    /// Those of the terminal that is shared.
    desks: Vec<Listening>,
    /// The terminal of the command, where it has one.
    pub shared: Option<Shared>,
}

impl fmt::Display for TerminalStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(socket, Speech::Raw) => write!(f, "bind {socket} for terminals"),
            Self::Bind(socket, Speech::Framed) => write!(f, "bind {socket} for terminals, in frames"),
            Self::Stats(socket) => write!(f, "bind {socket} for numbers of terminals"),
            Self::Serve(wanted) => {
                write!(f, "serve terminals with `{}`", wanted.command.as_deref().unwrap_or("the shell"))
            }
            Self::Desk(socket) => write!(f, "bind {socket} for the terminal of the command"),
            Self::Share(Sharing { log, input }) => {
                let (log, input) = (
                    if *log { ", and log it" } else { "" },
                    if *input { ", and type our input there" } else { "" },
                );
                write!(f, "make the terminal of the command{log}{input}")
            }
        }
    }
}

/// Binds them, while there are rights to.
pub fn bind(config: &VassalConfig, socket: impl Fn(Address, u32) -> Socket) -> Vec<Step> {
    let terminals = &config.terminals;
    let mode = config.socket_mode.unwrap_or(MODE);
    let owner = config.socket_owner.as_ref().map(|owner| owner.value.clone());
    let at = |address: &Address| Socket { owner: owner.clone(), ..socket(address.clone(), mode) };
    let raw = terminals.raw.iter().map(|door| TerminalStep::Bind(at(&door.value), Speech::Raw));
    let framed = terminals.framed.iter().map(|door| TerminalStep::Bind(at(&door.value), Speech::Framed));
    let stats = terminals.stats.iter().map(|stats| TerminalStep::Stats(at(&stats.value)));
    // Nobody else's, whatever a mode says: it is the command's own terminal.
    let desk = |desk: &Placed<Address>| TerminalStep::Desk(socket(desk.value.clone(), MODE));
    raw.chain(framed).chain(stats).chain(terminals.shared.iter().map(desk)).map(Step::Terminals).collect()
}

/// Serves them, with the ids and limits of the command.
pub fn served(config: &VassalConfig) -> Vec<Step> {
    let Terminals { command, rows, columns, timeout_s, processes, .. } = &config.terminals;
    if !config.terminals.is_asked_for() {
        return Vec::new();
    }
    let window = (rows.unwrap_or(WINDOW.0), columns.unwrap_or(WINDOW.1));
    let idle_s = timeout_s.filter(|seconds| *seconds > 0);
    let wanted = Wanted { command: command.clone(), window, idle_s };
    let one = Step::Terminals(TerminalStep::Serve(wanted));
    std::iter::repeat_n(one, processes.unwrap_or(1) as usize).collect()
}

/// The terminal of the command, right before it is started.
pub fn shared(config: &VassalConfig) -> Option<Step> {
    let Terminals { shared, log, input, .. } = &config.terminals;
    let sharing = Sharing { log: *log, input: *input };
    (!shared.is_empty()).then_some(Step::Terminals(TerminalStep::Share(sharing)))
}

/// Takes one of these steps.
///
/// # Errors
/// Those of a socket, or of a process.
pub fn take(vassal: &mut Vassal, step: &TerminalStep) -> Result<(), Trouble> {
    match step {
        TerminalStep::Bind(socket, speech) => {
            let listening = listen(vassal, socket)?;
            vassal.terminals.doors.push((listening, *speech, shown(&socket.address)));
        }
        TerminalStep::Stats(socket) => vassal.terminals.stats = Some(listen(vassal, socket)?),
        TerminalStep::Serve(wanted) => companions::start(vassal, Work::Terminals(wanted.clone()))?,
        TerminalStep::Desk(socket) => {
            let listening = listen(vassal, socket)?;
            vassal.terminals.desks.push(listening);
        }
        TerminalStep::Share(sharing) => shared::start(vassal, *sharing)?,
    }
    Ok(())
}

fn shown(address: &Address) -> String {
    match address {
        Address::Unix(path) => path.to_string_lossy().into_owned(),
        Address::Inherited(number) => format!("fd://{number}"),
        Address::Abstract(name) => format!("@{name}"),
        Address::Tcp(address) => address.to_string(),
    }
}

fn listen(vassal: &Vassal, socket: &Socket) -> Result<Listening, Trouble> {
    let listening = Listening::bind(socket, vassal.identity.as_ref())?;
    ioctl_fionbio(&listening, true).map_err(|errno| Trouble::errno(format!("listen on {socket}"), errno))?;
    Ok(listening)
}

/// Makes the process that serves them.
///
/// # Errors
/// Those of `fork(2)`.
pub fn begin(vassal: &Vassal, wanted: &Wanted) -> Result<Pid, Trouble> {
    let charter = charter(vassal, wanted).map_err(|errno| Trouble::errno("copy sockets", errno))?;
    let pid = sys::fork(|| live(vassal, charter));
    pid.map_err(|errno| Trouble::errno("make a process for terminals", errno))
}

fn charter(vassal: &Vassal, wanted: &Wanted) -> Result<Charter, Errno> {
    let door = |(listening, speech, address): &(Listening, Speech, String)| {
        let mode = match speech {
            Speech::Raw => Mode::Raw,
            Speech::Framed => Mode::Framed,
        };
        Ok(Door { socket: listening.copy()?, mode, address: address.clone() })
    };
    let doors = vassal.terminals.doors.iter().map(door).collect::<Result<_, Errno>>()?;
    let window = Window { rows: wanted.window.0, columns: wanted.window.1 };
    let idle_ms = wanted.idle_s.map(|seconds| u64::from(seconds) * 1000);
    Ok(Charter {
        doors,
        stats: vassal.terminals.stats.as_ref().map(Listening::copy).transpose()?,
        launch: launch(vassal, wanted),
        rules: Rules { window, idle_ms, grace_ms: GRACE_MS },
    })
}

/// A program by its name or path; a line with a blank is the shell's.
fn launch(vassal: &Vassal, wanted: &Wanted) -> Launch {
    let shell = programs::shell(vassal);
    let argv = match wanted.command.as_deref() {
        None => vec![shell],
        Some(line) if line.contains(' ') => vec![shell, "-c".into(), line.into()],
        Some(program) => vec![program.into()],
    };
    let mut environment = vassal.user_environment();
    if environment.get("TERM").is_none() {
        environment.set("TERM", TERM);
    }
    let environment = environment.each().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Launch { argv: argv.into_iter().map(OsString::from).collect(), environment }
}

/// All of its life, in the child.
fn live(vassal: &Vassal, charter: Charter) -> i32 {
    let teller = &vassal.teller;
    if let Err(errno) = settle(vassal, &kept(&charter), || Ok(())) {
        teller.nuisance(&Trouble::errno("serve terminals", errno));
        return 1;
    }
    match serve(charter, |told| tell(teller, told)) {
        Ok(()) => 0,
        Err(errno) => {
            teller.nuisance(&Trouble::errno("serve terminals", errno));
            1
        }
    }
}

/// As jailed as the command, with these descriptors alone; `begin` is done in a process group of its own, while signals are
/// still blocked.
fn settle(vassal: &Vassal, kept: &[RawFd], begin: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    let master = getppid();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that was said.
    if getppid() != master {
        return Err(Errno::SRCH);
    }
    setpgid(None, None)?;
    begin()?;
    vassal.directory.as_ref().map_or(Ok(()), fchdir)?;
    let errno = |failure: jail::Failure| Errno::from_raw_os_error(failure.errno);
    run::perform(&jail::Step::DefaultSignals).map_err(errno)?;
    vassal.confinement.put_on()?;
    sys::close_all_but(kept)
}

fn kept(charter: &Charter) -> Vec<RawFd> {
    let number = |socket: &OwnedFd| socket.as_fd().as_raw_fd();
    charter.doors.iter().map(|door| number(&door.socket)).chain(charter.stats.iter().map(number)).collect()
}

fn tell(teller: &Teller, told: Told) {
    match told {
        Told::Begun(pid) => teller.said(&format!("a terminal was opened (pid {pid})")),
        Told::Over(pid, ms) => {
            teller.said(&format!("a terminal was closed (pid {pid}) after {}.{:03} s", ms / 1000, ms % 1000));
        }
        Told::Refused(errno) => teller.nuisance(&Trouble::errno("open a terminal", errno)),
        Told::Crowded => teller.nuisance(&Trouble::new("too many terminals are open: one more was refused")),
    }
}
