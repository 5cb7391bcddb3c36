//! Pure. Sockets shared with other vassals.

use std::path::PathBuf;

use super::separation::file;
use super::{Address, VassalConfig};
use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::values::{Wrong, address, flag};

/// Sockets that are served and not used by the vassal itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Where they are served.
    pub at: PathBuf,
    /// Where they listen.
    pub addresses: Vec<Address>,
}

/// Whose sockets a vassal has besides its own, and who may have its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zerg {
    /// `zerg`: sockets of zerg servers whose sockets are taken, in order.
    pub of: Vec<Placed<PathBuf>>,
    /// `zerg-server`: where ours are served.
    pub server: Option<Placed<PathBuf>>,
    /// `zerg-fallback`: where nobody serves, its own sockets have to do.
    pub fallback: bool,
    /// `zerg-pool`.
    pub pools: Vec<Placed<Pool>>,
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
            "zerg-fallback" => self.fallback = value(entry, flag)?,
            "zerg-pool" => self.pools.push(entry.placed(value(entry, pool)?)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `PATH:ADDRESS[,ADDRESS...]`.
fn pool(text: &str) -> Result<Pool, Wrong> {
    let wrong = || Wrong {
        cause: "no pool of sockets".into(),
        cure: Some("such as /run/pool.sock:127.0.0.1:3031,/run/app.sock".into()),
    };
    let (at, list) = text.split_once(':').ok_or_else(wrong)?;
    let addresses: Vec<Address> = list.split(',').map(address).collect::<Result<_, _>>()?;
    Ok(Pool { at: file(at)?, addresses })
}

/// Who has given his place to another program cannot serve.
pub(super) fn contradiction(config: &VassalConfig) -> Option<ConfigError> {
    let server = config.zerg.server.as_ref().map(|server| (&server.place, "zerg-server"));
    let pool = config.zerg.pools.first().map(|pool| (&pool.place, "zerg-pool"));
    let (place, option) = server.or(pool)?;
    let patched = config.privileged_patch.is_some() || config.unprivileged_patch.is_some();
    patched.then(|| {
        let error = ConfigError::at(place, format!("`{option}`: another program takes the vassal's place"));
        error.cure("run it by `command`: then the vassal stays, and serves")
    })
}
