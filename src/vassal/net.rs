//! Pure. The network of a vassal: from its config and what it was born as to steps.

use std::fmt;

use jail::Namespaces;
use jail::plan::{Address, Link, Route};

use super::phases::{Facts, needs_root, refusal};
use super::rootfs;
use super::step::Step;
use crate::config::place::{ConfigError, Place};
use crate::config::vassal::VassalConfig;
use crate::config::vassal::net::Loopback;

/// One step towards a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetStep {
    /// A way to the network that we come from, taken before we leave it.
    Keep,
    /// An interface from there.
    Give(Link),
    /// That way is given up: nothing that runs later has it.
    LetGo,
    /// An interface up.
    Up(String),
    /// An interface down.
    Down(String),
    /// An address.
    Address(Address),
    /// A route.
    Route(Route),
}

const LO: &str = "lo";

/// The namespace that these options stand for where birth gave none.
pub fn unshared(config: &VassalConfig, facts: &Facts) -> Namespaces {
    if config.net.is_own() { Namespaces::NET.without(facts.born) } else { Namespaces::NONE }
}

/// What comes before the network is left; who was born outside of it has what it takes.
pub fn before(config: &VassalConfig, facts: &Facts) -> Option<Step> {
    (!config.net.links.is_empty() && !facts.outside).then_some(Step::Net(NetStep::Keep))
}

/// What comes right after it: `lo`, and what comes from outside.
pub fn made(config: &VassalConfig, unshare: Namespaces) -> Vec<Step> {
    let stays_down = config.net.loopback.as_ref().is_some_and(|one| one.value == Loopback::Down);
    let mut steps = match (unshare.has(Namespaces::NET), stays_down) {
        (true, false) => vec![Step::LoopbackUp],
        (false, true) => vec![Step::Net(NetStep::Down(LO.into()))],
        _ => Vec::new(),
    };
    let links = || config.net.links.iter().map(|link| &link.value);
    steps.extend(links().map(|link| Step::Net(NetStep::Give(link.clone()))));
    if links().next().is_some() {
        steps.push(Step::Net(NetStep::LetGo));
    }
    steps.extend(links().map(|link| Step::Net(NetStep::Up(link.inside.clone()))));
    steps
}

/// Addresses and routes, once all interfaces are there.
pub fn set(config: &VassalConfig) -> Vec<Step> {
    let addresses = config.net.named_addresses().map(NetStep::Address);
    let routes = config.net.routes.iter().map(|route| NetStep::Route(route.value.clone()));
    addresses.chain(routes).map(Step::Net).collect()
}

/// What this vassal may not do.
pub fn refusals(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
    let net = &config.net;
    let mut refusals = Vec::new();
    for link in &net.links {
        refusals.extend(refused_link(&link.place, facts));
    }
    let addresses = net.addresses.iter().map(|one| ("net-address", &one.place));
    let set: Vec<(&str, &Place)> =
        addresses.chain(net.routes.iter().map(|one| ("net-route", &one.place))).collect();
    if !facts.root {
        let lo =
            net.loopback.iter().filter(|one| !(one.value == Loopback::Up && facts.born.has(Namespaces::NET)));
        let lo = lo.map(|one| ("net", &one.place));
        refusals.extend(lo.chain(set).map(|(name, place)| needs_root(&format!("`{name}`"), Some(place))));
    } else if !facts.born.with(rootfs::unshared(config, facts)).has(Namespaces::NET) {
        let cure = "add \"net\" to emperor-use-clone, or `net = lo`";
        let cause = "this would change the network of the whole host";
        refusals.extend(set.into_iter().map(|(_, place)| refusal(Some(place), cause, cure)));
    }
    refusals
}

/// Only root of the network outside can give something from it, and only before it has left.
fn refused_link(place: &Place, facts: &Facts) -> Option<ConfigError> {
    if !facts.root || facts.born.has(Namespaces::USER) {
        let cause = "an interface of the host is for root of the host to give";
        let cure = "let root own this config, or let an admin's hook give it; `net = lo` needs nobody";
        return Some(refusal(Some(place), cause, cure));
    }
    (facts.born.has(Namespaces::NET) && !facts.outside).then(|| {
        let cause = "this vassal was born outside of the host's network, and nobody has lent it a way there";
        let cure = "start it with an Emperor of liege's, or leave \"net\" out of emperor-use-clone: with this option it leaves that network by itself";
        refusal(Some(place), cause, cure)
    })
}

impl fmt::Display for NetStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep a way to the network outside"),
            Self::Give(link) => write!(f, "give the jail {link}"),
            Self::LetGo => f.write_str("give up the way to the network outside"),
            Self::Up(name) => write!(f, "bring {name} up"),
            Self::Down(name) => write!(f, "bring {name} down"),
            Self::Address(address) => write!(f, "set address {address}"),
            Self::Route(route) => write!(f, "set route {route}"),
        }
    }
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
