//! Pure. What a tenant's jail may reach in a network where nobody has said more: the world, and nobody near.

use core::net::IpAddr;

use super::packet::{TCP, UDP};
use super::policy::Settings;
use super::prefix::Prefix;
use super::rule::{Action, Rule};

/// Where clouds tell whoever asks who he is and what he may do; with it all that is on the link alone.
const METADATA: [&str; 4] = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "64:ff9b::a9fe:0/112"];

/// Networks that are private, shared, or for tests (RFC 6890), and ways to say them in version 6 (RFC 3056, 6052, 8215).
const NEAR: [&str; 17] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "240.0.0.0/4",
    "fc00::/7",
    "fec0::/10",
    "2002::/16",
    "64:ff9b:1::/48",
    "64:ff9b::a00:0/104",
    "64:ff9b::7f00:0/104",
    "64:ff9b::6440:0/106",
    "64:ff9b::ac10:0/108",
    "64:ff9b::c0a8:0/112",
];

/// The rules behind those of an administrator for packets from peers, with `tuntap-router-policy = standard`.
///
/// Whoever has opened a connection to a jail gets its answers, but nobody of the link does, and no other tenant. Names may
/// be asked for wherever the administrator says, be it the host.
pub fn outgoing(settings: &Settings) -> Vec<Rule> {
    let Settings { hosts, networks, nameservers, .. } = settings;
    let established = || Rule { established: true, ..Rule::all(Action::Allow) };
    let answers = hosts.iter().map(|host| Rule { destination: Some(Prefix::host(*host)), ..established() });
    let mut rules: Vec<Rule> = answers.collect();
    rules.extend(nameservers.iter().flat_map(|server| [UDP, TCP].map(|protocol| ask(*server, protocol))));
    rules.extend(hosts.iter().map(|host| deny(Prefix::host(*host))));
    rules.extend(networks.iter().copied().map(deny));
    rules.extend(METADATA.into_iter().map(|network| deny(known(network))));
    rules.push(established());
    rules.extend(NEAR.into_iter().map(|network| deny(known(network))));
    rules
}

/// Questions for names (RFC 1035, 4.2).
fn ask(server: IpAddr, protocol: u8) -> Rule {
    let destination_ports = Some((53, 53));
    let destination = Some(Prefix::host(server));
    Rule { destination, protocol: Some(protocol), destination_ports, ..Rule::all(Action::Allow) }
}

fn deny(destination: Prefix) -> Rule {
    Rule { destination: Some(destination), ..Rule::all(Action::Deny) }
}

fn known(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').expect("written above with a length");
    let address = address.parse().expect("written above as an address");
    Prefix::new(address, length.parse().expect("written above as a number"))
        .expect("written above in its bounds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_is_one() {
        for text in METADATA.into_iter().chain(NEAR) {
            let network = known(text);
            assert_eq!(format!("{}/{}", network.network(), network.length()), text);
        }
    }
}
