//! Pure. `emperor` in a vassal's config: what the vassal runs is an Emperor, with the options there that are an
//! Emperor's alone; all others are the vassal's, as they are of any program.

use super::VassalConfig;
use super::health::{Health, Readiness};
use crate::config::emperor;
use crate::config::place::{ConfigError, ENVIRONMENT, Entry, Place};
use crate::options::{OptionSpec, Scope, Standing, standing};

/// This very program, whatever its path leads to by now.
pub const OURSELVES: &str = "/proc/self/exe";
/// `SIGHUP`: it reloads all of its vassals.
const RELOAD: i32 = 1;

/// Whether it makes a vassal an Emperor.
pub(super) fn is_source(entry: &Entry) -> bool {
    of_emperors(entry).is_some_and(|option| option.name == "emperor")
}

/// The options of the Emperor in a vassal, and all others; of a vassal that is none, there are only others.
pub(super) fn split(entries: &[Entry]) -> (Vec<Entry>, Vec<Entry>) {
    let governs = entries.iter().any(is_source);
    entries.iter().cloned().partition(|entry| governs && of_emperors(entry).is_some())
}

/// As an Emperor says that it is well and is told to reload, unless the config says something else.
pub(super) fn health(options: &[Entry]) -> Health {
    match options.is_empty() {
        true => Health::default(),
        false => Health { ready: Readiness::Notify, reload_signal: Some(RELOAD), ..Health::default() },
    }
}

/// Has the vassal run an Emperor with these options; without any, nothing is done.
///
/// # Errors
/// What is wrong with them, or another program takes its place.
pub(super) fn govern(config: &mut VassalConfig, options: &[Entry]) -> Result<(), Vec<ConfigError>> {
    let Some(source) = options.iter().find(|entry| is_source(entry)) else { return Ok(()) };
    if let Some(place) = other_program(config) {
        let error = ConfigError::at(&source.place, format!("`emperor`, and another program ({place})"));
        return Err(vec![
            error.cure("leave out one of the two, or make the program a vassal of this Emperor"),
        ]);
    }
    emperor::read::read(options)?;
    let words = options.iter().filter_map(word);
    config.command = Some(source.placed([OURSELVES.to_owned()].into_iter().chain(words).collect()));
    Ok(())
}

fn other_program(config: &VassalConfig) -> Option<&Place> {
    let command = config.command.as_ref().map(|command| &command.place);
    let patches = config.privileged_patch.iter().chain(&config.unprivileged_patch);
    command.or(patches.map(|patch| &patch.place).next())
}

/// As it is typed on a command line. What the environment says, the Emperor finds there by itself.
fn word(entry: &Entry) -> Option<String> {
    let option = of_emperors(entry).filter(|_| &*entry.place.file != ENVIRONMENT)?;
    let name = match option.name {
        // As under any Emperor: who went into the background would be missed above.
        "daemonize" => "logto",
        name => name,
    };
    Some(match entry.value.is_empty() {
        true => format!("--{name}"),
        false => format!("--{name}={}", entry.value),
    })
}

fn of_emperors(entry: &Entry) -> Option<&'static OptionSpec> {
    match standing(&entry.key) {
        Standing::Ours(group, option) if group.scope == Scope::Emperor => Some(option),
        _ => None,
    }
}
