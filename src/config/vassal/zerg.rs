//! Pure. Sockets shared with other vassals.

use std::path::PathBuf;

use super::VassalConfig;
use super::separation::file;
use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};

/// Whose sockets a vassal has besides its own, and who may have its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zerg {
    /// `zerg`: sockets of zerg servers whose sockets are taken, in order.
    pub of: Vec<Placed<PathBuf>>,
    /// `zerg-server`: where ours are served.
    pub server: Option<Placed<PathBuf>>,
}

impl Zerg {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "zerg" => self.of.push(entry.placed(value(entry, file)?)),
            "zerg-server" => self.server = Some(entry.placed(value(entry, file)?)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Who has given his place to another program cannot serve.
pub(super) fn contradiction(config: &VassalConfig) -> Option<ConfigError> {
    let server = config.zerg.server.as_ref()?;
    let patched = config.privileged_patch.is_some() || config.unprivileged_patch.is_some();
    patched.then(|| {
        let error = ConfigError::at(&server.place, "`zerg-server`: another program takes the vassal's place");
        error.cure("run it by `command`: then the vassal stays, and serves")
    })
}
