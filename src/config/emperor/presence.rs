//! Pure. How the Emperor stands among the processes of the host.

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry};
use crate::config::values::{flag, text};

/// What it is called, and whose orphans come to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// `emperor-procname`.
    pub title: Option<String>,
    /// `emperor-subreaper`.
    pub subreaper: bool,
}

/// Takes what such an option says; false for any other option.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(config: &mut Presence, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    match name {
        "emperor-procname" => config.title = Some(value(entry, text)?),
        "emperor-subreaper" => config.subreaper = value(entry, flag)?,
        _ => return Ok(false),
    }
    Ok(true)
}
