//! Pure. Options of what the administrator has done around vassals.

use jail::plan::standard::standard_namespaces;
use jail::{Namespaces, Phase};

use super::EmperorConfig;
use crate::config::admit::value;
use crate::config::hook::{Errand, Hook, Manner, Task, unseen};
use crate::config::place::{ConfigError, Entry, Placed};

/// The phases of the Emperor's side.
const PHASES: [Phase; 8] = [
    Phase::EmperorStart,
    Phase::AsEmperorBeforeVassal,
    Phase::AsVassalBeforeDrop,
    Phase::AsVassal,
    Phase::AsEmperor,
    Phase::AsEmperorSetns,
    Phase::AsOnDemandVassal,
    Phase::AsOnConfigVassal,
];

/// Adds what such an option says; false for any other option.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(config: &mut EmperorConfig, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    let Some((manner, phase)) = named(name) else { return Ok(false) };
    let errand =
        value(entry, |text| Errand::parse(phase, manner, text)).map_err(|error| unseen(entry, error))?;
    if name == "vassals-stop-hook" {
        config.stop_hook = Some(entry.placed(errand));
        return Ok(true);
    }
    if manner == Manner::Program {
        // One program: the last one given counts.
        config.errands.retain(|errand| errand.value.manner != Manner::Program);
    }
    config.errands.push(entry.placed(errand));
    Ok(true)
}

/// What an Emperor's config of uWSGI does while it is root, before any vassal: there the words are those of a vassal. False for any other
/// option.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn as_root(config: &mut EmperorConfig, entry: &Entry) -> Result<bool, ConfigError> {
    let manner = match entry.key.as_str() {
        "exec-as-root" => Manner::Exec,
        "hook-as-root" => Manner::Hook,
        _ => return Ok(false),
    };
    let errand = value(entry, |text| Errand::parse(Phase::EmperorStart, manner, text));
    config.errands.push(entry.placed(errand.map_err(|error| unseen(entry, error))?));
    Ok(true)
}

fn named(name: &str) -> Option<(Manner, Phase)> {
    match name {
        "vassals-start-hook" => return Some((Manner::Program, Phase::AsVassal)),
        "vassals-stop-hook" => return Some((Manner::Program, Phase::AsEmperor)),
        _ => {}
    }
    let (verb, phase) = name.split_once('-')?;
    let manner = match verb {
        "hook" => Manner::Hook,
        "mount" => Manner::Mount,
        "umount" => Manner::Umount,
        "exec" => Manner::Exec,
        _ => return None,
    };
    PHASES.into_iter().find(|known| known.name() == phase).map(|phase| (manner, phase))
}

/// What would stay on the host each time that a vassal is started.
pub(super) fn contradictions(config: &EmperorConfig) -> Vec<ConfigError> {
    let namespaces = namespaces(config);
    let lasting = config.errands.iter().filter_map(|errand| lasting(namespaces, errand));
    lasting.chain(config.errands.iter().filter_map(|errand| aimless(config, errand))).collect()
}

/// Those that each vassal is born in, with what its jail brings, also where that is the default.
fn namespaces(config: &EmperorConfig) -> Namespaces {
    if config.is_jailed() { config.namespaces.with(standard_namespaces()) } else { config.namespaces }
}

/// A hook that wants to be in a user namespace where no vassal has one.
fn aimless(config: &EmperorConfig, errand: &Placed<Errand>) -> Option<ConfigError> {
    let Ok(Task::Hook(wanted, _)) = errand.value.task() else { return None };
    let none = !config.is_jailed() && !config.namespaces.has(Namespaces::USER);
    (none && wanted.has(Namespaces::USER)).then(|| {
        let error = ConfigError::at(&errand.place, "the vassals have no user namespace that could be joined");
        error.cure("add \"user\" to emperor-use-clone, or use hook-as-vassal-before-drop")
    })
}

fn lasting(namespaces: Namespaces, errand: &Placed<Errand>) -> Option<ConfigError> {
    if !matches!(errand.value.phase, Phase::AsVassalBeforeDrop | Phase::AsVassal) {
        return None;
    }
    let Ok(Task::Hook(_, hook)) = errand.value.task() else { return None };
    let (needed, what) = needed(&hook)?;
    let error = || {
        let error = ConfigError::at(&errand.place, format!("this would change the {what} of the whole host"));
        error.cure(format!("add \"{needed}\" to emperor-use-clone, or use a hook as-emperor"))
    };
    (!namespaces.has(needed)).then(error)
}

fn needed(hook: &Hook) -> Option<(Namespaces, &'static str)> {
    if hook.changes_mounts() {
        return Some((Namespaces::FS, "mounts"));
    }
    matches!(hook.action, crate::config::hook::Action::Hostname(_)).then_some((Namespaces::UTS, "name"))
}
