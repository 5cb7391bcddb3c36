//! Pure. Plugins in an Emperor's config: liege has none to load, and its vassals load theirs by themselves.

use crate::config::place::{ConfigError, Entry};
use crate::config::show::quoted;

/// Why such an option does nothing here.
pub const IDLE: &str = "an Emperor has nothing to load; vassals load their plugins themselves";

/// Whether an option says what to load if it is there.
pub fn is_idle(key: &str) -> bool {
    matches!(key, "plugin" | "plugins")
}

/// What is wrong with a plugin that has to be there.
pub(super) fn missing(entry: &Entry) -> Option<ConfigError> {
    if !matches!(entry.key.as_str(), "need-plugin" | "need-plugins") {
        return None;
    }
    let cause = format!("{}: liege has no plugin {}", quoted(&entry.key), quoted(&entry.value));
    let cure = "leave it out: a vassal that needs it says so itself, and is run by uwsgi";
    Some(ConfigError::at(&entry.value_place, cause).cure(cure))
}
