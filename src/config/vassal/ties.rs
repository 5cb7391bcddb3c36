//! Pure. What goes between a vassal and its Emperor besides the health of its command.

use std::path::PathBuf;

use super::VassalConfig;
use super::separation::file;
use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::values::count;

/// Who else speaks to the Emperor, and when it is asked for help.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// `emperor-proxy-socket`: where a program that runs elsewhere gets a line to the Emperor.
    pub proxy: Option<Placed<PathBuf>>,
    /// `vassal-sos-backlog`: so many connections wait before help is asked for; 0: never.
    pub sos_backlog: u32,
}

impl Ties {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "emperor-proxy-socket" => self.proxy = Some(entry.placed(value(entry, file)?)),
            "vassal-sos-backlog" => self.sos_backlog = value(entry, count)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Who speaks through us needs us to stay, and somebody to be minded.
pub(super) fn contradiction(config: &VassalConfig) -> Option<ConfigError> {
    let proxy = config.ties.proxy.as_ref().filter(|_| config.command.is_none())?;
    let error = ConfigError::at(&proxy.place, "`emperor-proxy-socket` without `command`");
    Some(error.cure("run by `command` what starts the program that is to speak with the Emperor"))
}
