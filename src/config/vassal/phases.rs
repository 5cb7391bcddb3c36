//! Pure. Options of phases: `exec-PHASE`, `hook-PHASE`, `mount-PHASE`, `umount-PHASE`.

use jail::Phase;

use super::VassalConfig;
use crate::config::admit::value;
use crate::config::hook::{Hook, Verb, unseen};
use crate::config::place::{ConfigError, Entry};
use crate::config::values::text;

/// The phases of a vassal.
const PHASES: [Phase; 17] = [
    Phase::Asap,
    Phase::PreJail,
    Phase::PostJail,
    Phase::InJail,
    Phase::AsRoot,
    Phase::AsUser,
    Phase::PreApp,
    Phase::PostApp,
    Phase::MasterStart,
    Phase::Accepting,
    Phase::AcceptingOnce,
    Phase::Accepting1,
    Phase::Accepting1Once,
    Phase::EmperorReload,
    Phase::EmperorStop,
    Phase::EmperorLost,
    Phase::AsUserAtexit,
];

/// Adds what an option of a phase says; false for any other option.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(config: &mut VassalConfig, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    let Some((verb, phase)) = name.split_once('-').and_then(|(verb, phase)| Some((verb, named(phase)?)))
    else {
        return Ok(false);
    };
    let verb = match verb {
        "exec" => {
            config.programs.push((phase, entry.placed(value(entry, text)?)));
            return Ok(true);
        }
        "hook" => Verb::Hook,
        "mount" => Verb::Mount,
        "umount" => Verb::Umount,
        _ => return Ok(false),
    };
    let hook = value(entry, |text| Hook::parse(verb, text)).map_err(|error| unseen(entry, error))?;
    config.hooks.push((phase, entry.placed(hook)));
    Ok(true)
}

fn named(name: &str) -> Option<Phase> {
    PHASES.into_iter().find(|phase| phase.name() == name)
}
