//! The example vassals run by the README's first command.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::path::Path;

use common::{ALICE, Emperor, Start, Tree};

const NAMES: [&str; 6] =
    ["clock.ini", "environment.ini", "hello.ini", "hooks.ini", "hostname.ini", "socket.ini"];

/// A tree with a copy of `examples`, as in a fresh clone of this user's.
fn clone_of(owner: u32) -> Tree {
    let tree = Tree::new();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(&examples)
        .arg(tree.path("examples"))
        .status()
        .unwrap();
    assert!(copied.success());
    let id = format!("{owner}:{owner}");
    let owned =
        std::process::Command::new("chown").arg("-R").arg(&id).arg(tree.path("examples")).status().unwrap();
    assert!(owned.success());
    tree
}

/// The command of the README, without `cargo run`.
const COMMAND: [&str; 4] = ["--emperor", "examples/vassals", "--jail", "standard"];

fn all_run(emperor: &Emperor) {
    for name in NAMES {
        let vassal = emperor.vassal(name);
        assert_eq!(vassal.status("NSpid"), format!("{} 1", vassal.pid), "{name}");
    }
    emperor.wait_for_line(|line| line == "hello from hello");
    emperor.wait_for_line(|line| line == "my host name is hostname.example");
    emperor.wait_for_line(|line| line.starts_with("good morning from environment"));
    emperor.wait_for_line(|line| line.starts_with("hooks: with the final ids"));
    let socket = emperor.tree.path("examples/vassals/socket.sock");
    let mut answer = String::new();
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1."), "{answer}");
}

#[test]
fn there_is_no_other_example() {
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vassals")).unwrap();
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".ini"));
    names.sort();
    assert_eq!(names, NAMES);
}

#[test]
fn all_examples_run_as_root() {
    let emperor = Start::bare(clone_of(0)).options(&COMMAND).start();
    all_run(&emperor);
    emperor.stop();
}

#[test]
fn all_examples_run_as_an_ordinary_user() {
    let emperor = Start::owned_bare(clone_of(ALICE), ALICE).options(&COMMAND).by_user(ALICE).start();
    all_run(&emperor);
    emperor.stop();
}

#[test]
fn every_example_passes_the_check() {
    let tree = clone_of(0);
    let (emperor, top) = (tree.path("emperor.ini"), tree.path("examples/vassals"));
    tree.place(&emperor, 0, &format!("[uwsgi]\nemperor = {}\njail = standard\n", top.display()));
    let files = std::iter::once(emperor).chain(NAMES.iter().map(|name| top.join(name)));
    let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
    let arguments: Vec<&str> = std::iter::once("check").chain(files.iter().map(String::as_str)).collect();
    let output = common::liege(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}
