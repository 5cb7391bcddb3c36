//! Signals, daemons, and what is said to an Emperor about all of it.

use std::process::Stdio;

use rustix::process::Signal;

use super::common::{ALICE, Emperor, Lines, Tree};
use super::{IDLE, command, is, said, said_by};

fn emperor(name: &str, body: &str, options: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, name, body);
    Emperor::start(tree, &[&["--emperor-tyrant"], options].concat())
}

#[test]
fn a_signal_reaches_the_program_of_a_vassal_in_its_jail() {
    let body =
        "command = sh -c \"trap 'echo told of USR1' USR1; echo armed; while true; do sleep 0.1; done\"\n";
    let emperor = emperor("shop.ini", body, &[]);
    emperor.wait_for_line(|line| line == "armed");
    for (number, word) in ["USR1", "SIGUSR1", "sigusr1", "10"].into_iter().enumerate() {
        assert_eq!(said_by(ALICE, &emperor, &["signal", word, "shop"]), is("shop.ini: signalled", 0));
        super::common::eventually("the signal", || {
            (emperor.lines.count(|line| line == "told of USR1") == number + 1).then_some(())
        });
    }
    let (text, status) = said(&emperor, &["signal", "shop", "shop"]);
    assert!(status == 2 && text.contains("is no signal"), "{text}");
    assert_eq!(said(&emperor, &["stop", "shop"]), is("shop.ini: stopped", 0));
    let (text, status) = said(&emperor, &["signal", "HUP", "shop"]);
    assert!(status == 1 && text.contains("it does not run"), "{text}");
}

#[test]
fn a_daemon_is_governed_by_the_name_of_its_vassal_and_its_own() {
    let body = "attach-daemon2 = name=tick,cmd=/bin/sleep 77\nattach-daemon2 = name=tock,cmd=/bin/sleep 78\n\
                command = /bin/sleep 1000000\n";
    let emperor = emperor("shop.ini", body, &[]);
    let sleeps = |arguments: &[&str]| {
        let is = |seconds: &str| {
            let found = super::common::processes().into_iter().filter(|pid| {
                let told = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                told == format!("/bin/sleep\0{seconds}\0").into_bytes() && emperor.cgroup.pids().contains(pid)
            });
            found.count() == 1
        };
        arguments.iter().all(|seconds| is(seconds))
    };
    super::common::eventually("both daemons", || sleeps(&["77", "78"]).then_some(()));
    let told = |words: &[&str], text: &str| {
        super::common::eventually(&format!("{words:?}"), || {
            let (said, status) = said_by(ALICE, &emperor, words);
            (said.contains(text) && status == 0).then_some(())
        });
    };
    told(&["start", "shop/tick"], "shop.ini/tick: already started");
    assert_eq!(said_by(ALICE, &emperor, &["stop", "shop/tick"]), is("shop.ini/tick: stopped", 0));
    assert!(!sleeps(&["77"]) && sleeps(&["78"]));
    assert_eq!(said_by(ALICE, &emperor, &["stop", "shop.ini/tick"]), is("shop.ini/tick: not running", 0));
    assert_eq!(said_by(ALICE, &emperor, &["start", "sh*/ti*"]), is("shop.ini/tick: started", 0));
    assert_eq!(said(&emperor, &["restart", "shop/tock"]), is("shop.ini/tock: restarted", 0));
    let (text, status) = said(&emperor, &["stop", "shop/redis"]);
    assert!(status == 1 && text.contains("there is no vassal `shop/redis`"), "{text}");
    let (text, status) = said(&emperor, &["disable", "shop/tick"]);
    assert!(status == 1 && text.contains("is not disabled by itself"), "{text}");
    let (text, status) = said_by(super::common::BOB, &emperor, &["stop", "shop/tick"]);
    assert!(status == 1 && text.contains("or it is not yours"), "{text}");
    assert!(sleeps(&["77", "78"]));
}

#[test]
fn an_update_reads_what_nobody_has_looked_at_and_tells_what_has_changed() {
    let emperor = emperor("shop.ini", IDLE, &["--emperor-poll", "--emperor-freq", "0"]);
    emperor.vassal("shop.ini");
    assert_eq!(said(&emperor, &["update"]), is("nothing has changed that was not read already", 0));
    emperor.tree.vassal_of(ALICE, "new.ini", IDLE);
    emperor.tree.vassal_of(ALICE, "shop.ini", "env = A=B\ncommand = /bin/sleep 1000000\n");
    let mark = emperor.lines.mark();
    assert_eq!(said(&emperor, &["update"]), is("new.ini: added\nshop.ini: changed", 0));
    emperor.vassal("new.ini");
    emperor.vassal_since(mark, "shop.ini");
    ["third.ini", "fourth.ini"].iter().for_each(|name| _ = emperor.tree.vassal_of(ALICE, name, IDLE));
    let (text, status) = said(&emperor, &["update", "th*", "--json"]);
    assert_eq!((text.as_str(), status), ("{\"config\":\"added\",\"vassal\":\"third.ini\"}\n", 0));
    let (text, status) = said(&emperor, &["update", "--json"]);
    assert_eq!((text.as_str(), status), ("{\"config\":\"unchanged\",\"vassal\":null}\n", 0));
    assert_eq!(said(&emperor, &["update", "nosuch"]), is("liege: no such vassal: nosuch", 1));
    let (text, status) = said_by(ALICE, &emperor, &["update"]);
    assert!(status == 1 && text.contains("yours are read as soon as they change"), "{text}");
}

/// What the kernel had told of when it was asked is read as always, and is not what was found by looking: neither a file that was just
/// made nor one that takes the place of another.
#[test]
fn an_update_that_comes_right_after_an_edit_finds_nothing_new() {
    let emperor = emperor("shop.ini", IDLE, &[]);
    let shop = emperor.vassal("shop.ini");
    let ours = super::common::Process::of(emperor.stats()["pid"].as_i64().unwrap().try_into().unwrap());
    for round in 0..5 {
        // All of it is there at once when it goes on.
        ours.signal(Signal::STOP);
        super::common::eventually("its stop", || ours.status("State").starts_with('T').then_some(()));
        emperor.tree.vassal_of(
            ALICE,
            "shop.ini",
            &format!("env = A={round}\ncommand = /bin/sleep 1000000\n"),
        );
        let late = emperor.tree.vassals().join("late.ini");
        std::fs::write(&late, format!("[uwsgi]\nenv = A={round}\n{IDLE}")).unwrap();
        std::os::unix::fs::chown(&late, Some(ALICE), Some(ALICE)).unwrap();
        let mut update = command(&emperor, 0, &["update"]);
        let update = update.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let asker = super::common::Process::of(i32::try_from(update.id()).unwrap());
        // It reads, or polls.
        let waits =
            || ["47 ", "45 ", "0 ", "7 ", "271 "].iter().any(|call| asker.read("syscall").starts_with(call));
        super::common::eventually("the question", || waits().then_some(()));
        ours.signal(Signal::CONT);
        let said = update.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), "nothing has changed that was not read already\n");
        emperor.wait_stats("late.ini", |one| one["ready"] == 1);
    }
    shop.wait_gone();
    emperor.stop();
}

/// A word that means nothing is not passed over.
#[test]
fn a_word_too_much_and_a_name_of_nobody_are_told() {
    let emperor = emperor("shop.ini", IDLE, &[]);
    emperor.vassal("shop.ini");
    for (words, told, code) in [
        (&["tail", "shop", "other"][..], "`tail` does not take `other`", 2),
        (&["events", "nosuch"], "nothing is remembered of nosuch", 2),
        (&["tail", "all"], "this takes one vassal", 1),
        (&["tail", "s*"], "this takes one vassal", 1),
        (&["exec", "shop/redis", "--", "true"], "a daemon is in the jail of its vassal", 1),
        (&["stop", "nosuch"], "liege: there is no vassal `nosuch`\n", 1),
        (&["why", "shop", "--json"], "has these sentences", 2),
        (&["stop", "-h"], "Usage: liege stop [ADDRESS] NAME...", 0),
    ] {
        let (text, status) = said(&emperor, words);
        assert!(text.contains(told) && status == code, "{words:?}: {text}");
    }
    let (text, status) = said(&emperor, &["stop", "nosuch", "--json"]);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&line["vassal"], &line["ok"], status), (&"nosuch".into(), &false.into(), 1), "{text}");
    let control = |word: &str| {
        let mut control = std::process::Command::new(emperor.tree.path("liege"));
        let output = control.args(["control", word]).stdin(std::process::Stdio::null()).output().unwrap();
        (String::from_utf8(output.stderr).unwrap(), output.status.code())
    };
    let (text, status) = control("status");
    assert!(text.contains("`status` is no address of an Emperor") && status == Some(2), "{text}");
    let (text, status) = control("/nonexist");
    assert!(text.contains("cannot reach /nonexist") && status == Some(1), "{text}");
}

#[test]
fn who_follows_events_learns_that_the_emperor_has_ended() {
    let mut emperor = emperor("shop.ini", IDLE, &[]);
    emperor.vassal("shop.ini");
    let mut follower = command(&emperor, 0, &["events", "-f"]);
    follower.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut follower = follower.spawn().unwrap();
    // Its first byte: it is connected.
    let mut first = [0];
    std::io::Read::read_exact(follower.stdout.as_mut().unwrap(), &mut first).unwrap();
    emperor.signal(rustix::process::Signal::TERM);
    emperor.wait();
    let output = follower.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("the Emperor has ended") && output.status.code() == Some(1), "{text}");
}

/// Row C4.
#[test]
fn root_ends_an_emperor_and_nobody_else() {
    let mut emperor = emperor("shop.ini", IDLE, &[]);
    let shop = emperor.vassal("shop.ini");
    let (text, status) = said_by(ALICE, &emperor, &["shutdown"]);
    assert!(status == 1 && text.contains("only root may end the Emperor"), "{text}");
    let (text, status) = said(&emperor, &["shutdown", "shop"]);
    assert!(status != 0 && !text.is_empty() && shop.is_alive(), "{text}");
    let output = command(&emperor, 0, &["shutdown"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!shop.is_alive(), "all is over when that is said");
    assert!(emperor.wait().success());
}

#[test]
fn the_prompt_takes_verbs_from_a_script_and_from_a_terminal() {
    use std::io::Write as _;
    let emperor = emperor("shop.ini", IDLE, &[]);
    emperor.vassal("shop.ini");
    let mut prompt = command(&emperor, 0, &["control"]);
    prompt.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut prompt = prompt.spawn().unwrap();
    prompt.stdin.take().unwrap().write_all(b"stop shop\nstart 'sh*'\nhelp\n\nquit\nstop shop\n").unwrap();
    let output = prompt.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("shop.ini: stopped\nshop.ini: started\n") && text.ends_with("quit\n"), "{text}");
    assert!(output.status.success() && emperor.stats_of("shop.ini").unwrap()["state"] == "running");
    // On a terminal: names are completed, and what was typed before comes back with a key.
    let mut seat = Seat::take(&emperor);
    seat.types(b"", "VASSAL");
    seat.types(b"res\tsho\t\r", "shop.ini: restarted");
    seat.types(b"stop sho\t\r", "shop.ini: stopped");
    seat.types(b"\x1b[A\x1b[A\r", "shop.ini: restarted");
    seat.leave();
}

#[test]
fn a_key_ends_what_a_verb_does_and_not_the_prompt() {
    let emperor = emperor("shop.ini", "command = sh -c \"echo to the log; exec sleep 1000000\"\n", &[]);
    emperor.vassal("shop.ini");
    emperor.wait_for_line(|line| line == "to the log");
    let mut seat = Seat::take(&emperor);
    seat.types(b"", "VASSAL");
    // Ctrl-C and Ctrl-\.
    seat.types(b"tail -f shop\r", "to the log");
    seat.types(b"\x03stop sho\t\r", "shop.ini: stopped");
    seat.types(b"events -f\r", "waits for");
    seat.types(b"\x1cstart 'sh?p'\r", "shop.ini: started");
    seat.types(b"stop 'sh?p'\r", "shop.ini: stopped");
    seat.leave();
}

/// Somebody at a prompt on a terminal.
struct Seat {
    process: std::process::Child,
    keys: std::process::ChildStdin,
    lines: Lines,
}

impl Seat {
    fn take(emperor: &Emperor) -> Self {
        let mut seat = std::process::Command::new("script");
        let (liege, place) = (emperor.tree.path("liege"), emperor.stats_socket());
        seat.args(["-qec"]).arg(format!("exec {} control {}", liege.display(), place.display()));
        seat.arg("/dev/null").env("TERM", "xterm");
        let (reader, writer) = std::io::pipe().unwrap();
        let mut process = seat.stdin(std::process::Stdio::piped()).stdout(writer).spawn().unwrap();
        Self { keys: process.stdin.take().unwrap(), process, lines: Lines::listen(reader) }
    }

    /// Waits for a line behind these keys.
    fn types(&mut self, keys: &[u8], told: &str) {
        use std::io::Write as _;
        let mark = if keys.is_empty() { 0 } else { self.lines.mark() };
        self.keys.write_all(keys).unwrap();
        self.lines.wait_since(mark, |line| line.contains(told));
    }

    fn leave(mut self) {
        use std::io::Write as _;
        self.keys.write_all(b"quit\r").unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
