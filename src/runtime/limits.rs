//! What vassals may take, and what they do not inherit from this process.

use anyhow::{Context, Error, Result};
use jail::plan::{Knob, Setting};
use rustix::process::{Resource, getrlimit};

use crate::config::emperor::EmperorConfig;
use crate::spawner::numbered;

/// Processes and threads of one vassal in a jail of which nothing else is said.
const PROCESSES_MAX: u64 = 4_096;

/// The limits of each vassal's cgroup, devices by their numbers: the kernel knows no other names there.
///
/// # Errors
/// A path that is no block device.
pub(super) fn resources(config: &EmperorConfig) -> Result<Vec<Knob>> {
    config.resources.iter().map(|knob| numbered(knob).map_err(Error::msg)).collect()
}

/// The file of `emperor-limits`, wherever its reader stands.
///
/// # Errors
/// The working directory is gone.
pub(super) fn file(config: &EmperorConfig) -> Result<Option<String>> {
    let Some(path) = &config.limits_file else { return Ok(None) };
    let path = std::path::absolute(path).context("emperor-limits")?;
    Ok(Some(path.to_string_lossy().into_owned()))
}

/// Processes and threads of a vassal in a user namespace: as many as the administrator says, in a jail else a number that no
/// ordinary program comes near; never more than we may give.
pub(super) fn processes_max(config: &EmperorConfig, jailed: bool) -> Option<u64> {
    let most = getrlimit(Resource::Nproc).maximum.unwrap_or(u64::MAX);
    let wanted = config.processes_max.or(jailed.then_some(PROCESSES_MAX));
    wanted.map(|wanted| wanted.min(most))
}

/// What vassals do not inherit. Keyrings of an ordinary user count against his small quota: there the spawner makes one for all of them.
pub(super) fn settings_of_vassals(privileged: bool) -> Vec<Setting> {
    let keyring = privileged.then_some(Setting::Keyring);
    keyring.into_iter().chain(jail::run::to_be_set_anew()).collect()
}
