//! `pty-socket`: one terminal of the command, for everybody who connects.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::client::Client;
use super::clients::connect;
use super::emperor::{Outcome, Place, Vassal};
use super::seat::Seat;
use super::{children_of, until};

fn shared(options: &str) -> Place {
    Place::new(&format!("pty-socket = DIR/pty\nenv = PS1=ready>\n{options}"))
}

/// One who has come: what he types comes back.
fn come(place: &Place) -> Client {
    let mut client = Client::of(&place.path("pty"));
    client.say(b"\n");
    client.wait_for("ready>");
    client
}

#[test]
fn all_see_what_is_written_and_all_may_type() {
    let place = shared("command = bash --norc -i\nuid = 54321\ngid = 54322\n");
    let vassal = Vassal::start(place.command(), None);
    let mut first = Client::of(&place.path("pty"));
    first.say(b"tty > /dev/null && ec''ho on $(id -u):$(id -g) $(stty size) $(ps -o stat= -p $$) e''nd\n");
    first.wait_for("on 54321:54322 24 80");
    first.wait_for("s+ end");
    let mut second = come(&place);
    second.say(b"echo from-sec''ond\n");
    first.wait_for("from-second\r\n");
    second.wait_for("from-second\r\n");
    first.say(b"echo from-fi''rst\n");
    second.wait_for("from-first\r\n");
    let meta = std::fs::metadata(place.path("pty")).unwrap();
    assert_eq!((meta.mode() & 0o777, meta.uid()), (0o600, 54321));
    // The command outlives its clients.
    first.say(b"kept=mi''ne\n");
    drop(first);
    drop(second);
    let mut third = come(&place);
    third.say(b"echo is $kept\n");
    third.wait_for("is mine\r\n");
    third.say(b"exit 7\n");
    third.end();
    assert_eq!(vassal.end().code(), 7, "its status is that of the vassal");
}

#[test]
fn job_control_works_on_it_and_a_hang_up_ends_it() {
    let place = shared("pty-exec = bash --norc -i\n");
    let vassal = Vassal::start(place.command(), None);
    drop(come(&place));
    let (_, status) = Seat::default()
        .send("\r")
        .expect("ready>")
        .send("sh -c 'trap \"echo con\"\"tinued\" CONT; echo sle\"\"eping; while :; do read x; done'\r")
        .expect("sleeping")
        .send("\x1a")
        .expect("Stopped")
        .send("fg\r")
        .expect("continued")
        .send("\x03")
        .expect("ready>")
        .send("\r~.")
        .sit(&connect(&place, "--pty-connect", "pty"));
    assert_eq!(status, 0);
    let mut client = come(&place);
    hang_up(vassal);
    client.end();
}

/// A shell with a terminal hears of no TERM.
fn hang_up(vassal: Vassal) {
    vassal.signal(Signal::HUP);
    vassal.end();
}

/// Row T8.
#[test]
fn a_client_that_reads_nothing_keeps_nobody_waiting() {
    let place = shared("command = sh -c 'read x; seq 1 300000; echo al\"\"l; read x'\n");
    let vassal = Vassal::start(place.command(), None);
    let stuck = Client::of(&place.path("pty"));
    let mut reader = Client::of(&place.path("pty"));
    reader.say(b"go\n");
    reader.wait_for("all\r\n");
    let seen = reader.1.replace('\r', "");
    let all: String = (1..=300_000).map(|number| format!("{number}\n")).collect();
    assert!(seen.contains(&all), "whoever reads gets every byte");
    drop(reader);
    // Also when it is the only one.
    let mut last = Client::of(&place.path("pty"));
    last.say(b"\n");
    drop(stuck);
    last.end();
    let outcome = vassal.end();
    assert!(outcome.errors.contains("a client of the terminal was let go"), "{}", outcome.errors);
}

/// Row T8.
#[test]
fn a_command_is_not_held_up_by_one_client_that_reads_nothing() {
    let place = shared("command = sh -c 'read x; seq 1 300000; exit 5'\n");
    let vassal = Vassal::start(place.command(), None);
    let mut stuck = Client::of(&place.path("pty"));
    stuck.say(b"go\n");
    assert_eq!(vassal.end().code(), 5);
}

/// Row T9.
#[test]
fn who_is_neither_the_vassals_user_nor_root_is_sent_away() {
    // Whoever opens the socket file to everybody lets nobody in by that.
    let place = shared(
        "command = sh -c 'echo se\"\"cret; chmod 666 DIR/pty; while :; do sleep 1000; done'\nuid = 54321\ngid = 54321\n",
    );
    let vassal = Vassal::start(place.command(), None);
    drop(Client::of(&place.path("pty")));
    until("it is open to all", || {
        std::fs::metadata(place.path("pty")).is_ok_and(|meta| meta.mode() & 0o777 == 0o666)
    });
    let (program, path) = (place.path("liege"), place.path("pty"));
    let as_user = |uid: u32| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &uid.to_string(), "--regid", &uid.to_string(), "--clear-groups"]);
        command.arg(&program).arg("--pty-connect").arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    };
    let output = as_user(54322).stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let mut friend = as_user(54321).spawn().unwrap();
    friend.stdin.take().unwrap().write_all(b"typed\n").unwrap();
    let mut echo = [0; 5];
    friend.stdout.take().unwrap().read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"typed");
    friend.kill().unwrap();
    friend.wait().unwrap();
    vassal.signal(Signal::TERM);
    let outcome = vassal.end();
    assert!(outcome.errors.contains("uid 54322 came to the terminal"), "{}", outcome.errors);
}

#[test]
fn the_log_gets_a_copy_and_so_does_whoever_reads_the_output() {
    let place = shared("command = sh -c 'echo fi\"\"rst; exit 3'\npty-log\n");
    let outcome = place.run();
    assert_eq!((outcome.output.as_str(), outcome.code()), ("first\r\n", 3), "{}", outcome.errors);
    let place = shared("command = sh -c 'seq 1 50000'\npty-log\nlogto = DIR/log\n");
    let outcome = place.run();
    let all: String = (1..=50_000).map(|number| format!("{number}\r\n")).collect();
    assert!(place.read("log").contains(&all) && outcome.output.is_empty(), "to the last byte");
    let place = shared("command = sh -c 'echo nothing'\nlogto = DIR/log\n");
    let outcome = place.run();
    assert_eq!((outcome.output.as_str(), place.read("log").as_str()), ("", ""), "without it there is none");
}

/// Row T8.
#[test]
fn a_log_that_takes_nothing_keeps_nobody_waiting() {
    let place = shared("command = sh -c 'read x; seq 1 300000; echo al\"\"l; exit 4'\npty-log\n");
    let mut command = place.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let mut client = Client::of(&place.path("pty"));
    client.say(b"go\n");
    client.wait_for("all\r\n");
    client.end();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("the log is too slow"), "{errors}");
}

/// A memory file system of 64 KiB on `disk`, seen by the vassal alone; all but a quarter of it is used up.
const TINY: &str =
    "mount -t tmpfs -o size=64k none disk && head -c 49152 /dev/zero > disk/ballast && exec \"$@\"";

/// Row T8.
#[test]
fn a_log_on_a_full_disk_keeps_nobody_waiting_and_goes_on_when_there_is_room() {
    // More than there is room for, but less than there will be.
    let script = "read x; seq 1 6000; echo al\"\"l; read x; echo ro\"\"om; read x; exit 4";
    let place = shared(&format!("command = sh -c '{script}'\npty-log\nlogto = DIR/disk/log\n"));
    place.directory("disk", 0, 0o755);
    let liege = place.command();
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", TINY, "-"]).arg(liege.get_program()).args(liege.get_args());
    command.current_dir(place.path("")).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let errors = std::fs::File::create(place.path("errors")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    let mut child = command.spawn().unwrap();
    let disk = Path::new("/proc").join(child.id().to_string()).join("root").join(disk_of(&place));
    let told = |words: &str| place.read("errors").matches(words).count();
    let mut client = Client::of(&place.path("pty"));
    client.say(b"go\n");
    client.wait_for("all\r\n");
    until("it is told", || {
        told("cannot write the log of the terminal, and what comes now is not in it: ENOSPC") == 1
    });
    std::fs::remove_file(disk.join("ballast")).unwrap();
    client.say(b"on\n");
    client.wait_for("room\r\n");
    until("it goes on", || std::fs::read_to_string(disk.join("log")).unwrap().ends_with("room\r\n"));
    let log = std::fs::read_to_string(disk.join("log")).unwrap();
    until("how much is missing", || told(" bytes of the terminal are not in the log: ENOSPC") == 1);
    client.say(b"\n");
    client.end();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let errors = place.read("errors");
    let missing =
        errors.split(" bytes of the terminal").next().and_then(|text| text.rsplit(['"', ' ']).next());
    let missing: usize = missing.unwrap().parse().unwrap();
    let seen = client.1.split_inclusive("room\r\n").next().unwrap();
    assert_eq!(log.len() + missing, seen.len(), "{errors}");
    assert!(log.starts_with(&seen[..16_000]) && told("cannot write") == 1, "{errors}");
}

/// Below any root.
fn disk_of(place: &Place) -> PathBuf {
    place.path("disk").strip_prefix("/").unwrap().to_owned()
}

/// Row T8.
#[test]
fn a_log_that_may_not_become_longer_keeps_nobody_waiting_and_ends_no_process() {
    let script = "read x; seq 1 30000; echo al\"\"l; read x; exit 4";
    let limits = "rlimit-fsize = 4096\nrlimit-core = 0\n";
    let place = shared(&format!("command = sh -c '{script}'\npty-log\nlogto = DIR/log\n{limits}"));
    let vassal = Vassal::start(place.command(), None);
    let mut client = Client::of(&place.path("pty"));
    client.say(b"go\n");
    client.wait_for("all\r\n");
    client.say(b"\n");
    client.end();
    let outcome = vassal.end();
    assert_eq!((outcome.code(), place.read("log").len()), (4, 4096), "{}", outcome.errors);
    let missing = format!("{} bytes of the terminal are not in the log: EFBIG", client.1.len() - 4096);
    assert!(outcome.errors.contains(&missing), "{}", outcome.errors);
    assert!(!outcome.errors.contains("is started again"), "{}", outcome.errors);
}

/// Row T8.
#[test]
fn a_log_that_nobody_reads_any_more_ends_no_process() {
    let place =
        shared("command = sh -c 'read x; echo fi\"\"rst; read x; echo la\"\"st; read x; exit 4'\npty-log\n");
    let mut command = place.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut client = Client::of(&place.path("pty"));
    client.say(b"1\n");
    client.wait_for("first\r\n");
    client.say(b"2\n");
    client.wait_for("last\r\n");
    client.say(b"3\n");
    client.end();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("cannot write the log of the terminal") && errors.contains("EPIPE"), "{errors}");
}

#[test]
fn what_comes_on_standard_input_is_typed_too() {
    let place =
        shared("command = sh -c 'while read x; do echo got $x; test $x != end || exit 6; done'\npty-input\n");
    let mut command = place.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut client = Client::of(&place.path("pty"));
    client.say(b"typed\n");
    client.wait_for("got typed\r\n");
    child.stdin.take().unwrap().write_all(b"words\n").unwrap();
    client.wait_for("got words\r\n");
    // The end of the one is not that of the other.
    client.say(b"end\n");
    client.end();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(6));
}

#[test]
fn a_terminal_in_front_is_lent_and_given_back() {
    let place = shared("command = bash --norc -i\npty-input\npty-log\n");
    drop(place.command());
    let line = format!("cd {}; ./liege vassal --ini v.ini", place.path("").display());
    let script = format!("{line}; status=$?; stty | grep -q -e '-icanon' || echo SA''ME $status");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]);
    Seat::default()
        .expect("ready>")
        .send("stty size; sh -c 'echo rea\"\"dy; exec cat'\r")
        .expect("24 80\r\n")
        .expect("ready\r\n")
        .send("\x03")
        .expect("ready>")
        .send("sh -c 'trap \"stty size\" WINCH; echo rea\"\"dy; while :; do sleep 0.01; done'\r")
        .expect("ready\r\n")
        .resize(40, 100)
        .expect("40 100\r\n")
        .resize(50, 132)
        .expect("50 132\r\n")
        .send("\x03")
        .expect("ready>")
        .send("exit 3\r")
        .expect("SAME 3\r\n")
        .sit(&shell);
}

#[test]
fn a_process_of_the_terminal_that_is_killed_is_there_again_and_the_command_knows_nothing_of_it() {
    let place = shared("command = bash --norc -i\n");
    let vassal = Vassal::start(place.command(), None);
    let mut client = come(&place);
    client.say(b"kept=mi''ne; echo shell-is=$$=\n");
    client.wait_for("shell-is=");
    client.wait_for("=\r\n");
    let shell = client.1.split("shell-is=").nth(1).unwrap().split('=').next().unwrap().to_owned();
    let server = children_of(vassal.pid()).into_iter().find(|pid| *pid != shell).unwrap();
    kill_process(Pid::from_raw(server.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    client.end();
    let mut client = come(&place);
    client.say(b"echo is $kept\n");
    client.wait_for("is mine\r\n");
    // A signal that comes just before a shell waits for what is typed it only notes, and then waits.
    client.say(b"exit\n");
    vassal.end();
}

/// Row T2.
#[test]
fn the_command_has_its_terminal_and_no_other_descriptor() {
    let place = shared("command = ls -l /proc/self/fd\npty-log\n");
    let outcome = place.run();
    let links = outcome.output.lines().filter_map(|line| line.split_once(" -> "));
    let links: Vec<&str> = links.map(|(_, link)| link).collect();
    // The last one is what it looks at.
    assert!(links.len() == 4 && links[..3].iter().all(|link| link.starts_with("/dev/pts/")), "{links:?}");
}

#[test]
fn floods_of_clients_are_bounded() {
    let place = shared("command = sh -c 'while read x; do echo got $x; done'\n");
    let vassal = Vassal::start(place.command(), None);
    let mut first = Client::of(&place.path("pty"));
    first.say(b"1\n");
    first.wait_for("got 1");
    let crowd: Vec<UnixStream> = (0..90).map(|_| UnixStream::connect(place.path("pty")).unwrap()).collect();
    // The last one is sent away: then all before have been seen.
    let mut last = crowd.last().unwrap();
    assert_eq!(last.read(&mut [0; 1]).unwrap_or(0), 0);
    first.say(b"2\n");
    first.wait_for("got 2");
    drop(crowd);
    until("one more is let in", || {
        let mut late = Client::of(&place.path("pty"));
        // Who is not let in may find it closed already.
        let _ = late.0.write_all(b"3\n");
        !late.read_while(|seen| !seen.contains("got 3"))
    });
    vassal.signal(Signal::TERM);
    let outcome: Outcome = vassal.end();
    assert!(outcome.errors.contains("too many are at the terminal"), "{}", outcome.errors);
}
