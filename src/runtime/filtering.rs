//! What the Emperor lets its vassals ask of the kernel.

use anyhow::{Result, anyhow};
use jail::{Capabilities, Namespaces};

use crate::config::confine::Choice;
use crate::config::emperor::EmperorConfig;
use crate::seccomp;
use crate::spawner::charter::Filtering;

/// The profile is read here, with the rights of whoever wrote the config, and once for all vassals.
///
/// # Errors
/// What is wrong with it, and where.
pub fn of_config(config: &EmperorConfig, namespaces: Namespaces) -> Result<Filtering> {
    let Some(choice) = &config.seccomp else { return Ok(Filtering::Standard) };
    let root = namespaces.has(Namespaces::USER);
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

/// Abstract sockets belong to a network and ask nobody for rights.
pub fn is_scoped(namespaces: Namespaces) -> bool {
    !namespaces.has(Namespaces::NET) && jail::run::landlock_version() >= jail::plan::SCOPES_SINCE
}
