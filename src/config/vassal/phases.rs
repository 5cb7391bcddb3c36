//! Pure. Options of phases: `exec-PHASE`, `hook-PHASE`, `mount-PHASE`, `umount-PHASE`.

use std::path::PathBuf;

use jail::Phase;

use super::VassalConfig;
use crate::config::admit::value;
use crate::config::hook::{Hook, Verb, unseen};
use crate::config::place::{ConfigError, Entry};
use crate::config::show::quoted;
use crate::config::values::{Wrong, text, wrong};

/// The phases of a vassal, in the order of its life.
pub const PHASES: [Phase; 17] = [
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
    if name == "hook-touch" {
        let (path, hook) = value(entry, touch).map_err(|error| unseen(entry, error))?;
        config.touches.push((path, entry.placed(hook)));
        return Ok(true);
    }
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

fn touch(text: &str) -> Result<(PathBuf, Hook), Wrong> {
    let cure =
        "write FILE HANDLER:ARGUMENTS with the whole path, such as: /run/app/again exec:/usr/local/bin/again";
    match text.trim_start().split_once(' ') {
        Some((file, hook)) if file.starts_with('/') && !file.ends_with('/') && !file.contains('\0') => {
            Ok((file.into(), Hook::parse(Verb::Hook, hook.trim_start())?))
        }
        _ => wrong(format!("{} does not begin with the path of a file", quoted(text)), cure),
    }
}

fn named(name: &str) -> Option<Phase> {
    PHASES.into_iter().find(|phase| phase.name() == name)
}
