//! Programs that know nothing of uWSGI's protocol: they are ready when they say so, live as long as they say so, and
//! reload and stop by the signal that they know.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use common::{ALICE, Emperor, Tree};

/// Says to NOTIFY_SOCKET whatever is written to its FIFO, a line each, and what signals it gets to its own output. Ends
/// with SIGINT, and with SIGTERM where it is not stubborn.
const SPEAKER: &str = r#"
import os, signal, socket, sys
said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = os.environ["NOTIFY_SOCKET"]
def say(text):
    said.sendto(text.encode(), "\0" + name[1:] if name[0] == "@" else name)
def told(number, frame):
    os.write(1, f"got {signal.Signals(number).name} {os.getpid()}\n".encode())
    if number == signal.SIGINT or number == signal.SIGTERM and sys.argv[2] != "stubborn":
        sys.exit(0)
for one in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(one, told)
print("up", name, os.environ.get("WATCHDOG_USEC"), flush=True)
while True:
    with open(sys.argv[1]) as fifo:
        for line in fifo:
            say(line.strip())
            print("said", line.strip(), flush=True)
"#;

struct Speaker {
    emperor: Emperor,
    fifo: std::path::PathBuf,
}

impl Speaker {
    fn start(options: &[&str], lines: &str) -> Self {
        Self::of("docile", options, lines)
    }

    fn stubborn(options: &[&str], lines: &str) -> Self {
        Self::of("stubborn", options, lines)
    }

    fn of(nature: &str, options: &[&str], lines: &str) -> Self {
        let tree = Tree::new();
        let work = tree.dir_of(ALICE, "work");
        let (fifo, program) = (work.join("fifo"), work.join("speaker.py"));
        tree.place(&program, ALICE, SPEAKER);
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        std::os::unix::fs::chown(&fifo, Some(ALICE), Some(ALICE)).unwrap();
        let command = format!("command = python3 {} {} {nature}\n{lines}", program.display(), fifo.display());
        tree.vassal_of(ALICE, "shop.ini", &command);
        let emperor = Emperor::start(tree, &[&["--emperor-tyrant"], options].concat());
        emperor.wait_for_line(|line| line.starts_with("up "));
        Self { emperor, fifo }
    }

    fn say(&self, text: &str) {
        std::fs::write(&self.fifo, format!("{text}\n")).unwrap();
        self.emperor.wait_for_line(|line| line == format!("said {text}"));
    }

    fn touch(&self) {
        let path = self.emperor.tree.path("vassals/shop.ini");
        let status = std::process::Command::new("touch").arg(path).status().unwrap();
        assert!(status.success());
    }
}

#[test]
fn a_program_is_ready_when_it_says_so() {
    let speaker = Speaker::start(&[], "ready = notify\n");
    assert_eq!(speaker.emperor.stats_of("shop.ini").unwrap()["ready"], 0);
    speaker.say("STATUS=READY=1");
    speaker.say("READY=1");
    speaker.emperor.wait_stats("shop.ini", |one| one["ready"] == 1 && one["accepting"] == 1);
    speaker.emperor.stop();
}

#[test]
fn a_program_in_a_jail_with_another_root_is_heard() {
    let lines = "ready = notify\n";
    let speaker = Speaker::start(&["--emperor-use-clone", "fs,pid,net,ipc,uts"], lines);
    speaker.say("READY=1");
    speaker.emperor.wait_stats("shop.ini", |one| one["ready"] == 1);
    speaker.emperor.stop();
}

#[test]
fn a_program_behind_a_fence_is_heard_by_a_file() {
    let speaker = Speaker::start(&[], "ready = notify\nlandlock-scope-abstract = true\n");
    speaker.emperor.wait_for_line(|line| line.starts_with("up /tmp/liege-notify-"));
    speaker.say("READY=1");
    speaker.emperor.wait_stats("shop.ini", |one| one["ready"] == 1);
    speaker.emperor.stop();
}

/// Its pid namespace is the host's, so there are strangers, and `/proc` cannot tell who is one.
#[test]
fn a_program_in_a_root_without_proc_is_heard() {
    let tree = Tree::new();
    let say = "import os, socket, time\n\
               name = os.environ['NOTIFY_SOCKET'].replace('@', chr(0), 1)\n\
               socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', name)\n\
               print('proc', os.path.exists('/proc/self'), flush=True)\n\
               time.sleep(1000000)\n";
    let program = tree.path("say.py");
    tree.place(&program, 0, say);
    let command = format!("sh -c \"python3 {}; exit 1\"", program.display());
    let lines = format!(
        "uid = {ALICE}\ngid = {ALICE}\nexec-as-root = umount -l /proc\nready = notify\ncommand = {command}\n"
    );
    tree.vassal("a.ini", &lines);
    let emperor = Emperor::start(tree, &["--emperor-use-clone", "fs"]);
    emperor.wait_for_line(|line| line == "proc False");
    emperor.wait_stats("a.ini", |one| one["ready"] == 1);
    emperor.stop();
}

/// Row C7.
#[test]
fn a_stranger_who_says_that_it_is_ready_is_not_heard() {
    // In a network of its own nobody else could even name it.
    let speaker = Speaker::start(&["--jail", "none"], "ready = notify\n");
    let line = speaker.emperor.wait_for_line(|line| line.starts_with("up @"));
    let name = line.split(' ').nth(1).unwrap().trim_start_matches('@');
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let stranger = UnixDatagram::unbound().unwrap();
    for message in [&b"READY=1"[..], b"MAINPID=1\nREADY=1", &[b'x'; 65_536]] {
        stranger.send_to_addr(message, &address).unwrap();
    }
    speaker.emperor.wait_for_line(|line| line.contains("messages to NOTIFY_SOCKET are ignored"));
    speaker.say("MAINPID=1");
    assert_eq!(speaker.emperor.stats_of("shop.ini").unwrap()["ready"], 0);
    speaker.emperor.stop();
}

#[test]
fn a_lost_heartbeat_is_the_reason_of_an_end() {
    let options = ["--emperor-required-heartbeat", "1", "--emperor-curse-tolerance", "1"];
    // Longer than the curse: the Emperor's patience ends first.
    let speaker = Speaker::stubborn(&options, "heartbeat = 1\nreload-mercy = 3\n");
    speaker.emperor.wait_for_line(|line| line.starts_with("up @") && line.ends_with(" 1000000"));
    speaker.say("WATCHDOG=1");
    let one = speaker.emperor.wait_stats("shop.ini", |one| !one["last_end"].is_null());
    let end = &one["last_end"];
    assert_eq!(end["told_to_stop"], "its heartbeat is missing", "{one}");
    assert_eq!(end["killed"], "it did not end in time", "it heeds no SIGTERM: {one}");
    speaker.emperor.wait_for_line(|line| line.starts_with("got SIGTERM"));
    speaker.emperor.stop();
}

#[test]
fn a_program_reloads_and_stops_by_the_signals_that_it_knows() {
    let speaker = Speaker::start(&[], "notify = true\nreload-signal = HUP\nstop-signal = INT\n");
    speaker.emperor.wait_stats("shop.ini", |one| one["ready"] == 1);
    let before = speaker.emperor.stats_of("shop.ini").unwrap();
    speaker.touch();
    speaker.emperor.wait_for_line(|line| line.starts_with("got SIGHUP"));
    let after = speaker.emperor.wait_stats("shop.ini", |one| one["respawns"] == 1 && one["ready"] == 1);
    assert_eq!((&after["pid"], &after["starts"]), (&before["pid"], &before["starts"]));
    let path = speaker.emperor.tree.path("vassals/shop.ini");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}env = A=1\n")).unwrap();
    speaker.emperor.wait_for_line(|line| line.starts_with("got SIGINT"));
    speaker.emperor.wait_stats("shop.ini", |one| one["starts"] == 2 && one["ready"] == 1);
    speaker.emperor.stop();
}

#[test]
fn a_program_that_does_not_end_is_killed_after_its_mercy() {
    let speaker = Speaker::stubborn(&[], "notify = true\nreload-mercy = 1\n");
    std::fs::remove_file(speaker.emperor.tree.path("vassals/shop.ini")).unwrap();
    speaker.emperor.wait_for_line(|line| line.starts_with("got SIGTERM"));
    speaker.emperor.wait_for("shop.ini", "ended (exit status 137)");
    speaker.emperor.stop();
}

/// Rows C7 and C8: words of a program are shown as words, and are never bytes of the protocol, nor codes for a terminal.
#[test]
fn what_a_program_says_of_itself_is_shown_and_can_do_nothing() {
    let tree = Tree::new();
    let say = "import os, socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'].replace('@', chr(0), 1))
s.send(b'READY=1\\nSTATUS=7 jobs \\x16\\x1e\\x1b[2J' + b'x' * 500)
time.sleep(1000000)
";
    tree.place(&tree.path("say.py"), 0, say);
    let lines = format!("ready = notify\ncommand = /usr/bin/python3 {}\n", tree.path("say.py").display());
    tree.vassal_of(ALICE, "a.ini", &lines);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    let row = emperor.wait_stats("a.ini", |row| row["said"] != "");
    let said = row["said"].as_str().unwrap();
    assert!(said.starts_with("7 jobs ") && said.len() <= 120, "{said}");
    assert!(said.chars().all(|letter| !letter.is_control()), "{said:?}");
    assert!(row["note"].as_str().unwrap().starts_with("7 jobs "), "{row}");
    let place = emperor.stats_socket();
    let shown = common::liege(&["why", place.to_str().unwrap(), "a.ini"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("says of itself") && !shown.contains('\x1b'), "{shown}");
    // Neither a farewell nor a call for help was heard.
    assert_eq!(emperor.told("a.ini", "died") + emperor.told("a.ini", "asked"), 0);
    assert!(emperor.vassal("a.ini").is_alive());
}
