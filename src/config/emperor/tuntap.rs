//! Pure. Options of routers between jails and the world. What follows `@DEVICE ` is said of that one, all else of each.

mod faults;
mod read;
mod router;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use routers::tuntap::{Grant, Policy};

use crate::config::place::{ConfigError, Entry, Place, Placed};
use crate::config::vassal::Address;
pub(super) use faults::contradictions;
pub use read::credentials;
pub use router::Router;

/// Most routers of one Emperor: each costs a process, and each vassal a descriptor.
pub const ROUTERS_MAX: usize = 16;

/// What those options say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuntap {
    /// `tuntap-router`, in order.
    doors: Vec<Placed<Door>>,
    /// All others, in order.
    said: Vec<Said>,
}

/// `tuntap-router`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Name of its device on the host.
    pub device: String,
    /// Path of the socket that peers connect to.
    pub socket: PathBuf,
    /// Where its stats are served.
    pub stats: Option<Address>,
    /// Where datagrams of other routers come in.
    pub gateway: Option<SocketAddr>,
}

/// One of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    /// The device of the router that is meant; all if none.
    only: Option<String>,
    place: Place,
    what: Saying,
}

/// What is said of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Saying {
    Stats(Address),
    Gateway(SocketAddr),
    FirewallIn(String),
    FirewallOut(String),
    Route(String),
    Peer(String, Grant),
    Policy(Policy),
    /// Whether admission is open.
    Open(bool),
    Address(IpAddr, u8),
    Mtu(u32),
    MtuBeyond(u32),
    Nameserver(IpAddr),
    Leases(PathBuf),
    Peers(usize),
    PeersOfUser(usize),
    QueueBytes(usize),
    Credentials(bool),
}

impl Tuntap {
    /// Every router with all that was said of it; `tyrant`: tenants do not trust each other.
    pub fn routers(&self, tyrant: bool) -> Vec<Router> {
        self.doors.iter().map(|door| Router::of(door, self.about(&door.value.device), tyrant)).collect()
    }

    /// Whether there is any.
    pub fn has_routers(&self) -> bool {
        !self.doors.is_empty()
    }

    fn about<'a>(&'a self, device: &'a str) -> impl Iterator<Item = &'a Said> + Clone {
        self.said.iter().filter(move |said| said.only.as_deref().is_none_or(|only| only == device))
    }
}

/// Takes in such an option; false for any other one.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(tuntap: &mut Tuntap, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    if name == "tuntap-router" {
        tuntap.doors.push(Placed { value: read::door(entry)?, place: entry.value_place.clone() });
        return Ok(true);
    }
    let Some(said) = read::said(name, entry)? else { return Ok(false) };
    tuntap.said.push(said);
    Ok(true)
}
