//! Which router is meant.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::conversation::Conversation;
use crate::config;
use crate::config::vassal::Address;
use crate::control::fetch;
use crate::control::place::beside;

/// A router that may be talked to.
pub(super) struct Found {
    device: Option<String>,
    socket: PathBuf,
}

impl Found {
    /// As people call it.
    pub(super) fn name(&self) -> String {
        self.device.clone().unwrap_or_else(|| self.socket.display().to_string())
    }

    /// Begins to talk to it.
    ///
    /// # Errors
    /// It is not there, or is another kind of thing.
    pub(super) fn talk(&self) -> Result<Conversation> {
        Conversation::open(&self.socket).with_context(|| format!("cannot talk to the router {}", self.name()))
    }
}

/// The router of this name or at this path, or all that the Emperor has.
///
/// # Errors
/// There is none.
pub(super) fn routers(named: Option<&str>) -> Result<Vec<Found>> {
    let emperor = named.and_then(emperor);
    if let Some(path) = named.filter(|word| word.contains('/') && emperor.is_none()) {
        return Ok(vec![Found { device: None, socket: path.into() }]);
    }
    let all = of_emperor(emperor.as_ref())?;
    let Some(name) = named.filter(|_| emperor.is_none()) else {
        return if all.is_empty() {
            bail!("this Emperor has no router: tuntap-router makes one")
        } else {
            Ok(all)
        };
    };
    let known: Vec<String> = all.iter().map(Found::name).collect();
    match all.into_iter().find(|one| one.device.as_deref() == Some(name)) {
        Some(found) => Ok(vec![found]),
        None if known.is_empty() => bail!("this Emperor has no router: tuntap-router makes one"),
        None => bail!("there is no router {name}; there is {}", known.join(", ")),
    }
}

/// The one that is meant.
///
/// # Errors
/// There is none, or none is named where there are several.
pub(super) fn router(named: Option<&str>) -> Result<Found> {
    let mut all = routers(named)?;
    match (all.pop(), all.len()) {
        (Some(one), 0) => Ok(one),
        (one, _) => {
            let names: Vec<String> = all.iter().chain(&one).map(Found::name).collect();
            bail!("there are several routers: name one of {}", names.join(", "))
        }
    }
}

/// A word that is where the stats of an Emperor are: `@name`, or a path beside which it serves more.
fn emperor(word: &str) -> Option<Address> {
    if word.starts_with('@') {
        return config::address(word).ok();
    }
    let address = Address::Unix(Some(word).filter(|word| word.contains('/'))?.into());
    let Some(Address::Unix(more)) = beside(&address) else { return None };
    more.exists().then_some(address)
}

/// Those in its stats.
fn of_emperor(address: Option<&Address>) -> Result<Vec<Found>> {
    let text = fetch::document(address).context("a router can be named by the path of its socket too")?;
    let document = fetch::parsed(&text)?;
    if document["pid"].is_null() {
        bail!(
            "an Emperor tells root and its own user alone which routers it has: name one by the path of its socket"
        );
    }
    let routers = document["routers"].as_array().into_iter().flatten();
    Ok(routers
        .filter_map(|one| {
            let socket = one["socket"].as_str()?.into();
            Some(Found { device: one["device"].as_str().map(str::to_owned), socket })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_beside_which_more_is_served_is_an_emperors() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
        std::fs::write(place("stats.sock.control"), "").expect("written");
        assert_eq!(emperor(&place("stats.sock")), Some(Address::Unix(place("stats.sock").into())));
        assert_eq!((emperor(&place("router.sock")), emperor("emperor0")), (None, None));
        assert!(matches!(emperor("@liege"), Some(Address::Abstract(_))));
    }
}
