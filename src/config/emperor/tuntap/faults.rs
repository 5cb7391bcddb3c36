//! Pure. What no single one of those options shows.

use std::collections::BTreeMap;
use std::net::IpAddr;

use routers::tuntap::RULES_MAX;

use super::{Door, ROUTERS_MAX, Said, Saying, Tuntap};
use crate::config::place::{ConfigError, Place, Placed};
use crate::config::show::quoted;

/// All of it, in no order that matters.
pub(in crate::config::emperor) fn contradictions(tuntap: &Tuntap) -> Vec<ConfigError> {
    let mut errors: Vec<ConfigError> = excess(tuntap).into_iter().chain(twins(&tuntap.doors)).collect();
    errors.extend(tuntap.said.iter().filter_map(|said| aimless(tuntap, said)));
    for door in &tuntap.doors {
        let about: Vec<&Said> = tuntap.about(&door.value.device).collect();
        errors.extend(given_twice(&about));
        errors.extend(shared_file(tuntap, &about));
        errors.extend(too_many_rules(&about));
        errors.extend(nowhere_to_send(door, &about));
    }
    errors.sort_by_key(|error| error.place.as_ref().map(|place| (place.line, place.column)));
    errors.dedup();
    errors
}

fn excess(tuntap: &Tuntap) -> Option<ConfigError> {
    let door = tuntap.doors.get(ROUTERS_MAX)?;
    let error = ConfigError::at(&door.place, format!("an Emperor has at most {ROUTERS_MAX} routers"));
    Some(error.cure("let several jails share one: a router has thousands of peers"))
}

/// Two of one device, or of one socket.
fn twins(doors: &[Placed<Door>]) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for (number, door) in doors.iter().enumerate() {
        let before = &doors[..number];
        let same = |shares: &dyn Fn(&Door) -> bool, what: String| {
            let first = before.iter().find(|other| shares(&other.value))?;
            let error = ConfigError::at(&door.place, format!("{what} is another router's ({})", first.place));
            Some(error.cure("give each router a device and a socket of its own"))
        };
        errors.extend(same(&|other| other.device == door.value.device, quoted(&door.value.device)));
        let socket = door.value.socket.display().to_string();
        errors.extend(same(&|other| other.socket == door.value.socket, quoted(&socket)));
    }
    errors
}

/// Said of a router that is not there.
fn aimless(tuntap: &Tuntap, said: &Said) -> Option<ConfigError> {
    let mut devices: Vec<&str> = tuntap.doors.iter().map(|door| door.value.device.as_str()).collect();
    devices.dedup();
    let known = said.only.as_deref().map_or(!devices.is_empty(), |only| devices.contains(&only));
    // Means what vassals do as well.
    if known || (said.only.is_none() && matches!(said.what, Saying::Credentials(_))) {
        return None;
    }
    let cause = match &said.only {
        Some(only) => format!("no router has the device {}", quoted(only)),
        None => "there is no router that this could mean".to_owned(),
    };
    Some(ConfigError::at(&said.place, cause).cure(match devices[..] {
        [] => "add `tuntap-router = DEVICE SOCKET`, such as: emperor0 /run/tuntap.socket".to_owned(),
        _ => format!("the routers have {}", devices.join(", ")),
    }))
}

/// An address that two users, or a user and the host, would have.
fn given_twice(about: &[&Said]) -> Vec<ConfigError> {
    let mut owners: BTreeMap<IpAddr, Place> = BTreeMap::new();
    let mut errors = Vec::new();
    for said in about {
        let addresses = match &said.what {
            Saying::Address(address, _) => vec![*address],
            Saying::Peer(_, grant) => grant.addresses.clone(),
            _ => Vec::new(),
        };
        for address in addresses {
            if let Some(first) = owners.insert(address, said.place.clone()) {
                let error = ConfigError::at(&said.place, format!("{address} is given twice ({first})"));
                errors.push(error.cure("give each its own"));
            }
        }
    }
    errors
}

/// Two pools in one file would forget each other's.
fn shared_file(tuntap: &Tuntap, about: &[&Said]) -> Option<ConfigError> {
    let file = about.iter().rfind(|said| matches!(said.what, Saying::Leases(_)))?;
    if file.only.is_some() || tuntap.doors.len() < 2 {
        return None;
    }
    let error = ConfigError::at(&file.place, "one file would hold the leases of several routers");
    Some(error.cure("name a file for each: tuntap-router-leases = @DEVICE FILE"))
}

fn too_many_rules(about: &[&Said]) -> Vec<ConfigError> {
    let list = |is: fn(&Saying) -> bool| about.iter().filter(move |said| is(&said.what)).nth(RULES_MAX);
    let lists = [
        list(|what| matches!(what, Saying::FirewallIn(_))),
        list(|what| matches!(what, Saying::FirewallOut(_))),
        list(|what| matches!(what, Saying::Route(_))),
    ];
    let error = |said: &&Said| {
        let error = ConfigError::at(&said.place, format!("more than {RULES_MAX} rules of one router"));
        error.cure("write one for a whole network")
    };
    lists.into_iter().flatten().map(error).collect()
}

/// A route to another router leaves by our own gateway.
fn nowhere_to_send(door: &Placed<Door>, about: &[&Said]) -> Option<ConfigError> {
    let has_gateway =
        door.value.gateway.is_some() || about.iter().any(|said| matches!(said.what, Saying::Gateway(_)));
    let route = about.iter().find(|said| matches!(said.what, Saying::Route(_)))?;
    let error =
        || ConfigError::at(&route.place, format!("{} has no gateway to send by", quoted(&door.value.device)));
    (!has_gateway).then(|| error().cure("add `tuntap-router-gateway = ADDRESS:PORT`"))
}
