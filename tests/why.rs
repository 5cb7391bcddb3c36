//! Every kind of end, made to happen, and the sentence by which `liege why` explains it.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use common::{ALICE, Emperor, Process, Start, Tree, eventually};
use regex_lite::Regex;
use rustix::process::Signal;
use serde_json::Value;

/// A vassal of one kind: its name, its config, the state in which it ends up, and what is said of that.
struct Kind {
    name: &'static str,
    config: &'static str,
    state: &'static str,
    said: &'static str,
}

const fn kind(name: &'static str, config: &'static str, state: &'static str, said: &'static str) -> Kind {
    Kind { name, config, state, said }
}

/// How it stands then hangs on how much the machine has to do: one that lived for three seconds is loyal.
const LOADED: &str = "";

/// Says to the Emperor what stands there, in the place of the vassal master, and what it does then.
const BECOMES: &str = "unprivileged-binary-patch-arg = ";

/// Those that come to their end by themselves.
const KINDS: &[Kind] = &[
    kind(
        "status.ini",
        "command = sh -c \"exit 7\"",
        "throttled",
        "what happened: ended by itself after T s (exit status 7), at TIME",
    ),
    kind(
        "signal.ini",
        "command = sh -c 'kill -SEGV $$'",
        "throttled",
        "what happened: ended by itself after T s (exit status 139), at TIME",
    ),
    kind(
        "cpu.ini",
        "rlimit-cpu = 1:60\ncommand = sh -c 'while :; do :; done'",
        LOADED,
        "ended by itself after T s (exit status 152), at TIME",
    ),
    kind(
        "memory.ini",
        "rlimit-as = 400M\ncommand = python3 -c \"x = bytearray(1 << 30)\"",
        LOADED,
        "ended by itself after T s (exit status 1), at TIME",
    ),
    kind(
        "hook.ini",
        "hook-as-user = exec:exit 3\ncommand = sleep infinity",
        "throttled",
        "what happened: ended by itself after T s (exit status 1); it said: hook-as-user `exec:exit 3` ended with status 3 (step N of M), at TIME",
    ),
    kind(
        "program.ini",
        "command = /no/such/program",
        "throttled",
        "what happened: ended by itself after T s (exit status 1); it said: cannot run `/no/such/program`: ENOENT (step N of M); advice: is it installed, and can it be seen in the jail?, at TIME",
    ),
    kind(
        "typo.ini",
        "comand = sleep infinity",
        "refused",
        "what happened: its config is wrong: typo.ini:2:1: unknown option `comand`; did you mean `command`?, at TIME",
    ),
    kind(
        "goodbye.ini",
        "eval \"printf '\\\\026' >&$UWSGI_EMPEROR_FD\"; exec sleep infinity",
        "stopped",
        "what happened: it asked to be stopped, at TIME",
    ),
    kind(
        "exile.ini",
        "command = sh -c 'exit 26'",
        "exiled",
        "what happened: it ended with status 26, which asks not to be started again, at TIME",
    ),
    kind(
        "heart.ini",
        "eval \"printf '\\\\032' >&$UWSGI_EMPEROR_FD\"; trap '' TERM; while :; do sleep 1; done",
        "throttled",
        "what happened: told to stop: its heartbeat is missing; then killed: it did not end in time (signal 9), at TIME",
    ),
    kind(
        "deaf.ini",
        "eval \"exec $UWSGI_EMPEROR_FD>&-\"; exec sleep infinity",
        "throttled",
        "what happened: killed: it closed its control descriptor and did not end (signal 9), at TIME",
    ),
];

/// Those to whom somebody does something, once they run.
const RUNNING: &[Kind] = &[
    kind("killed.ini", "", LOADED, "ended by itself after T s (signal 9), at TIME"),
    kind(
        "commanded.ini",
        "",
        "suspended",
        "what happened: it was stopped (`liege stop`, or the command `stop`), at TIME",
    ),
    kind("reloaded.ini", "", "running", "its last end: ended in order to reload (exit status 0), at TIME"),
    kind(
        "mistaken.ini",
        "",
        "running",
        "what happened: its new config is not used: mistaken.ini:2:1: unknown option `comand`; did you mean `command`?",
    ),
    kind(
        "opened.ini",
        "",
        "refused",
        "what happened: its config may not run: others than its owner can write it (mode 0666); chmod go-w the file",
    ),
];

const SLEEP: &str = "command = sleep infinity";

fn config(kind: &Kind) -> String {
    match kind.config {
        "" => format!("{SLEEP}\n"),
        config if config.contains(" = ") => format!("{config}\n"),
        script => format!("{BECOMES}{script}\n"),
    }
}

/// The line of `liege why` that says what happened, or how it last ended, without what differs from run to run.
fn explained(emperor: &Emperor, name: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liege"));
    let output = command.arg("why").arg(emperor.stats_socket()).arg(name).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("what happened:") || line.starts_with("its last end:"));
    let mut line = line.unwrap_or_else(|| panic!("nothing is explained: {text}")).to_owned();
    for (pattern, word) in [
        (r"after \d+\.\d s", "after T s"),
        (r"\(step \d+ of \d+\)", "(step N of M)"),
        (r"at \d{4}-\d\d-\d\dT[0-9:]+Z$", "at TIME"),
        (r":  +", ": "),
    ] {
        line = Regex::new(pattern).unwrap().replace_all(&line, word).into_owned();
    }
    line
}

fn assert_explained(emperor: &Emperor, kinds: &[Kind]) {
    let mut wrong = String::new();
    for kind in kinds {
        let has_ended = |one: &Value| !one["last_end"].is_null();
        emperor.wait_stats(kind.name, |one| match kind.state {
            LOADED => has_ended(one),
            state => one["state"] == state,
        });
        let said = explained(emperor, kind.name);
        if !said.ends_with(kind.said) {
            wrong += &format!("{}:\n  {said}\n  {}\n", kind.name, kind.said);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const PACE: [&str; 6] =
    ["--emperor-throttle", "600000", "--emperor-required-heartbeat", "1", "--emperor-curse-tolerance", "1"];

#[test]
fn every_end_that_comes_by_itself_has_its_sentence() {
    let tree = Tree::new();
    KINDS.iter().for_each(|kind| drop(tree.vassal(kind.name, &config(kind))));
    let emperor = Emperor::start(tree, &PACE);
    assert_explained(&emperor, KINDS);
    emperor.stop();
}

#[test]
fn a_config_without_our_section_is_told_what_it_has() {
    let tree = Tree::new();
    let texts = [
        ("supervisord.ini", "[program:web]\n", "it has [program:web]"),
        ("headless.ini", "", "begin the file with [uwsgi]: what stands before a section is not read"),
    ];
    let sentence = |name: &str, cure: &str| {
        format!("its config is wrong: {name}: this config runs nothing: no section [uwsgi]; {cure}")
    };
    for (name, head, _) in texts {
        tree.place(&tree.vassals().join(name), 0, &format!("{head}command = sleep infinity\n"));
    }
    let emperor = Emperor::start(tree, &PACE);
    for (name, _, cure) in texts {
        emperor.wait_stats(name, |one| one["state"] == "refused");
        let told = sentence(name, cure);
        assert_eq!(explained(&emperor, name), format!("what happened: {told}, at TIME"));
        let mut status = Command::new(env!("CARGO_BIN_EXE_liege"));
        let output = status.arg("status").arg(emperor.stats_socket()).arg(name).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("no section [uwsgi]"), "{text}");
    }
    emperor.stop();
}

fn master(emperor: &Emperor, name: &str, starts: u64) -> Process {
    let one = emperor.wait_stats(name, |one| one["ready"] == 1 && one["starts"] == starts);
    Process::of(i32::try_from(one["pid"].as_i64().unwrap()).unwrap())
}

#[test]
fn whatever_is_done_to_a_vassal_has_its_sentence() {
    let tree = Tree::new();
    RUNNING.iter().for_each(|kind| drop(tree.vassal(kind.name, &config(kind))));
    tree.vassal("removed.ini", "command = sleep infinity\n");
    let socket = tree.path("run/commands.sock");
    let emperor =
        Start::in_tree(tree).options(&PACE).option("--emperor-command-socket").option(&socket).start();
    RUNNING.iter().for_each(|kind| drop(master(&emperor, kind.name, 1)));
    master(&emperor, "killed.ini", 1).signal(Signal::KILL);
    let mut words = vec![0; 4];
    for word in ["cmd", "stop", "vassal", "commanded.ini"] {
        words.extend(u16::try_from(word.len()).unwrap().to_le_bytes());
        words.extend(word.as_bytes());
    }
    UnixDatagram::unbound().unwrap().send_to(&words, &socket).unwrap();
    emperor.tree.vassal("reloaded.ini", "env = A=1\ncommand = sleep infinity\n");
    master(&emperor, "reloaded.ini", 2);
    emperor.tree.vassal("mistaken.ini", "comand = sleep infinity\n");
    emperor.wait_stats("mistaken.ini", |one| one["reason"] != "" && one["state"] == "running");
    let opened = emperor.tree.vassals().join("opened.ini");
    std::fs::set_permissions(opened, PermissionsExt::from_mode(0o666)).unwrap();
    assert_explained(&emperor, RUNNING);
    master(&emperor, "removed.ini", 1);
    std::fs::remove_file(emperor.tree.vassals().join("removed.ini")).unwrap();
    emperor.wait_for("removed.ini", "removed uwsgi instance");
    // Nobody is left to be explained; what became of it is among the events.
    let ask = |verb: &str| {
        Command::new(env!("CARGO_BIN_EXE_liege"))
            .arg(verb)
            .arg(emperor.stats_socket())
            .arg("removed.ini")
            .output()
            .unwrap()
    };
    assert!(!ask("why").status.success());
    let events = String::from_utf8(ask("events").stdout).unwrap();
    assert!(events.contains("(its config is gone)") && events.contains("ended (exit status 0)"), "{events}");
    emperor.stop();
}

#[test]
fn who_never_got_as_far_as_its_program_has_its_sentence() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "first.ini", "command = sleep infinity\n");
    let options = ["--emperor-tyrant", "--emperor-tenant-max", "1", "--hook-as-vassal", "exec:exit 4"];
    let emperor = Emperor::start(tree, &[&options[..], &PACE[..2]].concat());
    emperor.wait_stats("first.ini", |one| one["state"] == "throttled");
    emperor.tree.vassal_of(ALICE, "second.ini", "command = sleep infinity\n");
    let kinds = [
        kind(
            "first.ini",
            "",
            "throttled",
            "what happened: cannot be started: cannot do hook-as-vassal `exec:exit 4`: ended with status 4 (step N of M)",
        ),
        kind(
            "second.ini",
            "",
            "too-many",
            "what happened: its owner has too many vassals (emperor-tenant-max)",
        ),
    ];
    assert_explained(&emperor, &kinds);
    eventually("the end of its process", || {
        emperor.stats_of("first.ini").unwrap()["jail"].is_null().then_some(())
    });
    emperor.stop();
}

/// What `liege why` advises this user to do about that vassal.
fn advised(emperor: &Emperor, uid: u32, name: &str) -> String {
    let id = uid.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(emperor.tree.path("liege"));
    let output = command.arg("why").arg(emperor.stats_socket()).arg(name).current_dir("/").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("what to do:"));
    line.unwrap_or_else(|| panic!("{text}")).trim().to_owned()
}

#[test]
fn what_to_do_is_a_command_as_it_is_typed_with_the_paths_that_one_may_know() {
    for is_public in [true, false] {
        let tree = Tree::new();
        tree.liege();
        tree.vassal_of(ALICE, "it's.ini", "comand = x\n");
        let own = tree.path("my emperor.ini");
        let text = format!("[uwsgi]\nemperor = {}\nemperor-tyrant = true\n", tree.vassals().display());
        tree.place(&own, 0, &text);
        let mode = if is_public { 0o644 } else { 0o600 };
        std::fs::set_permissions(&own, PermissionsExt::from_mode(mode)).unwrap();
        let started = Start::bare(tree).option("--ini").option("my emperor.ini");
        let emperor = started.option("--emperor-stats-for-tenants").start();
        emperor.wait_stats("it's.ini", |one| one["state"] == "refused");
        let directory = emperor.tree.vassals().display().to_string();
        let told = |rules: &str, config: &str| {
            format!(
                "mend the config (`liege check {rules}{config}`); if it is a file that this one includes, touch this one then"
            )
        };
        let rules = format!("'{}' ", own.display());
        assert_eq!(advised(&emperor, 0, "it's.ini"), told(&rules, &format!(r"'{directory}/it'\''s.ini'")));
        // A guest is told the names of his vassals, and nothing of the Emperor that he could not read.
        let rules = if is_public { &rules } else { "" };
        assert_eq!(advised(&emperor, ALICE, "it's.ini"), told(rules, r"'it'\''s.ini'"));
        emperor.stop();
    }
}

#[test]
fn an_emperor_without_a_config_is_named_in_no_command() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("typo.ini", "comand = x\n");
    let emperor = Emperor::start(tree, &[]);
    emperor.wait_stats("typo.ini", |one| one["state"] == "refused");
    let config = emperor.tree.vassals().join("typo.ini");
    assert!(advised(&emperor, 0, "typo.ini").contains(&format!("(`liege check {}`)", config.display())));
    emperor.stop();
}
