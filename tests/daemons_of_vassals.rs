//! Daemons of vassals under a real Emperor: what it knows of them, and what is left when somebody is killed.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, Emperor, Process, Start, Tree};
use rustix::process::Signal;
use serde_json::Value;

const JAIL: [&str; 3] = ["--emperor-tyrant", "--jail", "standard"];
const NONE: [&str; 0] = [];

/// A vassal of Alice's with a command and daemons, one of which leaves its session and another stays behind.
const CONFIG: &str = "command = sleep infinity
attach-daemon = sleep 3600
attach-daemon2 = name=many,cmd=setsid sleep 3601 & (trap '' TERM; sleep 3602) & sleep 3603
";

fn start(options: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "alice.ini", CONFIG);
    Emperor::start(tree, options)
}

/// The daemons in the stats, once all of them run.
fn daemons(emperor: &Emperor, starts: u64) -> Vec<Value> {
    let wanted = |one: &Value| {
        let list = one["daemons"].as_array().unwrap();
        list.len() == 2 && list.iter().all(|one| one["state"] == "running" && one["starts"] == starts)
    };
    emperor.wait_stats("alice.ini", wanted)["daemons"].as_array().unwrap().clone()
}

fn asleep(emperor: &Emperor) -> Vec<Process> {
    emperor.wait_for_programs("sleep", 5)
}

#[test]
fn the_emperor_knows_the_daemons_of_a_tenant_and_nothing_is_left_of_a_master_that_is_killed() {
    for options in [&JAIL[..], &NONE] {
        let emperor = start(options);
        let names: Vec<String> =
            daemons(&emperor, 1).iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(names, ["many", "sleep"]);
        let before = asleep(&emperor);
        let mark = emperor.lines.mark();
        emperor.vassal("alice.ini").signal(Signal::KILL);
        emperor.vassal_since(mark, "alice.ini");
        before.iter().for_each(Process::wait_gone);
        daemons(&emperor, 1);
        asleep(&emperor);
        emperor.stop();
    }
}

/// What it leaves behind is proven by the end of the test.
#[test]
fn nothing_is_left_of_the_daemons_of_an_emperor_that_is_killed() {
    for options in [&JAIL[..], &NONE] {
        let mut emperor = start(options);
        asleep(&emperor);
        emperor.kill();
        emperor.wait_deserted();
    }
}

#[test]
fn a_daemon_that_is_killed_in_its_jail_is_started_again_by_its_own_master() {
    let emperor = start(&JAIL);
    daemons(&emperor, 1);
    let vassal = emperor.vassal("alice.ini");
    let slept = emperor.wait_for_programs("sleep", 5);
    let one = slept.iter().find(|one| one.command_line() == ["sleep", "3600"]).unwrap();
    one.signal(Signal::KILL);
    let again = |one: &Value| {
        let list = one["daemons"].as_array().unwrap();
        list.iter().any(|one| one["name"] == "sleep" && one["starts"] == 2 && one["state"] == "running")
    };
    emperor.wait_stats("alice.ini", again);
    assert_eq!(emperor.vassal("alice.ini").pid, vassal.pid);
    asleep(&emperor);
    emperor.stop();
}

/// Rows D1 and P1.
#[test]
fn a_daemon_has_three_descriptors_and_exactly_the_rights_of_the_tenant() {
    let tree = Tree::new();
    let line = "attach-daemon2 = name=tell,max_throttle=1,cmd=echo fds $(ls /proc/self/fd | wc -l) ids $(id -u) $(id -G); grep -E '^(Cap|NoNew)' /proc/self/status | tr -s '[:space:]' ' '; echo; exec sleep infinity\n";
    tree.vassal_of(ALICE, "alice.ini", &format!("command = sleep infinity\n{line}"));
    let emperor = Emperor::start(tree, &JAIL);
    // `ls` itself has the directory open.
    emperor.wait_for_line(|line| line.contains(&format!("fds 4 ids {ALICE} {ALICE}")));
    let rights = emperor.wait_for_line(|line| line.contains("CapInh:"));
    let none = "0000000000000000";
    for set in ["Inh", "Prm", "Eff", "Amb"] {
        assert!(rights.contains(&format!("Cap{set}: {none}")), "{rights}");
    }
    assert!(rights.contains("NoNewPrivs: 1"), "{rights}");
    emperor.stop();
}

/// What the page says of the example, with stats in the place of a test.
#[test]
fn the_example_of_the_page_runs() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(top.join("docs/daemons.md")).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix("    $ liege ")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let at = words.iter().position(|word| *word == "--emperor-stats").unwrap();
    let words = [&words[..at], &words[at + 2..]].concat();
    let tree = Tree::new();
    std::fs::create_dir(tree.path("examples")).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(top.join("examples/daemons"))
        .arg(tree.path("examples"))
        .status()
        .unwrap();
    assert!(copied.success());
    let emperor = Start::bare(tree).options(&words).start();
    emperor.wait_for_line(|line| line.starts_with("the cache says: VERSION"));
    emperor.wait_for_line(|line| line == "the worker works");
    let running = |one: &Value| {
        let list = one["daemons"].as_array().unwrap();
        list.len() == 2 && list.iter().all(|one| one["state"] == "running")
    };
    emperor.wait_stats("shop.ini", running);
    std::fs::remove_file(emperor.tree.path("examples/daemons/shop.ini")).unwrap();
    emperor.wait_for_line(|line| line == "the worker puts its work away");
    emperor.stop();
}
