//! Pure. Values of those options, each mistake with the column where it stands.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use routers::tuntap::{Grant, Policy, Prefix, Rule};

use super::{Door, Said, Saying};
use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Place};
use crate::config::quantity::size;
use crate::config::show::quoted;
use crate::config::values::{Wrong, address, flag, integer, path, words, wrong};
use crate::config::vassal::Address;

/// Bytes of a name of an interface (`IFNAMSIZ`), less the one that ends it.
const DEVICE_MAX: usize = 15;
/// The least that every network carries (RFC 8200), and the most that a packet can have.
const MTU: std::ops::RangeInclusive<u64> = 1280..=65_535;
/// Most peers of a router.
const PEERS: std::ops::RangeInclusive<u64> = 1..=32_768;
/// Two of the longest packets with their headers, and what no peer has to be behind.
const QUEUE_MIN: u64 = 2 * (65_535 + 4);
const QUEUE_MAX: u64 = 64 << 20;

/// `DEVICE SOCKET [STATS] [GATEWAY]`.
pub(super) fn door(entry: &Entry) -> Result<Door, ConfigError> {
    let form = "write DEVICE SOCKET [STATS] [GATEWAY]: emperor0 /run/tuntap.socket";
    let list = value(entry, words)?;
    let at = |place: usize| column(entry, list.get(place).map_or("", String::as_str));
    let said = |place: usize, wrong: Wrong| {
        Wrong { cause: format!("`tuntap-router`: {}", wrong.cause), ..wrong }.at(&at(place))
    };
    if !(2..=4).contains(&list.len()) {
        let cause = if list.len() < 2 { "the socket is missing" } else { "more than four words" };
        return Err(said(if list.len() < 2 { 0 } else { 4 }, Wrong::new(cause, form)));
    }
    Ok(Door {
        device: device(&list[0]).map_err(|wrong| said(0, wrong))?,
        socket: socket(&list[1]).map_err(|wrong| said(1, wrong))?,
        stats: list.get(2).map(|word| address(word)).transpose().map_err(|wrong| said(2, wrong))?,
        gateway: list.get(3).map(|word| gateway(word)).transpose().map_err(|wrong| said(3, wrong))?,
    })
}

/// Any of the other options; `None` for one that is none of these.
pub(super) fn said(name: &str, entry: &Entry) -> Result<Option<Said>, ConfigError> {
    let (only, start) = whom(entry)?;
    let text = &entry.value[start..];
    let told = |wrong: Wrong| {
        Wrong { cause: format!("{}: {}", quoted(&entry.key), wrong.cause), ..wrong }
            .at(&shifted(entry, start))
    };
    let ruled = |rule: Result<Rule, routers::tuntap::Wrong>| {
        rule.map(|_| text.to_owned()).map_err(|wrong| within(entry, start, wrong))
    };
    let what = match name {
        "tuntap-router-stats" => address(text).map(Saying::Stats),
        "tuntap-router-gateway" => gateway(text).map(Saying::Gateway),
        "tuntap-router-firewall-in" => Ok(Saying::FirewallIn(ruled(Rule::firewall(text))?)),
        "tuntap-router-firewall-out" => Ok(Saying::FirewallOut(ruled(Rule::firewall(text))?)),
        "tuntap-router-route" => Ok(Saying::Route(ruled(Rule::route(text))?)),
        "tuntap-router-peer" => {
            let grant = Grant::parse(text).map_err(|wrong| within(entry, start, wrong))?;
            Ok(Saying::Peer(text.to_owned(), grant))
        }
        "tuntap-router-policy" => policy(text).map(Saying::Policy),
        "tuntap-router-admission" => admission(text).map(Saying::Open),
        "tuntap-router-address" => prefix(text).map(|(address, length)| Saying::Address(address, length)),
        "tuntap-router-mtu" => mtu(text).map(Saying::Mtu),
        "tuntap-router-mtu-beyond" => mtu(text).map(Saying::MtuBeyond),
        "tuntap-router-nameserver" => nameserver(text).map(Saying::Nameserver),
        "tuntap-router-leases" => path(text).map(Saying::Leases),
        "tuntap-router-peers" => peers(text).map(Saying::Peers),
        "tuntap-router-peers-of-user" => peers(text).map(Saying::PeersOfUser),
        "tuntap-router-queue" => queue(text).map(Saying::QueueBytes),
        "tuntap-use-credentials" => credentials(text).map(Saying::Credentials),
        _ => return Ok(None),
    };
    Ok(Some(Said { only, place: shifted(entry, start), what: what.map_err(told)? }))
}

/// The device behind `@`, and where the rest begins. An abstract name (`@NAME`) has no blank behind it.
fn whom(entry: &Entry) -> Result<(Option<String>, usize), ConfigError> {
    let Some((word, rest)) = entry.value.strip_prefix('@').and_then(|text| text.split_once([' ', '\t']))
    else {
        return Ok((None, 0));
    };
    let device = device(word).map_err(|wrong| {
        Wrong { cause: format!("{}: {}", quoted(&entry.key), wrong.cause), ..wrong }.at(&shifted(entry, 1))
    })?;
    Ok((Some(device), entry.value.len() - rest.trim_start().len()))
}

/// A mistake of the router's own grammar.
fn within(entry: &Entry, start: usize, wrong: routers::tuntap::Wrong) -> ConfigError {
    let cause = format!("{}: {}", quoted(&entry.key), wrong.cause);
    ConfigError::at(&shifted(entry, start + wrong.span.start), cause).cure(wrong.cure)
}

fn shifted(entry: &Entry, bytes: usize) -> Place {
    let column = entry.value_place.column.saturating_add(u32::try_from(bytes).unwrap_or_default());
    Place { column, ..entry.value_place.clone() }
}

/// Where a word of the value stands; of one in quotes, the value.
fn column(entry: &Entry, word: &str) -> Place {
    shifted(entry, entry.value.find(word).unwrap_or_default())
}

/// A name that the kernel takes for an interface (`dev_valid_name`), and takes as it is.
fn device(name: &str) -> Result<String, Wrong> {
    let cure = "use letters and digits, such as emperor0";
    if name.len() > DEVICE_MAX {
        return wrong(
            format!("{} is longer than the {DEVICE_MAX} bytes of a device's name", quoted(name)),
            cure,
        );
    }
    let fine = |one: char| one.is_ascii_graphic() && !matches!(one, '/' | ':' | '%' | '@');
    match !name.is_empty() && !matches!(name, "." | "..") && name.chars().all(fine) {
        true => Ok(name.to_owned()),
        false => wrong(format!("{} is no name of a device", quoted(name)), cure),
    }
}

/// The path of a socket: jails have networks of their own, and reach nothing else.
fn socket(word: &str) -> Result<PathBuf, Wrong> {
    let cure = "write the path of a unix socket, such as /run/tuntap.socket";
    match address(word) {
        // Vassals are told of several, with a blank between each two.
        Ok(Address::Unix(_)) if word.contains(char::is_whitespace) => {
            wrong(format!("{} has a blank", quoted(word)), cure)
        }
        Ok(Address::Unix(path)) if path.file_name().is_some() => Ok(path),
        Ok(Address::Unix(_)) => wrong(format!("{} names no file", quoted(word)), cure),
        Ok(Address::Tcp(_)) => {
            wrong(format!("{} is an address of TCP, where nobody can tell who connects", quoted(word)), cure)
        }
        Ok(Address::Abstract(_)) => {
            wrong(format!("{} is of one network alone, and jails have others", quoted(word)), cure)
        }
        Ok(Address::Inherited(_)) => wrong(format!("{} has no path for jails to find", quoted(word)), cure),
        Err(wrong) if word.contains(':') && !word.starts_with('/') => {
            Err(Wrong::new(format!("{} is no path", quoted(word)), wrong.cure.map_or(cure, |_| cure)))
        }
        Err(wrong) => Err(wrong),
    }
}

/// An address and port of UDP.
fn gateway(word: &str) -> Result<SocketAddr, Wrong> {
    let cure = "write address and port: 192.0.2.1:5000, [2001:db8::1]:5000";
    match address(word) {
        Ok(Address::Tcp(address)) if address.port() != 0 => Ok(address),
        _ => wrong(format!("{} is no address with its port", quoted(word)), cure),
    }
}

fn policy(word: &str) -> Result<Policy, Wrong> {
    let unknown = || wrong(format!("{} is no policy", quoted(word)), "write allow, deny or standard");
    Policy::parse(word).map_or_else(unknown, Ok)
}

fn admission(word: &str) -> Result<bool, Wrong> {
    match word {
        "open" => Ok(true),
        "granted" => Ok(false),
        _ => wrong(format!("{} is no admission", quoted(word)), "write open or granted"),
    }
}

/// An address that a device can have, with the length of its network.
fn prefix(text: &str) -> Result<(IpAddr, u8), Wrong> {
    let cure = "write address and length of its network: 10.0.0.1/24, fd00::1/64";
    let parsed = text.split_once('/').and_then(|(address, length)| {
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        Some((address.parse::<IpAddr>().ok()?, length.parse::<u8>().ok().filter(|_| digits)?))
    });
    let Some((address, length)) = parsed else {
        return wrong(format!("{} is no address with the length of its network", quoted(text)), cure);
    };
    let Some(network) = Prefix::new(address, length).filter(|_| length > 0) else {
        let most = if address.is_ipv4() { 32 } else { 128 };
        return wrong(format!("no network is as long as {length}"), &format!("write 1 to {most}"));
    };
    let edge = network.network() == address || (address.is_ipv4() && network.last() == address);
    let single = if address.is_ipv4() { 31 } else { 127 };
    if address.is_unspecified()
        || address.is_multicast()
        || address.is_loopback()
        || (edge && length < single)
    {
        return wrong(format!("{address} is no address of a host in {network}"), cure);
    }
    Ok((address, length))
}

fn mtu(text: &str) -> Result<u32, Wrong> {
    let cure = format!("write {} to {}", MTU.start(), MTU.end());
    match integer(text)? {
        bytes if MTU.contains(&bytes) => Ok(bytes as u32),
        bytes => wrong(format!("no packet has at most {bytes} bytes here"), &cure),
    }
}

fn nameserver(text: &str) -> Result<IpAddr, Wrong> {
    let cure = "write an address that jails can reach: 192.0.2.53";
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => {
            wrong(format!("{address} is the jail itself to whoever is in it"), cure)
        }
        Ok(address) if !address.is_unspecified() && !address.is_multicast() => Ok(address),
        _ => wrong(format!("{} is no address", quoted(text)), cure),
    }
}

fn peers(text: &str) -> Result<usize, Wrong> {
    let cure = format!("write {} to {}", PEERS.start(), PEERS.end());
    match integer(text)? {
        count if PEERS.contains(&count) => Ok(count as usize),
        count => wrong(format!("{count} is no number of peers"), &cure),
    }
}

/// Whoever asks for less than the longest packet is meant to have no more than he must.
fn queue(text: &str) -> Result<usize, Wrong> {
    match size(text)? {
        bytes if bytes <= QUEUE_MAX => Ok(bytes.max(QUEUE_MIN) as usize),
        _ => wrong(format!("{} is more than one peer may be behind", quoted(text)), "write at most 64M"),
    }
}

/// `tuntap-use-credentials`: on or off.
///
/// # Errors
/// Anything else: to uWSGI it is the name of a function of C.
pub fn credentials(word: &str) -> Result<bool, Wrong> {
    match word.to_ascii_lowercase().as_str() {
        "" | "true" | "yes" | "on" | "1" | "false" | "no" | "off" | "0" => flag(word),
        _ => wrong(
            format!("{} would be a function that gives addresses, and there is none here", quoted(word)),
            "write true, and give addresses by `tuntap-router-peer = uid=1001 addr=10.0.0.5`",
        ),
    }
}
