//! Networks that vassals join by a router of their Emperor's: whoever they are, however they are jailed, and over what
//! happens to them. What goes by is tested where the router is: `tests/tuntap`.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::process::Command;

use common::{ALICE, BOB, Emperor, Process, Start, Tree, eventually, liege};
use rustix::process::Signal;

/// Its device, in the network of the Emperor.
const ROUTER: &str = "10.124.0.1";
/// A program that tells what it has and stays.
const STAY: &str = "command = sh -c 'echo \">up\"; exec sleep 1000'\n";

/// An Emperor with the router `emperor0`, in a network that nobody else is in.
fn emperor(tree: Tree, options: &[&str]) -> Emperor {
    let router = format!("emperor0 {}", tree.path("run/router.sock").display());
    let start = Start::in_tree(tree).options(&["--tuntap-router", &router]);
    let start = start.options(&["--tuntap-router-address", "10.124.0.1/24"]);
    let start = start.options(&["--tuntap-router-address", "fd12:4::1/64"]).options(options);
    let start =
        start.options(&["--tuntap-router-admission", "open"]).options(&["--tuntap-router-policy", "allow"]);
    let lo = "ip link set lo up; exec \"$@\"";
    let emperor = start.through(&["unshare", "--net", "sh", "-c", lo, "sh"]).start();
    emperor.wait_for_line(|line| line.contains("router=emperor0") && line.contains("serves"));
    emperor
}

/// Whether somebody answers in the network of this process, sooner or later.
fn reaches(process: &Process, address: &str) {
    let network = format!("--net=/proc/{}/ns/net", process.pid);
    eventually(&format!("an answer of {address}"), || {
        let ping = Command::new("nsenter").args([&network, "ping", "-c", "1", "-W", "1", address]).output();
        ping.unwrap().status.success().then_some(())
    });
}

/// What `ip` says in the network of this process.
fn ip(process: &Process, words: &str) -> String {
    let network = format!("--net=/proc/{}/ns/net", process.pid);
    let output = Command::new("nsenter").args([&network, "ip"]).args(words.split(' ')).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_tenant_of_any_jail_joins_by_one_line_and_is_known_as_himself() {
    for jail in ["standard", "strict"] {
        let tree = Tree::new();
        tree.vassal_of(ALICE, "alice.ini", &format!("net = auto via emperor0\n{STAY}"));
        let asked = "net = 10.124.0.77/24,fd12:4::77/64 via emperor0 mtu=9000\nexec-as-root = sed s/^/\\>/ /etc/resolv.conf\n";
        tree.vassal_of(BOB, "bob.ini", &format!("{asked}{STAY}"));
        let emperor =
            emperor(tree, &["--emperor-tyrant", "--jail", jail, "--tuntap-router-nameserver", "192.0.2.53"]);
        let (alice, bob) = (emperor.vassal("alice.ini"), emperor.vassal("bob.ini"));
        emperor.wait_for_line(|line| line == ">nameserver 192.0.2.53");
        emperor.wait_for_line(|line| line.contains(&format!("of user {BOB} has 10.124.0.77, fd12:4::77")));
        emperor.wait_for_line(|line| line.contains(&format!("of user {ALICE} has 10.124.0.2")));
        assert!(ip(&bob, "-o link show tun0").contains("mtu 9000"), "{jail}");
        for (vassal, address) in [(&alice, "10.124.0.2"), (&bob, "10.124.0.77"), (&bob, "fd12:4::77")] {
            reaches(&emperor.process, address);
            assert!(ip(vassal, "-o address").contains(address), "{jail}");
        }
        emperor.stop();
    }
}

/// Whose program reloads by itself.
const RELOADS: &str = "reload-signal = HUP\ncommand = sh -c 'trap \"echo \\\">again\\\"\" HUP; echo \">up\"; while :; do sleep 0.1; done'\n";

#[test]
fn a_network_stays_over_a_reload_of_its_program() {
    let tree = Tree::new();
    let path = tree.vassal_of(ALICE, "alice.ini", &format!("net = auto via emperor0\n{RELOADS}"));
    let emperor = emperor(tree, &["--emperor-tyrant"]);
    let vassal = emperor.vassal("alice.ini");
    emperor.wait_for_line(|line| line == ">up");
    let device = ip(&vassal, "-o link show tun0");
    let touched = std::fs::File::options().append(true).open(path).unwrap();
    touched.set_modified(std::time::SystemTime::now()).unwrap();
    emperor.wait_for_line(|line| line == ">again");
    assert_eq!(ip(&vassal, "-o link show tun0"), device, "it is the same one");
    reaches(&emperor.process, "10.124.0.2");
    assert_eq!(emperor.lines.count(|line| line.contains("has gone: it has left")), 0);
    emperor.stop();
}

#[test]
fn a_vassal_that_comes_back_has_the_address_that_it_had() {
    let tree = Tree::new();
    let config = format!("net = auto via emperor0\n{STAY}");
    tree.vassal_of(ALICE, "alice.ini", &config);
    let emperor = emperor(tree, &["--emperor-tyrant"]);
    emperor.wait_for_line(|line| line == ">up");
    for number in 0..5 {
        let mark = emperor.lines.mark();
        emperor.tree.vassal_of(ALICE, "alice.ini", &format!("{config}env = NUMBER={number}\n"));
        emperor.lines.wait_since(mark, |line| line == ">up");
        reaches(&emperor.process, "10.124.0.2");
    }
    assert_eq!(emperor.told("alice.ini", "refuses"), 0);
    emperor.stop();
}

/// Row W2.
#[test]
fn roots_vassal_has_what_its_user_was_given_and_nobody_else_gets_that() {
    let tree = Tree::new();
    let user = format!("uid = {ALICE}\ngid = {ALICE}\n");
    tree.vassal("given.ini", &format!("{user}net = auto via emperor0\n{STAY}"));
    let thief = format!("uid = {BOB}\ngid = {BOB}\nnet = 10.124.0.5/24 via emperor0\n");
    tree.vassal("thief.ini", &format!("{thief}{STAY}"));
    let grant = format!("uid={ALICE} addr=10.124.0.5");
    let emperor = emperor(tree, &["--tuntap-router-peer", &grant]);
    emperor.wait_for("thief.ini", "router emperor0 refuses: ");
    let given = emperor.vassal("given.ini");
    assert!(ip(&given, "-o address show tun0").contains("10.124.0.5/24"));
    reaches(&emperor.process, "10.124.0.5");
    emperor.stop();
}

#[test]
fn a_device_of_uwsgis_words_is_lent_where_its_path_cannot_be_seen_and_outlives_its_router() {
    for jail in ["standard", "strict"] {
        let tree = Tree::new();
        let socket = tree.path("run/router.sock").display().to_string();
        let config = format!(
            "tuntap-device = uwsgi0 {socket}\nexec-as-root = ip address add 10.124.0.9/24 dev uwsgi0 && ip link set uwsgi0 up\n{STAY}"
        );
        tree.vassal_of(ALICE, "alice.ini", &config);
        let emperor = emperor(tree, &["--emperor-tyrant", "--jail", jail]);
        let vassal = emperor.vassal("alice.ini");
        emperor.wait_for_line(|line| line == ">up");
        reaches(&vassal, ROUTER);
        reaches(&emperor.process, "10.124.0.9");
        let mark = emperor.lines.mark();
        router(&emperor).signal(Signal::KILL);
        emperor.lines.wait_since(mark, |line| line.contains("router=emperor0") && line.contains("serves"));
        reaches(&vassal, ROUTER);
        assert!(vassal.is_alive());
        assert_eq!(emperor.told("alice.ini", "called again"), 0, "its connection was kept");
        // Whatever the jail has left its master of rights.
        let pump = carrier(&emperor);
        pump.signal(Signal::KILL);
        emperor.wait_for("alice.ini", "the process of a device");
        eventually("another one", || (carrier(&emperor).pid != pump.pid).then_some(()));
        reaches(&vassal, ROUTER);
        reaches(&emperor.process, "10.124.0.9");
        assert!(vassal.is_alive());
        emperor.stop();
    }
}

/// The process that carries packets of a device.
fn carrier(emperor: &Emperor) -> Process {
    let is_one = |pid: &i32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.trim() == "liege-tuntap"
    };
    eventually("a carrier", || Process::if_there(emperor.cgroup.pids().into_iter().find(is_one)?).ok())
}

fn router(emperor: &Emperor) -> Process {
    let is_one = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with(b"liege tuntap-router")
    };
    eventually("the router", || Process::if_there(emperor.cgroup.pids().into_iter().find(is_one)?).ok())
}

#[test]
fn a_network_that_no_router_gives_is_told_before_anything_is_started() {
    let tree = Tree::new();
    let config = tree.path("emperor.ini");
    tree.place(&config, 0, "[uwsgi]\nemperor = /nowhere\ntuntap-router = emperor0 /run/t.socket\n");
    let said = |words: &[&str], body: &str| {
        let file = tree.vassal("shop.ini", body).display().to_string();
        let output = liege(&[words, &[config.to_str().unwrap(), &file]].concat());
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for words in [&["check"][..], &["plan", "--ini"]] {
        let told = said(words, "net = auto via emperor1\ncommand = true\n");
        assert!(told.contains("shop.ini:2:7: there is no router emperor1"), "{told}");
        assert!(told.contains("the Emperor has emperor0"), "{told}");
    }
    let planned = said(&["plan", "--ini"], "net = auto via emperor0 dns=none\ncommand = true\n");
    assert!(planned.contains("give the jail tun0, a network by router emperor0"), "{planned}");
}

#[test]
fn a_plan_shows_the_ways_to_routers_and_what_is_done_with_them() {
    let tree = Tree::new();
    let config = tree.path("emperor.ini");
    let text = "[uwsgi]\nemperor = /nowhere\nemperor-use-clone = net\ntuntap-router = emperor0 /run/t.socket\n\
                tuntap-router = emperor1 /run/u.socket\n";
    tree.place(&config, 0, text);
    let body =
        "net = 10.0.0.2/24 via emperor0 dns=none\ntuntap-device = uwsgi0 /run/u.socket\ncommand = true\n";
    let file = tree.vassal("shop.ini", body).display().to_string();
    let output = liege(&["plan", "--ini", config.to_str().unwrap(), &file]);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap().replace(&file, "FILE");
    let shown: Vec<&str> = text.lines().filter(|line| !line.starts_with("step") || is_about(line)).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

/// Whether a step of a plan is about networks.
fn is_about(line: &str) -> bool {
    ["router", "descriptors", "network"].iter().any(|word| line.contains(word))
}
