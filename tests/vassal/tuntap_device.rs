//! `tuntap-device`: a device whose packets go to a router of uWSGI's, or ours.

use std::process::Command;
use std::thread;
use std::time::Instant;

use routers::tuntap::frame::{GREETING, packet_header, rules_header};
use routers::tuntap::talk::{HELLO, Say, Welcome, Word, hello};
use rustix::process::Signal;

use super::emperor::{Outcome, PATIENCE, Place, Vassal};
use super::router::{Heard, Router, deliver, packet, pong};

const ADDRESS: &str = "net-address = 10.0.0.2/24@uwsgi0\n";

/// A program that tells when it runs, and stays.
const STAY: &str = "command = sh -c 'echo up; exec sleep 1000'";

/// 0a010203 with its mask, as the wire has it on this machine.
fn number(number: u32) -> [u8; 4] {
    number.to_ne_bytes()
}

#[test]
fn a_router_of_uwsgi_hears_rules_and_packets_and_nothing_else_that_it_could_misread() {
    let place = Place::new(&format!(
        "unshare = net\ntuntap-device = uwsgi0 DIR/r\n\
         tuntap-device-rule = out 10.1.2.3/24 192.0.2.0/8 deny\n\
         tuntap-device-rule = in 0.0.0.0 10.0.0.2 allow\n\
         tuntap-device-rule = out 10.0.0.2 10.9.0.0/16 route 1.2.3.4:5000\n\
         {ADDRESS}exec-as-root = ping -c 1 -W 10 10.0.0.1\n{STAY}"
    ));
    let router = Router::at(&place.path("r"));
    let mut vassal = Vassal::start(place.command(), None);
    let mut peer = router.peer();
    assert_eq!(peer.hear(), Heard::Hello);
    let Heard::Rules(records) = peer.hear() else { panic!("no rules") };
    let masked = [
        [&[1][..], &number(0x0a01_0200), &number(0xffff_ff00), &number(0xc000_0000), &number(0xff00_0000)]
            .concat(),
        [&[0][..], &number(0), &number(0), &number(0x0a00_0002), &number(0xffff_ffff)].concat(),
        [&[1][..], &number(0x0a00_0002), &number(0xffff_ffff), &number(0x0a09_0000), &number(0xffff_0000)]
            .concat(),
    ];
    let mut wanted = [&masked[0][..], &[1, 0, 0, 0, 0, 0, 0]].concat();
    wanted.extend([&masked[1][..], &[0, 0, 0, 0, 0, 0, 0]].concat());
    wanted.extend([&masked[2][..], &[2, 1, 2, 3, 4, 0x13, 0x88]].concat());
    assert_eq!(records, wanted);
    // The first packet is the ping: the device says nothing of version 6 by itself.
    let Heard::Packet(ping) = peer.hear() else { panic!("no packet") };
    let pong = pong(&ping).expect("a ping");
    assert_eq!(
        peer.bytes,
        [&hello()[..], &rules_header(72).unwrap(), &records, &packet_header(ping.len()).unwrap(), &ping]
            .concat()
    );
    assert!(HELLO.len() < 24, "no whole rule");
    // In pieces.
    let frame = [&packet_header(pong.len()).unwrap()[..], &pong].concat();
    for byte in frame {
        peer.say(&[byte]);
    }
    loop {
        let line = vassal.line();
        match line.as_str() {
            "up" => break,
            line => assert!(!line.contains("100% packet loss"), "{line}"),
        }
    }
    vassal.signal(Signal::TERM);
    assert_eq!(peer.hear(), Heard::End);
    vassal.end();
}

#[test]
fn who_the_vassal_will_be_is_said_first_where_that_is_asked_for() {
    let place = Place::new(&format!(
        "unshare = net\ntuntap-device = uwsgi0 DIR/r\ntuntap-use-credentials = true\nuid = 54321\ngid = 54322\n{STAY}"
    ));
    let router = Router::at(&place.path("r"));
    let vassal = Vassal::start(place.command(), None);
    let mut peer = router.peer();
    assert_eq!(peer.hear(), Heard::Greeting);
    assert_eq!((peer.who, &peer.bytes[..]), (Some((54321, 54322)), &GREETING[..]));
    assert_eq!(peer.hear(), Heard::Hello);
    vassal.signal(Signal::TERM);
    vassal.end();
}

#[test]
fn a_router_that_knows_us_gets_the_device_and_gives_it_back_when_it_goes() {
    let place = Place::new(&format!("unshare = net\ntuntap-device = uwsgi0 DIR/r\n{ADDRESS}{STAY}"));
    let router = Router::at(&place.path("r"));
    let mut vassal = Vassal::start(place.command(), None);
    let lent = || {
        let mut peer = router.welcomed(&Welcome::default());
        assert_eq!(peer.hear_word(), Heard::Say(Say::Lend));
        peer.answer(&Word::Taken);
        let device = peer.descriptors.pop().expect("a device");
        (peer, device)
    };
    let (peer, device) = lent();
    assert_eq!(vassal.line(), "up");
    let pid = vassal.pid();
    let ping = thread::spawn(move || ping(&format!("/proc/{pid}/ns/net"), "10.0.0.1"));
    let pong = std::iter::repeat_with(|| pong(&packet(&device))).flatten().next().unwrap();
    deliver(&device, &pong);
    assert!(ping.join().unwrap());
    drop((peer, device));
    drop(lent());
    vassal.signal(Signal::TERM);
    vassal.end();
}

/// The device, its address and its number in the network of a process.
fn device(pid: i32) -> String {
    let pid = pid.to_string();
    let output = Command::new("nsenter")
        .args(["--net", "--target", &pid, "ip", "-o", "-4", "address", "show", "uwsgi0"])
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// Row W10.
#[test]
fn a_router_that_goes_or_makes_no_sense_ends_no_vassal_and_is_called_again() {
    let place = Place::new(&format!("unshare = net\ntuntap-device = uwsgi0 DIR/r\n{ADDRESS}{STAY}"));
    let router = Router::at(&place.path("r"));
    let mut vassal = Vassal::start(place.command(), None);
    drop(router.peer());
    assert_eq!(vassal.line(), "up");
    let before = device(vassal.pid());
    assert!(before.contains("10.0.0.2/24"), "{before}");
    for bytes in [
        &b""[..],
        b"\x01",
        b"\x00\x00\x00\x63",
        b"\x00\x01\x00\x02\xff",
        b"\x00\x00\x00\x02",
        // Taken, which nobody has asked for.
        b"\x00\x01\x00\x02\x02",
        // A packet that is none, and half of the longest one.
        b"\x00\x05\x00\x00xxxxx\x00\xff\xff\x00half",
    ] {
        let mut peer = router.peer();
        assert_eq!(peer.hear(), Heard::Hello);
        peer.say(bytes);
    }
    // Away for a while, its socket too.
    drop(router);
    std::fs::remove_file(place.path("r")).unwrap();
    let router = Router::at(&place.path("r"));
    let mut peer = router.peer();
    assert_eq!(peer.hear(), Heard::Hello);
    assert_eq!(device(vassal.pid()), before, "it is the same device");
    vassal.signal(Signal::TERM);
    assert!(vassal.end().errors.contains("it is called again"));
}

#[test]
fn a_stop_is_heard_while_a_router_is_waited_for() {
    let place =
        Place::new("exec-pre-jail = echo here\nunshare = net\ntuntap-device = uwsgi0 DIR/r\ncommand = true");
    let mut vassal = Vassal::start(place.command(), None);
    assert_eq!(vassal.line(), "here");
    vassal.signal(Signal::TERM);
    let outcome = vassal.end();
    assert!(outcome.errors.contains("stopped while"), "{}", outcome.errors);
}

#[test]
fn a_device_without_a_router_is_there_before_the_first_program_of_the_jail() {
    let place = Place::new(
        "unshare = net,pid\ntuntap-device = uwsgi0\nhook-post-jail = exec:ip link show uwsgi0\nexec-as-root = ip -o link show uwsgi0\ncommand = true",
    );
    let outcome = place.run();
    assert_eq!(outcome.code(), 0, "{}", outcome.errors);
    assert_eq!(outcome.output.matches("uwsgi0: <").count(), 2, "{}", outcome.output);
}

/// What the process that carries packets is, and may do.
#[test]
fn the_process_that_carries_packets_has_no_right_and_nothing_of_the_vassals() {
    let place = Place::new(&format!("unshare = net\ntuntap-device = uwsgi0 DIR/r\n{STAY}"));
    let router = Router::at(&place.path("r"));
    let mut vassal = Vassal::start(place.command(), None);
    let mut peer = router.peer();
    assert_eq!(peer.hear(), Heard::Hello);
    assert_eq!(vassal.line(), "up");
    let pump = child_called(vassal.pid(), "liege-tuntap").expect("a process of its own");
    let status = std::fs::read_to_string(format!("/proc/{pump}/status")).unwrap();
    for wanted in [
        "CapPrm:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(wanted), "{wanted} in {status}");
    }
    let open = std::fs::read_dir(format!("/proc/{pump}/fd")).unwrap();
    let mut open: Vec<String> = open
        .map(|one| std::fs::read_link(one.unwrap().path()).unwrap().to_string_lossy().into_owned())
        .filter(|one| !one.starts_with("pipe:") && one != "/dev/null")
        .collect();
    open.sort();
    assert_eq!(open.len(), 3, "{open:?}");
    // The router, and its master.
    assert!(open[0] == "/dev/net/tun" && open[1..].iter().all(|one| one.starts_with("socket:")), "{open:?}");
    // It ends with its master, however that ends.
    vassal.signal(Signal::KILL);
    assert_eq!(peer.hear_word(), Heard::End);
    vassal.end();
    super::emperor::wait_until_gone(pump);
}

#[test]
fn the_process_that_carries_packets_is_started_again_alone_when_it_is_killed() {
    let ids = "uid = 54321\ngid = 54322\n";
    for config in [
        "unshare = net\n".to_owned(),
        format!("unshare = net\n{ids}"),
        // The vassal goes on in a child.
        format!("unshare = net\n{ids}refork = 1\n"),
        format!("unshare = net,pid\n{ids}refork-post-jail = 1\nrefork-as-root = 1\n"),
        // The next one is born among those who end with the child.
        "unshare = net\nunshare2 = pid\n".to_owned(),
    ] {
        let place = Place::new(&format!("{config}tuntap-device = uwsgi0 DIR/r\n{ADDRESS}{STAY}"));
        let router = Router::at(&place.path("r"));
        let mut vassal = Vassal::start(place.command(), None);
        let mut peer = router.peer();
        assert_eq!(peer.hear(), Heard::Hello);
        assert_eq!(vassal.line(), "up");
        let before = device(vassal.pid());
        // The second one ends at once, too, and is waited for a little longer.
        for _ in 0..2 {
            let pump = child_called(vassal.pid(), "liege-tuntap").expect("a process of its own");
            let pid = rustix::process::Pid::from_raw(pump).unwrap();
            rustix::process::kill_process(pid, Signal::KILL).unwrap();
            assert_eq!(peer.hear_word(), Heard::End);
            peer = router.peer();
            assert_eq!(peer.hear(), Heard::Hello);
            assert_ne!(child_called(vassal.pid(), "liege-tuntap"), Some(pump));
        }
        assert_eq!(device(vassal.pid()), before, "it is the same device");
        let pid = vassal.pid();
        let asks = thread::spawn(move || ping(&format!("/proc/{pid}/ns/net"), "10.0.0.1"));
        let Heard::Packet(asked) = peer.hear() else { panic!("no packet") };
        let pong = pong(&asked).expect("a ping");
        peer.say(&[&packet_header(pong.len()).unwrap()[..], &pong].concat());
        assert!(asks.join().unwrap());
        vassal.signal(Signal::TERM);
        assert_eq!(peer.hear_word(), Heard::End);
        let errors = vassal.end().errors;
        for wait in ["it is started again in 100 ms", "it is started again in 200 ms"] {
            assert!(errors.contains(wait), "{errors}");
        }
        assert_eq!(errors.matches("is started again").count(), 2, "{errors}");
    }
}

/// A child of this process, or of one of its children, that is called so.
fn child_called(pid: i32, name: &str) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let is_it = |pid: i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|called| called.trim() == name)
    };
    let mut children = children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap());
    children.find_map(|pid| if is_it(pid) { Some(pid) } else { child_called(pid, name) })
}

#[test]
fn no_device_is_made_in_the_network_of_the_host() {
    let place = Place::new("tuntap-device = liegetest0\ncommand = true");
    let outcome = place.run();
    assert_eq!(outcome.code(), 1);
    assert!(outcome.errors.contains("the network of the whole host"), "{}", outcome.errors);
    assert!(!std::fs::read_to_string("/proc/net/dev").unwrap().contains("liegetest0"));
}

/// uWSGI with a router, in a network of the test's own; a vassal of ours in another.
const UWSGI: &str = "ip link set lo up
uwsgi-core --plugins-dir /usr/lib/uwsgi/plugins --plugin tuntap --master --die-on-term \
--tuntap-router \"emperor0 DIR/r\" CREDENTIALS --exec-as-root 'ip address replace 10.0.0.1/24 dev emperor0; ip link set emperor0 up' >DIR/log 2>&1 &
echo $! > DIR/uwsgi.pid
wait";

struct Uwsgi(std::process::Child);

impl Drop for Uwsgi {
    fn drop(&mut self) {
        // Its network is that of this process alone, and so are its children's pids.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn uwsgi(place: &Place, credentials: &str) -> Uwsgi {
    let script = UWSGI.replace("DIR", &place.path("").to_string_lossy()).replace("CREDENTIALS", credentials);
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script]);
    let uwsgi = Uwsgi(command.spawn().unwrap());
    let until = Instant::now() + PATIENCE;
    while !place.read("log").contains("spawned uWSGI tuntap router") {
        assert!(Instant::now() < until, "{}", place.read("log"));
        thread::yield_now();
    }
    uwsgi
}

fn is_installed() -> bool {
    let there = std::path::Path::new("/usr/lib/uwsgi/plugins/tuntap_plugin.so").exists();
    if !there {
        eprintln!("skipped: uWSGI's tuntap plugin is not installed");
    }
    there
}

#[test]
fn a_vassal_of_ours_is_a_client_of_a_real_uwsgi_and_outlives_it() {
    if !is_installed() {
        return;
    }
    for (credentials, ours) in [("", ""), ("--tuntap-use-credentials", "tuntap-use-credentials = true\n")] {
        let place = Place::new(&format!(
            "unshare = net\nuid = 54321\ngid = 54322\n{ours}tuntap-device = uwsgi0 DIR/r\ntuntap-device-rule = out 10.0.0.2 192.0.2.0/24 deny\n\
             exec-as-root = ip address add 10.0.0.2/24 dev uwsgi0 && ip link set uwsgi0 up\n\
             exec-as-root = ping -c 1 -W 10 10.0.0.1\n{STAY}"
        ));
        let first = uwsgi(&place, credentials);
        let mut vassal = Vassal::start(place.command(), None);
        up(&mut vassal);
        assert!(pinged(&vassal), "{}", place.read("log"));
        assert!(outer_pinged(&first), "{}", place.read("log"));
        drop(first);
        std::fs::remove_file(place.path("r")).unwrap();
        std::fs::remove_file(place.path("log")).unwrap();
        let second = uwsgi(&place, credentials);
        let until = Instant::now() + PATIENCE;
        while !pinged(&vassal) {
            assert!(Instant::now() < until, "{}", place.read("log"));
        }
        drop(second);
        vassal.signal(Signal::TERM);
        vassal.end();
    }
}

/// From the jail to the router.
fn pinged(vassal: &Vassal) -> bool {
    ping(&format!("/proc/{}/ns/net", vassal.pid()), "10.0.0.1")
}

/// From the router's network to the jail.
fn outer_pinged(uwsgi: &Uwsgi) -> bool {
    let unshare = uwsgi.0.id();
    let child = std::fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children")).unwrap();
    ping(&format!("/proc/{}/ns/net", child.trim()), "10.0.0.2")
}

fn ping(network: &str, address: &str) -> bool {
    let network = format!("--net={network}");
    let done = Outcome::of(Command::new("nsenter").args([&network, "ping", "-c", "1", "-W", "2", address]));
    done.code() == 0
}

/// Waits for its program, whatever others have said before.
fn up(vassal: &mut Vassal) {
    loop {
        match vassal.line().as_str() {
            "up" => return,
            "" if vassal.has_ended() => panic!("it has ended"),
            _ => {}
        }
    }
}
