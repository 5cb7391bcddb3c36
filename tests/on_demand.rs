//! Vassals that are started by their first connection: real ones, their whole lives, and hostile addresses.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use common::callers::{Address, SERVER, addressed, ask, free_ports, server_tree, serving, talk, waits};
use common::router::{Kind, Router, packet};
use common::{ALICE, BOB, Emperor, Tree};
use rustix::fs::{CWD, FileType, Mode, mknodat};

fn emperor(tree: Tree, options: &[&str]) -> Emperor {
    let sockets = tree.path("sockets").display().to_string();
    let directory = format!("--emperor-on-demand-directory={sockets}");
    Emperor::start(tree, &[&["--emperor-tyrant", &directory, "--emperor-throttle=20"], options].concat())
}

#[test]
fn the_first_connection_starts_it_and_when_it_has_nothing_to_do_it_waits_again() {
    let tree = server_tree();
    let socket = tree.path("sockets/shop.socket");
    let config = tree.vassal_of(ALICE, "shop.ini", &serving("0.5"));
    let emperor = emperor(tree, &[]);
    waits(&emperor, "shop.ini");
    let stat = std::fs::metadata(&socket).unwrap();
    assert_eq!((stat.uid(), stat.gid(), stat.mode() & 0o7777), (ALICE, ALICE, 0o660));
    let one = emperor.wait_stats("shop.ini", |_| true);
    assert_eq!((one["pid"].as_i64(), one["on_demand"].as_str()), (Some(-1), socket.to_str()));
    assert_eq!((&one["starts"], &one["first_run"]), (&0.into(), &0.into()), "nobody has run yet");
    for start in 1..=3 {
        assert_ne!(ask(&socket, "hello").unwrap(), "");
        emperor.wait_stats("shop.ini", |one| one["state"] == "on-demand" && one["starts"] == start);
    }
    assert_eq!(emperor.stats_of("shop.ini").unwrap()["last_exit"], "exit:0");
    assert_eq!(std::fs::metadata(&socket).unwrap().ino(), stat.ino(), "it is the same socket all the time");
    std::fs::remove_file(config).unwrap();
    emperor.wait_for("shop.ini", "removed uwsgi instance");
    common::eventually("the end of the socket", || (!socket.exists()).then_some(()));
}

/// The spawner reaches the directory by descriptor when it binds there: that is no place for anybody else.
#[test]
fn it_listens_where_its_config_says_and_nowhere_of_ours() {
    let tree = server_tree();
    let socket = tree.path("sockets/shop.socket");
    tree.vassal_of(ALICE, "shop.ini", &serving("1000"));
    let emperor = emperor(tree, &[]);
    waits(&emperor, "shop.ini");
    assert_ne!(ask(&socket, "hello").unwrap(), "");
    let one = emperor.wait_stats("shop.ini", |one| one["state"] == "running");
    assert_eq!(one["on_demand"].as_str(), socket.to_str());
    assert!(!one.to_string().contains("/proc/self"), "{one}");
    emperor.stop();
}

/// Waits until nobody runs any more: by one look at the stats for all of them.
fn all_wait(emperor: &Emperor) {
    common::eventually("that all are back to waiting", || {
        let stats = emperor.stats();
        let vassals = stats["vassals"].as_array().unwrap();
        vassals.iter().all(|one| one["state"] == "on-demand").then_some(())
    });
}

/// Two connections at once, of which the second waits behind whatever becomes of the first.
fn ask_twice(address: &Address, words: [&[u8]; 2], is_answer: impl Fn(&str) -> bool) {
    let ask = |word: &[u8]| {
        let mut stream = address.connect()?;
        stream.write_all(word)?;
        Ok(stream)
    };
    for stream in words.map(ask) {
        let mut answer = String::new();
        let heard = stream.and_then(|mut stream| stream.read_to_string(&mut answer));
        heard.unwrap_or_else(|error: std::io::Error| panic!("{address}: {error}"));
        assert!(is_answer(&answer), "{address}: {answer:?}");
    }
}

fn is_pid(answer: &str) -> bool {
    answer.parse::<i32>().is_ok()
}

fn is_served(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200") && answer.ends_with("served")
}

/// Programs, and applications of a real uWSGI among them.
const VASSALS: usize = 300;
const APPS: usize = 6;

/// A third of them each listens at a socket file, at a port of IPv4 and at one of IPv6.
fn addresses(tree: &Tree) -> Vec<Address> {
    let third = VASSALS.div_ceil(3);
    let mut four = free_ports(Ipv4Addr::LOCALHOST.into(), third).into_iter();
    let mut six = free_ports(Ipv6Addr::LOCALHOST.into(), third).into_iter();
    let address = |number: usize| match number % 3 {
        0 => Address::Unix(tree.path(&format!("sockets/v{number}.socket"))),
        1 => Address::Tcp(four.next().unwrap()),
        _ => Address::Tcp(six.next().unwrap()),
    };
    (0..VASSALS).map(address).collect()
}

/// Crashes, idle stops and touches of hundreds while everybody connects: 2 400 connections, of which none may fail.
#[test]
fn over_starts_idle_stops_crashes_and_reloads_no_connection_is_refused_or_reset() {
    let tree = server_tree();
    let name = |number: usize| format!("v{number}.ini");
    let (application, all) = (app(&tree), addresses(&tree));
    for (number, address) in all.iter().enumerate() {
        tree.place(&tree.vassals().join(format!("{}.on", name(number))), ALICE, &address.to_string());
        let text = if number < APPS { application.clone() } else { serving("0.2") };
        tree.vassal_of(ALICE, &name(number), &text);
    }
    let emperor = addressed(tree, &[]);
    common::eventually("all of them", || {
        (emperor.stats()["vassals"].as_array().unwrap().len() == VASSALS).then_some(())
    });
    let request = packet(&["REQUEST_METHOD", "GET", "PATH_INFO", "/", "SERVER_PROTOCOL", "HTTP/1.1"]);
    let one = |number: usize, round: usize| {
        let address = &all[number];
        if number < APPS {
            return ask_twice(address, [&request, &request], is_served);
        }
        let first: &[u8] = if (round + number) % 3 == 1 { b"die" } else { b"hello" };
        ask_twice(address, [first, b"hello"], is_pid);
        if number % 2 == round {
            let text = format!("{}env = TURN={round}\n", serving("0.2"));
            emperor.tree.vassal_of(ALICE, &name(number), &text);
        }
        // No wait in between: some end, some reload, some have crashed, and some go on.
        ask_twice(address, [b"hello", b"hello"], is_pid);
    };
    for round in 0..2 {
        all_wait(&emperor);
        let one = &one;
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..VASSALS).map(|number| scope.spawn(move || one(number, round))).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        });
    }
    let died = emperor.lines.count(|line| line.contains("died ("));
    assert!(died >= VASSALS / 2, "the crashes were seen: {died}");
    for number in 0..APPS {
        let told = |text: &str| emperor.told(&name(number), text);
        assert!(told("started with pid") >= 2, "{}: in each round", name(number));
        assert_eq!(told("died"), 0, "{}", name(number));
    }
}

fn app(tree: &Tree) -> String {
    tree.place(
        &tree.vassals().join("app.py"),
        ALICE,
        "def application(environ, start_response):
    start_response('200 OK', [])
    return [b'served']
",
    );
    "plugins = python3\nwsgi-file = app.py\nmaster = true\nprocesses = 1\nidle = 1\ndie-on-idle = true\n"
        .into()
}

/// A request in the uwsgi protocol.
fn request(socket: &Path) -> String {
    let mut stream = common::router::request(socket, "/");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_real_uwsgi_application_is_started_on_demand_and_dies_on_idle() {
    let tree = server_tree();
    let socket = tree.path("sockets/app.socket");
    let text = app(&tree);
    tree.vassal_of(ALICE, "app.ini", &text);
    let emperor = emperor(tree, &["--emperor-wrapper=/usr/bin/uwsgi"]);
    for _ in 0..2 {
        waits(&emperor, "app.ini");
        let answer = request(&socket);
        assert!(answer.ends_with("served"), "{answer}");
    }
    emperor.wait_for("app.ini", "waiting for connections");
    emperor.wait_for("app.ini", "back to");
    assert_eq!(emperor.told("app.ini", "died"), 0);
}

/// A router of uWSGI knows nothing of it: the name of a host is that of a socket, and whoever connects there wakes the vassal.
#[test]
fn a_router_of_uwsgi_wakes_a_sleeping_vassal_by_the_name_of_its_host() {
    let tree = server_tree();
    tree.place(&tree.vassals().join("server.py"), ALICE, &SERVER.replace("b'%d'", "b'woken %d'"));
    tree.vassal_of(ALICE, "shop.example.ini", &serving("0.2"));
    let pattern = format!("--fastrouter-use-pattern={}/%s.socket", tree.path("sockets").display());
    let router = Router::start(Kind::Fast, &[&pattern]);
    let emperor = emperor(tree, &[]);
    for _ in 0..2 {
        waits(&emperor, "shop.example.ini");
        router.wait_answer("shop.example", "woken");
    }
    assert_eq!(emperor.told("shop.example.ini", "died"), 0);
    assert!(emperor.told("shop.example.ini", "has been spawned") >= 2);
}

#[test]
fn the_file_beside_a_config_says_where_it_listens() {
    let tree = server_tree();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let socket = tree.path("sockets/file.socket");
    let addresses = [
        ("tcp", format!("127.0.0.1:{port}\n")),
        ("six", format!("[::1]:{port}")),
        ("file", socket.display().to_string()),
    ];
    for (name, address) in &addresses {
        tree.place(&tree.vassals().join(format!("{name}.ini.on")), ALICE, address);
        tree.vassal_of(ALICE, &format!("{name}.ini"), &serving("30"));
    }
    tree.place(&tree.vassals().join("zero.ini.on"), ALICE, "0\n");
    for name in ["zero.ini", "none.ini"] {
        tree.vassal_of(ALICE, name, "command = /usr/bin/sleep 1000\n");
    }
    let emperor = addressed(tree, &[]);
    for (name, _) in &addresses {
        waits(&emperor, &format!("{name}.ini"));
    }
    assert_ne!(talk(TcpStream::connect(("127.0.0.1", port)).unwrap(), "x").unwrap(), "");
    assert_ne!(talk(TcpStream::connect(("::1", port)).unwrap(), "x").unwrap(), "");
    assert_ne!(ask(&socket, "x").unwrap(), "");
    for name in ["zero.ini", "none.ini"] {
        emperor.wait_stats(name, |one| one["state"] == "running" && one["on_demand"] == "");
    }
}

/// Rows F4 and I6: what is in such a file, and what it is.
#[test]
fn no_file_of_a_tenant_makes_root_touch_anything_but_its_own_socket() {
    let tree = server_tree();
    let (vassals, sockets) = (tree.vassals(), tree.path("sockets"));
    let victim = tree.path("victim");
    std::fs::write(&victim, "precious").unwrap();
    let his = sockets.join("bob.socket").display().to_string();
    tree.place(&vassals.join("bob.ini.on"), BOB, &his);
    tree.vassal_of(BOB, "bob.ini", &serving("30"));
    let up = sockets.join("../victim").display().to_string();
    let long = "/".repeat(1 << 20);
    let cases: [(&str, &str, &str); 8] = [
        ("passwd", "/etc/passwd", "directly in"),
        ("up", &up, "directly in"),
        ("relative", "../victim", "directly in"),
        ("his", &his, "the socket of this vassal is his.socket"),
        ("hidden", "@bob", "an abstract name belongs to nobody"),
        ("low", ":80", "a tenant's port is 1024 or above"),
        ("long", &long, "longer than 256 bytes"),
        ("shell", "$(touch /tmp/x)", "directly in"),
    ];
    for (name, text, _) in cases {
        tree.place(&vassals.join(format!("{name}.ini.on")), ALICE, text);
        tree.vassal_of(ALICE, &format!("{name}.ini"), &serving("30"));
    }
    let special = |name: &str| vassals.join(format!("{name}.ini.on"));
    symlink(&victim, special("link")).unwrap();
    mknodat(CWD, special("fifo"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    tree.place(&special("lent"), BOB, ":8080");
    tree.place(&special("open"), ALICE, ":8080");
    std::fs::set_permissions(special("open"), PermissionsExt::from_mode(0o666)).unwrap();
    let kinds = [
        ("link", "no regular file"),
        ("fifo", "no regular file"),
        ("lent", "belongs to uid 61002"),
        ("open", "writable by others"),
    ];
    for (name, _) in kinds {
        tree.vassal_of(ALICE, &format!("{name}.ini"), &serving("30"));
    }
    // What stands in the way is no socket, or another user's.
    std::fs::write(sockets.join("way.socket"), "kept").unwrap();
    let way = sockets.join("way.socket").display().to_string();
    tree.place(&special("way"), ALICE, &way);
    tree.vassal_of(ALICE, "way.ini", &serving("30"));
    let emperor = addressed(tree, &[]);
    waits(&emperor, "bob.ini");
    let told = cases.iter().map(|(name, _, why)| (*name, *why)).chain(kinds).chain([("way", "in the way")]);
    for (name, why) in told {
        emperor.wait_for(&format!("{name}.ini"), why);
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(std::fs::read_to_string(sockets.join("way.socket")).unwrap(), "kept");
    assert_ne!(ask(Path::new(&his), "x").unwrap(), "", "his is untouched");
    let mut left: Vec<PathBuf> = emperor.tree.sockets();
    left.retain(|path| path.starts_with(&sockets));
    assert_eq!(left, [PathBuf::from(&his)]);
}

/// Row I7.
#[test]
fn a_name_that_a_shell_would_obey_is_a_name() {
    let tree = server_tree();
    let name = "x$(touch pwned);y";
    tree.vassal_of(ALICE, &format!("{name}.ini"), &serving("30"));
    let socket = tree.path("sockets").join(format!("{name}.socket"));
    let emperor = emperor(tree, &[]);
    common::eventually("its socket, or its refusal", || {
        let refused = emperor.lines.count(|line| line.contains("pwned") && line.contains("refused")) > 0;
        (socket.exists() || refused).then_some(())
    });
    assert!(!emperor.tree.vassals().join("pwned").exists());
}

/// Row F4.
#[test]
fn a_socket_left_behind_is_replaced_if_it_is_his_own() {
    let tree = server_tree();
    for (name, owner) in [("hers", ALICE), ("his", BOB), ("roots", 0)] {
        let path = tree.path(&format!("sockets/{name}.socket"));
        drop(UnixListener::bind(&path).unwrap());
        chown(&path, Some(owner), Some(owner)).unwrap();
        tree.vassal_of(ALICE, &format!("{name}.ini"), &serving("30"));
    }
    let emperor = emperor(tree, &[]);
    waits(&emperor, "hers.ini");
    assert_ne!(ask(&emperor.tree.path("sockets/hers.socket"), "x").unwrap(), "");
    emperor.wait_for("his.ini", "the socket his.socket belongs to uid 61002");
    emperor.wait_for("roots.ini", "the socket roots.socket belongs to uid 0");
    for name in ["his", "roots"] {
        std::fs::remove_file(emperor.tree.path(&format!("sockets/{name}.socket"))).unwrap();
    }
}

/// The spawner sees the end of its Emperor.
#[test]
fn a_killed_emperor_leaves_no_socket() {
    let tree = server_tree();
    tree.vassal_of(ALICE, "shop.ini", &serving("30"));
    let mut emperor = emperor(tree, &[]);
    waits(&emperor, "shop.ini");
    let socket = emperor.tree.path("sockets/shop.socket");
    assert_ne!(ask(&socket, "x").unwrap(), "");
    emperor.kill();
    emperor.wait_deserted();
    common::eventually("the end of the socket", || (!socket.exists()).then_some(()));
}

#[test]
fn a_directory_where_others_may_write_is_no_place_for_sockets() {
    let tree = server_tree();
    std::fs::set_permissions(tree.path("sockets"), PermissionsExt::from_mode(0o777)).unwrap();
    let mut emperor = emperor(tree, &[]);
    emperor.wait_for_line(|line| line.contains("is writable by others"));
    assert!(!emperor.wait().success());
}
