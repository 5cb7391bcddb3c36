//! Pure. What a config says of terminals for whoever connects: `forkpty-router` and its like.

use super::{Address, VassalConfig};
use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::values::{Wrong, address, count, flag, text, wrong};

/// Processes of one router.
const PROCESSES_MAX: u32 = 64;
/// Longest silence that can be asked for: ten years.
const TIMEOUT_MAX: u32 = 315_360_000;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminals {
    /// `forkpty-router`: clients that send their bytes as they are.
    pub raw: Vec<Placed<Address>>,
    /// `forkpty-urouter`: clients that send frames.
    pub framed: Vec<Placed<Address>>,
    /// `forkptyrouter-command`: a program, or a line for the shell.
    pub command: Option<String>,
    /// `forkptyrouter-rows`.
    pub rows: Option<u16>,
    /// `forkptyrouter-cols`.
    pub columns: Option<u16>,
    /// `forkptyrouter-timeout`: seconds of silence that end a session; none or 0 never do.
    pub timeout_s: Option<u32>,
    /// `forkptyrouter-processes`.
    pub processes: Option<u32>,
    /// `forkptyrouter-stats`.
    pub stats: Option<Placed<Address>>,
    /// `pty-socket`: clients that share the terminal of the command.
    pub shared: Vec<Placed<Address>>,
    /// `pty-log`: what is written there goes to the log, too.
    pub log: bool,
    /// `pty-input`: what comes on standard input is typed there, too.
    pub input: bool,
    /// `pty-exec`: the command, as `forkptyrouter-command` says one.
    pub exec: Option<Placed<String>>,
    /// Where the last of them stands.
    last: Option<Placed<&'static str>>,
}

impl Terminals {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub(super) fn apply(&mut self, name: &'static str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "forkpty-router" => self.raw.push(entry.placed(value(entry, door)?)),
            "forkpty-urouter" => self.framed.push(entry.placed(value(entry, door)?)),
            "forkptyrouter-command" => self.command = Some(value(entry, text)?),
            "forkptyrouter-rows" => self.rows = Some(value(entry, characters)?),
            "forkptyrouter-cols" => self.columns = Some(value(entry, characters)?),
            "forkptyrouter-timeout" => self.timeout_s = Some(value(entry, timeout)?),
            "forkptyrouter-processes" => self.processes = Some(value(entry, processes)?),
            "forkptyrouter-stats" => self.stats = Some(entry.placed(value(entry, address)?)),
            "pty-socket" => self.shared.push(entry.placed(value(entry, door)?)),
            "pty-log" => self.log = value(entry, flag)?,
            "pty-input" => self.input = value(entry, flag)?,
            "pty-exec" => self.exec = Some(entry.placed(value(entry, text)?)),
            _ => return Ok(false),
        }
        self.last = Some(entry.placed(name));
        Ok(true)
    }

    /// Whether there is a router.
    pub fn is_asked_for(&self) -> bool {
        !self.raw.is_empty() || !self.framed.is_empty()
    }
}

/// What no single option shows.
pub(super) fn contradiction(config: &VassalConfig) -> Option<ConfigError> {
    let Placed { value: option, place } = config.terminals.last.as_ref()?;
    let at = |cause: String| ConfigError::at(place, cause);
    let patched = config.privileged_patch.is_some() || config.unprivileged_patch.is_some();
    if patched {
        let error = at(format!("`{option}`: another program takes the vassal's place"));
        return Some(error.cure("run it by `command`: then the vassal stays, and minds its terminals"));
    }
    let Terminals { shared, log, input, exec, .. } = &config.terminals;
    if shared.is_empty() && (*log || *input || exec.is_some()) {
        let error = at("a terminal that nobody can connect to: there is no `pty-socket`".into());
        return Some(error.cure("add `pty-socket = PATH`"));
    }
    let socket = shared.first().filter(|_| config.command.is_none())?;
    let error = ConfigError::at(&socket.place, "`pty-socket`: no program whose terminal it would be");
    Some(error.cure("say which: command = PROGRAM ARGUMENTS, or pty-exec = PROGRAM"))
}

/// `pty-exec` is the command of a vassal that has no other.
///
/// # Errors
/// It has another.
pub(super) fn run(config: &mut VassalConfig) -> Result<(), ConfigError> {
    let Some(exec) = &config.terminals.exec else { return Ok(()) };
    if let Some(command) = &config.command {
        let cause = format!("`pty-exec`: the terminal is that of another program ({})", command.place);
        return Err(ConfigError::at(&exec.place, cause).cure("leave out one of the two"));
    }
    let shell = config.surroundings.shells.first().map_or("/bin/sh".into(), |shell| shell.to_string_lossy());
    let argv = match exec.value.contains(' ') {
        true => vec![shell.into_owned(), "-c".to_owned(), exec.value.clone()],
        false => vec![exec.value.clone()],
    };
    config.command = Some(Placed { value: argv, place: exec.place.clone() });
    Ok(())
}

/// Whoever can connect has a shell: by the network anybody could, and nobody would ask who he is.
fn door(text: &str) -> Result<Address, Wrong> {
    match address(text)? {
        Address::Tcp(_) => wrong(
            "a shell for everybody who can connect, without a password",
            "write the path of a unix socket; for the network use ssh, with this socket behind it",
        ),
        Address::Abstract(_) => wrong(
            "an abstract name has no mode: everybody of this network could connect and have a shell",
            "write the path of a unix socket",
        ),
        other => Ok(other),
    }
}

fn characters(text: &str) -> Result<u16, Wrong> {
    match u16::try_from(count(text)?) {
        Ok(number) if number > 0 => Ok(number),
        _ => wrong("no size of a terminal", "write 1 to 65535"),
    }
}

fn timeout(text: &str) -> Result<u32, Wrong> {
    match count(text)? {
        seconds if seconds <= TIMEOUT_MAX => Ok(seconds),
        _ => wrong("longer than ten years", "write seconds, or 0 for never"),
    }
}

fn processes(text: &str) -> Result<u32, Wrong> {
    match count(text)? {
        number @ 1..=PROCESSES_MAX => Ok(number),
        _ => wrong("no number of processes", "write 1 to 64; one serves thousands of sessions"),
    }
}
