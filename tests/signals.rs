//! Signals to the Emperor.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{Emperor, Process, Tree};
use rustix::process::Signal;

const SLEEP: &str = "command = sleep infinity\n";
const NAMES: [&str; 3] = ["a.ini", "b.ini", "c.ini"];

fn three(body: &str, options: &[&str]) -> (Emperor, Vec<Process>) {
    let tree = Tree::new();
    for name in NAMES {
        tree.vassal(name, body);
    }
    let emperor = Emperor::start(tree, options);
    let vassals = NAMES.map(|name| emperor.vassal(name)).into();
    (emperor, vassals)
}

fn ends_everything(signal: Signal) {
    let (mut emperor, vassals) = three(SLEEP, &[]);
    emperor.signal(signal);
    assert!(emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("[emperor] *** RAGNAROK EVOKED ***"));
    emperor.wait_for_line(|line| line.contains("The Emperor is buried."));
    vassals.iter().for_each(Process::wait_gone);
    emperor.stop();
}

#[test]
fn term_stops_everybody() {
    ends_everything(Signal::TERM);
}

#[test]
fn int_stops_everybody() {
    ends_everything(Signal::INT);
}

#[test]
fn quit_stops_everybody() {
    ends_everything(Signal::QUIT);
}

#[test]
fn all_are_asked_to_stop_before_any_is_waited_for() {
    // None of them obeys, so none is gone before its grace is over.
    let (mut emperor, _) = three(
        "command = sh -c \"trap '' TERM; while :; do sleep 600; done\"\n",
        &["--emperor-curse-tolerance", "1"],
    );
    emperor.wait_for_programs("sleep", NAMES.len());
    emperor.signal(Signal::TERM);
    assert!(emperor.wait().success());
    let lines = emperor.lines.all();
    let last_asked = lines.iter().rposition(|line| line.contains("stop the uwsgi instance")).unwrap();
    let first_killed = lines.iter().position(|line| line.contains("killed with everything")).unwrap();
    assert!(last_asked < first_killed, "{}", lines.join("\n"));
    for name in NAMES {
        assert_eq!(emperor.told(name, "stop the uwsgi instance"), 1);
    }
    emperor.stop();
}

#[test]
fn a_second_term_kills_at_once() {
    let (mut emperor, _) = three(
        "command = sh -c \"trap '' TERM; while :; do sleep 600; done\"\n",
        &["--emperor-curse-tolerance", "600"],
    );
    emperor.wait_for_programs("sleep", NAMES.len());
    emperor.signal(Signal::TERM);
    for name in NAMES {
        emperor.wait_for(name, "stop the uwsgi instance");
    }
    emperor.signal(Signal::TERM);
    assert!(emperor.wait().success());
    emperor.stop();
}

#[test]
fn hup_reloads_everybody() {
    let (emperor, vassals) = three(SLEEP, &[]);
    let mark = emperor.lines.mark();
    emperor.signal(Signal::HUP);
    for (name, old) in NAMES.iter().zip(&vassals) {
        emperor.wait_since(mark, name, &format!("[emperor] reload the uwsgi instance {name}"));
        old.wait_gone();
        emperor.vassal_since(mark, name);
        assert_eq!(emperor.told(name, "throttling"), 0);
    }
    emperor.stop();
}

#[test]
fn hup_to_one_that_is_only_just_born_reloads_it_once_it_runs() {
    let tree = Tree::new();
    let gate = tree.path("gate");
    tree.vassal("a.ini", SLEEP);
    let hook = format!("exec:until [ -e {} ]; do sleep 0.01; done", gate.display());
    let emperor = Emperor::start(tree, &["--hook-as-emperor-before-vassal", &hook]);
    emperor.wait_stats("a.ini", |vassal| vassal["state"] == "stepping");
    emperor.signal(Signal::HUP);
    // Of two signals the one with the lower number is read first.
    emperor.signal(Signal::USR1);
    emperor.wait_for("a.ini", "stepping");
    assert_eq!(emperor.told("a.ini", "[emperor] reload"), 0);
    std::fs::write(&gate, "").unwrap();
    emperor.wait_for("a.ini", "started with pid");
    emperor.wait_for("a.ini", "[emperor] reload the uwsgi instance a.ini");
    emperor.wait_stats("a.ini", |vassal| vassal["state"] == "running" && vassal["respawns"] == 1);
    emperor.stop();
}

#[test]
fn usr1_says_how_everybody_is() {
    let (emperor, vassals) = three(SLEEP, &[]);
    let mark = emperor.lines.mark();
    emperor.signal(Signal::USR1);
    for (name, vassal) in NAMES.iter().zip(&vassals) {
        let line = emperor.wait_since(mark, name, "running");
        assert!(line.contains(&vassal.pid.to_string()), "{line}");
    }
    emperor.stop();
}

#[test]
fn usr2_is_told_and_ends_nobody() {
    let (emperor, vassals) = three(SLEEP, &[]);
    emperor.signal(Signal::USR2);
    emperor.wait_for_line(|line| line.contains("SIGUSR2 means nothing here"));
    emperor.tree.vassal("d.ini", SLEEP);
    emperor.vassal("d.ini");
    for name in NAMES {
        assert_eq!(emperor.told(name, "died"), 0);
    }
    assert_eq!(vassals.len(), NAMES.len());
    emperor.stop();
}

#[test]
fn pipe_is_ignored_by_the_emperor_and_not_by_a_command() {
    let (emperor, vassals) = three(SLEEP, &[]);
    emperor.signal(Signal::PIPE);
    emperor.tree.vassal("d.ini", SLEEP);
    emperor.vassal("d.ini");
    let command = vassals[0].child();
    for set in ["SigIgn", "SigBlk", "SigCgt"] {
        assert_eq!(command.status(set), "0000000000000000", "{set}");
    }
    emperor.stop();
}
