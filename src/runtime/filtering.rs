//! What the Emperor lets its vassals ask of the kernel.

use anyhow::{Result, anyhow};
use jail::plan::standard::Strictness;
use jail::{Capabilities, Namespaces};

use crate::config::confine::Choice;
use crate::config::emperor::EmperorConfig;
use crate::seccomp;
use crate::spawner::charter::Filtering;

/// The profile is read here, with the rights of whoever wrote the config, and once for all vassals.
///
/// # Errors
/// What is wrong with it, and where.
pub fn of_config(config: &EmperorConfig, jail: Jail) -> Result<Filtering> {
    let Some(choice) = &config.seccomp else { return unasked(jail) };
    let root = jail.0.has(Namespaces::USER);
    let kept = if root { config.vassal_cap.unwrap_or(Capabilities::all()) } else { Capabilities::NONE };
    let chosen = seccomp::load(&choice.value, kept)
        .map_err(|cause| anyhow!("{}: emperor-seccomp: {cause}", choice.place))?;
    Ok(match (chosen, &choice.value) {
        (Some(filter), Choice::Strict) => Filtering::Strict(filter),
        (Some(filter), _) => Filtering::Chosen(filter),
        (None, Choice::Off) => Filtering::Off,
        (None, _) => Filtering::Standard,
    })
}

/// Namespaces, and the word for all of it.
type Jail = (Namespaces, Option<Strictness>);

fn unasked((_, word): Jail) -> Result<Filtering> {
    if word != Some(Strictness::Strict) {
        return Ok(Filtering::Standard);
    }
    let filter =
        seccomp::load(&Choice::Strict, Capabilities::NONE).map_err(|cause| anyhow!("jail: {cause}"))?;
    Ok(filter.map_or(Filtering::Standard, Filtering::Strict))
}

/// Abstract sockets belong to a network and ask nobody for rights.
pub fn is_scoped(namespaces: Namespaces, word: Option<Strictness>) -> bool {
    let wanted = !namespaces.has(Namespaces::NET) || word == Some(Strictness::Strict);
    wanted && jail::run::landlock_version() >= jail::plan::SCOPES_SINCE
}
