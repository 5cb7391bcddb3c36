//! Pure. Rules of the firewall as people write them, and whom they mean.
//!
//! The grammar of uWSGI 2.0 and more of it: `<action> [<source> <destination>] [proto P] [sport N[-M]] [dport N[-M]]
//! [established] [peer NAME]`. What uWSGI takes for `allow` or skips because it is misspelt is an error.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::packet::{ICMP, ICMPV6, Packet, TCP, UDP, header_length};
use super::prefix::Prefix;
use super::words::{Word, Words, Wrong};

/// Protocols that have a name here.
const PROTOCOLS: [(&str, u8); 4] = [("tcp", TCP), ("udp", UDP), ("icmp", ICMP), ("icmpv6", ICMPV6)];
const FORM: &str = "write: allow|deny SOURCE[/LENGTH] DESTINATION[/LENGTH]";
const ROUTE_FORM: &str = "write: SOURCE[/LENGTH] DESTINATION[/LENGTH] ADDRESS:PORT";
const DEVICE_FORM: &str =
    "write: in|out SOURCE[/LENGTH] DESTINATION[/LENGTH] allow|deny|route|gateway [ADDRESS:PORT]";
const MORE_WORDS: [&str; 5] = ["proto", "sport", "dport", "established", "peer"];
const MORE: &str = "write proto, sport, dport, established or peer";

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It goes on.
    Allow,
    /// It is dropped.
    Deny,
    /// It goes to another router, whole, as one datagram.
    Gateway(SocketAddr),
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// To a peer.
    In,
    /// From a peer.
    Out,
}

/// Whom a rule means, and what becomes of it; what is none is not asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What becomes of it.
    pub action: Action,
    /// Where it is from.
    pub source: Option<Prefix>,
    /// Where it goes to.
    pub destination: Option<Prefix>,
    /// What it carries.
    pub protocol: Option<u8>,
    /// Lowest and highest port that it is from.
    pub source_ports: Option<(u16, u16)>,
    /// Lowest and highest port that it goes to.
    pub destination_ports: Option<(u16, u16)>,
    /// Only packets of TCP connections that somebody has opened already.
    pub established: bool,
    /// Name of the peer that it is from, or for.
    pub peer: Option<String>,
}

impl Rule {
    /// A rule that means everything.
    pub fn all(action: Action) -> Self {
        Self {
            action,
            source: None,
            destination: None,
            protocol: None,
            source_ports: None,
            destination_ports: None,
            established: false,
            peer: None,
        }
    }

    /// A rule of `tuntap-router-firewall-in` or `-out`.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn firewall(text: &str) -> Result<Self, Wrong> {
        let mut words = Words::new(text);
        let mut rule = Self::all(action(words.expect("the action", FORM)?)?);
        if words.clone().next().is_some_and(|word| !MORE_WORDS.contains(&word.text)) {
            rule.source = network(words.expect("the source", FORM)?)?;
            rule.destination = network(words.expect("the destination", FORM)?)?;
        }
        rule.more(&mut words)?;
        Ok(rule)
    }

    /// A rule of `tuntap-router-route`.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn route(text: &str) -> Result<Self, Wrong> {
        let mut words = Words::new(text);
        let source = network(words.expect("the source", ROUTE_FORM)?)?;
        let destination = network(words.expect("the destination", ROUTE_FORM)?)?;
        let target = words.expect("the gateway", ROUTE_FORM)?.socket()?;
        let mut rule = Self { source, destination, ..Self::all(Action::Gateway(target)) };
        rule.more(&mut words)?;
        Ok(rule)
    }

    /// A rule of `tuntap-device-rule`, which goes to the router as a record.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn device(text: &str) -> Result<(Direction, Self), Wrong> {
        let mut words = Words::new(text);
        let direction = direction(words.expect("the direction", DEVICE_FORM)?)?;
        let source = v4_network(words.expect("the source", DEVICE_FORM)?)?;
        let destination = v4_network(words.expect("the destination", DEVICE_FORM)?)?;
        let action = words.expect("the action", DEVICE_FORM)?;
        let action = match action.text {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            "route" | "gateway" => Action::Gateway(v4_target(words.expect("the gateway", DEVICE_FORM)?)?),
            _ => return Err(action.wrong(format!("`{}` is no action", action.text), DEVICE_FORM)),
        };
        words.end(DEVICE_FORM)?;
        Ok((direction, Self { source, destination, ..Self::all(action) }))
    }

    /// Whether it means this packet of this peer: what a chain finds faster.
    pub fn matches(&self, packet: &Packet, peer: &str) -> bool {
        let from = self.source.is_none_or(|network| network.contains(packet.source));
        let to = self.destination.is_none_or(|network| network.contains(packet.destination));
        let protocol = self.protocol.is_none_or(|protocol| packet.protocol == Some(protocol));
        let answers = packet.established || !self.established;
        let peer = self.peer.as_ref().is_none_or(|name| name == peer);
        from && to && protocol && answers && peer && self.matches_ports(packet)
    }

    fn matches_ports(&self, packet: &Packet) -> bool {
        let within = |asked: Option<(u16, u16)>, port: Option<u16>| {
            asked.is_none_or(|(low, high)| port.is_some_and(|port| (low..=high).contains(&port)))
        };
        within(self.source_ports, packet.ports.map(|(port, _)| port))
            && within(self.destination_ports, packet.ports.map(|(_, port)| port))
    }

    /// What may stand behind the addresses, each once.
    fn more(&mut self, words: &mut Words) -> Result<(), Wrong> {
        while let Some(word) = words.next() {
            let mut value = || words.expect(&format!("what follows `{}`", word.text), MORE);
            match word.text {
                "proto" => once(word, &mut self.protocol, protocol(value()?)?)?,
                "sport" => once(word, &mut self.source_ports, ports(value()?)?)?,
                "dport" => once(word, &mut self.destination_ports, ports(value()?)?)?,
                "peer" => once(word, &mut self.peer, value()?.text.to_owned())?,
                "established" => self.established = true,
                other => return Err(word.wrong(format!("`{other}` is no part of a rule"), MORE)),
            }
        }
        self.impossible().map_or(Ok(()), |(cause, cure)| Err(words.missing(cause, cure)))
    }

    /// Why there is no packet that it could mean.
    fn impossible(&self) -> Option<(&'static str, &'static str)> {
        let is_v4 = |network: Option<Prefix>| network.map(|network| network.network().is_ipv4());
        let has_ports = self.source_ports.or(self.destination_ports).is_some();
        match (is_v4(self.source), is_v4(self.destination), self.protocol) {
            (Some(source), Some(destination), _) if source != destination => Some((
                "no packet has a source and a destination of different versions",
                "write one rule for each",
            )),
            (_, _, Some(protocol)) if self.established && protocol != TCP => {
                Some(("only tcp has connections that are established", "write proto tcp, or nothing"))
            }
            (_, _, Some(protocol)) if has_ports && header_length(protocol).is_none() => {
                Some(("that protocol has no ports", "write proto tcp or proto udp"))
            }
            (_, _, _) => None,
        }
    }
}

fn once<T>(word: Word, place: &mut Option<T>, value: T) -> Result<(), Wrong> {
    match place.replace(value) {
        Some(_) => Err(word.wrong(format!("`{}` stands there twice", word.text), "leave one of them")),
        None => Ok(()),
    }
}

fn action(word: Word) -> Result<Action, Wrong> {
    match word.text {
        "allow" => Ok(Action::Allow),
        "deny" => Ok(Action::Deny),
        other => {
            Err(word
                .wrong(format!("`{other}` is no action, and uWSGI would allow it"), "write allow or deny"))
        }
    }
}

fn direction(word: Word) -> Result<Direction, Wrong> {
    match word.text {
        "in" => Ok(Direction::In),
        "out" => Ok(Direction::Out),
        other => Err(word.wrong(format!("`{other}` is no direction"), "write in (to the jail) or out")),
    }
}

/// A network, or none where it is anybody: `any`, and 0.0.0.0 as uWSGI means it.
fn network(word: Word) -> Result<Option<Prefix>, Wrong> {
    if word.text == "any" {
        return Ok(None);
    }
    let prefix = word.prefix()?;
    if prefix.network() != IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        return Ok(Some(prefix));
    }
    match prefix.length() {
        0 | 32 => Ok(None),
        _ => Err(word
            .wrong(format!("{prefix} is anybody to uWSGI"), "write `any`, or a network that is not 0.0.0.0")),
    }
}

/// A network that a record of uWSGI can say.
fn v4_network(word: Word) -> Result<Option<Prefix>, Wrong> {
    let network = network(word)?;
    match network {
        Some(prefix) if prefix.network().is_ipv6() => {
            Err(word.wrong("rules of a device are of version 4", "leave version 6 to the router's rules"))
        }
        Some(_) | None => Ok(network),
    }
}

fn v4_target(word: Word) -> Result<SocketAddr, Wrong> {
    let target = word.socket()?;
    let cure = "write an address of version 4 and its port";
    if target.is_ipv4() { Ok(target) } else { Err(word.wrong("gateways of a device are of version 4", cure)) }
}

fn protocol(word: Word) -> Result<u8, Wrong> {
    match PROTOCOLS.iter().find(|(name, _)| *name == word.text) {
        Some((_, number)) => Ok(*number),
        None => word.number("write tcp, udp, icmp, icmpv6 or its number"),
    }
}

fn ports(word: Word) -> Result<(u16, u16), Wrong> {
    let cure = "write one port, or the lowest and the highest: 8000-8010";
    let (low, high) = word.split('-');
    let (low, high) = (low.number(cure)?, high.map_or_else(|| low.number(cure), |high| high.number(cure))?);
    if low > high { Err(word.wrong("the lowest port comes first", cure)) } else { Ok((low, high)) }
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
