//! What a tenant tries, while another one works.

use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;

use jail::sys::{IFF_NO_PI, IFF_TUN, IFF_VNET_HDR};
use routers::tuntap::talk::{Say, Word, encode, hello};
use rustix::fs::{MemfdFlags, OFlags, SealFlags, fcntl_add_seals, fcntl_getfl, fcntl_setfl, memfd_create};

use crate::emperor::{Emperor, charter};
use crate::jail::{Client, Jail};
use crate::peers::{connect, echo, ping, round_trip};

/// A router and a tenant who has done nothing.
fn with_a_neighbour() -> (Emperor, Jail, std::net::TcpStream) {
    let emperor = Emperor::new(charter());
    let neighbour = Jail::new(&emperor, 1002, &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    let stream = connect(&neighbour.network, "10.77.0.1:7000").unwrap();
    (emperor, neighbour, stream)
}

/// A packet of UDP of version 4.
pub fn packet(source: [u8; 4], destination: [u8; 4], length: usize) -> Vec<u8> {
    let total = u16::try_from(length).unwrap().to_be_bytes();
    let udp = u16::try_from(length - 20).unwrap().to_be_bytes();
    let head = [0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 17, 0, 0];
    let mut packet = [&head[..], &source, &destination, &[0x10, 0, 0x1b, 0x58], &udp, &[0, 0]].concat();
    let sum: u32 = packet[..20].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.resize(length, 7);
    packet
}

pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let [low, high] = u16::try_from(payload.len()).unwrap().to_le_bytes();
    [&[0, low, high, kind][..], payload].concat()
}

/// Row W1.
#[test]
fn a_stream_that_makes_no_sense_ends_and_nothing_else_does() {
    let mut charter = charter();
    charter.mtu = 9000;
    let emperor = Emperor::new(charter);
    let neighbour = Jail::new(&emperor, 1002, &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    let stream = connect(&neighbour.network, "10.77.0.1:7000").unwrap();
    let header = |length: u16, kind: u8| {
        let [low, high] = length.to_le_bytes();
        vec![0, low, high, kind]
    };
    let garbage: Vec<u8> = (0..4096_u32).map(|index| (index * 7919 % 251) as u8 | 1).collect();
    let bad = [
        header(65_535, 0),
        header(65_535, 1),
        header(65_535, 2),
        header(9001, 0),
        frame(0, &vec![0x45; 9001]),
        header(0, 3),
        header(20, 255),
        frame(2, b"no message"),
        frame(1, &[0; 65 * 24]),
        vec![1],
        b"uwsgi-tuntapx".to_vec(),
        b"uwsgi!".to_vec(),
        garbage,
    ];
    for bytes in bad {
        let mut client = Client::silent(&emperor);
        client.write(&bytes);
        assert!(client.is_ended(), "{:?}", &bytes[..bytes.len().min(8)]);
        assert!(ping(&neighbour.network, "10.77.0.1:7000"));
    }
    round_trip(&stream, 1_000_000);
    emperor.wait_for_parked(1);
}

/// Row W1.
#[test]
fn packets_that_are_none_go_nowhere_and_frames_may_come_in_pieces() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let mut client = Client::silent(&emperor);
    for length in [0, 1, 19] {
        client.write(&frame(0, &vec![0x45; length]));
    }
    let good = frame(0, &packet([10, 77, 0, 30], [10, 77, 0, 1], 100));
    for byte in &good {
        client.write(&[*byte]);
    }
    for piece in [good.clone(), good.clone()].concat().chunks(37) {
        client.write(piece);
    }
    let stats = emperor.wait_for_stats("\"10.77.0.30\",\"sent\":{\"packets\":3,\"bytes\":300");
    assert!(stats.contains("\"short\":3"), "{stats}");
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
    round_trip(&stream, 100_000);
}

/// Row W2.
#[test]
fn nobody_takes_an_address_that_somebody_has() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    for address in [neighbour.addresses[0].as_str(), neighbour.addresses[1].as_str(), "10.77.0.1", "fd77::1"]
    {
        let (mut client, _) = Client::hello(&emperor, 1001);
        let word = client.claim(&[address], "x", None);
        assert!(matches!(&word, Word::Refused(why) if why.contains(address)), "{word:?}");
    }
    let has: std::net::Ipv4Addr = neighbour.addresses[0].parse().unwrap();
    let mut client = Client::silent(&emperor);
    client.write(&frame(0, &packet(has.octets(), [10, 77, 0, 1], 60)));
    client.write(&frame(0, &packet([10, 77, 0, 1], [10, 77, 0, 1], 60)));
    emperor.wait_for_stats("\"spoofed\":1,\"not-granted\":1");
    round_trip(&stream, 100_000);
}

/// Row W2. Whoever gets his connection into the hands of another user, or has several users, is who connected.
#[test]
fn a_user_is_who_connected() {
    let mut charter = charter();
    charter.peers = vec!["uid=1002 addr=10.77.0.5".into()];
    let emperor = Emperor::new(charter);
    let client = Client::as_user(&emperor, 1001);
    // Written by root, who may say that he is user 1002.
    client.send_as(1002, &hello());
    client.send_as(1002, &frame(0, &packet([10, 77, 0, 5], [10, 77, 0, 1], 60)));
    emperor.wait_for_stats("\"spoofed\":1");
    let own = Client::as_user(&emperor, 1002);
    own.send_as(1002, &frame(0, &packet([10, 77, 0, 5], [10, 77, 0, 1], 60)));
    emperor.wait_for_line("has 10.77.0.5");
}

/// Row W3.
#[test]
fn nothing_leaves_a_jail_but_from_its_own_addresses() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let jail = Jail::new(&emperor, 1001, &["10.77.0.9", "fd77::9"]);
    let victim = neighbour.addresses[0].clone();
    // Written into the jail's own device from above: its kernel adds nothing and takes nothing away.
    let script = r"
import socket, struct, sys
victim = socket.inet_aton(sys.argv[1]); host = socket.inet_aton('10.77.0.1'); own = socket.inet_aton('10.77.0.9')
six = lambda text: socket.inet_pton(socket.AF_INET6, text)
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
def send(kind, data):
    try: s.sendto(data, ('net0', kind))
    except OSError as error: print(error, file=sys.stderr)
def v4(source, fragment=0, options=b'', protocol=17, body=b'\x10\x00\x1b\x58\x00\x10\x00\x00evilevil'):
    head = 20 + len(options)
    return struct.pack('!BBHHHBBH4s4s', 0x40 | head // 4, 0, head + len(body), 1, fragment, 64, protocol, 0, source, host) + options + body
def v6(source, following=17, body=b'\x10\x00\x1b\x58\x00\x10\x00\x00evilevil'):
    return struct.pack('!IHBB16s16s', 6 << 28, len(body), following, 64, six(source), six('fd77::1')) + body
send(0x800, v4(victim))
send(0x800, v4(host))
send(0x800, v4(socket.inet_aton('127.0.0.1')))
send(0x800, v4(victim, 0x2000))
send(0x800, v4(victim, 0x0010))
send(0x800, v4(own, options=b'\x83\x07\x04' + host))
send(0x800, v4(own, options=b'\x07\xff\x04\x00'))
send(0x800, v4(own, 0x2000, protocol=6, body=b'\x00\x01\x00\x02'))
send(0x86dd, v6('fd77::1'))
send(0x86dd, v6('::1'))
send(0x86dd, v6('fd77::9', 43, b'\x11\x02\x00\x01' + b'\x00' * 20))
send(0x86dd, v6('fd77::9', 0, b'\x00\x00\x01\x04\x00\x00\x00\x00' * 2))
send(0x86dd, v6('fe80::1'))
send(0x86dd, b'\x45' + v6('fd77::9')[1:])
send(0x800, b'\x65' + v4(own)[1:])
send(0x800, v4(own)[:12])
";
    jail.network.within(move || {
        let output = Command::new("python3").args(["-c", script, &victim]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
    let stats = emperor.wait_for_stats("\"source-route\":2");
    for drop in ["\"spoofed\":", "\"martian\":", "\"options\":1", "\"extensions\":1", "\"fragment\":1"] {
        assert!(stats.contains(drop), "{drop}: {stats}");
    }
    assert!(ping(&jail.network, "10.77.0.1:7000"), "and its own go");
    round_trip(&stream, 100_000);
}

/// Row W3. Offload headers as a program with a raw socket makes them (`PACKET_VNET_HDR`).
#[test]
fn no_header_lets_the_host_write_over_a_source_address() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let jail = Jail::new(&emperor, 1001, &["10.77.0.9"]);
    let script = r"
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.setsockopt(263, 15, 1)
s.bind(('net0', 0x800))
packet = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 48, 1, 0, 64, 17, 0, socket.inet_aton('10.77.0.9'), socket.inet_aton('10.77.0.1'))
packet += b'\x10\x00\x1b\x58\x00\x1c\x00\x00' + b'x' * 20
for flags, kind, head, size, start, offset in [
    (1, 0, 0, 0, 12, 0), (1, 0, 0, 0, 0, 12), (1, 0, 0, 0, 20, 0), (1, 0, 0, 0, 26, 16),
    (1, 1, 40, 8, 20, 16), (1, 5, 28, 1, 20, 6), (0, 1, 40, 8, 0, 0), (1, 4, 40, 8, 20, 16),
]:
    try: s.send(struct.pack('=BBHHHH', flags, kind, head, size, start, offset) + packet)
    except OSError as error: print(error)
s.send(bytes(10) + packet)
";
    jail.network.within(move || {
        let output = Command::new("python3").args(["-c", script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
    emperor.wait_for_stats("\"offload\":");
    assert!(ping(&jail.network, "10.77.0.1:7000") && ping(&neighbour.network, "10.77.0.1:7000"));
    round_trip(&stream, 100_000);
}

/// Row W4.
#[test]
fn rules_of_a_tenant_touch_nobody_else() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let deny_all = |direction: u8| [&[direction][..], &[0; 16], &[1], &[0; 6]].concat();
    let gateway = [&[1][..], &[0; 16], &[2, 192, 0, 2, 1, 0x13, 0x88]].concat();
    let mut client = Client::silent(&emperor);
    client.write(&frame(1, &[deny_all(0), deny_all(1)].concat()));
    client.write(&frame(0, &packet([10, 77, 0, 30], [10, 77, 0, 1], 60)));
    client.write(&frame(1, &gateway));
    client.write(&frame(0, &packet([10, 77, 0, 30], [10, 77, 0, 1], 60)));
    emperor.wait_for_stats("\"own-rule\":1,\"no-gateway\":1");
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
    round_trip(&stream, 100_000);
    let (mut client, _) = Client::hello(&emperor, 1001);
    let rules = memfd_create("rules", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    client.say(&Say::Replace { generation: None }, &[rules.as_fd()]);
    let word = client.word();
    assert!(matches!(&word, Word::Refused(why) if why.contains("root's")), "{word:?}");
    client.say(&Say::Rules, &[]);
    assert!(matches!(client.word(), Word::Refused(_)));
}

/// Row W4. A vassal of uWSGI connects as root, and its workers have the connection.
#[test]
fn roots_connection_in_other_hands_is_not_roots() {
    let emperor = Emperor::new(charter());
    let rules = memfd_create("rules", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::io::pwrite(&rules, b"out allow", 0).unwrap();
    fcntl_add_seals(&rules, SealFlags::WRITE | SealFlags::SHRINK).unwrap();
    let replace = encode(&Say::Replace { generation: None }).unwrap();
    let mut client = Client::silent(&emperor);
    client.write(&frame(0, &packet([10, 77, 0, 30], [10, 77, 0, 1], 60)));
    emperor.wait_for_line("peer 10.77.0.30 of user 0");
    client.send_as(65534, &hello());
    assert!(matches!(client.word(), Word::Welcome(_)));
    client.send_all_as(65534, &replace, &[rules.as_fd()]);
    let word = client.word();
    assert!(matches!(&word, Word::Refused(why) if why.contains("root's")), "{word:?}");
    client.send_all_as(0, &replace, &[rules.as_fd()]);
    assert!(matches!(client.word(), Word::Done(_)), "root himself may");
}

/// Row W6.
#[test]
fn a_flood_and_a_slow_reader_starve_nobody() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let flooder = Jail::new(&emperor, 1001, &[]);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_over = std::sync::Arc::clone(&stop);
    let flood = flooder.network.beside(move || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = socket.send_to(&[0; 64], "10.77.0.1:9");
        }
    });
    // It takes an address and never reads.
    let mut slow = Client::silent(&emperor);
    slow.write(&frame(0, &packet([10, 77, 0, 30], [10, 77, 0, 1], 60)));
    emperor.wait_for_line("peer 10.77.0.30");
    emperor.host.within(|| {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        for _ in 0..2000 {
            socket.send_to(&[0; 1400], "10.77.0.30:9").unwrap();
        }
    });
    emperor.wait_for_stats("\"queue-full\":");
    round_trip(&stream, 2_000_000);
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    flood.join().unwrap();
}

/// Row W6. Each hello has the router tell all that it is, and costs whoever says it next to nothing.
#[test]
fn whoever_says_hello_a_second_time_has_to_go() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let (mut client, _) = Client::hello(&emperor, 1001);
    client.send_as(1001, &hello());
    assert!(client.next_word().is_none());
    let mut many = Client::silent(&emperor);
    many.write(&hello().repeat(100));
    assert!(matches!(many.word(), Word::Welcome(_)));
    assert!(many.next_word().is_none());
    emperor.wait_for_line("it says hello a second time");
    round_trip(&stream, 100_000);
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
}

/// Row W6.
#[test]
fn connections_that_say_nothing_are_bounded_for_each_user() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let mut silent: Vec<Client> = (0..30).map(|_| Client::as_user(&emperor, 1001)).collect();
    emperor.wait_for_line("user 1001 gets no connection");
    assert!(silent.last_mut().unwrap().is_ended());
    let another = Jail::labelled(&emperor, (1002, "another"), &[]).client;
    drop((silent, another));
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
    round_trip(&stream, 100_000);
}

/// Row W1.
#[test]
fn what_is_no_device_is_refused() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let network = crate::network::Network::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let descriptors: Vec<(&str, std::os::fd::OwnedFd)> = vec![
        ("no device of", reader.into()),
        ("no device of", writer.into()),
        ("no device of", std::fs::File::open("/dev/null").unwrap().into()),
        ("no device of", std::fs::File::open("/dev/zero").unwrap().into()),
        ("no device of", std::fs::File::open("/etc/passwd").unwrap().into()),
        ("no device of", memfd_create("x", MemfdFlags::CLOEXEC).unwrap()),
        (
            "no device was made",
            std::fs::File::options().read(true).write(true).open("/dev/net/tun").unwrap().into(),
        ),
        ("IFF_VNET_HDR", network.device_of("a", IFF_TUN | IFF_NO_PI)),
        ("IFF_VNET_HDR", network.device_of("c", 2 | IFF_NO_PI | IFF_VNET_HDR)),
        ("IFF_VNET_HDR", network.device_of("d", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | 0x0100)),
        ("no device", rustix::fs::open("/dev/net/tun", OFlags::PATH, rustix::fs::Mode::empty()).unwrap()),
    ];
    for (index, (why, descriptor)) in descriptors.iter().enumerate() {
        let (mut client, _) = Client::hello(&emperor, 1001);
        let word = client.claim(&[], "x", Some(descriptor));
        assert!(matches!(&word, Word::Refused(said) if said.contains(why)), "{index} {why}: {word:?}");
        client.say(&Say::Lend, &[descriptor.as_fd()]);
        assert!(matches!(client.word(), Word::Refused(_)));
    }
    // Far too many, with what needs none.
    let (client, _) = Client::hello(&emperor, 1001);
    let many = vec![descriptors[0].1.as_fd(); jail::run::DESCRIPTORS_MAX];
    client.say(&Say::Table, &many);
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
    round_trip(&stream, 100_000);
}

/// Row W6. The flags of a descriptor are those of all its copies.
#[test]
fn a_device_that_would_wait_keeps_nobody_waiting() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let jail = Jail::new(&emperor, 1001, &[]);
    let flags = fcntl_getfl(&jail.tun).unwrap();
    fcntl_setfl(&jail.tun, flags - OFlags::NONBLOCK).unwrap();
    for _ in 0..5 {
        assert!(ping(&jail.network, "10.77.0.1:7000"));
    }
    round_trip(&stream, 1_000_000);
    // And its end is only its own.
    jail.network.run("ip link delete net0");
    round_trip(&stream, 1_000_000);
    drop(jail);
    emperor.wait_for_parked(1);
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
}

/// Row W6. Closing a socket may take as long as its owner likes.
#[test]
fn a_descriptor_that_cannot_be_closed_keeps_nobody_waiting() {
    let (emperor, neighbour, stream) = with_a_neighbour();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lingering = || {
        let mut stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        rustix::net::sockopt::set_socket_linger(&stream, Some(std::time::Duration::from_secs(3600))).unwrap();
        stream.set_nonblocking(true).unwrap();
        // Nobody reads it: closing waits for what was sent.
        while stream.write(&[0; 65_536]).is_ok() {}
        stream
    };
    let (client, _) = Client::hello(&emperor, 1001);
    let unread = Client::silent(&emperor);
    // The router shall have the last copies.
    emperor.stop();
    for _ in 0..3 {
        client.say(&Say::Table, &[lingering().as_fd()]);
    }
    jail::run::send(&unread.stream, &[1], &[lingering().as_fd()]).unwrap();
    emperor.go_on();
    round_trip(&stream, 1_000_000);
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
}
