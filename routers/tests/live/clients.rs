//! Real clients of uWSGI.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::attacks::{frame, packet};
use crate::emperor::{Emperor, PATIENCE, charter};
use crate::jail::Jail;
use crate::network::Network;
use crate::peers::{connect, echo, ping, round_trip};

/// A vassal of uWSGI in a network of its own.
struct Vassal {
    network: Network,
    uwsgi: Child,
}

impl Vassal {
    /// None where uWSGI is not installed.
    fn new(emperor: &Emperor, more: &[&'static str], address: &str) -> Option<Self> {
        let network = Network::new();
        let device = format!("uwsgi0 {}", emperor.charter.socket);
        let more = more.to_vec();
        let started = network.within(move || {
            Command::new("uwsgi")
                .args(["--plugin", "tuntap", "--master", "--jailed", "--uid", "65534", "--gid", "65534"])
                .args(["--socket", "127.0.0.1:3031", "--tuntap-device", &device])
                .args(more)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        });
        let Ok(uwsgi) = started else {
            eprintln!("skipped: uwsgi is not installed");
            return None;
        };
        let vassal = Self { network, uwsgi };
        vassal.wait_for_device();
        // Nobody has told it to leave version 6 alone: its kernel says something by itself.
        vassal.network.dress("uwsgi0", 1500, &[address]);
        Some(vassal)
    }

    fn wait_for_device(&self) {
        let begin = Instant::now();
        let is_there =
            || Command::new("ip").args(["link", "show", "uwsgi0"]).output().unwrap().status.success();
        while !self.network.within(is_there) {
            assert!(begin.elapsed() < PATIENCE, "no device of uwsgi");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Vassal {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.uwsgi);
        // Its workers end with their master when it is asked to.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.uwsgi.wait();
    }
}

#[test]
fn a_client_of_uwsgi_works_and_its_connections_outlive_the_router() {
    let mut emperor = Emperor::new(charter());
    let Some(mut vassal) = Vassal::new(&emperor, &[], "10.77.0.20/24") else { return };
    echo(&emperor.host, "10.77.0.1:7000");
    let stream = connect(&vassal.network, "10.77.0.1:7000").unwrap();
    round_trip(&stream, 3_000_000);
    assert!(ping(&vassal.network, "10.77.0.1:7000"));
    emperor.wait_for_line("peer 10.77.0.20 of user 0");
    emperor.wait_for_parked(1);
    for _ in 0..5 {
        emperor.kill();
        emperor.start();
        round_trip(&stream, 200_000);
    }
    // Killed while bytes fly, not between them.
    for _ in 0..3 {
        let busy = stream.try_clone().unwrap();
        let work = std::thread::spawn(move || round_trip(&busy, 3_000_000));
        emperor.wait_for_stats("10.77.0.20");
        emperor.kill();
        emperor.start();
        work.join().unwrap();
    }
    assert!(vassal.uwsgi.try_wait().unwrap().is_none(), "it has noticed nothing");
    let fast = Jail::new(&emperor, 1001, &[]);
    assert!(ping(&fast.network, "10.77.0.1:7000"));
}

#[test]
fn a_client_of_uwsgi_says_who_it_is() {
    let mut charter = charter();
    charter.credentials = true;
    charter.open = false;
    charter.peers = vec!["uid=65534 addr=10.77.0.20 name=vassal".into()];
    let emperor = Emperor::new(charter);
    let Some(vassal) = Vassal::new(&emperor, &["--tuntap-use-credentials"], "10.77.0.20/24") else { return };
    echo(&emperor.host, "10.77.0.1:7000");
    assert!(ping(&vassal.network, "10.77.0.1:7000"));
    emperor.wait_for_line("peer vassal of user 65534 has 10.77.0.20");
}

#[test]
fn a_client_that_was_asked_to_say_who_it_is_has_to() {
    let mut charter = charter();
    charter.credentials = true;
    let emperor = Emperor::new(charter);
    let mut client = crate::jail::Client::silent(&emperor);
    client.write(&[0, 4, 0, 0, 0x45, 0, 0, 4]);
    assert!(client.is_ended());
    emperor.wait_for_line("has not said who it is");
    let greeted = crate::jail::Client::silent(&emperor);
    greeted.send_as(1001, b"uwsgi-tuntap");
    let jail = Network::new();
    let tun = jail.device("net0", &[]);
    jail::run::send(&greeted.stream, &[0, 0, 0, 1], &[tun.as_fd()]).unwrap();
    emperor.wait_for_parked(1);
    emperor.wait_for_stats("\"uid\":1001");
}

#[test]
fn a_client_of_uwsgi_is_sent_what_it_has_room_for_once_a_sender_was_told() {
    let emperor = Emperor::new(charter());
    let Some(vassal) = Vassal::new(&emperor, &[], "10.77.0.20/24") else { return };
    echo(&emperor.host, "10.77.0.1:7000");
    // What it sends itself is shorter.
    vassal.network.run("ip link set uwsgi0 mtu 4000");
    // It promises more than there is room for on the way.
    vassal.network.run("ip route change 10.77.0.0/24 dev uwsgi0 advmss 60000");
    let stream = connect(&vassal.network, "10.77.0.1:7000").unwrap();
    round_trip(&stream, 3_000_000);
    emperor.wait_for_stats("\"too-long\":");
}

/// Its queue to the router has 8192 bytes with the header of a frame; what has no room in it is lost there, and nobody is told.
#[test]
fn a_client_of_uwsgi_gives_8188_bytes_and_takes_8192() {
    let emperor = Emperor::new(charter());
    let Some(vassal) = Vassal::new(&emperor, &[], "10.77.0.20/24") else { return };
    echo(&emperor.host, "10.77.0.1:7000");
    vassal.network.run("ip link set uwsgi0 mtu 8192");
    // What comes back after datagrams of these lengths, with headers, up to one that does.
    let back = |lengths: &'static [usize]| {
        vassal.network.within(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            for length in lengths {
                socket.send_to(&vec![7; length - 28], "10.77.0.1:7000").unwrap();
            }
            socket.recv(&mut [0; 10_000]).unwrap() + 28
        })
    };
    assert_eq!(back(&[8188]), 8188);
    // On a way on which none overtakes another.
    assert_eq!(back(&[8189, 100]), 100);
    assert_eq!(back(&[8192, 100]), 100);
    let here = vassal.network.within(|| UdpSocket::bind("10.77.0.20:9").unwrap());
    here.set_read_timeout(Some(PATIENCE)).unwrap();
    emperor.host.within(|| {
        UdpSocket::bind("0.0.0.0:0").unwrap().send_to(&[7; 8164], "10.77.0.20:9").unwrap();
    });
    assert_eq!(here.recv(&mut [0; 10_000]).unwrap() + 28, 8192);
    vassal.network.run("ip link set uwsgi0 mtu 8188");
    round_trip(&connect(&vassal.network, "10.77.0.1:7000").unwrap(), 3_000_000);
}

/// Somebody who has said nothing but packets, with an address of each version.
fn plain_client(emperor: &Emperor) -> crate::jail::Client {
    let mut client = crate::jail::Client::silent(emperor);
    client.write(&frame(0, &packet([10, 77, 0, 30], [10, 77, 0, 1], 28)));
    let mut v6 = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    for last in [0x30, 1] {
        v6.extend([0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    v6.extend([0x10, 0, 0x1b, 0x58, 0, 8, 0xff, 0xff]);
    client.write(&frame(0, &v6));
    emperor.wait_for_stats("fd77::30");
    client
}

#[test]
fn datagrams_of_either_version_come_in_pieces_once_a_sender_was_told() {
    let emperor = Emperor::new(charter());
    let mut client = plain_client(&emperor);
    for (from, to) in [("10.77.0.1:0", "10.77.0.30:9"), ("[fd77::1]:0", "[fd77::30]:9")] {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let sender = emperor.host.beside(move || {
            let socket = UdpSocket::bind(from).unwrap();
            while stopped.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Timeout) {
                // The answer to one is an error of the next one.
                let _ = socket.send_to(&[7; 20_000], to);
            }
        });
        let mut is_there = [false; 2];
        while is_there != [true; 2] {
            let packet = client.packet();
            assert!(packet.len() <= 8192, "{} bytes", packet.len());
            let (is_v4, more) = match packet[0] >> 4 {
                4 => (true, packet[6] & 0x20 != 0),
                _ => (false, packet[6] == 44 && packet[43] & 1 != 0),
            };
            if is_v4 == from.starts_with("10") && packet.len() > 1000 {
                is_there[usize::from(more)] = true;
            }
        }
        drop(stop);
        sender.join().unwrap();
    }
}

/// Row W6.
#[test]
fn whoever_sends_what_is_too_long_is_answered_only_so_often() {
    const FLOOD: &str = "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# Whatever was heard of the way: as long as they are, and never in pieces.
s.setsockopt(socket.IPPROTO_IP, 10, 3)
for _ in range(3000):
    s.sendto(bytes(20000), ('10.77.0.30', 9))
";
    let emperor = Emperor::new(charter());
    let _client = plain_client(&emperor);
    let begin = Instant::now();
    let answers = emperor.host.within(|| {
        let before = unreachables();
        let status = Command::new("python3").args(["-c", FLOOD]).status().unwrap();
        assert!(status.success());
        unreachables() - before
    });
    emperor.wait_for_stats("\"too-long\":");
    let most = 11 + begin.elapsed().as_millis() / 100;
    assert!((1..=most).contains(&answers), "{answers} answers, {most} at most");
}

/// How often the network of this thread was told that somebody cannot be reached.
fn unreachables() -> u128 {
    let text = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("Icmp:")).collect();
    let place = rows[0].split(' ').position(|word| word == "InDestUnreachs").unwrap();
    rows[1].split(' ').nth(place).unwrap().parse().unwrap()
}
