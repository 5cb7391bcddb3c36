//! What is around a router: the host's addresses, other routers, name servers.

use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use routers::parking::Role;
use routers::tuntap::talk::Word;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

use crate::emperor::{Emperor, PATIENCE, charter};
use crate::jail::{Client, Jail};
use crate::network::Network;
use crate::peers::{echo, ping};

/// `RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x110;

fn addresses(host: &Network) -> OwnedFd {
    host.within(|| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).unwrap();
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS)).unwrap();
        socket
    })
}

/// Claims an address again and again until the answer is what it should be.
fn wait_for(emperor: &Emperor, address: &str, is_held: bool) {
    let begin = Instant::now();
    loop {
        let (mut client, _) = Client::hello(emperor, 1001);
        if matches!(client.claim(&[address], "x", None), Word::Held(_)) == is_held {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{address}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Row W2.
#[test]
fn what_becomes_the_hosts_is_nobody_elses() {
    let emperor = Emperor::with(charter(), |host| vec![(Role::Addresses, addresses(host))]);
    wait_for(&emperor, "10.77.0.200", true);
    emperor.host.run("ip address add 10.77.0.200/32 dev lo");
    wait_for(&emperor, "10.77.0.200", false);
    emperor.host.run("ip address add fd77::200/128 dev lo");
    wait_for(&emperor, "fd77::200", false);
    emperor.host.run("ip address del 10.77.0.200/32 dev lo");
    wait_for(&emperor, "10.77.0.200", true);
}

/// Row W5.
#[test]
fn names_may_be_asked_for_and_nothing_else_of_the_host() {
    let mut charter = charter();
    charter.firewall_out.clear();
    charter.nameservers = vec!["10.77.0.1".parse().unwrap()];
    let emperor = Emperor::new(charter);
    let jail = Jail::new(&emperor, 1001, &[]);
    echo(&emperor.host, "10.77.0.1:53");
    assert!(ping(&jail.network, "10.77.0.1:53"));
    jail.network.within(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.send_to(b"x", "10.77.0.1:7000").unwrap();
        socket.send_to(b"x", "169.254.169.254:53").unwrap();
    });
    emperor.wait_for_stats("\"denied\":2");
}

/// The sum of a packet of UDP over version 4; 0 where its checksum is right.
fn sum(packet: &[u8]) -> u16 {
    let mut bytes = packet[12..].to_vec();
    bytes.extend([0, 17]);
    bytes.extend(&packet[24..26]);
    if bytes.len() % 2 == 1 {
        // The last byte of the payload lies before what was added: that makes an odd length even here.
        bytes.insert(packet.len() - 12, 0);
    }
    let total: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    !((total & 0xffff) + (total >> 16)) as u16
}

#[test]
fn packets_go_to_other_routers_and_come_from_those_alone() {
    let mut charter = charter();
    charter.firewall_out = vec!["allow any 10.88.0.0/16".into()];
    charter.routes = vec!["any 10.88.0.0/16 127.0.0.1:6000".into()];
    let gateway = |host: &Network| {
        host.within(|| {
            let socket = UdpSocket::bind("127.0.0.1:5000").unwrap();
            socket.set_nonblocking(true).unwrap();
            vec![(Role::Gateway, socket.into())]
        })
    };
    let emperor = Emperor::with(charter, gateway);
    let (other, stranger) = emperor.host.within(|| {
        let other = UdpSocket::bind("127.0.0.1:6000").unwrap();
        other.set_read_timeout(Some(PATIENCE)).unwrap();
        (other, UdpSocket::bind("127.0.0.1:6001").unwrap())
    });
    let jail = Jail::new(&emperor, 1001, &["10.77.0.9"]);
    let asker = jail.network.within(|| {
        let asker = UdpSocket::bind("10.77.0.9:9000").unwrap();
        asker.set_read_timeout(Some(PATIENCE)).unwrap();
        asker.send_to(b"question", "10.88.0.1:53").unwrap();
        asker
    });
    let mut packet = [0; 2048];
    let (length, from) = other.recv_from(&mut packet).unwrap();
    assert_eq!((length, from.port()), (36, 5000));
    assert_eq!(Ipv4Addr::from(<[u8; 4]>::try_from(&packet[16..20]).unwrap()), Ipv4Addr::new(10, 88, 0, 1));
    assert_eq!(sum(&packet[..36]), 0, "nobody completes it behind us");
    // The answer: addresses and ports the other way round; the checksum stays as it is.
    let mut answer = packet[..36].to_vec();
    answer[12..16].copy_from_slice(&packet[16..20]);
    answer[16..20].copy_from_slice(&packet[12..16]);
    answer[20..22].copy_from_slice(&packet[22..24]);
    answer[22..24].copy_from_slice(&packet[20..22]);
    stranger.send_to(&answer, "127.0.0.1:5000").unwrap();
    emperor.wait_for_stats("\"stranger\":1");
    other.send_to(&answer, "127.0.0.1:5000").unwrap();
    let (length, from) = asker.recv_from(&mut packet).unwrap();
    assert_eq!((&packet[..length], from.to_string().as_str()), (&b"question"[..], "10.88.0.1:53"));
}
