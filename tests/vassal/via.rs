//! `net = … via ROUTER`: a network by a router that gets the device of the jail. The letters and numbers are rows of the list
//! of known attacks.

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::thread;

use routers::tuntap::talk::{Say, Welcome, Word};

use super::emperor::{Outcome, Place, Vassal};
use super::network::tenant;
use super::router::{Heard, Peer, Router, deliver, packet, pong};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn welcome() -> Welcome {
    Welcome {
        device: "emperor0".into(),
        routers: vec![(ip("10.0.0.1"), 24), (ip("fd00::1"), 64)],
        given: Vec::new(),
        mtu: 65_000,
        mtu_beyond: 1500,
        nameservers: vec![ip("192.0.2.53"), ip("2001:db8::53")],
    }
}

/// A router that gives what is asked for, or the first address, and answers pings for as long as the vassal lives.
fn obliging(router: Router) -> thread::JoinHandle<(Peer, Say, Vec<Vec<u8>>)> {
    thread::spawn(move || {
        let mut peer = router.welcomed(&welcome());
        let Heard::Say(say) = peer.hear() else { panic!("no claim") };
        let Say::Claim { addresses, .. } = &say else { panic!("{say:?}") };
        let held = match &addresses[..] {
            [] => vec![(ip("10.0.0.7"), 24)],
            asked => asked.iter().map(|one| (*one, 8)).collect(),
        };
        peer.answer(&Word::Held(held));
        let device = peer.descriptors.pop().expect("a device");
        let seen = answer_pings(&mut peer, &device);
        (peer, say, seen)
    })
}

/// All packets until the connection ends.
fn answer_pings(peer: &mut Peer, device: &OwnedFd) -> Vec<Vec<u8>> {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut seen = Vec::new();
    loop {
        let mut ready = [PollFd::new(device, PollFlags::IN), PollFd::new(&peer.stream, PollFlags::IN)];
        poll(&mut ready, None).unwrap();
        if !ready[1].revents().is_empty() {
            assert_eq!(peer.hear(), Heard::End);
            return seen;
        }
        let packet = packet(device);
        if let Some(pong) = pong(&packet) {
            deliver(device, &pong);
        }
        seen.push(packet);
    }
}

fn fine(outcome: &Outcome) -> &str {
    assert_eq!(outcome.code(), 0, "{}{}", outcome.output, outcome.errors);
    &outcome.output
}

/// What is to be seen in the jail.
const LOOK: &str = "exec-as-root = ip -o address; ip -o link; ip route; ip -6 route; cat /etc/resolv.conf\n";

#[test]
fn a_network_by_a_router_has_addresses_routes_name_servers_and_its_packets() {
    let config = format!(
        "net = 10.0.0.2/24,fd00::2/64 via DIR/r\nunshare = fs,pid\nuid = 54321\ngid = 54322\n{LOOK}exec-as-root = test -f v.ini\n\
         exec-as-root = ping -c 1 -W 10 10.0.0.1 && ping -c 1 -W 10 fd00::1\n\
         command = sh -c 'ls -l /proc/self/fd && env'"
    );
    let place = Place::new(&config);
    let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let router = obliging(Router::at(&place.path("r")));
    let outcome = place.run();
    let output = fine(&outcome);
    for wanted in [
        "inet 10.0.0.2/24 scope global tun0",
        "inet6 fd00::2/64 scope global",
        "mtu 65000",
        "10.0.0.0/24 dev tun0",
        "default via 10.0.0.1 dev tun0 proto static mtu 1500",
        "fd00::/64 dev tun0",
        "default via fd00::1 dev tun0 proto static metric 1024 mtu 1500",
        "nameserver 192.0.2.53\nnameserver 2001:db8::53\n",
        "inet 127.0.0.1/8",
    ] {
        assert!(output.contains(wanted), "{wanted} in {output}");
    }
    assert_eq!(output.matches("1 received").count(), 2, "{output}");
    assert!(!output.contains("fe80"), "nobody makes up an address: {output}");
    // No program has the connection or the device.
    assert!(
        !output.contains("socket:") && !output.contains("/dev/net") && !output.contains("LIEGE_"),
        "{output}"
    );
    assert_eq!(std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default(), host);
    let (peer, say, _) = router.join().unwrap();
    let asked = vec![ip("10.0.0.2"), ip("fd00::2")];
    assert_eq!(say, Say::Claim { addresses: asked, label: "v.ini".into() });
    // Who the vassal will be, not who it was when it asked.
    assert_eq!(peer.who, Some((54321, 54322)));
}

#[test]
fn a_router_chooses_an_address_and_without_one_of_version_6_nothing_of_it_is_sent() {
    let config = format!(
        "net = auto via DIR/r dev=lan0 mtu=1400 dns=192.0.2.1\nunshare = fs\n{LOOK}command = ping -c 1 -W 10 10.0.0.1"
    );
    let place = Place::new(&config);
    let router = obliging(Router::at(&place.path("r")));
    let outcome = place.run();
    let output = fine(&outcome);
    for wanted in ["inet 10.0.0.7/24 scope global lan0", "mtu 1400", "nameserver 192.0.2.1\n", "1 received"] {
        assert!(output.contains(wanted), "{wanted} in {output}");
    }
    assert!(!output.contains("192.0.2.53"), "{output}");
    let (peer, say, seen) = router.join().unwrap();
    assert_eq!(say, Say::Claim { addresses: Vec::new(), label: "v.ini lan0".into() });
    assert_eq!(peer.who, Some((0, 0)));
    assert!(seen.iter().all(|packet| packet[0] >> 4 == 4), "{seen:?}");
}

#[test]
fn a_network_without_a_default_route_and_without_name_servers_leaves_both_alone() {
    let config =
        format!("net = 10.0.0.2/24 via DIR/r route=none dns=none\nunshare = fs\n{LOOK}command = true");
    let place = Place::new(&config);
    let router = obliging(Router::at(&place.path("r")));
    let outcome = place.run();
    let output = fine(&outcome);
    assert!(!output.contains("default via") && !output.contains("192.0.2.53"), "{output}");
    router.join().unwrap();
    // Nor where its file is everybody's.
    let place = Place::new("net = 10.0.0.2/24 via DIR/r\ncommand = cat /etc/resolv.conf");
    let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let router = obliging(Router::at(&place.path("r")));
    assert_eq!(fine(&place.run()), host);
    router.join().unwrap();
}

/// A `/dev/net/tun` that everybody may open, as it is on most hosts.
const OPEN_TUN: &str = "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\"";

/// Someone who is root of a user namespace alone, in mounts of the test's own.
fn open_tenant(place: &Place, jail: &str) -> Command {
    let plain = tenant(place, jail);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", OPEN_TUN, "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(place.path("")).env_clear();
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap());
    }
    command
}

#[test]
fn a_tenant_is_known_to_the_router_as_who_he_is_outside() {
    let config = format!("net = auto via DIR/r\nunshare = fs\n{LOOK}command = ping -c 1 -W 10 10.0.0.1");
    let place = Place::new(&config);
    let router = obliging(Router::at(&place.path("r")));
    let outcome = Outcome::of(&mut open_tenant(&place, "user"));
    let output = fine(&outcome);
    for wanted in ["inet 10.0.0.7/24 scope global tun0", "nameserver 192.0.2.53\n", "1 received"] {
        assert!(output.contains(wanted), "{wanted} in {output}{}", outcome.errors);
    }
    let (peer, ..) = router.join().unwrap();
    assert_eq!(peer.who, Some((61001, 61001)));
}

/// Row W2.
#[test]
fn a_tenant_who_says_that_he_is_another_is_not_believed_by_the_kernel() {
    // Root of his namespace may become whom he likes there: outside, all of them are himself or nobody.
    let place = Place::new("net = auto via DIR/r\nuid = 7\ncommand = true");
    let router = Router::at(&place.path("r"));
    let peers = thread::spawn(move || {
        let mut peer = router.peer();
        (peer.hear(), peer.who)
    });
    let outcome = Outcome::of(&mut open_tenant(&place, ""));
    assert_eq!(outcome.code(), 1);
    let (heard, who) = peers.join().unwrap();
    assert_ne!(who, Some((7, 7)), "{heard:?}");
}

#[test]
fn nobody_gets_a_network_who_cannot_make_a_device() {
    let place = Place::new("net = auto via emperor0\ncommand = true");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "61001", "--regid", "61001", "--clear-groups"]);
    let plain = place.command();
    command.arg(plain.get_program()).args(plain.get_args()).current_dir(place.path("")).env_clear();
    let outcome = Outcome::of(&mut command);
    assert_eq!(outcome.code(), 1);
    assert!(outcome.errors.contains("needs root of the vassal's own user namespace"), "{}", outcome.errors);
}

#[test]
fn a_router_that_is_not_there_is_named_with_its_cure() {
    for (net, wanted) in [
        ("auto via emperor0", "there is no router emperor0 (step"),
        ("auto via DIR/none", "ENOENT"),
        ("auto via DIR/v.ini", "cannot reach router"),
    ] {
        let place = Place::new(&format!("net = {net}\ncommand = true"));
        let outcome = place.run();
        assert_eq!(outcome.code(), 1);
        assert!(outcome.errors.contains(wanted), "{wanted} in {}", outcome.errors);
    }
    // A socket whose owner has gone.
    let place = Place::new("net = auto via DIR/r\ncommand = true");
    drop(Router::at(&place.path("r")));
    let outcome = place.run();
    assert!(
        outcome.errors.contains("ECONNREFUSED") && outcome.errors.contains("start the router"),
        "{}",
        outcome.errors
    );
}

/// What a vassal says of a router that does this, once it has said hello.
fn told(config: &str, router: impl FnOnce(Peer) + Send + 'static) -> String {
    let place = Place::new(&format!("{config}\ncommand = echo it runs"));
    let listener = Router::at(&place.path("r"));
    let peers = thread::spawn(move || {
        let mut peer = listener.peer();
        assert_eq!(peer.hear(), Heard::Hello);
        router(peer);
    });
    let outcome = place.run();
    peers.join().unwrap();
    assert_eq!((outcome.code(), outcome.output.as_str()), (1, ""), "{}", outcome.errors);
    outcome.errors
}

#[test]
fn what_the_router_refuses_is_passed_on_with_the_step() {
    let errors = told("net = 10.0.0.2/24 via DIR/r", |mut peer| {
        peer.answer(&Word::Welcome(welcome()));
        assert!(matches!(peer.hear(), Heard::Say(Say::Claim { .. })));
        peer.answer(&Word::Refused("10.0.0.2 is of shop.ini\u{1b}[31m: choose another one".into()));
        assert_eq!(peer.hear(), Heard::End);
    });
    assert!(errors.contains("refuses: 10.0.0.2 is of shop.ini [31m: choose another one (step "), "{errors}");
}

/// Row W10: a vassal that is told nonsense ends with a sentence.
#[test]
fn a_router_that_makes_no_sense_ends_the_start_with_a_sentence() {
    let says = |bytes: &'static [u8]| {
        told("net = auto via DIR/r", move |mut peer| {
            peer.say(bytes);
            assert_eq!(peer.hear(), Heard::End);
        })
    };
    assert!(says(b"\x01garbage").contains("makes no sense: byte 0x01 begins no frame"));
    assert!(says(b"\x00\x01\x00\x02\xff").contains("makes no sense: this is no message"));
    assert!(says(b"\x00\x00\x00\x02").contains("makes no sense"));
    assert!(says(b"\x00\x01\x00\x63\xff").contains("a frame of kind 99"));
    let hung_up = told("net = auto via DIR/r", drop);
    assert!(hung_up.contains("has hung up"), "{hung_up}");
    // The longest frames that there are, for as long as anybody listens, and packets that nobody wants.
    for kind in [0_u8, 2] {
        let flooded = told("net = auto via DIR/r", move |mut peer| {
            let frame = [&[0, 0xff, 0xff, kind][..], &[0xff; 0xffff]].concat();
            let mut stream = peer.stream.try_clone().unwrap();
            while std::io::Write::write_all(&mut stream, &frame).is_ok() {}
            while peer.hear() != Heard::End {}
        });
        assert!(flooded.contains("makes no sense") || flooded.contains("has not answered in"), "{flooded}");
    }
    let odd = told("net = auto via DIR/r", |mut peer| {
        peer.answer(&Word::Done(7));
        assert_eq!(peer.hear(), Heard::End);
    });
    assert!(odd.contains("it answers Done(7)"), "{odd}");
    let stranger = told("net = auto via DIR/r", |mut peer| {
        peer.answer(&Word::Welcome(welcome()));
        peer.hear();
        peer.answer(&Word::Held(vec![(ip("127.0.0.1"), 8)]));
        assert_eq!(peer.hear(), Heard::End);
    });
    assert!(stranger.contains("127.0.0.1/8, which is no address of a host"), "{stranger}");
}

/// Row W10.
#[test]
fn a_router_that_says_nothing_is_not_waited_for_for_ever() {
    let silent = told("net = auto via DIR/r", |mut peer| assert_eq!(peer.hear(), Heard::End));
    assert!(silent.contains("has not answered in 15 s") && silent.contains("`tuntap-device`"), "{silent}");
}

#[test]
fn a_stop_is_heard_while_a_router_says_nothing() {
    let place = Place::new("net = auto via DIR/r\ncommand = true");
    let router = Router::at(&place.path("r"));
    let vassal = Vassal::start(place.command(), None);
    let mut peer = router.peer();
    assert_eq!(peer.hear(), Heard::Hello);
    vassal.signal(rustix::process::Signal::TERM);
    let outcome = vassal.end();
    assert!(outcome.errors.contains("stopped while the call to router"), "{}", outcome.errors);
    assert_eq!(peer.hear(), Heard::End);
}

/// Row W10: a link in the place of `/etc/resolv.conf` leads nowhere: it is covered itself.
#[test]
fn the_name_servers_are_written_over_no_link() {
    let place = Place::new(&format!(
        "net = 10.0.0.2/24 via DIR/r\nunshare = fs\nexec-post-jail = mount --bind DIR/etc /etc\n{LOOK}\
         exec-as-root = cat DIR/victim\ncommand = sh -c 'echo x >> /etc/resolv.conf || echo closed'"
    ));
    std::fs::create_dir(place.path("etc")).unwrap();
    std::fs::write(place.path("victim"), "as it was\n").unwrap();
    std::os::unix::fs::symlink(place.path("victim"), place.path("etc/resolv.conf")).unwrap();
    let router = obliging(Router::at(&place.path("r")));
    let outcome = place.run();
    let output = fine(&outcome);
    assert!(output.contains("nameserver 192.0.2.53\n") && output.contains("as it was\n"), "{output}");
    assert!(output.contains("closed"), "{output}");
    assert_eq!(place.read("victim"), "as it was\n");
    assert!(place.path("etc/resolv.conf").is_symlink());
    router.join().unwrap();
}

#[test]
fn where_there_is_no_such_file_it_is_told_and_only_ends_whoever_asked_for_it() {
    for (dns, code) in [("", 0), (" dns=192.0.2.1", 1)] {
        let place = Place::new(&format!(
            "net = 10.0.0.2/24 via DIR/r{dns}\nunshare = fs\nexec-post-jail = mount -t tmpfs none /etc\ncommand = true"
        ));
        let router = obliging(Router::at(&place.path("r")));
        let outcome = place.run();
        assert_eq!(outcome.code(), code, "{}", outcome.errors);
        assert!(outcome.errors.contains("/etc/resolv.conf"), "{}", outcome.errors);
        assert!(outcome.errors.contains("make an empty file there"), "{}", outcome.errors);
        router.join().unwrap();
    }
}

#[test]
fn the_connection_stands_for_the_vassal_whatever_its_program_does() {
    let place = Place::new(
        "net = auto via DIR/r\nuid = 54321\ngid = 54322\ncommand = sh -c 'echo up; exec sleep 1000'",
    );
    let router = Router::at(&place.path("r"));
    let mut vassal = Vassal::start(place.command(), None);
    let mut peer = router.welcomed(&welcome());
    assert!(matches!(peer.hear(), Heard::Say(Say::Claim { .. })));
    peer.answer(&Word::Held(vec![(ip("10.0.0.7"), 24)]));
    assert_eq!(vassal.line(), "up");
    let device = peer.descriptors.pop().unwrap();
    // Killed with its program: nothing but the connection tells the router.
    vassal.signal(rustix::process::Signal::KILL);
    assert_eq!(peer.hear(), Heard::End);
    vassal.end();
    drop(device);
}

#[test]
fn a_program_in_the_place_of_the_master_keeps_the_network() {
    let place = Place::new("net = auto via DIR/r\nunprivileged-binary-patch-arg = ping -c 1 -W 10 10.0.0.1");
    let router = obliging(Router::at(&place.path("r")));
    let outcome = place.run();
    assert!(fine(&outcome).contains("1 received"), "{}", outcome.output);
    router.join().unwrap();
}
