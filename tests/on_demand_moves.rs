//! Vassals on demand whose address changes, and what the administrator has done while they wait.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::callers::{addressed, ask, free_port, server_tree, serving, talk, waits};
use common::{ALICE, BOB, Emperor, Tree, eventually};

/// Writes the address of a vassal of hers.
fn write(tree: &Tree, vassal: &str, address: &str) {
    tree.place(&tree.vassals().join(format!("{vassal}.on")), ALICE, address);
}

fn listens_at(emperor: &Emperor, vassal: &str, address: &str) {
    emperor.wait_stats(vassal, |one| one["on_demand"] == address && one["state"] == "on-demand");
}

/// Leaves three connections at a socket of hers, with descriptors whose end takes an hour for as long as what is given back is there.
fn leave_behind(socket: &Path) -> Child {
    const VISITS: &str = include_str!("programs/visits.py");
    let id = ALICE.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", VISITS]);
    command.arg(socket).arg("3").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut visits = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(visits.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "3 0\n");
    visits
}

/// Row C6: who is not let in has sent something already, and the listener is closed with him in it: where it was first, and where it has
/// moved.
#[test]
fn what_waits_at_a_listener_that_is_closed_holds_up_nobody() {
    let emperor = addressed(server_tree(), &[]);
    let mut visits = Vec::new();
    for (stem, first) in [("stays", None), ("moves", Some(format!("127.0.0.1:{}", free_port())))] {
        let (name, socket) = (format!("{stem}.ini"), emperor.tree.path(&format!("sockets/{stem}.socket")));
        let places = first.into_iter().chain([socket.display().to_string()]);
        for place in places {
            write(&emperor.tree, &name, &place);
            emperor.tree.vassal_of(ALICE, &name, "command = /bin/sleep 1000\n");
            listens_at(&emperor, &name, &place);
        }
        visits.push(leave_behind(&socket));
        emperor.wait_for(&name, "started with pid");
        for file in [format!("{name}.on"), name.clone()] {
            std::fs::remove_file(emperor.tree.vassals().join(file)).unwrap();
        }
        eventually("its end", || emperor.stats_of(&name).is_none().then_some(()));
    }
    emperor.tree.vassal_of(BOB, "other.ini", "command = /bin/sleep 1000\n");
    emperor.wait_for("other.ini", "started with pid");
    for mut one in visits {
        drop(one.stdin.take());
        one.wait().unwrap();
    }
    emperor.stop();
}

fn call(address: &str) -> std::io::Result<String> {
    talk(TcpStream::connect(address)?, "x")
}

#[test]
fn a_changed_address_moves_the_listener_whether_its_vassal_waits_or_runs() {
    let tree = server_tree();
    let [first, second, third] = [0; 3].map(|_| format!("127.0.0.1:{}", free_port()));
    write(&tree, "shop.ini", &first);
    tree.vassal_of(ALICE, "shop.ini", &serving("1000"));
    let emperor = addressed(tree, &[]);
    listens_at(&emperor, "shop.ini", &first);
    // It waits.
    write(&emperor.tree, "shop.ini", &second);
    listens_at(&emperor, "shop.ini", &second);
    assert!(TcpStream::connect(&first).is_err(), "the old address is still open");
    assert_eq!(emperor.told("shop.ini", "started with pid"), 0);
    // It runs.
    assert_ne!(call(&second).unwrap(), "");
    write(&emperor.tree, "shop.ini", &third);
    emperor.wait_for("shop.ini", "its address has changed");
    listens_at(&emperor, "shop.ini", &third);
    assert!(TcpStream::connect(&second).is_err(), "the old address is still open");
    assert_ne!(call(&third).unwrap(), "");
    assert_eq!(emperor.told("shop.ini", "died"), 0);
    // The same once more is no change.
    let marked = emperor.lines.mark();
    write(&emperor.tree, "shop.ini", &third);
    write(&emperor.tree, "shop.ini", "no address");
    emperor.wait_since(marked, "shop.ini", "listens where it did");
    assert_ne!(call(&third).unwrap(), "");
    assert_eq!(emperor.told("shop.ini", "started with pid"), 2);
}

#[test]
fn a_file_with_an_address_makes_a_vassal_one_on_demand_and_without_it_it_is_plain() {
    let tree = server_tree();
    let socket = tree.path("sockets/shop.socket");
    let text =
        "command = /bin/sh -c 'test -S /proc/self/fd/0 && exec python3 server.py 1000; exec sleep 1000'\n";
    tree.vassal_of(ALICE, "shop.ini", text);
    let emperor = addressed(tree, &[]);
    emperor.wait_stats("shop.ini", |one| one["state"] == "running" && one["on_demand"] == "");
    write(&emperor.tree, "shop.ini", &socket.display().to_string());
    waits(&emperor, "shop.ini");
    assert_ne!(ask(&socket, "x").unwrap(), "");
    std::fs::remove_file(emperor.tree.vassals().join("shop.ini.on")).unwrap();
    emperor.wait_for("shop.ini", "not on demand any more");
    emperor.wait_stats("shop.ini", |one| one["state"] == "running" && one["on_demand"] == "");
    eventually("the end of the socket", || (!socket.exists()).then_some(()));
    // While it waits, too.
    write(&emperor.tree, "shop.ini", &socket.display().to_string());
    waits(&emperor, "shop.ini");
    let marked = emperor.lines.mark();
    write(&emperor.tree, "shop.ini", "0\n");
    emperor.wait_since(marked, "shop.ini", "started with pid");
    assert_eq!(emperor.told("shop.ini", "died"), 0);
}

/// Row F4: what was good stays, whatever is written later.
#[test]
fn a_bad_address_is_told_once_and_leaves_the_good_one_alone() {
    let tree = server_tree();
    let good = format!("127.0.0.1:{}", free_port());
    let victim = tree.path("victim");
    std::fs::write(&victim, "precious").unwrap();
    write(&tree, "shop.ini", &good);
    tree.vassal_of(ALICE, "shop.ini", &serving("1000"));
    let emperor = addressed(tree, &[]);
    listens_at(&emperor, "shop.ini", &good);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let cases: [(&str, &str); 4] = [
        (victim.to_str().unwrap(), "directly in"),
        ("@hers", "an abstract name belongs to nobody"),
        (":80", "a tenant's port is 1024 or above"),
        (&taken, "cannot listen on"),
    ];
    for (address, why) in cases {
        write(&emperor.tree, "shop.ini", address);
        if address == taken {
            continue;
        }
        let line = emperor.wait_for("shop.ini", why);
        assert!(line.contains("listens where it did"), "{line}");
        assert_eq!(emperor.told("shop.ini", why), 1);
    }
    assert_ne!(call(&good).unwrap(), "");
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    let other = format!("127.0.0.1:{}", free_port());
    write(&emperor.tree, "shop.ini", &other);
    listens_at(&emperor, "shop.ini", &other);
}

#[test]
fn a_vassal_whose_address_was_wrong_is_tried_again_as_soon_as_it_is_right() {
    let tree = server_tree();
    write(&tree, "shop.ini", "nowhere at all");
    tree.vassal_of(ALICE, "shop.ini", &serving("1000"));
    let emperor = addressed(tree, &["--emperor-throttle=100000000", "--emperor-max-throttle=100000000"]);
    emperor.wait_stats("shop.ini", |one| one["state"] == "throttled" && one["deaths"].as_u64() > Some(1));
    let good = format!("127.0.0.1:{}", free_port());
    write(&emperor.tree, "shop.ini", &good);
    listens_at(&emperor, "shop.ini", &good);
}

fn logging(log: &Path, word: &str) -> String {
    format!("exec:echo {word} $UWSGI_HOOK_CONTEXT $UWSGI_VASSAL_CONFIG $(id -u) >> {}", log.display())
}

#[test]
fn hooks_are_done_when_a_vassal_begins_to_wait_and_when_its_config_changes_meanwhile() {
    let tree = server_tree();
    let log = tree.path("log");
    let socket = tree.path("sockets/shop.socket");
    write(&tree, "shop.ini", &socket.display().to_string());
    tree.vassal_of(ALICE, "shop.ini", &serving("0.2"));
    let (begun, changed) = (logging(&log, "waits"), logging(&log, "news"));
    let hooks = ["--hook-as-on-demand-vassal", "exec:exit 3", "--hook-as-on-demand-vassal", &begun];
    let emperor = addressed(tree, &[&hooks[..], &["--hook-as-on-config-vassal", &changed]].concat());
    let lines = |number: usize| {
        eventually(&format!("line {number} of the hooks"), || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            (text.lines().count() == number && text.ends_with('\n')).then_some(text)
        })
    };
    assert_eq!(lines(1), "waits shop.ini shop.ini 0\n");
    // What fails is told, and it waits all the same.
    emperor.wait_for("shop.ini", "hook-as-on-demand-vassal `exec:exit 3` ended with status 3");
    assert_ne!(ask(&socket, "x").unwrap(), "");
    assert_eq!(lines(2), "waits shop.ini shop.ini 0\n".repeat(2));
    waits(&emperor, "shop.ini");
    emperor.tree.vassal_of(ALICE, "shop.ini", &format!("{}env = A=1\n", serving("0.2")));
    assert!(lines(3).ends_with("news shop.ini shop.ini 0\n"));
}

/// Row F4: whoever can rename a directory above has all below it.
#[test]
fn a_directory_below_one_of_others_is_no_place_for_sockets() {
    let tree = server_tree();
    let hers = tree.dir_of(ALICE, "hers");
    let sockets = tree.dir("hers/sockets");
    let option = format!("--emperor-on-demand-directory={}", sockets.display());
    let mut emperor = Emperor::start(tree, &[&option]);
    let told = format!("lies in {}, which belongs to uid {ALICE}", hers.display());
    emperor.wait_for_line(|line| line.contains(&told));
    assert!(!emperor.wait().success());
}
