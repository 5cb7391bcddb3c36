//! Pure. What a config says of networks by a router: `net = … via`, `tuntap-device`, `tuntap-device-rule`.

use core::net::IpAddr;
use std::fmt;
use std::path::PathBuf;

use jail::plan::Prefix;
use routers::tuntap::record::{RECORDS_MAX, Record};
use routers::tuntap::{Direction, Rule};

use super::net::{NetConfig, host_prefix, mtu};
use crate::config::hook::interface;
use crate::config::place::{ConfigError, Entry, Place, Placed};
use crate::config::show::quoted;
use crate::config::values::{Wrong, wrong};

/// What the device is called where nothing else is said.
pub const DEVICE: &str = "tun0";
/// Addresses that one `net = … via` may ask for, and name servers.
const EACH_MAX: usize = 8;
/// Bytes of a path of a socket (`unix(7)`).
const PATH_MAX: usize = 107;
const VIA_FORM: &str = "write ADDRESS/LENGTH[,…] via ROUTER or auto via ROUTER, then what you like of dev=NAME mtu=BYTES dns=ADDRESS[,…]|none route=none";
const DEVICE_FORM: &str = "write the name of the device, a space, and the path of the router's socket";

/// Which router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouterName {
    /// One of the Emperor's, by the name of its device.
    Lent(String),
    /// The one that listens there.
    At(PathBuf),
}

/// A network by a router that knows us: `net = ADDRESS/LENGTH via ROUTER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// Who is asked.
    pub router: RouterName,
    /// Our addresses, each with the length of its network; none means that the router chooses.
    pub addresses: Vec<Prefix>,
    /// Name of the device in the jail.
    pub device: String,
    /// Bytes of its longest packet; the router's choice if none.
    pub mtu: Option<u32>,
    /// Whom to ask for names.
    pub names: Names,
    /// Whether the default route goes to the router.
    pub routes: bool,
}

/// Whom programs ask for names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// Whom the router says.
    Routers,
    /// These; none leaves `/etc/resolv.conf` as it is.
    These(Vec<IpAddr>),
}

/// A device as uWSGI makes it: `tuntap-device = NAME[ SOCKET]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// The router's socket; without one it is somebody else's to use.
    pub router: Option<PathBuf>,
}

/// What is said of devices of uWSGI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuntap {
    /// `tuntap-device`.
    pub devices: Vec<Placed<Device>>,
    /// `tuntap-device-rule`.
    pub rules: Vec<Placed<(Direction, Rule)>>,
}

impl Tuntap {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub(super) fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "tuntap-device" => {
                self.devices.push(entry.placed(crate::config::admit::value(entry, device)?));
            }
            "tuntap-device-rule" => self.rules.push(entry.placed(rule(entry)?)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The rules as the router wants them.
    pub fn records(&self) -> Vec<u8> {
        let records = self.rules.iter().filter_map(|rule| Record::new(rule.value.0, &rule.value.1));
        records.flat_map(|record| record.bytes()).collect()
    }
}

/// What no single option shows.
pub(super) fn contradictions(net: &NetConfig, tuntap: &Tuntap) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let vias = net.vias.iter().map(|via| (&via.value.device, &via.place));
    let links = net.links.iter().map(|link| (&link.value.inside, &link.place));
    let devices = tuntap.devices.iter().map(|device| (&device.value.name, &device.place));
    let ours: Vec<(&String, &Place)> = vias.chain(devices).collect();
    for (index, (name, place)) in ours.iter().enumerate() {
        let same = links.clone().chain(ours[..index].iter().copied()).find(|(other, _)| other == name);
        errors.extend(same.map(|(_, other)| {
            let cause = format!("an interface {name} is there already ({other})");
            ConfigError::at(place, cause).cure("give it another name (dev=NAME beside `via`)")
        }));
    }
    if let Some(rule) = tuntap.rules.get(RECORDS_MAX) {
        let cause = format!("more than {RECORDS_MAX} rules for one device");
        errors.push(ConfigError::at(&rule.place, cause).cure("put them together: write wider networks"));
    }
    errors
}

/// `ADDRESS/LENGTH[,…] via ROUTER [KEY=VALUE…]`, or `auto via …`.
pub(super) fn via(text: &str) -> Result<Via, Wrong> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [addresses, "via", router, details @ ..] = &words[..] else {
        return wrong(format!("{} names no router", quoted(text)), VIA_FORM);
    };
    let mut via = Via {
        router: router_name(router)?,
        addresses: match *addresses {
            "auto" => Vec::new(),
            list => several(list, host_prefix)?,
        },
        device: DEVICE.into(),
        mtu: None,
        names: Names::Routers,
        routes: true,
    };
    details.iter().try_for_each(|word| detail(&mut via, word))?;
    Ok(via)
}

fn detail(via: &mut Via, word: &str) -> Result<(), Wrong> {
    match word.split_once('=') {
        Some(("dev", name)) => via.device = device_name(name)?,
        Some(("mtu", text)) => via.mtu = Some(mtu(text)?),
        Some(("dns", "none")) => via.names = Names::These(Vec::new()),
        Some(("dns", list)) => via.names = Names::These(several(list, nameserver)?),
        Some(("route", "none")) => via.routes = false,
        _ => return wrong(format!("{} means nothing here", quoted(word)), VIA_FORM),
    }
    Ok(())
}

/// One after the other between commas, none of them twice.
fn several<T: PartialEq>(list: &str, read: fn(&str) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    let mut all = Vec::new();
    for word in list.split(',') {
        let one = read(word)?;
        if all.contains(&one) || all.len() == EACH_MAX {
            return wrong(format!("{} is one too many", quoted(word)), "write each once, at most eight");
        }
        all.push(one);
    }
    Ok(all)
}

fn nameserver(text: &str) -> Result<IpAddr, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new(format!("{} is no address", quoted(text)), "write dns=ADDRESS[,ADDRESS] or dns=none")
    })
}

fn router_name(text: &str) -> Result<RouterName, Wrong> {
    if text.starts_with('/') {
        socket(text).map(RouterName::At)
    } else {
        interface(text).map(RouterName::Lent)
    }
}

/// `NAME[ SOCKET]`.
fn device(text: &str) -> Result<Device, Wrong> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match words[..] {
        [name] => Ok(Device { name: device_name(name)?, router: None }),
        [name, path] => Ok(Device { name: device_name(name)?, router: Some(socket(path)?) }),
        _ => wrong(format!("{} is no device with its router", quoted(text)), DEVICE_FORM),
    }
}

/// To the kernel, a sign of percent is a pattern.
fn device_name(text: &str) -> Result<String, Wrong> {
    let name = interface(text)?;
    if name.contains('%') || name == "lo" {
        return wrong(format!("{} is no name for a device", quoted(&name)), "use one such as tun0");
    }
    Ok(name)
}

fn socket(text: &str) -> Result<PathBuf, Wrong> {
    let cure = "write the path that the router has in `tuntap-router`, such as /run/tuntap.socket";
    match text {
        text if !text.starts_with('/') => {
            wrong(format!("{} is no absolute path of a socket", quoted(text)), cure)
        }
        text if text.len() > PATH_MAX => wrong("no socket has a path of more than 107 bytes", cure),
        text => Ok(text.into()),
    }
}

/// A rule, with the place in it that is wrong.
fn rule(entry: &Entry) -> Result<(Direction, Rule), ConfigError> {
    Rule::device(&entry.value).map_err(|wrong| {
        let mut place = entry.value_place.clone();
        place.column += u32::try_from(wrong.span.start).unwrap_or_default();
        ConfigError::at(&place, format!("{}: {}", quoted(&entry.key), wrong.cause)).cure(wrong.cure)
    })
}

impl fmt::Display for RouterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lent(name) => f.write_str(name),
            Self::At(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "give the jail {}, a network by router {}", self.device, self.router)?;
        let list: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        match &list[..] {
            [] => f.write_str(", with an address that it chooses")?,
            list => write!(f, ", with address {}", list.join(", "))?,
        }
        self.mtu.map_or(Ok(()), |mtu| write!(f, ", mtu {mtu}"))?;
        f.write_str(if self.routes { "" } else { ", no default route" })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "make the device {}", self.name)?;
        self.router
            .as_ref()
            .map_or(Ok(()), |path| write!(f, ", its packets to the router on {}", path.display()))
    }
}
