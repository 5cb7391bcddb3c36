//! Supervision: who dies is started again, at its own pace; who is stopped is gone with everything it made.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::time::Instant;

use common::callers::ask;
use common::{ALICE, Emperor, Process, Start, Tree};
use rustix::process::Signal;

const SLEEP: &str = "command = sleep infinity\n";
const NEVER: &str = "600000";

/// A command that ignores every signal that can be ignored, as do a child of another session and its
/// grandchild, whose father has gone.
const STUBBORN: &str = "command = sh -c \"trap '' TERM INT HUP QUIT USR1 USR2; \
     setsid sh -c '(setsid sleep infinity &) ; exec sleep infinity' & \
     while :; do sleep infinity; done\"\n";

#[test]
fn a_killed_vassal_is_started_again_at_once() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let emperor = Emperor::start(tree, &["--emperor-throttle", NEVER]);
    let first = emperor.vassal("a.ini");
    let mark = emperor.lines.mark();
    first.signal(Signal::KILL);
    first.wait_gone();
    let second = emperor.vassal_since(mark, "a.ini");
    assert_ne!(first.pid, second.pid);
    emperor.wait_since(mark, "a.ini", "died (signal 9)");
    emperor.stop();
}

#[test]
fn a_command_that_ends_is_started_again_with_its_status_told() {
    let tree = Tree::new();
    let once = tree
        .script("once", "cd \"$(dirname \"$0\")\"\nmkdir first 2>/dev/null && exit 7\nexec sleep infinity");
    tree.vassal("a.ini", &format!("command = {}\n", once.display()));
    let emperor = Emperor::start(tree, &["--emperor-throttle", NEVER]);
    emperor.wait_for("a.ini", "died (exit status 7)");
    let alive = |one: &serde_json::Value| one["ready"] == 1 && one["last_exit"] != serde_json::Value::Null;
    emperor.wait_stats("a.ini", alive);
    emperor.stop();
}

#[test]
fn without_a_blacklist_a_crash_loop_goes_on() {
    let tree = Tree::new();
    tree.vassal("loop.ini", "command = false\n");
    let emperor = Emperor::start(tree, &["--emperor-throttle", NEVER, "--emperor-no-blacklist"]);
    emperor.wait_stats("loop.ini", |one| one["starts"].as_u64().unwrap() >= 4);
    emperor.stop();
}

#[test]
fn a_crash_loop_is_throttled_until_urg_clears_the_blacklist() {
    let tree = Tree::new();
    tree.vassal("loop.ini", "command = false\n");
    let emperor = Emperor::start(tree, &["--emperor-throttle", NEVER, "--emperor-max-throttle", NEVER]);
    emperor.wait_for("loop.ini", "unloyal bad behaving vassal found: loop.ini throttling it...");
    let stats = emperor.stats();
    assert_eq!(stats["blacklist"][0]["id"], "loop.ini");
    assert!(stats["blacklist"][0]["attempt"].as_u64().unwrap() >= 2, "{stats}");
    let mark = emperor.lines.mark();
    emperor.signal(Signal::URG);
    emperor.wait_since(mark, "loop.ini", "started with pid");
    emperor.stop();
}

#[test]
fn a_changed_config_is_started_without_waiting_for_its_blacklist() {
    let tree = Tree::new();
    tree.vassal("loop.ini", "command = false\n");
    let emperor = Emperor::start(tree, &["--emperor-throttle", NEVER, "--emperor-max-throttle", NEVER]);
    emperor.wait_for("loop.ini", "throttling it");
    let mark = emperor.lines.mark();
    emperor.tree.vassal("loop.ini", SLEEP);
    emperor.vassal_since(mark, "loop.ini");
    emperor.stop();
}

/// Vassals that crash as often as they are let.
const LOOPS: u64 = 200;
/// The delay before each start of theirs but the first two, in milliseconds: up to a tenth more or less.
const LOOP_THROTTLE_MS: u64 = 1_000;

/// How often each of them has been started.
fn starts_of_loops(emperor: &Emperor) -> Vec<u64> {
    let stats = emperor.stats();
    let vassals = stats["vassals"].as_array().unwrap().iter();
    vassals
        .filter(|one| one["id"].as_str().unwrap().starts_with("loop"))
        .map(|one| one["starts"].as_u64().unwrap())
        .collect()
}

/// Waits until each of them has been started so many times more than it had.
fn wait_for_starts(emperor: &Emperor, before: &[u64], more: u64) {
    common::eventually(&format!("{more} more starts of each that crashes"), || {
        let now = starts_of_loops(emperor);
        (now.iter().zip(before).all(|(now, before)| *now >= before + more)).then_some(())
    });
}

/// No start but the first two of each without its delay, and none before it was over.
fn assert_paced(emperor: &Emperor, begun: Instant) {
    let starts = starts_of_loops(emperor);
    // The clock has run on since they were counted, to the better.
    let ms = u64::try_from(begun.elapsed().as_millis()).unwrap();
    let allowed = 2 + ms / (LOOP_THROTTLE_MS * 9 / 10);
    let most = starts.iter().max().unwrap();
    assert!(*most <= allowed, "{most} starts of one, where {allowed} are allowed");
    let delayed = starts.iter().sum::<u64>() - 2 * LOOPS;
    common::eventually(&format!("the delays of {delayed} starts"), || {
        (emperor.lines.count(is_delayed) as u64 >= delayed).then_some(())
    });
}

fn is_delayed(line: &str) -> bool {
    line.contains("throttling it")
        && ["next start in 0.9", "next start in 1."].iter().any(|delay| line.contains(delay))
}

/// A server that minds its socket itself: whoever connects is told the word that it was started with.
const SERVER: &str = "import os, socket, sys
path, word = sys.argv[1:]
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
while True:
    listener.accept()[0].sendall(word.encode())
";

/// Starts, is changed, killed, and serves after each of these.
fn a_neighbour_lives_well(emperor: &Emperor) {
    let (program, socket) = (emperor.tree.path("server.py"), emperor.tree.path("run/good.socket"));
    std::fs::write(&program, SERVER).unwrap();
    let config = |word: &str| {
        let line = format!("command = python3 -IS {} {} {word}\n", program.display(), socket.display());
        emperor.tree.vassal("good.ini", &line);
    };
    let serves = |word: &str| {
        let answer = || (ask(&socket, "").ok()? == word).then_some(());
        common::eventually(&format!("an answer of {word}"), answer);
    };
    config("one");
    emperor.vassal("good.ini");
    serves("one");
    let mark = emperor.lines.mark();
    config("two");
    emperor.wait_since(mark, "good.ini", "reload the uwsgi instance");
    let good = emperor.vassal_since(mark, "good.ini");
    serves("two");
    let mark = emperor.lines.mark();
    good.signal(Signal::KILL);
    emperor.vassal_since(mark, "good.ini");
    serves("two");
    assert_eq!(emperor.told("good.ini", "died"), 1, "by our hand");
    // The server, who bound it, has no time to tidy up.
    std::fs::remove_file(&socket).unwrap();
}

#[test]
fn two_hundred_crash_loops_take_nothing_from_a_neighbour_and_keep_their_pace() {
    let tree = Tree::new();
    for number in 0..LOOPS {
        tree.vassal(&format!("loop{number}.ini"), "command = false\n");
    }
    let throttle = LOOP_THROTTLE_MS.to_string();
    let begun = Instant::now();
    let emperor =
        Emperor::start(tree, &["--emperor-throttle", &throttle, "--emperor-max-throttle", &throttle]);
    common::eventually("all that crash", || (starts_of_loops(&emperor).len() as u64 == LOOPS).then_some(()));
    wait_for_starts(&emperor, &[0; LOOPS as usize], 3);
    let before = starts_of_loops(&emperor);
    a_neighbour_lives_well(&emperor);
    // They crashed before, meanwhile and after it.
    wait_for_starts(&emperor, &before, 1);
    assert_paced(&emperor, begun);
    emperor.stop();
}

#[test]
fn a_command_that_lives_is_loyal_and_leaves_the_blacklist() {
    let tree = Tree::new();
    let third = "cd \"$(dirname \"$0\")\"\nmkdir one 2>/dev/null && exit 1\nmkdir two 2>/dev/null && exit 1\nexec sleep infinity";
    let script = tree.script("third", third);
    tree.vassal("late.ini", &format!("command = {}\n", script.display()));
    let emperor = Emperor::start(tree, &["--emperor-throttle", "10"]);
    emperor.wait_for("late.ini", "[emperor] vassal late.ini is now loyal");
    let stats = emperor.stats();
    assert_eq!(stats["blacklist"].as_array().unwrap().len(), 0, "{stats}");
    assert_eq!(emperor.stats_of("late.ini").unwrap()["loyal"], 1);
    emperor.stop();
}

#[test]
fn a_vassal_whose_config_is_gone_is_stopped_and_forgotten() {
    let tree = Tree::new();
    let config = tree.vassal("a.ini", SLEEP);
    let emperor = Emperor::start(tree, &[]);
    let (master, command) = {
        let master = emperor.vassal("a.ini");
        let command = master.child();
        (master, command)
    };
    std::fs::remove_file(config).unwrap();
    emperor.wait_for("a.ini", "[emperor] stop the uwsgi instance a.ini");
    emperor.wait_for("a.ini", "[emperor] removed uwsgi instance a.ini");
    command.wait_gone();
    master.wait_gone();
    assert_eq!(emperor.stats_of("a.ini"), None);
    emperor.stop();
}

fn a_stubborn_tree_is_killed_after_the_grace(options: &[&str], owner: u32) {
    let tree = Tree::new();
    let config = tree.vassal_of(owner, "stubborn.ini", STUBBORN);
    let emperor = Emperor::start(tree, &[&["--emperor-curse-tolerance", "1"], options].concat());
    emperor.vassal("stubborn.ini");
    let sleeps = emperor.wait_for_programs("sleep", 3);
    std::fs::remove_file(config).unwrap();
    emperor.wait_for("stubborn.ini", "killed with everything in its jail");
    emperor.wait_for("stubborn.ini", "removed uwsgi instance");
    sleeps.iter().for_each(Process::wait_gone);
    emperor.stop();
}

#[test]
fn nothing_of_a_stubborn_vassal_survives_its_stop() {
    a_stubborn_tree_is_killed_after_the_grace(&[], 0);
}

#[test]
fn nothing_of_a_stubborn_vassal_in_a_jail_survives_its_stop() {
    a_stubborn_tree_is_killed_after_the_grace(&["--emperor-use-clone", "fs,net,ipc,pid,uts"], 0);
}

#[test]
fn nothing_of_a_stubborn_tenant_survives_its_stop() {
    a_stubborn_tree_is_killed_after_the_grace(&["--emperor-tyrant"], ALICE);
}

#[test]
fn nothing_of_a_stubborn_tenant_in_a_user_namespace_survives_its_stop() {
    let options = ["--emperor-tyrant", "--emperor-use-clone", "fs,net,ipc,pid,uts,user"];
    a_stubborn_tree_is_killed_after_the_grace(&options, ALICE);
}

#[test]
fn what_a_crashed_vassal_left_behind_is_killed_before_it_starts_again() {
    let tree = Tree::new();
    tree.vassal("a.ini", "command = sh -c '(setsid sleep 987654 &); exec sleep infinity'\n");
    let emperor = Emperor::start(tree, &[]);
    let master = emperor.vassal("a.ini");
    let orphan = common::eventually("an orphan", || {
        let long = |pid: &i32| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| text == b"sleep\x00987654\x00")
        };
        emperor.cgroup.pids().into_iter().find(long).map(Process::of)
    });
    let mark = emperor.lines.mark();
    master.signal(Signal::KILL);
    orphan.wait_gone();
    emperor.vassal_since(mark, "a.ini");
    emperor.stop();
}

/// A running Emperor with one vassal for each of these ways to be jailed, and its commands.
fn a_court(options: &[&str], owner: u32) -> (Emperor, Vec<Process>) {
    let tree = Tree::new();
    tree.vassal_of(owner, "plain.ini", SLEEP);
    tree.vassal_of(owner, "stubborn.ini", STUBBORN);
    let emperor = Emperor::start(tree, options);
    for name in ["plain.ini", "stubborn.ini"] {
        emperor.vassal(name);
    }
    emperor.wait_for_programs("sleep", 4);
    let others = emperor.cgroup.pids().into_iter().filter(|pid| *pid != emperor.process.pid);
    let others: Vec<Process> = others.map(Process::of).collect();
    assert!(others.len() > 4, "too few live: {}", others.len());
    (emperor, others)
}

fn nobody_survives_a_killed_emperor(options: &[&str], owner: u32) {
    let (mut emperor, others) = a_court(options, owner);
    emperor.kill();
    others.iter().for_each(Process::wait_gone);
    emperor.wait_deserted();
    // The spawner, who outlived it a little, has tidied up.
    common::eventually("no cgroups", || emperor.cgroup.children().is_empty().then_some(()));
}

#[test]
fn nobody_survives_a_killed_emperor_without_jails() {
    nobody_survives_a_killed_emperor(&[], 0);
}

#[test]
fn nobody_survives_a_killed_emperor_in_jails() {
    nobody_survives_a_killed_emperor(&["--emperor-use-clone", "fs,net,ipc,pid,uts"], 0);
}

#[test]
fn no_tenant_survives_a_killed_emperor_without_jails() {
    nobody_survives_a_killed_emperor(&["--emperor-tyrant"], ALICE);
}

#[test]
fn no_tenant_survives_a_killed_emperor_in_jails() {
    nobody_survives_a_killed_emperor(
        &["--emperor-tyrant", "--emperor-use-clone", "fs,net,ipc,pid,uts,user"],
        ALICE,
    );
}

fn nobody_survives_a_killed_spawner(options: &[&str], owner: u32) {
    let (mut emperor, others) = a_court(options, owner);
    emperor.expect_no_tidy_end();
    let spawner = spawner_of(&emperor);
    spawner.signal(Signal::KILL);
    assert_eq!(emperor.wait().code(), Some(1));
    emperor.wait_for_line(|line| line.contains("the spawner "));
    others.iter().for_each(Process::wait_gone);
    emperor.wait_deserted();
}

/// The child of the Emperor that is no vassal.
fn spawner_of(emperor: &Emperor) -> Process {
    let is_spawner = |one: &Process| one.command_line().iter().any(|word| word.contains("spawner"));
    emperor.process.children().into_iter().find(is_spawner).expect("the Emperor has a spawner")
}

#[test]
fn nobody_survives_a_killed_spawner_without_jails() {
    nobody_survives_a_killed_spawner(&[], 0);
}

#[test]
fn nobody_survives_a_killed_spawner_in_jails() {
    nobody_survives_a_killed_spawner(&["--emperor-use-clone", "fs,net,ipc,pid,uts"], 0);
}

#[test]
fn no_tenant_survives_a_killed_spawner_without_jails() {
    nobody_survives_a_killed_spawner(&["--emperor-tyrant"], ALICE);
}

#[test]
fn no_tenant_survives_a_killed_spawner_in_jails() {
    nobody_survives_a_killed_spawner(
        &["--emperor-tyrant", "--emperor-use-clone", "fs,net,ipc,pid,uts,user"],
        ALICE,
    );
}

#[test]
fn with_a_session_of_its_own_a_tenant_still_dies_with_the_emperor() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", "command = setsid --wait sleep infinity\n");
    let mut emperor = Start::in_tree(tree).option("--emperor-tyrant").start();
    let sleeps = emperor.wait_for_programs("sleep", 1);
    emperor.kill();
    sleeps.iter().for_each(Process::wait_gone);
    emperor.wait_deserted();
}
