//! Into the background: whoever started us waits until the Emperor governs, and learns by our exit status whether it does.
//!
//! The Emperor is a grandchild: in a session of its own, without a terminal, and unable to get one by opening it (`setsid(2)`,
//! `daemon(7)`).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, setsid, waitpid};
use rustix::stdio::dup2_stdin;

use super::logs;
use crate::config::emperor::EmperorConfig;
use crate::config::emperor::process::Log;
use crate::config::place::Placed;
use crate::config::vassal::Address;
use crate::{log, logfile};

/// Said once the Emperor governs; anything else is why it does not.
const GOVERNS: u8 = 6;
/// Bytes of a reason that are passed on.
const REASON_MAX: usize = 8 << 10;

/// Whom the start is waited for by.
pub struct Witness(Option<File>);

impl Witness {
    /// Nobody: we stay in the foreground.
    pub fn nobody() -> Self {
        Self(None)
    }

    /// The Emperor governs: whoever waits may go.
    pub fn governs(&mut self) {
        self.say(&[GOVERNS]);
    }

    fn say(&mut self, word: &[u8]) {
        // One that has gone misses nothing.
        let _ = self.0.take().map(|mut pipe| pipe.write_all(word));
    }
}

/// Has `work` done in the background, and waits until it has told its witness that it governs.
///
/// Must: be called by a process with a single thread.
///
/// # Errors
/// The log cannot be opened, or why it does not govern.
pub fn enter(
    config: &EmperorConfig,
    log: &Placed<Log>,
    work: impl FnOnce(&mut Witness) -> Result<ExitCode>,
) -> Result<ExitCode> {
    refuse_activation(log)?;
    let first = std::env::current_dir().context("cannot read the working directory")?;
    let (_, opened) = logs::open(log, &first, (super::ids::identity(config)?, config.process.gives_log))?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).context("cannot make a pipe")?;
    let between = jail::sys::fork(|| between(config, opened, writer, work));
    // Our own copy of it is gone: the end of the pipe is the end of the Emperor.
    wait(between.context("cannot go into the background")?)?;
    outcome(reader)
}

/// The child of whoever started us, until it has one itself.
fn between(
    config: &EmperorConfig,
    log: OwnedFd,
    writer: OwnedFd,
    work: impl FnOnce(&mut Witness) -> Result<ExitCode>,
) -> i32 {
    let made = setsid().and_then(|_| jail::sys::fork(|| behind(config, log, writer, work)));
    i32::from(made.is_err())
}

/// The Emperor. Its exit status is nobody's any more.
fn behind(
    config: &EmperorConfig,
    log: OwnedFd,
    writer: OwnedFd,
    work: impl FnOnce(&mut Witness) -> Result<ExitCode>,
) -> i32 {
    let kept: Vec<RawFd> = [log.as_raw_fd(), writer.as_raw_fd()].into_iter().chain(named(config)).collect();
    let mut witness = Witness(Some(writer.into()));
    let settled = settle(&log, &kept).context("cannot go into the background");
    drop(log);
    let Err(error) = settled.and_then(|()| work(&mut witness)) else { return 0 };
    log::error("emperor", &format!("{error:#}"));
    witness.say(format!("{error:#}").as_bytes());
    1
}

/// Nothing of the caller's is left but what the config names: no input, no output, no other descriptor.
fn settle(log: &OwnedFd, kept: &[RawFd]) -> Result<(), Errno> {
    log::forget();
    jail::sys::close_all_but(kept)?;
    let null = open("/dev/null", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    dup2_stdin(&null)?;
    logfile::take(log)
}

/// Sockets that the config knows by their numbers.
fn named(config: &EmperorConfig) -> impl Iterator<Item = RawFd> {
    let addresses = [&config.stats, &config.more_stats, &config.commands.socket, &config.commands.trigger];
    addresses.into_iter().flatten().filter_map(|address| match address.value {
        Address::Inherited(number) => Some(number),
        _ => None,
    })
}

/// Sockets of a service manager are meant for the process that it started, and it waits for no other one.
fn refuse_activation(log: &Placed<Log>) -> Result<()> {
    let ours = std::process::id().to_string();
    if std::env::var("LISTEN_PID").is_ok_and(|pid| pid == ours) {
        bail!("{}: a service manager left sockets for this very process: leave `daemonize` out", log.place);
    }
    Ok(())
}

fn wait(child: Pid) -> Result<()> {
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(Errno::INTR) => {}
            Ok(Some((_, status))) if status.exit_status() == Some(0) => return Ok(()),
            _ => bail!("cannot go into the background"),
        }
    }
}

/// What became of it.
fn outcome(reader: OwnedFd) -> Result<ExitCode> {
    let mut word = Vec::new();
    let limit = u64::try_from(REASON_MAX).unwrap_or(u64::MAX);
    File::from(reader).take(limit).read_to_end(&mut word).context("cannot hear of the Emperor")?;
    match word.first() {
        Some(&GOVERNS) => Ok(ExitCode::SUCCESS),
        Some(_) => bail!("{}", String::from_utf8_lossy(&word)),
        None => bail!("the Emperor ended before it governed; its log may say why"),
    }
}
