//! `fd://N`: sockets that listen already when liege is started, as from systemd, another Emperor, or any program.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};

use common::{LIEGE, Start, Tree, liege};

/// What systemd does for a socket unit.
const ACTIVATE: &str = "/usr/bin/systemd-socket-activate";
/// Puts its standard input at descriptor 7, and becomes liege with a config.
const BEQUEATH: &str = r#"exec 7<&0 </dev/null && exec "$0" vassal --ini "$1""#;
/// Answers one connection at descriptor 3, and says by what names its sockets go.
const ANSWER: &str = "command = python3 -c \"import os, socket; os.environ['LISTEN_PID'] == str(os.getpid()) and \
    socket.socket(fileno=3).accept()[0].send(os.environ['LISTEN_FDNAMES'].encode())\"";

/// Runs the config `x.ini` of this tree to its end; descriptor 7 is this one.
fn run(tree: &Tree, seventh: Stdio) -> Output {
    let config = tree.path("x.ini");
    let mut command = Command::new("/bin/sh");
    command.args(["-c", BEQUEATH, LIEGE]).arg(config).stdin(seventh);
    command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", tree.path("bin").display())).output().unwrap()
}

fn with_config(lines: &str) -> Tree {
    let tree = Tree::new();
    config(&tree, "x.ini", lines);
    tree
}

fn config(tree: &Tree, name: &str, lines: &str) {
    tree.place(&tree.path(name), 0, &format!("[uwsgi]\n{lines}\n"));
}

/// A socket of this tree and somebody who waits for an answer there.
fn listener(tree: &Tree) -> (Stdio, UnixStream) {
    let path = tree.path("run/door");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    (Stdio::from(OwnedFd::from(listener)), client)
}

/// All that comes, when everybody else has let go of the socket.
fn answer(mut client: UnixStream) -> String {
    let mut text = String::new();
    // Nobody took the connection: then the socket is closed upon us.
    let _ = client.read_to_string(&mut text);
    text
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_command_gets_the_socket_that_its_vassal_was_left_like_one_that_was_bound() {
    let tree =
        with_config(&format!("socket = fd://7\nsocket = 127.0.0.1:0\nuid = 54321\ngid = 54321\n{ANSWER}"));
    let (socket, client) = listener(&tree);
    let output = run(&tree, socket);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(answer(client), "door:0");
}

#[test]
fn a_vassal_that_systemd_starts_on_a_connection_answers_it() {
    if !std::path::Path::new(ACTIVATE).exists() {
        println!("skipped: there is no {ACTIVATE}");
        return;
    }
    let tree = with_config(&format!("socket = fd://3\n{ANSWER}"));
    let (door, config) = (tree.path("run/door"), tree.path("x.ini"));
    let mut command = Command::new(ACTIVATE);
    command.arg("-l").arg(&door).args([LIEGE, "vassal", "--ini"]).arg(config);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let client = common::eventually("a socket of systemd's", || UnixStream::connect(&door).ok());
    assert_eq!(answer(client), "door");
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_no_listening_socket_is_refused_with_its_place() {
    let connected = || Stdio::from(OwnedFd::from(UnixStream::pair().unwrap().0));
    for (socket, seventh, why) in [
        ("fd://7", Stdio::null(), "descriptor 7 is no socket"),
        ("fd://7", connected(), "descriptor 7 is a socket that does not listen"),
        ("fd://8", connected(), "no descriptor 8 is open"),
        ("fd://3", connected(), "no descriptor 3 is open"),
    ] {
        let tree = with_config(&format!("socket = {socket}\ncommand = true"));
        let output = run(&tree, seventh);
        assert_eq!(output.status.code(), Some(1), "{socket}");
        let wanted = format!("x.ini:2:10: cannot listen on {socket}: {why}");
        assert!(said(&output).contains(&wanted), "{}", said(&output));
    }
}

#[test]
fn a_fallback_config_finds_the_socket_too() {
    let tree = with_config("fallback-config = %dsecond.ini\ncomand = x");
    config(&tree, "second.ini", &format!("socket = fd://7\n{ANSWER}"));
    let (socket, client) = listener(&tree);
    let output = run(&tree, socket);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(answer(client), "door");
}

#[test]
fn a_program_in_our_place_finds_the_socket_under_its_number() {
    let tree = with_config("module = app\nsocket = fd://7");
    std::fs::create_dir(tree.path("bin")).unwrap();
    let uwsgi = tree.path("bin/uwsgi");
    std::fs::write(&uwsgi, "#!/bin/sh\nreadlink /proc/self/fd/7\nls /proc/self/fd | wc -l\n").unwrap();
    std::fs::set_permissions(&uwsgi, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (socket, _client) = listener(&tree);
    let output = run(&tree, socket);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    // 0, 1, 2, the socket, and the directory that `ls` reads.
    assert!(text.starts_with("socket:[") && text.ends_with("\n5\n"), "{text}{}", said(&output));
}

#[test]
fn an_emperor_serves_its_stats_on_the_socket_that_it_was_left() {
    let tree = Tree::new();
    tree.vassal("a.ini", "command = sh -c 'ls /proc/self/fd | wc -l; exec sleep infinity'\n");
    let path = tree.path("run/stats.sock");
    let script = "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); \
        os.dup2(s.fileno(), 7); os.execv(sys.argv[2], sys.argv[2:])";
    let source = tree.vassals().display().to_string();
    let start = Start::without_stats(tree).options(&["--emperor", &source, "--emperor-stats", "fd://7"]);
    let emperor = start.through(&["python3", "-c", script, path.to_str().unwrap()]).start();
    let vassal = emperor.vassal("a.ini");
    assert_eq!(emperor.stats()["pid"], emperor.process.pid);
    assert_eq!(emperor.stats_of("a.ini").unwrap()["pid"], vassal.pid);
    // No vassal has it: 0, 1, 2 and the directory that `ls` reads.
    emperor.wait_for_line(|line| line.trim_end().ends_with('4'));
    // Its file belongs to whoever bound it.
    assert!(path.exists());
    std::fs::remove_file(path).unwrap();
    emperor.stop();
}

#[test]
fn an_emperor_that_was_left_no_socket_does_not_start_without_its_stats() {
    let tree = Tree::new();
    let source = tree.vassals().display().to_string();
    let output = liege(&["--emperor", &source, "--emperor-stats", "fd://77"]);
    assert_eq!(output.status.code(), Some(1));
    let wanted = "cannot serve the stats: no descriptor 77 is open";
    assert!(said(&output).contains(wanted), "{}", said(&output));
}

#[test]
fn nobodys_status_is_asked_for_at_a_descriptor() {
    let output = liege(&["status", "fd://3"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(said(&output).contains("say HOST:PORT, a path or @NAME"), "{}", said(&output));
}
