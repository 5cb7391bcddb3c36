//! `forkpty-router`, `forkpty-urouter`: a terminal for whoever connects, as our own clients and those of uWSGI do.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "vassal/emperor.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod emperor;
#[path = "common/program.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod program;

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use routers::forkpty::frame::{input_header, signal_frame, window_frames};
use rustix::process::Signal;

use emperor::{PATIENCE, Place, Vassal};

/// A client of a terminal.
struct Client(UnixStream, String);

impl Client {
    fn of(socket: &Path) -> Self {
        let begin = Instant::now();
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) => assert!(begin.elapsed() < PATIENCE, "{error}"),
            }
            std::thread::yield_now();
        };
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self(stream, String::new())
    }

    fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Input as one frame.
    fn type_in(&mut self, text: &str) {
        self.say(&[&input_header(text.len()).unwrap()[..], text.as_bytes()].concat());
    }

    /// Reads on until this has come.
    fn wait_for(&mut self, wanted: &str) {
        self.read_while(|seen| !seen.contains(wanted));
        assert!(self.1.contains(wanted), "{:?}", self.1);
    }

    /// Reads to the end.
    fn end(&mut self) -> &str {
        assert!(self.read_while(|_| true), "it does not end: {:?}", self.1);
        &self.1
    }

    /// Whether it came to the end.
    fn read_while(&mut self, goes_on: impl Fn(&str) -> bool) -> bool {
        let (begin, mut bytes) = (Instant::now(), [0; 65_536]);
        while goes_on(&self.1) && begin.elapsed() < PATIENCE {
            match self.0.read(&mut bytes) {
                Ok(0) => return true,
                Ok(count) => self.1.push_str(&String::from_utf8_lossy(&bytes[..count])),
                Err(error) => assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
            }
        }
        false
    }
}

fn place(options: &str) -> Place {
    Place::new(&format!(
        "forkpty-router = DIR/raw\nforkpty-urouter = DIR/framed\nenv = PS1=ready>\n{options}"
    ))
}

/// Whether a process of this number is there and lives.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn stop(vassal: Vassal) {
    vassal.signal(Signal::TERM);
    vassal.end();
}

#[test]
fn whoever_connects_gets_a_terminal_of_his_own_as_the_vassals_user() {
    let place = place("uid = 54321\ngid = 54322\nforkptyrouter-rows = 30\n");
    let vassal = Vassal::start(place.command(), None);
    let mut client = Client::of(&place.path("raw"));
    client.wait_for("ready>");
    client.say(b"echo $(id -u):$(id -g) $(stty size) $TERM $(ps -o stat= -p $$) e''nd; exit\n");
    let seen = client.end();
    // The leader of a session, in the foreground of its terminal.
    assert!(seen.contains("54321:54322 30 80 xterm") && seen.contains("s+ end"), "{seen:?}");
    let meta = std::fs::metadata(place.path("raw")).unwrap();
    assert_eq!((meta.mode() & 0o777, meta.uid()), (0o600, 54321));
    stop(vassal);
}

#[test]
fn signals_of_frames_reach_the_foreground_and_a_size_is_one_change() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    let mut client = Client::of(&place.path("framed"));
    client.wait_for("ready>");
    client.type_in("trap 'echo si''ze $(stty size)' WINCH; echo lis''tens\n");
    client.wait_for("listens");
    client.say(&window_frames(50, 132));
    // A shell hears of it at once or with its next line.
    client.type_in("echo ne''xt\n");
    client.wait_for("next\r\n");
    client.wait_for("size 50 132\r\n");
    // What is typed before the line editor has gone is not echoed.
    client.type_in("echo is co''oked; cat\n");
    client.wait_for("is cooked\r\n");
    client.type_in("echoed\n");
    client.wait_for("echoed\r\nechoed");
    assert_eq!(client.1.matches("size 50 132").count(), 1);
    // What is no signal of the list is nothing.
    client.say(&[[0, 0, 0, 19], [0, 0, 0, 64], [0, 0, 0, 99], [7, 7, 7, 200]].concat());
    client.1.clear();
    client.say(&signal_frame(2).unwrap());
    client.wait_for("ready>");
    // Only now: what is typed before would be read by whoever ends.
    client.type_in("echo came ba''ck\n");
    client.wait_for("came back\r\n");
    client.type_in("exit\n");
    client.end();
    stop(vassal);
}

/// Row T7.
#[test]
fn a_client_that_vanishes_leaves_nothing_behind_not_even_what_ignores_it() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    let mut client = Client::of(&place.path("raw"));
    client.wait_for("ready>");
    client.say(b"(trap '' HUP TERM; while :; do sleep 1000; done) & echo pi''d=$!=\n");
    client.wait_for("pid=");
    client.wait_for("=\r\n");
    let pid = client.1.split("pid=").nth(1).unwrap().split('=').next().unwrap().to_owned();
    assert!(lives(&pid));
    drop(client);
    let begin = Instant::now();
    while lives(&pid) {
        assert!(begin.elapsed() < PATIENCE, "{pid} lives on");
        std::thread::yield_now();
    }
    stop(vassal);
}

/// Row T2.
#[test]
fn no_session_has_a_descriptor_of_another_one() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    let mut first = Client::of(&place.path("raw"));
    first.wait_for("ready>");
    let mut second = Client::of(&place.path("raw"));
    second.wait_for("ready>");
    second.say(b"ls -l /proc/$$/fd | grep -c -e socket -e ptmx; echo e''nd; exit\n");
    assert!(second.end().contains("\r\n0\r\nend"), "{:?}", second.1);
    first.say(b"exit\n");
    first.end();
    stop(vassal);
}

#[test]
fn hundreds_of_sessions_leave_no_zombie_and_no_descriptor() {
    let place = place("forkptyrouter-command = echo hello; exit\n");
    let vassal = Vassal::start(place.command(), None);
    let router = {
        let mut client = Client::of(&place.path("raw"));
        assert!(client.end().contains("hello"));
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", vassal.pid())).unwrap();
        children.split_whitespace().next().unwrap().to_owned()
    };
    let count = || std::fs::read_dir(format!("/proc/{router}/fd")).unwrap().count();
    let before = count();
    for _ in 0..300 {
        assert!(Client::of(&place.path("raw")).end().contains("hello"));
    }
    let begin = Instant::now();
    let children = || std::fs::read_to_string(format!("/proc/{router}/task/{router}/children")).unwrap();
    while count() > before || !children().is_empty() {
        assert!(begin.elapsed() < PATIENCE, "{} descriptors, children {}", count(), children());
    }
    stop(vassal);
}

#[test]
fn whoever_comes_when_no_descriptor_is_free_gets_a_terminal_later() {
    let place = place("rlimit-nofile = 32\n");
    let vassal = Vassal::start(place.command(), None);
    let mut first = Client::of(&place.path("raw"));
    first.wait_for("ready>");
    let crowd: Vec<UnixStream> =
        (0..40).map(|_| UnixStream::connect(place.path("raw")).expect("the queue is long")).collect();
    first.say(b"echo still he''re\n");
    first.wait_for("still here");
    drop(crowd);
    // One that is let in when there is none for its terminal is told so by its end.
    let begin = Instant::now();
    loop {
        let mut client = Client::of(&place.path("raw"));
        if !client.read_while(|seen| !seen.contains("ready>")) {
            assert!(client.1.contains("ready>"), "{:?}", client.1);
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "nobody is let in any more");
    }
    stop(vassal);
}

#[test]
fn a_router_of_terminals_that_is_killed_is_there_again() {
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    Client::of(&place.path("raw")).wait_for("ready>");
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", vassal.pid())).unwrap();
    let router: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(router).unwrap(), Signal::KILL).unwrap();
    Client::of(&place.path("raw")).wait_for("ready>");
    stop(vassal);
}

/// What drives a client of uWSGI: a terminal for it, what is typed there, and what comes back.
const DRIVER: &str = "import os, pty, select, sys, time
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
seen, end, typed = b'', time.time() + 20, False
while time.time() < end:
    if select.select([fd], [], [], 0.1)[0]:
        try: data = os.read(fd, 65536)
        except OSError: break
        if not data: break
        seen += data
    if b'ready>' in seen and not typed: typed = os.write(fd, b'echo $((6*7)) $(stty size | cut -c1-3); exit\\n')
print(seen.decode(errors='replace'))
";

#[test]
fn the_clients_of_uwsgi_work() {
    if !Path::new("/usr/lib/uwsgi/plugins/pty_plugin.so").exists() {
        eprintln!("skipped: uwsgi has no plugin pty here");
        return;
    }
    let place = place("");
    let vassal = Vassal::start(place.command(), None);
    drop(Client::of(&place.path("framed")));
    for (option, socket) in [("--pty-connect", "raw"), ("--pty-uconnect", "framed")] {
        let socket = place.path(socket);
        let client = ["uwsgi-core", "--plugin", "pty", option, socket.to_str().unwrap()];
        let output = Command::new("python3").args(["-c", DRIVER]).args(client).output().unwrap();
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(seen.contains("42 "), "{option}: {seen}");
    }
    stop(vassal);
}
