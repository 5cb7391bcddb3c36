//! Where a service manager is above the Emperor: its watchdog, its sockets, its journal; and where nobody is, in a container.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use common::router::packet;
use common::{Emperor, PATIENCE, Start, Tree, eventually};
use rustix::process::Signal;

const SLEEP: &str = "command = sleep infinity\n";
/// Binds a stats socket, a command socket and one more, as systemd would, and becomes liege.
const ACTIVATE: &str = "import os, socket, sys
run, names = sys.argv[1], sys.argv[2]
kinds = [('stats.sock', socket.SOCK_STREAM), ('commands.sock', socket.SOCK_DGRAM), ('third.sock', socket.SOCK_STREAM)]
left = []
for name, kind in kinds:
    one = socket.socket(socket.AF_UNIX, kind)
    one.bind(run + '/' + name)
    if kind == socket.SOCK_STREAM:
        one.listen()
    left.append(one)
high = [os.dup2(one.fileno(), 20 + at) for at, one in enumerate(left)]
for at, number in enumerate(high):
    os.dup2(number, 3 + at)
os.closerange(6, 30)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='3', LISTEN_FDNAMES=names)
os.execv(sys.argv[3], sys.argv[3:])
";
/// A journal that is nothing but a socket of the test, in a mount namespace of its own; standard error is said to be its.
const JOURNAL: &str = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && \
    ln -s \"$JOURNAL\" /run/systemd/journal/socket && \
    JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$0\" \"$@\"";

fn bind(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn text(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 65_536];
    let length = socket.recv(&mut buffer).expect("a datagram");
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn a_watchdog_hears_again_and_again_and_only_while_the_loop_turns() {
    let (tree, managers) = (Tree::new(), Tree::new());
    tree.vassal("a.ini", SLEEP);
    let place = managers.path("run/notify");
    let manager = bind(&place);
    let start = Start::in_tree(tree).variable("NOTIFY_SOCKET", place.to_str().unwrap());
    let emperor = start.variable("WATCHDOG_USEC", "200000").start();
    let mut heard = std::iter::repeat_with(|| text(&manager));
    assert_eq!(heard.by_ref().filter(|word| word == "WATCHDOG=1").take(5).count(), 5);
    let environment = emperor.vassal("a.ini").environment();
    assert!(!environment.iter().any(|one| one.starts_with("WATCHDOG")), "{environment:?}");
    // What is stopped says nothing more than what it had said.
    emperor.signal(Signal::STOP);
    eventually("the stop", || (emperor.process.status("State").starts_with('T')).then_some(()));
    manager.set_nonblocking(true).unwrap();
    while manager.recv(&mut [0; 64]).is_ok() {}
    assert!((0..50).all(|_| {
        std::thread::yield_now();
        manager.recv(&mut [0; 64]).is_err()
    }));
    manager.set_nonblocking(false).unwrap();
    emperor.signal(Signal::CONT);
    assert_eq!(std::iter::repeat_with(|| text(&manager)).find(|word| word == "WATCHDOG=1").iter().count(), 1);
    emperor.stop();
}

/// An Emperor that was left three sockets by these names, and its tree of sockets.
fn activated(names: &str, options: &[&str]) -> (Emperor, Tree) {
    let (tree, places) = (Tree::new(), Tree::new());
    tree.vassal("a.ini", "command = sh -c 'ls /proc/self/fd | wc -l; exec sleep infinity'\n");
    let run = places.path("run").display().to_string();
    let source = tree.vassals().display().to_string();
    let start = Start::without_stats(tree).options(&["--emperor", &source]).options(options);
    (start.through(&["python3", "-c", ACTIVATE, &run, names]).start(), places)
}

fn answers(path: &Path) -> bool {
    let mut answer = String::new();
    let stream = std::os::unix::net::UnixStream::connect(path);
    stream.is_ok_and(|mut stream| std::io::Read::read_to_string(&mut stream, &mut answer).is_ok())
        && answer.contains("\"vassals\"")
}

#[test]
fn sockets_of_the_service_manager_are_used_by_name_or_by_kind_and_no_vassal_has_them() {
    for (names, options) in [
        ("stats:commands:other", &["--emperor-wait-for-command", "--emperor-command-socket=@not-used"][..]),
        ("liege.socket:liege.socket:liege.socket", &[]),
        ("", &["--emperor-stats=/nowhere/at/all"]),
    ] {
        let (emperor, places) = activated(names, options);
        eventually("stats", || answers(&places.path("run/stats.sock")).then_some(()));
        emperor.wait_for_line(|line| line.contains("descriptor 5 was left for us and is not used"));
        let say = UnixDatagram::unbound().unwrap();
        let spawn = packet(&["cmd", "spawn", "vassal", "a.ini"]);
        say.send_to(&spawn, places.path("run/commands.sock")).unwrap();
        emperor.vassal("a.ini");
        // 0, 1, 2 and the directory that `ls` reads.
        emperor.wait_for_line(|line| line.trim_end().ends_with('4'));
        emperor.stop();
        assert!(places.path("run/stats.sock").exists(), "its file belongs to whoever bound it");
    }
}

#[test]
fn a_socket_that_cannot_be_what_its_name_says_keeps_the_emperor_from_starting() {
    let (mut emperor, _places) = activated("commands:stats:trigger", &[]);
    assert!(!emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("cannot use the socket `commands` that was left for us"));
}

/// Row I7: a name is one field, and nothing of it another.
#[test]
fn the_journal_gets_fields_by_which_a_vassal_is_found() {
    let (tree, journals) = (Tree::new(), Tree::new());
    tree.vassal("a.ini", SLEEP);
    tree.vassal("b\nPRIORITY=0\nVASSAL=a.ini", SLEEP);
    let place = journals.path("run/journal");
    let journal = bind(&place);
    let through = ["unshare", "--mount", "sh", "-c", JOURNAL];
    let emperor = Start::in_tree(tree).variable("JOURNAL", place.to_str().unwrap()).through(&through).start();
    let entry = || {
        let text = text(&journal);
        let fields = text
            .lines()
            .map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
        fields.collect::<Option<BTreeMap<_, _>>>().unwrap_or_else(|| panic!("{text}"))
    };
    let started =
        std::iter::repeat_with(entry).find(|entry| entry["MESSAGE"].contains("started with pid")).unwrap();
    assert_eq!((started["VASSAL"].as_str(), started["PRIORITY"].as_str()), ("a.ini", "6"));
    assert_eq!(started["SYSLOG_IDENTIFIER"], "liege");
    assert!(started["MESSAGE"].contains(&started["LIEGE_PID"]));
    emperor.signal(Signal::TERM);
    let buried = std::iter::repeat_with(entry).find(|entry| {
        assert_ne!(entry["PRIORITY"], "0");
        entry["MESSAGE"].contains("buried")
    });
    assert!(!buried.unwrap().contains_key("VASSAL"));
    assert!(!emperor.lines.has(|line| line.contains("started with pid")), "it is said once");
    emperor.stop();
}

/// Row N8: the first process of a container leaves no zombie, of whosever children, and its end is that of all.
#[test]
fn as_the_first_process_of_a_container_it_reaps_whatever_comes_to_it() {
    let tree = Tree::new();
    tree.vassal("a.ini", "");
    let orphans = "for i in 1 2 3 4 5; do (setsid sleep 0.0$i &); done; echo made; exec sleep infinity";
    let program = tree.script("program", orphans).display().to_string();
    let through = ["bwrap", "--unshare-pid", "--as-pid-1", "--dev-bind", "/", "/", "--proc", "/proc"];
    let start = Start::in_tree(tree).options(&["--binary-path", &program, "--emperor-curse-tolerance", "1"]);
    let mut emperor = start.through(&through).start();
    emperor.wait_for_line(|line| line == "made");
    let first = emperor.process.child();
    assert_eq!(first.status("NSpid").split_whitespace().next_back(), Some("1"));
    // The spawner, the log keeper and the vassal are left.
    eventually("the end of the orphans", || (first.children().len() == 3).then_some(()));
    assert!(first.children().iter().all(|one| !one.status("State").starts_with('Z')));
    first.signal(Signal::TERM);
    assert!(emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("The Emperor is buried."));
    emperor.stop();
}
