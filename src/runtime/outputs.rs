//! Where the output of vassals is to go, by the Emperor's config.

use std::os::fd::OwnedFd;

use anyhow::{Context, Result, anyhow};
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::keeper::LogKeeper;
use crate::config::emperor::EmperorConfig;
use crate::config::emperor::vassals_log::Destination;
use crate::keeper::charter::{Charter, Sink};
use crate::keeper::place;
use crate::log;

/// Who reads what vassals write: somebody, unless they are to have the Emperor's own output.
///
/// # Errors
/// The directory of its files cannot be had.
pub(super) fn open(config: &EmperorConfig, privileged: bool) -> Result<LogKeeper> {
    let wanted = &config.vassals_log;
    let mut directory = None;
    let asked = wanted.destination.as_ref().map(|placed| &placed.value);
    let sink = match asked.unwrap_or(&Destination::Stderr) {
        Destination::Inherit => return Ok(LogKeeper::default()),
        Destination::Stderr => Sink::Stderr,
        Destination::Nowhere => Sink::Nowhere,
        Destination::Journal => Sink::Journal,
        Destination::Syslog(path) => Sink::Syslog(path.clone()),
        Destination::Files(path) => {
            let opened = place::directory(path, privileged.then(crate::spawner::nobody));
            directory = Some(opened.map_err(|why| anyhow!("vassals-log: {why}"))?);
            Sink::Files
        }
    };
    let charter = Charter { sink, rate: wanted.rate, rotation: wanted.rotation };
    Ok(LogKeeper::new(Some(charter), directory))
}

/// Who makes vassals has no way to be given what they are to write to: each has the output of whoever made it.
pub(super) fn announce(config: &EmperorConfig) {
    let asked = config.vassals_log.destination.as_ref().map(|placed| &placed.value);
    if config.commissions.use_servers() && asked != Some(&Destination::Inherit) {
        log::info(
            "emperor",
            "what vassals of a fork server write is among the lines of that, and kept with them",
        );
    }
}

/// For whoever can have no pipe.
///
/// # Errors
/// No descriptor left.
pub(super) fn nowhere() -> Result<OwnedFd> {
    openat(CWD, "/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).context("no descriptor left")
}
