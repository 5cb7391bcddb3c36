//! Pure. The network of a vassal: from its config and what it was born as to steps.

use std::fmt;

use jail::Namespaces;
use jail::plan::{Address, Link, Route};
use routers::tuntap::record::RECORD;

use super::phases::{Facts, needs_root, refusal};
use super::rootfs;
use super::step::{Step, Wanted};
use crate::config::place::{ConfigError, Place, Placed};
use crate::config::vassal::VassalConfig;
use crate::config::vassal::net::Loopback;
use crate::config::vassal::tuntap::{Device, Names, Via};

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
    /// A network by a router that knows us, and who we say that we are: who the vassal will be.
    Via(Via, Option<Wanted>),
    /// The name servers that came along are written down; an error where that cannot be, if some were asked for.
    Names(bool),
    /// They are not: the file is the host's too.
    NamesLeft,
    /// A device as uWSGI makes it.
    Device(Device, Feed),
}

/// What goes to the router of a device beside its packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// Rules of the device, `routers::tuntap::record::RECORD` bytes each.
    pub records: Vec<u8>,
    /// We say who we are before anything else.
    pub credentials: bool,
    /// Who the vassal will be, where that is somebody else.
    pub who: Option<Wanted>,
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

/// Networks by routers: where processes are not numbered anew any more, since one of ours may carry packets.
pub fn joined(config: &VassalConfig, facts: &Facts) -> Vec<Step> {
    let who = known_as(config, facts);
    let via = |via: &Placed<Via>| NetStep::Via(via.value.clone(), who.clone());
    let mut steps: Vec<NetStep> = config.net.vias.iter().map(via).collect();
    let feed = Feed { records: config.tuntap.records(), credentials: config.use_credentials, who };
    let fed = |device: &Device| device.router.as_ref().map_or_else(Feed::default, |_| feed.clone());
    let devices = || config.tuntap.devices.iter().map(|device| &device.value);
    steps.extend(devices().map(|device| NetStep::Device(device.clone(), fed(device))));
    let addressed = |name: &String| config.net.named_addresses().any(|address| address.interface == *name);
    let up = devices().filter(|device| addressed(&device.name));
    steps.extend(up.map(|device| NetStep::Up(device.name.clone())));
    steps.into_iter().map(Step::Net).collect()
}

/// Root of the host says who it is going to be. Root of a user namespace is its owner already, to all outside.
fn known_as(config: &VassalConfig, facts: &Facts) -> Option<Wanted> {
    let made = config.unshare.with(facts.born).has(Namespaces::USER);
    let wanted = super::phases::wanted(config);
    (!made && wanted.uid.is_some()).then_some(wanted)
}

/// What programs are told of name servers, once they see the files that they will see.
pub fn names(config: &VassalConfig, facts: &Facts) -> Option<Step> {
    let wishes = || config.net.vias.iter().map(|via| &via.value.names);
    let is_silent = |names: &Names| *names == Names::These(Vec::new());
    if wishes().all(is_silent) || rootfs::names_resolvers(config) {
        return None;
    }
    let asked = wishes().any(|names| matches!(names, Names::These(_)) && !is_silent(names));
    let own = rootfs::owns_mounts(config, facts);
    Some(Step::Net(if own { NetStep::Names(asked) } else { NetStep::NamesLeft }))
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
    let devices = config.tuntap.devices.iter().map(|one| ("tuntap-device", &one.place));
    let routes = net.routes.iter().map(|one| ("net-route", &one.place));
    let set: Vec<(&str, &Place)> = addresses.chain(routes).chain(devices).collect();
    if !facts.root {
        let lo =
            net.loopback.iter().filter(|one| !(one.value == Loopback::Up && facts.born.has(Namespaces::NET)));
        let lo =
            lo.map(|one| ("net", &one.place)).chain(net.vias.iter().map(|one| ("net = … via", &one.place)));
        refusals.extend(lo.chain(set).map(|(name, place)| needs_root(&format!("`{name}`"), Some(place))));
    } else if !facts.born.with(rootfs::unshared(config, facts)).has(Namespaces::NET) {
        let cure = "add \"net\" to emperor-use-clone, or `net = lo`";
        let cause = "this would change the network of the whole host";
        refusals.extend(set.into_iter().map(|(_, place)| refusal(Some(place), cause, cure)));
    }
    refusals.extend(unwritten(config, facts));
    refusals
}

/// Name servers that were asked for and would be those of the whole host.
fn unwritten(config: &VassalConfig, facts: &Facts) -> Vec<ConfigError> {
    let asked = |via: &&Placed<Via>| matches!(&via.value.names, Names::These(list) if !list.is_empty());
    let named = rootfs::names_resolvers(config);
    if !named && rootfs::owns_mounts(config, facts) {
        return Vec::new();
    }
    let (cause, cure) = match named {
        true => ("`dns` beside `resolv-conf`", "leave out one of the two"),
        false => (
            "`dns` would be the whole host's: /etc/resolv.conf is not this vassal's alone",
            "add \"fs\" to emperor-use-clone, or `unshare = fs`; or leave out `dns`",
        ),
    };
    config.net.vias.iter().filter(asked).map(|via| refusal(Some(&via.place), cause, cure)).collect()
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
            Self::Via(via, who) => write!(f, "{via}{}", As(who)),
            Self::Names(_) => f.write_str("write the name servers of the network to /etc/resolv.conf"),
            Self::NamesLeft => f.write_str("leave /etc/resolv.conf as it is: it is not this vassal's alone"),
            Self::Device(device, feed) => {
                write!(f, "{device}")?;
                match feed.records.len() / RECORD {
                    0 => {}
                    1 => f.write_str(", one rule")?,
                    rules => write!(f, ", {rules} rules")?,
                }
                write!(f, "{}", As(&feed.who))
            }
        }
    }
}

/// Who the router is told that we are.
struct As<'a>(&'a Option<Wanted>);

impl fmt::Display for As<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |who| write!(f, ", known as {who}"))
    }
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
