//! What the administrator says of fork servers and attributes, for the charter.

use anyhow::{Context, Result, bail};

use crate::config::emperor::fork_server::Commissions;
use crate::config::place::Placed;
use crate::config::vassal::Address;
use crate::spawner::attributes::Attributes;
use crate::spawner::charter::Charter;
use crate::spawner::fork_server::{Door, ForkServers, lost};

pub(super) fn fork_servers(wanted: &Commissions) -> Result<ForkServers> {
    let of_all = wanted.server.as_ref().map(door).transpose()?;
    let (attribute, bases) = (wanted.server_attribute.clone(), wanted.bases.clone());
    Ok(ForkServers { of_all, attribute, bases })
}

fn door(address: &Placed<Address>) -> Result<Door> {
    match &address.value {
        Address::Unix(path) => {
            let path = std::path::absolute(path).context("emperor-use-fork-server")?;
            Ok(Door::Path(path.to_string_lossy().into_owned()))
        }
        Address::Abstract(name) => Ok(Door::Abstract(name.clone())),
        Address::Tcp(_) | Address::Inherited(_) => {
            bail!("{}: not the address of a fork server", address.place)
        }
    }
}

pub(super) fn attributes(wanted: &Commissions) -> Attributes {
    Attributes {
        names: wanted.attributes(),
        wrapper: wanted.wrapper_attribute.clone(),
        directory: wanted.directory_attribute.clone(),
    }
}

/// Where all vassals are to come from a fork server, none may be without what was asked for. Where the attribute of one
/// names it, only that one is refused.
///
/// # Errors
/// What would be lost.
pub(super) fn contradiction(charter: &Charter) -> Result<()> {
    match lost(charter).filter(|_| charter.fork_servers.of_all.is_some()) {
        Some(reason) => bail!("emperor-use-fork-server: a vassal that a fork server makes: {reason}"),
        None => Ok(()),
    }
}
