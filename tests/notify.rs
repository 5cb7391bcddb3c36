//! What the Emperor tells a service manager, and what reaches nobody else.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use common::{Emperor, PATIENCE, Start, Tree};
use rustix::process::Signal;

const SLEEP: &str = "command = sleep infinity\n";
const LONGEST: usize = 4096;

/// A service manager that only listens.
struct Manager(UnixDatagram);

impl Manager {
    fn at(address: &SocketAddr) -> Self {
        let socket = UnixDatagram::bind_addr(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next lines that it hears, until one of them is this.
    fn hear_until(&self, last: &str) -> Vec<String> {
        let mut heard: Vec<String> = Vec::new();
        while !heard.iter().any(|line| line == last) {
            let mut buffer = [0; LONGEST];
            let length = self.0.recv(&mut buffer).unwrap_or_else(|error| panic!("{error} after {heard:?}"));
            heard.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
        heard
    }

    fn has_more(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.recv(&mut [0; LONGEST]).is_ok()
    }
}

fn governing(vassals: usize) -> String {
    format!("STATUS=The Emperor is governing {vassals} vassals")
}

fn start(tree: Tree, name: &str) -> Emperor {
    Start::in_tree(tree).variable("NOTIFY_SOCKET", name).start()
}

#[test]
fn a_service_manager_hears_the_life_of_the_emperor_and_each_thing_once() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    tree.vassal("b.ini", SLEEP);
    let place = tree.path("run/notify");
    let manager = Manager::at(&SocketAddr::from_pathname(&place).unwrap());
    let mut emperor = start(tree, place.to_str().unwrap());
    let heard = manager.hear_until("READY=1");
    let (a, b) = (emperor.vassal("a.ini"), emperor.vassal("b.ini"));
    let rest = if heard.contains(&governing(2)) { Vec::new() } else { manager.hear_until(&governing(2)) };
    assert!(heard.iter().chain(&rest).filter(|line| *line == "READY=1").count() == 1, "{heard:?} {rest:?}");
    for process in [&a, &b] {
        let environment = process.environment();
        assert!(!environment.iter().any(|one| one.starts_with("NOTIFY_SOCKET")), "{environment:?}");
    }

    emperor.signal(Signal::HUP);
    let heard = manager.hear_until("READY=1");
    assert_eq!(heard[0], "RELOADING=1");
    let since = heard[1].strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    assert!(since > 0 && since / 1_000_000 <= u64::try_from(now.tv_sec).unwrap());

    std::fs::remove_file(emperor.tree.path("vassals/b.ini")).unwrap();
    assert_eq!(manager.hear_until(&governing(1)), [governing(1)]);
    emperor.signal(Signal::TERM);
    assert_eq!(manager.hear_until("STOPPING=1"), ["STOPPING=1"]);
    assert!(emperor.wait().success());
    assert!(!manager.has_more());
    std::fs::remove_file(&place).unwrap();
    drop(manager);
    emperor.stop();
}

#[test]
fn an_abstract_name_will_do_and_an_empty_directory_is_ready_too() {
    let name = format!("liege-test-{}", std::process::id());
    let manager = Manager::at(&SocketAddr::from_abstract_name(&name).unwrap());
    let emperor = start(Tree::new(), &format!("@{name}"));
    let heard = manager.hear_until("READY=1");
    assert!(heard.contains(&governing(0)), "{heard:?}");
    emperor.stop();
}

/// A name of a socket is a place where we write: nothing but a socket is ever written to, and nothing is made there.
#[test]
fn a_name_that_is_no_socket_is_never_written_to_and_stops_nobody() {
    for name in ["/link", "run/relative", "vsock:2:99", "@"] {
        let tree = Tree::new();
        tree.vassal("a.ini", SLEEP);
        std::fs::write(tree.path("secret"), "before").unwrap();
        std::os::unix::fs::symlink(tree.path("secret"), tree.path("link")).unwrap();
        let link = tree.path("link");
        let place = if name == "/link" { link.to_str().unwrap() } else { name };
        let emperor = start(tree, place);
        emperor.vassal("a.ini");
        emperor.signal(Signal::HUP);
        emperor.wait_for("a.ini", "reload");
        if place == name {
            emperor.wait_for_line(|line| line.contains("NOTIFY_SOCKET is not used"));
        }
        assert_eq!(std::fs::read_to_string(emperor.tree.path("secret")).unwrap(), "before");
        assert!(!emperor.tree.path("run/relative").exists());
        emperor.stop();
    }
}

#[test]
fn lines_for_the_journal_have_no_date_and_other_lines_do() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let with = "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$0\" \"$@\"";
    let emperor = Start::in_tree(tree).through(&["sh", "-c", with]).start();
    let line = emperor.wait_for("a.ini", "started with pid");
    assert!(line.starts_with("info vassal=a.ini"), "{line}");
    emperor.stop();

    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let emperor = Start::in_tree(tree).variable("JOURNAL_STREAM", "1:1").start();
    let line = emperor.wait_for("a.ini", "started with pid");
    assert!(line.starts_with("20"), "{line}");
    emperor.stop();
}
