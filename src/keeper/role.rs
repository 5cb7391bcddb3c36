//! The process of the log keeper: it was born as nobody, gives up what is left, and reads until its Emperor is gone.

use std::os::fd::AsFd;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::set_name;
use rustix::time::{ClockId, clock_gettime};

use super::charter::Sink;
use super::filter;
use super::serve::{Keeper, first_word};
use super::words::CHANNEL_FD;
use crate::log;

/// `argv[0]` of this role; nothing in an environment or a file can choose it.
pub const ROLE: &str = "liege log-keeper";

/// Reads what vassals write until the Emperor is gone.
///
/// # Errors
/// What keeps it from serving.
pub fn main() -> Result<()> {
    // While there is a way to what stands behind standard error.
    log::open();
    leave_signals_to_the_emperor()?;
    limit()?;
    jail::run::not_dumpable()?;
    // It is called by the file that it runs otherwise, which is memory.
    let _ = set_name(c"log-keeper");
    // While there is a way to what the kernel tells of it: without, to ask for the time would be a call each time.
    let _ = clock_gettime(ClockId::Monotonic);
    let channel = jail::sys::adopt(CHANNEL_FD).context("cannot hear the Emperor")?;
    let (charter, directory) = first_word(&channel)?;
    // An older kernel has none of this; its ids and the filter hold it all the same.
    let _ = match directory.as_ref().filter(|_| charter.sink == Sink::Files) {
        Some(directory) => jail::run::open_only_in(directory.as_fd()),
        None if matches!(charter.sink, Sink::Journal | Sink::Syslog(_)) => Ok(()),
        None => jail::run::open_nothing(),
    };
    let mut keeper = Keeper::new(channel, &charter, directory)?;
    let filter = filter::filter(&charter.sink).context("the filter of the log keeper is too long")?;
    jail::run::filter(&filter).context("cannot go under the filter of the log keeper")?;
    keeper.serve()
}

/// Whoever ends a service signals everybody at once: the last lines of vassals are still to come.
fn leave_signals_to_the_emperor() -> Result<()> {
    let all =
        [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2];
    let set: SigSet = all.into_iter().chain([Signal::SIGPIPE]).collect();
    set.thread_block().context("cannot block signals")
}

/// Each vassal costs a descriptor; no core.
fn limit() -> Result<()> {
    let given = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: given.maximum, ..given })?;
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}
