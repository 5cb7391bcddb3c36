//! The process of a router: it was born as nobody, gives up what is left, and carries packets until its Emperor is gone.

use anyhow::{Context, Error, Result};
use nix::sys::signal::{SigSet, Signal};
use routers::tuntap::io::{self, Level, Means};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::set_name;
use rustix::time::{ClockId, clock_gettime};

use super::filter;
use super::opened::STATE_MAX;
use crate::log;

/// `argv[0]` of this role; nothing in an environment or a file can choose it.
pub const ROLE: &str = "liege tuntap-router";
/// Where the longest file that it may write ends, in bytes, as that of what its successor has to know does.
const FILE_MAX: u64 = STATE_MAX;

/// Runs the router with this device until its Emperor is gone.
///
/// # Errors
/// What keeps it from serving.
pub fn main(device: String) -> Result<()> {
    // While there is a way to what stands behind standard error.
    log::open();
    leave_signals_to_the_emperor()?;
    limit()?;
    jail::run::not_dumpable()?;
    // It is called by the file that it runs otherwise, which is memory.
    let _ = set_name(c"tuntap-router");
    // While there is a way to what the kernel tells of it: without, to ask for the time would be a call each time.
    let _ = clock_gettime(ClockId::Monotonic);
    let means = Means::new().context("cannot make what closes the sockets of tenants")?;
    // An older kernel has none of this; what is listed in the filter opens nothing either.
    let _ = jail::run::open_nothing();
    let filter = filter::filter().context("the filter of a router is too long")?;
    jail::run::filter(&filter).context("cannot go under the filter of a router")?;
    serve(means, device)
}

/// Whoever ends a service signals everybody at once: connections live as long as there are vassals, and our end is our
/// Emperor's. What makes a file too long fails, and that is all.
fn leave_signals_to_the_emperor() -> Result<()> {
    let all = [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGXFSZ,
    ];
    let set: SigSet = all.into_iter().collect();
    set.thread_block().context("cannot block signals")
}

/// Each peer costs two descriptors; a file of a limited length, and no core.
fn limit() -> Result<()> {
    let given = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: given.maximum, ..given })?;
    let most = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    setrlimit(Resource::Core, most(0))?;
    if log::is_file() {
        // It may be longer already, by what others write, and what we say would be lost. Whoever takes us over could fill its disk
        // by it anyway.
        return Ok(());
    }
    let given = getrlimit(Resource::Fsize);
    Ok(setrlimit(Resource::Fsize, most(given.maximum.unwrap_or(FILE_MAX).min(FILE_MAX)))?)
}

fn serve(means: Means, device: String) -> Result<()> {
    let tell = move |level: Level, sentence: &str| {
        let level = match level {
            Level::Warn => log::Level::Warn,
            Level::Info => log::Level::Info,
        };
        log::line(level, &[("router", &device)], sentence);
    };
    io::serve(means, Box::new(tell)).map_err(Error::msg)
}
