//! Packets that stand for many, on their way to whoever takes them one by one.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Arc, Mutex};

use jail::sys::{
    IFF_NO_PI, IFF_TUN, TUN_F_CSUM, TUN_F_TSO_ECN, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6,
    tun_offload,
};
use routers::tuntap::frame::{Decoder, Frame, PAYLOAD_MAX};
use routers::tuntap::{OFFLOAD_HEADER, Offload, Segments};
use rustix::event::{PollFd, PollFlags, poll};

use crate::attacks::frame;
use crate::emperor::{Emperor, charter};
use crate::jail::{Client, Jail};
use crate::network::Network;
use crate::peers::{connect, echo, round_trip};

/// Longest packet of a device that takes them one by one.
const MTU: u32 = 1500;
const TCP: u8 = 6;
const UDP: u8 = 17;

type Seen = Arc<Mutex<Vec<Vec<u8>>>>;

/// A jail whose kernel takes nothing over: each packet is carried by itself, and looked at.
fn plain_jail(emperor: &Emperor, addresses: &[&str]) -> (Network, Seen) {
    let network = Network::new();
    let tun = network.device_of("net0", IFF_TUN | IFF_NO_PI);
    network.dress("net0", MTU, addresses);
    let (stream, seen) = (Client::silent(emperor).stream, Seen::default());
    let record = Arc::clone(&seen);
    std::thread::spawn(move || carry(&tun, stream, &record));
    (network, seen)
}

/// Carries packets until the router is gone.
fn carry(tun: &OwnedFd, mut stream: UnixStream, seen: &Seen) {
    let (mut decoder, mut room) = (Decoder::new(PAYLOAD_MAX), [0; 65_536]);
    loop {
        let mut watched = [PollFd::new(tun, PollFlags::IN), PollFd::new(&stream, PollFlags::IN)];
        poll(&mut watched, None).unwrap();
        let (sends, hears) = (watched[0].revents(), watched[1].revents());
        if sends.contains(PollFlags::IN)
            && let Ok(read) = rustix::io::read(tun, &mut room)
            && stream.write_all(&frame(0, &room[..read])).is_err()
        {
            return;
        }
        if hears.is_empty() {
            continue;
        }
        match stream.read(decoder.room()) {
            Ok(read @ 1..) => decoder.received(read),
            _ => return,
        }
        while let Some(frame) = decoder.next_frame().unwrap() {
            let Frame::Packet(packet) = frame else { continue };
            seen.lock().unwrap().push(packet.to_vec());
            let _ = rustix::io::write(tun, packet);
        }
    }
}

/// What a packet carries, where the headers of its network end.
fn upper(packet: &[u8]) -> (u8, &[u8], &[u8]) {
    match packet[0] >> 4 {
        4 => (packet[9], &packet[12..20], &packet[20..]),
        _ => (packet[6], &packet[8..40], &packet[40..]),
    }
}

/// Whether the checksum of its TCP or UDP is right (RFC 1071).
fn is_sound(packet: &[u8]) -> bool {
    let (protocol, addresses, carried) = upper(packet);
    let sum = |bytes: &[u8]| -> u32 {
        let pairs = bytes.chunks(2).map(|pair| [pair[0], pair.get(1).copied().unwrap_or(0)]);
        pairs.map(|pair| u32::from(u16::from_be_bytes(pair))).sum()
    };
    let length = u32::try_from(carried.len()).unwrap();
    let mut total = sum(addresses) + u32::from(protocol) + length + sum(carried);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total == 0xffff
}

fn port_of_destination(packet: &[u8]) -> u16 {
    let (_, _, carried) = upper(packet);
    u16::from_be_bytes([carried[2], carried[3]])
}

#[test]
fn a_stream_that_is_sent_in_one_piece_arrives_in_packets_of_the_receivers_size() {
    let mut charter = charter();
    charter.firewall_out = vec!["allow any any".into()];
    let emperor = Emperor::new(charter);
    let (receiver, seen) = plain_jail(&emperor, &["10.77.0.40/24", "fd77::40/64"]);
    let sender = Jail::new(&emperor, 1001, &["10.77.0.41", "fd77::41"]);
    for (host, server) in [("10.77.0.1", "10.77.0.40:7000"), ("fd77::1", "[fd77::40]:7000")] {
        // Whoever has said nothing yet has no address.
        receiver.run(&format!("ping -c 1 -W 20 {host}"));
        echo(&receiver, server);
        let stream = connect(&sender.network, server).unwrap();
        seen.lock().unwrap().clear();
        round_trip(&stream, 3_000_000);
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        let of_stream = |packet: &&Vec<u8>| upper(packet).0 == TCP && port_of_destination(packet) == 7000;
        let packets: Vec<&Vec<u8>> = seen.iter().filter(of_stream).collect();
        assert!(packets.iter().all(|packet| is_sound(packet)), "{server}");
        assert!(packets.iter().all(|packet| packet.len() <= MTU as usize), "{server}");
        // 3 MB are 2 100 of them.
        let full = packets.iter().filter(|packet| packet.len() == MTU as usize).count();
        assert!(full > 1_800, "{server}: {full} of {} packets", packets.len());
    }
}

/// Sends 2500 bytes as datagrams of 1000.
const TOGETHER: &str = "import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 4000))
s.setsockopt(socket.IPPROTO_UDP, 103, 1000)
s.sendto(bytes(i * 31 % 251 for i in range(2500)), (sys.argv[2], 7000))
";

#[test]
fn datagrams_that_were_sent_together_become_what_the_kernel_makes_of_them() {
    let network = Network::new();
    let tun = network.device("net0", &["10.99.0.1/24", "fd99::1/64"]);
    let whole = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6;
    for (from, to) in [("10.99.0.1", "10.99.0.2"), ("fd99::1", "fd99::2")] {
        let send = || {
            network.within(move || {
                assert!(Command::new("python3").args(["-c", TOGETHER, from, to]).status().unwrap().success());
            });
        };
        if tun_offload(tun.as_fd(), whole).is_err() {
            eprintln!("skipped: this kernel does not give datagrams together (Linux 6.2)");
            return;
        }
        send();
        let together = datagram(&tun);
        let (header, packet) = together.split_first_chunk::<OFFLOAD_HEADER>().unwrap();
        assert!(packet.len() > 2_500, "{} bytes", packet.len());
        let offload = Offload::parse(header, packet).unwrap();
        let (mut ours, mut room) = (Segments::new(packet, offload), vec![0; PAYLOAD_MAX]);
        tun_offload(tun.as_fd(), 0).unwrap();
        send();
        for size in [1_000, 1_000, 500] {
            let kernels = datagram(&tun);
            let kernels = &kernels[OFFLOAD_HEADER..];
            let segment = ours.next_into(&mut room).unwrap();
            assert_eq!(upper(segment).2.len(), 8 + size);
            assert!(is_sound(segment) && is_sound(kernels), "{from}");
            assert_eq!(numberless(segment), numberless(kernels), "{from}");
        }
        assert!(ours.next_into(&mut room).is_none());
    }
}

/// A packet without what no two have in common: the number of version 4, the label of flows of version 6, and their sums.
fn numberless(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    match packet[0] >> 4 {
        4 => [4, 5, 10, 11].into_iter().for_each(|at| packet[at] = 0),
        _ => packet[1..4].fill(0),
    }
    packet
}

/// The next datagram that the device gives, behind its header.
fn datagram(tun: &OwnedFd) -> Vec<u8> {
    let mut room = vec![0; OFFLOAD_HEADER + PAYLOAD_MAX];
    loop {
        poll(&mut [PollFd::new(tun, PollFlags::IN)], None).unwrap();
        let read = rustix::io::read(tun, &mut room).unwrap();
        let packet = &room[OFFLOAD_HEADER..read];
        if upper(packet).0 == UDP && port_of_destination(packet) == 7000 {
            return room[..read].to_vec();
        }
    }
}
