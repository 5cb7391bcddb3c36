//! `liege attach`, as somebody uses it who sits at a terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use super::common::{ALICE, Emperor, Process, eventually};
use super::seat::Seat;
use super::{jailed, liege, run, text};

const BASH: [&str; 6] = ["attach", "alice", "--", "bash", "--norc", "-i"];

#[test]
fn a_shell_has_job_control_and_knows_the_size_of_its_terminal() {
    let emperor = jailed();
    let (_, status) = Seat::default()
        .send("PS1='at-'; PS1+='you '\r")
        .expect("at-you ")
        .send("stty size\r")
        .expect("24 80")
        .expect("at-you ")
        .resize(50, 132)
        .send("stty size\r")
        .expect("50 132")
        .expect("at-you ")
        .send("(trap 'echo chan''ged; exit' WINCH; echo wai''ting; while :; do sleep 0.1; done)\r")
        .expect("waiting")
        .resize(40, 100)
        .expect("changed")
        .expect("at-you ")
        // It tells each time when keys are for it: before, they would be the shell's.
        .send("sh -c 'trap \"echo con\"\"tinued\" CONT; echo sle\"\"eping; while :; do read x; done'\r")
        .expect("sleeping")
        .send("\x1a")
        .expect("Stopped")
        .expect("at-you ")
        .send("jobs | tr a-z A-Z\r")
        .expect("STOPPED")
        .expect("at-you ")
        .send("fg\r")
        .expect("continued")
        .send("\x03")
        .expect("at-you ")
        .send("kill -l > /dev/null; echo ž-luťoučký | rev\r")
        .expect("ýkčuoťul-ž")
        .send("exit 9\r")
        .sit(&liege(&emperor, ALICE, &BASH));
    assert_eq!(status, 9);
    emperor.stop();
}

#[test]
fn programs_of_a_whole_screen_work() {
    let emperor = jailed();
    let (_, status) = Seat::default()
        .send("PS1='at-'; PS1+='you '\r")
        .expect("at-you ")
        .send("vim -u NONE /tmp/text\r")
        .expect("\x1b[")
        .send("ihello from vim\x1b:wq\r")
        .expect("at-you ")
        .send("tr a-z A-Z < /tmp/text\r")
        .expect("HELLO FROM VIM")
        .send("seq 1 5000 | less\r")
        .expect(":")
        .send("G")
        .expect("5000")
        .send("q")
        .expect("at-you ")
        .send("top\r")
        .expect("load average")
        .send("q")
        .expect("at-you ")
        .send("exit\r")
        .sit(&liege(&emperor, ALICE, &BASH));
    assert_eq!(status, 0);
    emperor.stop();
}

/// It has terminals of its own in the jail, and what is left of it ends with the session.
#[test]
fn tmux_runs_in_a_session_and_ends_with_it() {
    let emperor = jailed();
    let (seen, status) = Seat::default()
        .send("PS1='at-'; PS1+='you '\r")
        .expect("at-you ")
        .send("tmux -f /dev/null new 'bash --norc -i'\r")
        .expect("[0]")
        .send("PS1='in-'; PS1+='tmux '\r")
        .expect("in-tmux ")
        .resize(30, 90)
        .send("until test $(tput cols) = 90; do sleep 0.1; done; echo wi''der\r")
        .expect("wider")
        .send("echo $TMUX | cut -c-10 | tr a-z A-Z; exit\r")
        .expect("/TMP/TMUX-")
        .expect("[exited]")
        .expect("at-you ")
        .send("tmux new -d 'sleep 7777301'; pgrep -c '^sleep$'\r")
        .expect("1")
        .send("exit 5\r")
        .sit(&liege(&emperor, ALICE, &BASH));
    assert_eq!(status, 5, "{seen}");
    emperor.stop();
}

/// More than any buffer on the way holds, both ways at once.
#[test]
fn a_megabyte_is_pasted_without_a_byte_lost() {
    let emperor = jailed();
    let script = "stty raw -echo; echo go; head -c 1048588 | tee /tmp/pasted | cksum; wc -c < /tmp/pasted";
    let mut whole = b"\x1b[200~".to_vec();
    whole.extend(b"0123456789abcde\n".repeat(65_536));
    whole.extend(b"\x1b[201~");
    let path = emperor.tree.path("whole");
    std::fs::write(&path, &whole).unwrap();
    let sum =
        std::process::Command::new("cksum").stdin(std::fs::File::open(&path).unwrap()).output().unwrap();
    let (seen, status) = Seat::default()
        .expect("go")
        .send("\x1b[200~")
        .paste("0123456789abcde\n", 65_536)
        .send("\x1b[201~")
        .expect(text(&sum.stdout).trim())
        .sit(&liege(&emperor, ALICE, &["attach", "alice", "--", "bash", "-c", script]));
    assert!(seen.contains("1048588") && status == 0, "{seen}");
    emperor.stop();
}

#[test]
fn a_terminal_is_as_it_was_whatever_happens() {
    let emperor = jailed();
    let attach = liege(
        &emperor,
        ALICE,
        &["attach", "alice", "--", "sh", "-c", "stty raw -echo; echo ready; read x; exit 4"],
    );
    let words: Vec<String> = attach.get_args().map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let line = format!("setpriv {}", words.join(" "));
    for (keys, status) in [("\n", 4), ("\r~.", 0)] {
        let script =
            format!("before=$(stty -g); {line}; status=$?; test $before = $(stty -g) && echo SA''ME $status");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script]);
        let wanted = format!("SAME {status}");
        Seat::default().expect("ready").send(keys).expect(&wanted).sit(&shell);
    }
    emperor.stop();
}

#[test]
fn a_session_is_left_and_taken_up_again() {
    let emperor = jailed();
    let (seen, status) = Seat::default()
        .send("PS1='at-'; PS1+='you '; kept=value-of-mine\r")
        .expect("at-you ")
        .send("echo $$ > /tmp/shell; (sleep 0.1; echo while-nobody | tr a-z A-Z) &\r")
        .expect("at-you ")
        .send("\r~d")
        .expect("detached")
        .sit(&liege(&emperor, ALICE, &BASH));
    assert_eq!(status, 0, "{seen}");
    emperor.wait_for("alice.ini", "goes on without a client");
    let waiting = run(&emperor, ALICE, &["attach", "alice", "--", "true"]);
    assert!(
        text(&waiting.stderr).contains("a session of yours waits there (1)"),
        "{}",
        text(&waiting.stderr)
    );
    let stranger = run(&emperor, super::BOB, &["attach", "--again", "alice"]);
    assert!(text(&stranger.stderr).contains("no session of `alice` waits"), "{}", text(&stranger.stderr));
    let stranger = run(&emperor, super::BOB, &["attach", "--again", "1"]);
    assert_eq!(stranger.status.code(), Some(1));
    let (_, status) = Seat::default()
        .expect("WHILE-NOBODY")
        .send("test $$ = $(cat /tmp/shell) && echo $kept | tr a-z A-Z; exit 6\r")
        .expect("VALUE-OF-MINE")
        .sit(&liege(&emperor, ALICE, &["attach", "--again", "alice"]));
    assert_eq!(status, 6);
    emperor.stop();
}

/// Row T7: also what would not hear of it.
#[test]
fn a_terminal_whose_client_is_killed_is_hung_up() {
    let emperor = jailed();
    Seat::default()
        .send("trap '' HUP; sleep 7777030 & disown; echo rea''dy\r")
        .expect("ready")
        .kill(9)
        .sit(&liege(&emperor, ALICE, &BASH));
    emperor.wait_for("alice.ini", "is over after");
    eventually("nobody of the session", || {
        let of =
            |pid: &i32| Process::if_there(*pid).is_ok_and(|one| one.command_line() == ["sleep", "7777030"]);
        (!emperor.cgroup.pids().iter().any(of)).then_some(())
    });
    emperor.stop();
}

/// Row T1.
#[test]
fn nobody_types_into_the_terminal_of_whoever_looks() {
    let emperor = jailed();
    let script = "import fcntl, sys\nfor request in (0x5412, 0x541c, 0x100005412, 0x10000541c):\n  try: fcntl.ioctl(0, request - (1 << 64 if request >> 63 else 0), b'x')\n  except (OSError, OverflowError) as e: print(type(e).__name__, end=' ')\n  else: print('TYPED', end=' ')\nprint('end')";
    let (seen, _) = Seat::default().expect("end").sit(&liege(
        &emperor,
        ALICE,
        &["attach", "alice", "--", "/usr/bin/python3", "-c", script],
    ));
    assert!(!seen.contains("TYPED"), "{seen}");
    emperor.stop();
}

/// What it shows, and how it ends, when this is typed and nothing after it.
fn ends_after(emperor: &Emperor, typed: &str, program: &[&str]) -> (String, Option<i32>) {
    let mut client = liege(emperor, ALICE, &[&["attach", "alice", "--"], program].concat());
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    client.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let mut output = client.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut shown = Vec::new();
        output.read_to_end(&mut shown).map(|_| text(&shown)).unwrap()
    });
    let mut exited = || client.try_wait().unwrap();
    let status = eventually(&format!("the end of {program:?} after {typed:?}"), &mut exited);
    (reader.join().unwrap(), status.code())
}

/// A terminal has no end: a shell that edits lines takes what is typed for it as a key, and others as the end of a line.
#[test]
fn who_has_no_terminal_has_an_end_of_input_whatever_the_program_makes_of_it() {
    let emperor = jailed();
    let bash = &["bash", "--norc", "-i"][..];
    for (typed, program) in [
        ("", bash),
        ("", &["bash", "--norc", "-c", "PS1= exec bash --norc -i"]),
        ("", &["sh"]),
        ("", &["cat"]),
        ("", &["python3", "-ic", ""]),
        ("", &["sh", "-c", "cat; cat; cat; cat; echo all"]),
        ("", &["bash", "-c", "stty raw -echo; head -c 1 >/dev/null; stty cooked; cat; echo all"]),
        ("cat\ncat\n", &["sh"]),
        ("cat\n", bash),
        ("read x\n", bash),
    ] {
        ends_after(&emperor, typed, program);
    }
    let (shown, status) = ends_after(&emperor, "echo $((6 * 7)); exit 7\n", bash);
    assert_eq!((shown.contains("42\r\n"), status), (true, Some(7)), "{shown}");
    let (shown, status) = ends_after(&emperor, "echo $((6 * 7))\n", bash);
    assert_eq!((shown.contains("42\r\n"), status), (true, Some(0)), "{shown}");
    emperor.stop();
}

/// Nobody will ever type for it.
#[test]
fn a_program_that_reads_keys_and_does_not_end_is_hung_up_when_there_are_none() {
    let emperor = jailed();
    let deaf = "stty raw -echo; trap 'exit 3' HUP; while :; do head -c 1 >/dev/null; echo key; done";
    ends_after(&emperor, "", &["bash", "-c", deaf]);
    ends_after(&emperor, "", &["vim", "-u", "NONE"]);
    emperor.wait_for("alice.ini", "is over after");
    emperor.stop();
}

/// It reads nothing, so it does not miss what nobody types.
#[test]
fn a_program_that_does_not_read_goes_on_when_there_is_no_input() {
    let emperor = jailed();
    let gate = "until test -e /tmp/gate; do echo on; sleep 0.1; done; echo through; exit 4";
    let mut client = liege(&emperor, ALICE, &["attach", "alice", "--", "sh", "-c", gate]);
    let mut client = client.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().take(40).all(|line| line.unwrap() == "on"));
    assert!(run(&emperor, ALICE, &["exec", "alice", "--", "touch", "/tmp/gate"]).status.success());
    assert!(lines.any(|line| line.unwrap() == "through"));
    assert_eq!(client.wait().unwrap().code(), Some(4));
    emperor.stop();
}
