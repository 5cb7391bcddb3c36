//! Vassals on demand whose address a program says, and those that the Emperor's own rule finds idle.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use common::callers::{addressed, ask, free_port, server_tree, serving, talk, waits};
use common::{ALICE, BOB, Emperor, Tree, eventually, running};

/// What any vassal's ids may write to.
fn log(tree: &Tree) -> PathBuf {
    let log = tree.path("log");
    std::fs::write(&log, "").unwrap();
    std::fs::set_permissions(&log, PermissionsExt::from_mode(0o666)).unwrap();
    log
}

/// An Emperor that asks this script.
fn asking(tree: Tree, body: &str) -> Emperor {
    let program = tree.script("ask", body);
    let sockets = format!("--on-demand-sockets={}", tree.path("sockets").display());
    let exec = format!("--emperor-on-demand-exec={} first", program.display());
    Emperor::start(tree, &["--emperor-tyrant", "--emperor-throttle=20", &sockets, &exec])
}

/// Rows I7 and P1.
#[test]
fn a_program_says_the_address_with_the_ids_of_the_vassal_and_no_privilege() {
    let tree = server_tree();
    let (log, port) = (log(&tree), free_port());
    let name = "x$(touch pwned);y";
    let socket = tree.path(&format!("sockets/{name}.socket"));
    tree.vassal_of(ALICE, "shop.ini", &serving("1000"));
    tree.vassal_of(ALICE, "plain.ini", "command = /usr/bin/sleep 1000\n");
    tree.vassal_of(BOB, &format!("{name}.ini"), &serving("1000"));
    let body = format!(
        "status=$(grep -E '^(CapEff|CapBnd|NoNewPrivs|Groups)' /proc/self/status | tr -d '\\t\\n ')
         echo \"$#|$1|$2|$UWSGI_VASSAL_CONFIG|$(id -u):$(id -g)|$status|$(ls /proc/self/fd | tr -d '\\n')\" >> {}
         case $2 in shop.ini) echo 127.0.0.1:{port};; plain.ini) ;; *) echo '{}';; esac",
        log.display(),
        socket.display()
    );
    let emperor = asking(tree, &body);
    waits(&emperor, "shop.ini");
    waits(&emperor, &format!("{name}.ini"));
    emperor.wait_stats("plain.ini", |one| one["state"] == "running" && one["on_demand"] == "");
    assert_ne!(talk(TcpStream::connect(("127.0.0.1", port)).unwrap(), "x").unwrap(), "");
    assert_ne!(ask(&socket, "x").unwrap(), "");
    let text = std::fs::read_to_string(&log).unwrap();
    let none = "0000000000000000";
    for (vassal, owner) in [("shop.ini", ALICE), (&format!("{name}.ini"), BOB)] {
        let rest = format!("Groups:CapEff:{none}CapBnd:{none}NoNewPrivs:1|0123");
        let line = format!("2|first|{vassal}|{vassal}|{owner}:{owner}|{rest}");
        assert!(text.lines().any(|one| one == line), "no {line} in {text}");
    }
    assert!(!emperor.tree.vassals().join("pwned").exists() && !emperor.tree.path("pwned").exists());
    // It is asked once, and not at each start.
    assert_eq!(text.lines().count(), 3, "{text}");
}

/// Rows F4 and I6.
#[test]
fn what_a_program_says_counts_no_more_than_a_file_of_the_vassals() {
    let tree = server_tree();
    let his = tree.path("sockets/bob.socket").display().to_string();
    let cases: [(&str, String, &str); 8] = [
        ("passwd", "echo /etc/passwd".into(), "directly in"),
        ("his", format!("echo {his}"), "the socket of this vassal is his.socket"),
        ("hidden", "echo @bob".into(), "an abstract name belongs to nobody"),
        ("low", "echo :80".into(), "a tenant's port is 1024 or above"),
        ("long", "head -c 300 /dev/zero | tr '\\0' a".into(), "more than 256 bytes"),
        ("binary", "printf '\\377'".into(), "no UTF-8"),
        ("fails", "echo 127.0.0.1:8080; exit 3".into(), "ended with status 3"),
        // It is the first process of its namespace: nobody in there can kill it, but a fault does.
        ("killed", "exec python3 -c 'import ctypes; ctypes.string_at(0)'".into(), "it was killed"),
    ];
    let mut body = String::from("case $2 in\n");
    for (name, program, _) in &cases {
        body.push_str(&format!("{name}.ini) {program};;\n"));
        tree.vassal_of(ALICE, &format!("{name}.ini"), &serving("1000"));
    }
    let emperor = asking(tree, &format!("{body}esac"));
    for (name, _, why) in &cases {
        let line = emperor.wait_for(&format!("{name}.ini"), why);
        assert!(line.contains("emperor-on-demand-exec"), "{line}");
    }
    assert!(emperor.tree.sockets().iter().all(|path| !path.starts_with(emperor.tree.path("sockets"))));
}

/// More of them than may run at once, and all hang.
#[test]
fn a_program_that_hangs_holds_up_only_the_vassals_of_that_owner() {
    let tree = server_tree();
    for number in 0..8 {
        tree.vassal_of(ALICE, &format!("slow{number}.ini"), &serving("1000"));
    }
    let socket = tree.path("sockets/bob.socket");
    let body = format!("case $2 in slow*) exec sleep 1000;; esac; echo {}", socket.display());
    let emperor = asking(tree, &body);
    emperor.wait_for_programs("sleep", 4);
    emperor.tree.vassal_of(BOB, "bob.ini", &serving("1000"));
    waits(&emperor, "bob.ini");
    assert_ne!(ask(&socket, "x").unwrap(), "");
    emperor.wait_for("slow0.ini", "did not answer within 5000 ms");
    assert_eq!(emperor.told("bob.ini", "cannot be started"), 0);
}

/// Row P1: whoever hides in a session of its own, below another parent, would keep the tenant's ids and our cgroup.
#[test]
fn nobody_that_a_program_leaves_behind_outlives_its_answer_or_its_deadline() {
    let tree = server_tree();
    let log = log(&tree);
    let socket = tree.path("sockets/shop.socket");
    let mark = format!("1{:09}", std::process::id());
    tree.vassal_of(ALICE, "shop.ini", &serving("1000"));
    tree.vassal_of(BOB, "slow.ini", &serving("1000"));
    let body = format!(
        "(setsid sh -c \"echo $2 >> {log}; sleep {mark} & exec sleep {mark}\" >/dev/null 2>&1 &)
         while ! grep -q $2 {log}; do sleep 0.01; done
         case $2 in slow.ini) exec sleep {mark};; esac
         echo {}",
        socket.display(),
        log = log.display(),
    );
    let emperor = asking(tree, &body);
    emperor.wait_for("slow.ini", "did not answer within 5000 ms");
    waits(&emperor, "shop.ini");
    eventually("nobody is left", || (running(&mark) == 0).then_some(()));
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("shop.ini") && text.contains("slow.ini"), "they were there: {text}");
}

/// The clock is another vassal: it was found idle twice, while this one was not.
#[test]
fn a_command_is_idle_when_nobody_is_connected_to_it_and_a_connection_alone_keeps_it() {
    let tree = server_tree();
    let port = free_port();
    let sockets = ["held", "clock"].map(|name| tree.path(&format!("sockets/{name}.socket")));
    let place = |name: &str, address: &str| {
        tree.place(&tree.vassals().join(format!("{name}.ini.on")), ALICE, address);
        tree.vassal_of(ALICE, &format!("{name}.ini"), &format!("{}idle = 1\n", serving("1000")));
    };
    place("held", sockets[0].to_str().unwrap());
    place("tcp", &format!("127.0.0.1:{port}"));
    place("clock", sockets[1].to_str().unwrap());
    let emperor = addressed(tree, &[]);
    ["held.ini", "tcp.ini", "clock.ini"].iter().for_each(|name| waits(&emperor, name));
    // Neither says a word.
    let held = UnixStream::connect(&sockets[0]).unwrap();
    let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for name in ["held.ini", "tcp.ini"] {
        emperor.wait_stats(name, |one| one["state"] == "running");
    }
    for _ in 0..2 {
        let marked = emperor.lines.mark();
        assert_ne!(ask(&sockets[1], "x").unwrap(), "");
        emperor.wait_since(marked, "clock.ini", "back to");
    }
    for name in ["held.ini", "tcp.ini"] {
        assert_eq!(emperor.told(name, "back to"), 0);
    }
    assert_ne!(talk(held, "x").unwrap(), "");
    assert_ne!(talk(tcp, "x").unwrap(), "");
    for name in ["held.ini", "tcp.ini"] {
        emperor.wait_for(name, "back to");
        assert_eq!(emperor.told(name, "died"), 0);
    }
    assert_ne!(ask(&sockets[0], "x").unwrap(), "", "it is started again");
}
