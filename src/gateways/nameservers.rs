//! Whom the host asks for names, as far as jails can ask them too (`resolv.conf(5)`).

use std::net::IpAddr;
use std::path::Path;

use crate::regular::read_regular;

/// Bytes of such a file.
const FILE_MAX: usize = 64 << 10;
/// As many as a resolver looks at (`MAXNS`).
const NAMESERVERS_MAX: usize = 3;
/// Where all of the first one are of the host itself, a service of it has written the others into the second one.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// Those of the host.
pub fn of_host() -> Vec<IpAddr> {
    let read = |file: &&str| read_regular(Path::new(file), FILE_MAX).unwrap_or_default();
    let listed = FILES.iter().map(read).map(|text| parse(&String::from_utf8_lossy(&text)));
    listed.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
}

/// Those of a file that somebody else than this host can ask.
fn parse(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        words.next()?.parse::<IpAddr>().ok()
    };
    let near = |address: &IpAddr| !address.is_loopback() && !address.is_unspecified();
    text.lines().filter_map(server).filter(near).take(NAMESERVERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_that_a_jail_can_ask_are_told_to_it() {
        let text = "# nameserver 192.0.2.9\nnameserver 127.0.0.53\nnameserver\t192.0.2.1\nnameserver fe80::1%eth0\n\
                    nameserver 2001:db8::1 # ours\nsearch example.org\nnameserver\nnameserver x\n";
        let list: Vec<String> = parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(list, ["192.0.2.1", "2001:db8::1"]);
        assert!(parse("nameserver 127.0.0.1\nnameserver ::1\n").is_empty());
    }
}
