//! Pure. What a router has said of a network, as addresses, routes and name servers.

use core::net::IpAddr;

use jail::plan::{Address, Prefix, Route};
use routers::tuntap::talk::Welcome;

use super::super::trouble::Trouble;
use crate::config::vassal::tuntap::{Names, Via};

/// Addresses that a router may give one vassal, and name servers.
const EACH_MAX: usize = 16;
/// Bytes of a packet that every host of version 4 takes, and of the longest that a device takes.
const MTU: std::ops::RangeInclusive<u32> = 68..=65_535;

/// A network, ready to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Bytes of the longest packet.
    pub mtu: u32,
    /// Our addresses.
    pub addresses: Vec<Address>,
    /// Routes, in order.
    pub routes: Vec<Route>,
    /// Whom to ask for names.
    pub names: Vec<IpAddr>,
    /// Whom the router has named, and nothing of ours can reach, where nobody else is left.
    pub unasked: Vec<IpAddr>,
}

/// What follows from a config and from what the router has said and given.
///
/// # Errors
/// What it gave is not what was asked for, or nothing that a network can be made of.
pub fn settle(via: &Via, welcome: &Welcome, held: &[(IpAddr, u8)]) -> Result<Settled, Trouble> {
    let prefixes = prefixes(via, held)?;
    let mtu = via.mtu.unwrap_or(welcome.mtu);
    if !MTU.contains(&mtu) {
        return Err(Trouble::new(format!("the router wants packets of {mtu} bytes, which there are not")));
    }
    let address = |prefix: &Prefix| Address { prefix: *prefix, interface: via.device.clone() };
    let beyond = Some(welcome.mtu_beyond).filter(|beyond| *beyond < mtu && MTU.contains(beyond));
    let (names, unasked) = match &via.names {
        Names::Routers => reachable(&prefixes, &welcome.nameservers),
        Names::These(list) => (list.clone(), Vec::new()),
    };
    Ok(Settled {
        mtu,
        addresses: prefixes.iter().map(address).collect(),
        routes: if via.routes { routes(&prefixes, welcome, (&via.device, beyond)) } else { Vec::new() },
        names,
        unasked,
    })
}

/// Those of a version that we have an address of; if none is left, then those who are out of reach.
fn reachable(ours: &[Prefix], named: &[IpAddr]) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let is_near = |one: &&IpAddr| ours.iter().any(|prefix| prefix.address.is_ipv4() == one.is_ipv4());
    let near: Vec<IpAddr> = named.iter().filter(is_near).take(EACH_MAX).copied().collect();
    let unasked = if near.is_empty() { named.iter().take(EACH_MAX).copied().collect() } else { Vec::new() };
    (near, unasked)
}

fn prefixes(via: &Via, held: &[(IpAddr, u8)]) -> Result<Vec<Prefix>, Trouble> {
    let is_held = |prefix: &&Prefix| held.iter().any(|(address, _)| *address == prefix.address);
    if let Some(missing) = via.addresses.iter().find(|prefix| !is_held(prefix)) {
        return Err(Trouble::new(format!("the router holds another address than {}", missing.address)));
    }
    if !via.addresses.is_empty() {
        return Ok(via.addresses.clone());
    }
    let given = held.iter().map(|(address, length)| Prefix { address: *address, length: *length });
    match given.clone().find(|given| !is_of_host(given)) {
        Some(odd) => Err(Trouble::new(format!("the router gives {odd}, which is no address of a host"))),
        None if held.is_empty() => Err(Trouble::new("the router gives no address")
            .advise("say one (ADDRESS/LENGTH via ROUTER), or give the router some: `tuntap-router-address`")),
        None => Ok(given.take(EACH_MAX).collect()),
    }
}

fn is_of_host(prefix: &Prefix) -> bool {
    let address = prefix.address;
    prefix.length <= Prefix::bits(address)
        && !address.is_unspecified()
        && !address.is_multicast()
        && !address.is_loopback()
}

/// The default route of each version that both ends have. A router outside of our own network is named first.
fn routes(ours: &[Prefix], welcome: &Welcome, (device, mtu): (&str, Option<u32>)) -> Vec<Route> {
    let interface = Some(device.to_owned());
    let mut routes = Vec::new();
    for is_v4 in [true, false] {
        let ours: Vec<&Prefix> = ours.iter().filter(|prefix| prefix.address.is_ipv4() == is_v4).collect();
        let theirs =
            || welcome.routers.iter().map(|(router, _)| *router).filter(|one| one.is_ipv4() == is_v4);
        let is_near = |router: &IpAddr| ours.iter().any(|prefix| prefix.has(*router));
        let Some(router) = theirs().find(is_near).or_else(|| theirs().next()).filter(|_| !ours.is_empty())
        else {
            continue;
        };
        if !is_near(&router) {
            routes.push(Route {
                to: Prefix::host(router),
                gateway: None,
                interface: interface.clone(),
                mtu: None,
            });
        }
        let to = Prefix::anywhere(router);
        routes.push(Route { to, gateway: Some(router), interface: interface.clone(), mtu });
    }
    routes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::vassal::tuntap::RouterName;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn via(addresses: &[(&str, u8)]) -> Via {
        let addresses =
            addresses.iter().map(|(address, length)| Prefix { address: ip(address), length: *length });
        Via {
            router: RouterName::Lent("emperor0".into()),
            addresses: addresses.collect(),
            device: "tun0".into(),
            mtu: None,
            names: Names::Routers,
            routes: true,
        }
    }

    fn welcome() -> Welcome {
        Welcome {
            routers: vec![(ip("10.0.0.1"), 24), (ip("fd00::1"), 64)],
            mtu: 65_000,
            mtu_beyond: 1500,
            nameservers: vec![ip("192.0.2.53")],
            ..Welcome::default()
        }
    }

    fn shown(via: &Via, welcome: &Welcome, held: &[(&str, u8)]) -> String {
        let held: Vec<(IpAddr, u8)> = held.iter().map(|(address, length)| (ip(address), *length)).collect();
        match settle(via, welcome, &held) {
            Err(trouble) => trouble.to_string(),
            Ok(settled) => {
                let addresses: String = settled.addresses.iter().map(|one| format!("{one}\n")).collect();
                let routes: String = settled.routes.iter().map(|one| format!("{one}\n")).collect();
                format!("mtu {}\n{addresses}{routes}{:?}", settled.mtu, settled.names)
            }
        }
    }

    #[test]
    fn what_was_asked_for_keeps_its_length_and_what_is_given_has_the_routers() {
        insta::assert_snapshot!(shown(&via(&[("10.0.0.2", 24), ("fd00::2", 64)]), &welcome(), &[("10.0.0.2", 8), ("fd00::2", 48)]), @r"
        mtu 65000
        10.0.0.2/24 of tun0
        fd00::2/64 of tun0
        default via 10.0.0.1 dev tun0 mtu 1500
        default via fd00::1 dev tun0 mtu 1500
        [192.0.2.53]
        ");
        insta::assert_snapshot!(shown(&via(&[]), &welcome(), &[("10.0.0.7", 24)]), @r"
        mtu 65000
        10.0.0.7/24 of tun0
        default via 10.0.0.1 dev tun0 mtu 1500
        [192.0.2.53]
        ");
    }

    /// Somebody who has addresses of one version asks nobody of the other.
    #[test]
    fn name_servers_that_cannot_be_reached_are_left_out() {
        let servers = |addresses: &[(&str, u8)], nameservers: &[&str]| {
            let welcome =
                Welcome { nameservers: nameservers.iter().map(|one| ip(one)).collect(), ..welcome() };
            let held: Vec<(IpAddr, u8)> =
                addresses.iter().map(|(address, length)| (ip(address), *length)).collect();
            let settled = settle(&via(addresses), &welcome, &held).expect("a network");
            (settled.names, settled.unasked)
        };
        let (four, six) = ([("10.0.0.2", 24)], [("fd00::2", 64)]);
        assert_eq!(servers(&six, &["192.0.2.53", "fd00::53"]), (vec![ip("fd00::53")], vec![]));
        assert_eq!(servers(&six, &["192.0.2.53"]), (vec![], vec![ip("192.0.2.53")]));
        assert_eq!(servers(&four, &["fd00::53", "192.0.2.53"]), (vec![ip("192.0.2.53")], vec![]));
        assert_eq!(servers(&four, &[]), (vec![], vec![]));
    }

    #[test]
    fn a_router_outside_of_our_network_is_named_before_it_is_used() {
        insta::assert_snapshot!(shown(&via(&[("10.9.0.2", 32)]), &welcome(), &[("10.9.0.2", 24)]), @r"
        mtu 65000
        10.9.0.2/32 of tun0
        10.0.0.1/32 dev tun0
        default via 10.0.0.1 dev tun0 mtu 1500
        [192.0.2.53]
        ");
    }

    #[test]
    fn what_the_config_says_counts_for_more() {
        let config = Via {
            mtu: Some(1400),
            names: Names::These(Vec::new()),
            routes: false,
            ..via(&[("10.0.0.2", 24)])
        };
        insta::assert_snapshot!(shown(&config, &welcome(), &[("10.0.0.2", 24)]), @r"
        mtu 1400
        10.0.0.2/24 of tun0
        []
        ");
    }

    /// Row W10.
    #[test]
    fn a_router_that_gives_what_there_is_not_is_not_believed() {
        let refused = |held: &[(&str, u8)]| shown(&via(&[]), &welcome(), held);
        assert!(refused(&[]).contains("gives no address"));
        for (address, length) in
            [("127.0.0.1", 8), ("224.0.0.1", 4), ("0.0.0.0", 0), ("10.0.0.1", 33), ("::1", 128)]
        {
            assert!(refused(&[(address, length)]).contains("no address of a host"), "{address}/{length}");
        }
        let other = shown(&via(&[("10.0.0.2", 24)]), &welcome(), &[("10.0.0.3", 24)]);
        assert_eq!(other, "the router holds another address than 10.0.0.2");
        let long = Welcome { mtu: 70_000, ..welcome() };
        assert!(shown(&via(&[]), &long, &[("10.0.0.2", 24)]).contains("70000 bytes"));
    }
}
