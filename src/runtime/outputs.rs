//! Where the output of vassals is to go, by the Emperor's config.

use anyhow::{Result, anyhow};

use super::keeper::LogKeeper;
use crate::config::emperor::EmperorConfig;
use crate::config::emperor::vassals_log::Destination;
use crate::keeper::charter::{Charter, Sink};
use crate::keeper::place;

/// Who reads what vassals write, if it is not where the Emperor itself writes.
///
/// # Errors
/// The directory of its files cannot be had.
pub(super) fn open(config: &EmperorConfig, privileged: bool) -> Result<LogKeeper> {
    let log = &config.vassals_log;
    let mut directory = None;
    let asked = log.destination.as_ref().map(|placed| &placed.value);
    let sink = match asked.unwrap_or(&Destination::Inherit) {
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
    let charter = Charter { sink, rate: log.rate, rotation: log.rotation };
    Ok(LogKeeper::new(Some(charter), directory))
}
