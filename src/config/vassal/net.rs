//! Pure. What a config says of the vassal's network, typed: `net`, `net-address`, `net-route`.

use core::net::IpAddr;

use jail::plan::{Address, IPVLAN_MODES, Link, LinkKind, MACVLAN_MODES, Mode, Prefix, Route, VethEnd};

use super::tuntap::{self, Via};
use crate::config::admit::value;
use crate::config::hook::interface;
use crate::config::place::{ConfigError, Entry, Place, Placed};
use crate::config::show::quoted;
use crate::config::values::{Wrong, count, wrong};

/// Interfaces, addresses or routes that one config may ask for.
const EACH_MAX: usize = 256;
/// Bytes of a packet that every IPv4 host takes, and of the longest one that there can be.
const MTU: std::ops::RangeInclusive<u32> = 68..=65_536;
const FORMS: &str = "write none, lo, veth:NAME[@OUTSIDE], macvlan:NAME[@OUTSIDE], ipvlan:NAME[@OUTSIDE] move:NAME[@OUTSIDE], or ADDRESS/LENGTH via ROUTER";

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetConfig {
    /// `net = none` or `net = lo`, the last one.
    pub loopback: Option<Placed<Loopback>>,
    /// `net = … via ROUTER`.
    pub vias: Vec<Placed<Via>>,
    /// Every other `net`.
    pub links: Vec<Placed<Link>>,
    /// `net-address`: without a name it is that of the only link.
    pub addresses: Vec<Placed<(Prefix, Option<String>)>>,
    /// `net-route`.
    pub routes: Vec<Placed<Route>>,
}

/// What becomes of `lo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// `none`.
    Down,
    /// `lo`.
    Up,
}

impl NetConfig {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub(super) fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match (name, entry.value.as_str()) {
            ("net", "none") => self.loopback = Some(entry.placed(Loopback::Down)),
            ("net", "lo") => self.loopback = Some(entry.placed(Loopback::Up)),
            ("net", text) if text.split_ascii_whitespace().any(|word| word == "via") => {
                self.vias.push(entry.placed(value(entry, tuntap::via)?));
            }
            ("net", _) => self.links.push(entry.placed(value(entry, link)?)),
            ("net-address", _) => self.addresses.push(entry.placed(value(entry, address)?)),
            ("net-route", _) => self.routes.push(entry.placed(value(entry, route)?)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// True when it needs a network that is nobody else's.
    pub fn is_own(&self) -> bool {
        self.loopback.is_some() || !self.links.is_empty() || !self.vias.is_empty()
    }

    /// The addresses with the names of their interfaces.
    pub fn named_addresses(&self) -> impl Iterator<Item = Address> {
        self.addresses.iter().filter_map(|one| {
            let (prefix, name) = &one.value;
            let name = name.as_ref().or_else(|| self.interfaces().next().map(|(name, _)| name));
            name.map(|name| Address { prefix: *prefix, interface: name.clone() })
        })
    }

    /// Interfaces that `net` gives, and where it says so.
    fn interfaces(&self) -> impl Iterator<Item = (&String, &Place)> {
        let links = self.links.iter().map(|link| (&link.value.inside, &link.place));
        links.chain(self.vias.iter().map(|via| (&via.value.device, &via.place)))
    }
}

/// What no single option shows.
pub(super) fn contradictions(config: &NetConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if let (Some(Placed { value: Loopback::Down, place }), Some(link)) =
        (&config.loopback, config.interfaces().next())
    {
        let cause = format!("`net = none` beside another interface ({})", link.1);
        errors.push(ConfigError::at(place, cause).cure("leave out one of the two"));
    }
    for (index, link) in config.links.iter().enumerate() {
        let same = config.links[..index].iter().find(|other| other.value.inside == link.value.inside);
        errors.extend(same.map(|other| {
            let cause = format!("an interface {} is there already ({})", link.value.inside, other.place);
            ConfigError::at(&link.place, cause).cure("give it another name: KIND:NAME@OUTSIDE")
        }));
    }
    if config.interfaces().count() != 1 {
        let nameless = config.addresses.iter().filter(|address| address.value.1.is_none());
        errors.extend(nameless.map(|address| {
            ConfigError::at(&address.place, "an address without an interface")
                .cure("write ADDRESS/LENGTH@NAME; only a single `net = …` needs no name")
        }));
    }
    errors.extend(
        beyond(&config.links)
            .or_else(|| beyond(&config.vias))
            .or_else(|| beyond(&config.addresses))
            .or_else(|| beyond(&config.routes)),
    );
    errors
}

fn beyond<T>(list: &[Placed<T>]) -> Option<ConfigError> {
    let one = list.get(EACH_MAX)?;
    Some(ConfigError::at(&one.place, format!("more than {EACH_MAX} of these")).cure("use fewer"))
}

/// `KIND:NAME[@OUTSIDE] [KEY=VALUE…]`. Before the `@` stands what the jail sees, behind it what is outside.
fn link(text: &str) -> Result<Link, Wrong> {
    let mut words = text.split_ascii_whitespace();
    let first = words.next().unwrap_or_default();
    let Some((kind, names)) = first.split_once(':') else {
        return wrong(format!("{} is no kind of network", quoted(first)), FORMS);
    };
    let (inside, outside) = names.split_once('@').unwrap_or((names, names));
    let kind = match kind {
        "veth" => LinkKind::Veth(VethEnd::default()),
        "macvlan" => LinkKind::Macvlan(MACVLAN_MODES[0]),
        "ipvlan" => LinkKind::Ipvlan(IPVLAN_MODES[0]),
        "move" => LinkKind::Moved,
        odd => return wrong(format!("{} is no kind of network", quoted(odd)), FORMS),
    };
    let mut link =
        Link { kind, inside: interface(inside)?, outside: interface(outside)?, mac: None, mtu: None };
    words.try_for_each(|word| detail(&mut link, word))?;
    Ok(link)
}

fn detail(link: &mut Link, word: &str) -> Result<(), Wrong> {
    let (key, text) = word.split_once('=').unwrap_or((word, ""));
    match (key, &mut link.kind) {
        ("mac", LinkKind::Veth(_) | LinkKind::Macvlan(_) | LinkKind::Moved) => link.mac = Some(mac(text)?),
        ("mtu", _) => link.mtu = Some(mtu(text)?),
        ("bridge", LinkKind::Veth(end)) => end.bridge = Some(interface(text)?),
        ("address", LinkKind::Veth(end)) => end.address = Some(prefix(text)?),
        ("mode", LinkKind::Macvlan(mode)) => *mode = named(&MACVLAN_MODES, text)?,
        ("mode", LinkKind::Ipvlan(mode)) => *mode = named(&IPVLAN_MODES, text)?,
        (_, kind) => {
            let cure = match kind {
                LinkKind::Veth(_) => {
                    "a veth takes bridge=NAME, address=ADDRESS/LENGTH (both of its end outside), mac=, mtu="
                }
                LinkKind::Macvlan(_) => "a macvlan takes mode=, mac=, mtu=",
                LinkKind::Ipvlan(_) => "an ipvlan takes mode=, mtu=",
                LinkKind::Moved => "an interface that is moved takes mac=, mtu=",
            };
            return wrong(format!("{} means nothing here", quoted(word)), cure);
        }
    }
    Ok(())
}

fn named(modes: &[Mode], text: &str) -> Result<Mode, Wrong> {
    let names: Vec<&str> = modes.iter().map(|(name, _)| *name).collect();
    let found = modes.iter().find(|(name, _)| *name == text).copied();
    found.ok_or_else(|| {
        Wrong::new(format!("{} is no mode", quoted(text)), format!("use one of: {}", names.join(", ")))
    })
}

/// Bytes of a longest packet.
pub(super) fn mtu(text: &str) -> Result<u32, Wrong> {
    let mtu = count(text)?;
    if MTU.contains(&mtu) {
        Ok(mtu)
    } else {
        wrong(format!("no packet has {mtu} bytes"), "use 68 to 65536, such as 1500")
    }
}

/// Six bytes; the lowest bit of the first one would make it the address of a group.
fn mac(text: &str) -> Result<[u8; 6], Wrong> {
    let byte = |word: &str| (word.len() == 2).then(|| u8::from_str_radix(word, 16).ok()).flatten();
    let bytes: Option<Vec<u8>> = text.split(':').map(byte).collect();
    match bytes.map(TryInto::<[u8; 6]>::try_into) {
        Some(Ok(mac)) if mac[0] & 1 == 0 && mac != [0; 6] => Ok(mac),
        _ => wrong(
            format!("{} is no hardware address of one host", quoted(text)),
            "write six bytes, the first one even, such as 02:00:00:00:00:01",
        ),
    }
}

/// `ADDRESS/LENGTH`.
fn prefix(text: &str) -> Result<Prefix, Wrong> {
    let bad = || {
        Wrong::new(
            format!("{} is no address with a length", quoted(text)),
            "write ADDRESS/LENGTH, such as 10.0.0.2/24 or fd00::2/64",
        )
    };
    let (address, length) = text.split_once('/').ok_or_else(bad)?;
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let length = count(length)?;
    match u8::try_from(length) {
        Ok(length) if length <= Prefix::bits(address) => Ok(Prefix { address, length }),
        _ => wrong(format!("no network of that family has {length} bits"), "use at most 32, or 128 for IPv6"),
    }
}

fn address(text: &str) -> Result<(Prefix, Option<String>), Wrong> {
    let (text, name) = text.split_once('@').map_or((text, None), |(text, name)| (text, Some(name)));
    Ok((host_prefix(text)?, name.map(interface).transpose()?))
}

/// `ADDRESS/LENGTH` of one host.
pub(super) fn host_prefix(text: &str) -> Result<Prefix, Wrong> {
    let prefix = prefix(text)?;
    if prefix.address.is_unspecified() || prefix.address.is_multicast() {
        return wrong(
            format!("{} is no address of a host", quoted(text)),
            "use an address that one host can have",
        );
    }
    Ok(prefix)
}

/// `NETWORK|default [via GATEWAY] [dev NAME]`.
fn route(text: &str) -> Result<Route, Wrong> {
    let bad = || {
        Wrong::new(
            format!("{} is no route", quoted(text)),
            "write `default via GATEWAY`, `NETWORK/LENGTH via GATEWAY` or `NETWORK/LENGTH dev NAME`",
        )
    };
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (to, rest) = words.split_first().ok_or_else(bad)?;
    let (mut gateway, mut name): (Option<IpAddr>, Option<String>) = (None, None);
    for pair in rest.chunks(2) {
        match pair {
            ["via", address] if gateway.is_none() => gateway = Some(address.parse().map_err(|_| bad())?),
            ["dev", one] if name.is_none() => name = Some(interface(one)?),
            _ => return Err(bad()),
        }
    }
    let to = match (*to, gateway) {
        ("default", Some(gateway)) => Prefix::anywhere(gateway),
        ("default", None) => Prefix::anywhere(IpAddr::from([0; 4])),
        (to, _) => prefix(to)?,
    };
    if gateway.is_none() && name.is_none() {
        return Err(bad());
    }
    if !to.is_network() {
        return wrong(
            format!("{to} has bits behind its length"),
            "write the network: 10.1.0.0/16, not 10.1.2.3/16",
        );
    }
    if gateway.is_some_and(|gateway| gateway.is_ipv4() != to.address.is_ipv4()) {
        return wrong("network and gateway are of two families", "use IPv4 or IPv6 for both");
    }
    Ok(Route { to, gateway, interface: name, mtu: None })
}
