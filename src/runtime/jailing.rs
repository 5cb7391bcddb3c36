//! Which jail the vassals get, and that it is told.

use jail::plan::standard::Strictness;

use crate::config::emperor::EmperorConfig;
use crate::log;
use crate::spawner::charter::Charter;

/// What `jail` says, or what is meant where tenants are governed and nothing is said of their namespaces.
pub(super) fn word(config: &EmperorConfig, privileged: bool) -> Option<Strictness> {
    match &config.jail {
        Some(word) => word.value,
        None => is_default(config, privileged).then_some(Strictness::Standard),
    }
}

fn is_default(config: &EmperorConfig, privileged: bool) -> bool {
    privileged && config.is_jailed_unasked()
}

/// One line where nobody has asked for it.
pub(super) fn announce(config: &EmperorConfig, charter: &Charter) {
    if is_default(config, charter.privileged) {
        log::info(
            "emperor",
            "each vassal is jailed (jail = standard): no network but its own, a private /tmp, no capability; `jail = none` turns it off, `emperor-use-clone` chooses namespaces",
        );
    }
    if charter.jail.is_some() && charter.tyrant_initgroups {
        log::warn(
            "emperor",
            "emperor-tyrant-initgroups: no group but the owner's own has a number in a jail: vassals get no others (`jail = none` gives them)",
        );
    }
}
