//! What vassals may take, and what they do not inherit from this process.

use anyhow::{Context, Result, bail};
use jail::plan::{Knob, Setting};
use rustix::fs::FileType;

use crate::config::emperor::EmperorConfig;
use crate::config::emperor::resources::device;

/// The limits of each vassal's cgroup, devices by their numbers: the kernel knows no other names there.
///
/// # Errors
/// A path that is no block device.
pub(super) fn resources(config: &EmperorConfig) -> Result<Vec<Knob>> {
    let numbered = |knob: &Knob| match device(&knob.value) {
        path if path.starts_with('/') => {
            let stat =
                rustix::fs::stat(path).with_context(|| format!("{}: cannot look at {path}", knob.option))?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::BlockDevice {
                bail!("{}: {path} is no block device", knob.option);
            }
            let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
            Ok(Knob { value: knob.value.replacen(path, &format!("{major}:{minor}"), 1), ..knob.clone() })
        }
        _ => Ok(knob.clone()),
    };
    config.resources.iter().map(numbered).collect()
}

/// What vassals do not inherit. Keyrings of an ordinary user count against his small quota: there the spawner makes one for all of them.
pub(super) fn settings_of_vassals(privileged: bool) -> Vec<Setting> {
    let keyring = privileged.then_some(Setting::Keyring);
    keyring.into_iter().chain(jail::run::to_be_set_anew()).collect()
}
