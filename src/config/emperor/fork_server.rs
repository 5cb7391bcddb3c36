//! Pure. Options of what configs say to the Emperor of their vassals, and of fork servers.

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::values::{Wrong, address, text, wrong};
use crate::config::vassal::Address;

/// What those options say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commissions {
    /// `emperor-use-fork-server`: never TCP.
    pub server: Option<Placed<Address>>,
    /// `emperor-fork-server-attr`.
    pub server_attribute: Option<String>,
    /// `vassal-fork-base`: names of vassals.
    pub bases: Vec<String>,
    /// `emperor-collect-attr`.
    pub collected: Vec<String>,
    /// `emperor-wrapper-attr`.
    pub wrapper_attribute: Option<String>,
    /// `emperor-chdir-attr`.
    pub directory_attribute: Option<String>,
}

impl Commissions {
    /// The names of all that is looked for: what is used is collected as well.
    pub fn attributes(&self) -> Vec<String> {
        let used = [&self.server_attribute, &self.wrapper_attribute, &self.directory_attribute];
        let mut names: Vec<String> =
            self.collected.iter().chain(used.into_iter().flatten()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether any vassal may be made by a fork server.
    pub fn use_servers(&self) -> bool {
        self.server.is_some() || self.server_attribute.is_some()
    }
}

/// Takes in such an option; false for any other one.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(wanted: &mut Commissions, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    match name {
        "emperor-use-fork-server" => wanted.server = Some(entry.placed(value(entry, local)?)),
        "emperor-fork-server-attr" => wanted.server_attribute = Some(value(entry, text)?),
        "vassal-fork-base" => wanted.bases.push(value(entry, text)?),
        "emperor-collect-attr" => wanted.collected.push(value(entry, text)?),
        "emperor-wrapper-attr" => wanted.wrapper_attribute = Some(value(entry, text)?),
        "emperor-chdir-attr" => wanted.directory_attribute = Some(value(entry, text)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Where descriptors can be sent to.
fn local(text: &str) -> Result<Address, Wrong> {
    match address(text)? {
        Address::Tcp(_) | Address::Inherited(_) => {
            wrong("a fork server gets descriptors, which only a unix socket carries", "use a path or @NAME")
        }
        address @ (Address::Unix(_) | Address::Abstract(_)) => Ok(address),
    }
}
