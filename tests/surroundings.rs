//! Where an Emperor may find itself: as the first process of a container, without cgroups, after an accident.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, Start, Tree};

const SLEEP: &str = "command = sleep infinity\n";

#[test]
fn as_the_first_process_of_a_container_it_still_supervises() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let start =
        Start::in_tree(tree).options(&["--emperor-tyrant", "--emperor-use-clone", "fs,net,ipc,pid,uts"]);
    let mut emperor = start.through(&["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]).start();
    let line = emperor.wait_for("a.ini", "has been spawned");
    assert!(line.contains("pid="), "{line}");
    emperor.wait_for_programs("sleep", 1);
    let mark = emperor.lines.mark();
    emperor.tree.vassal_of(ALICE, "a.ini", "command = sleep 1000000\n");
    emperor.wait_since(mark, "a.ini", "has been spawned");
    let first = emperor.process.child();
    first.signal(rustix::process::Signal::TERM);
    emperor.wait_for_line(|line| line.contains("The Emperor is buried."));
    assert!(emperor.wait().success());
    emperor.stop();
}

#[test]
fn without_cgroups_a_vassal_is_ended_with_its_session_and_that_is_said() {
    let tree = Tree::new();
    let config = tree.vassal(
        "a.ini",
        "command = sh -c \"trap '' TERM; sleep infinity & while :; do sleep infinity; done\"\n",
    );
    let hide = "umount --lazy \"$1\" && shift && exec \"$@\"";
    let mount = common::Cgroup::mount().display().to_string();
    let start = Start::in_tree(tree).options(&["--emperor-curse-tolerance", "1"]);
    let emperor = start.through(&["unshare", "--mount", "sh", "-c", hide, "sh", &mount]).start();
    emperor.wait_for_line(|line| line.contains("warn") && line.contains("session"));
    let sleeps = emperor.wait_for_programs("sleep", 2);
    std::fs::remove_file(config).unwrap();
    emperor.wait_for("a.ini", "removed uwsgi instance");
    sleeps.iter().for_each(common::Process::wait_gone);
    emperor.stop();
}

#[test]
fn without_cgroups_nobody_survives_a_killed_emperor_either() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", "command = sh -c 'sleep infinity & setsid --wait sleep infinity'\n");
    let hide = "umount --lazy \"$1\" && shift && exec \"$@\"";
    let mount = common::Cgroup::mount().display().to_string();
    let start = Start::in_tree(tree).options(&["--emperor-tyrant", "--emperor-use-clone", "fs,pid"]);
    let mut emperor = start.through(&["unshare", "--mount", "sh", "-c", hide, "sh", &mount]).start();
    let sleeps = emperor.wait_for_programs("sleep", 2);
    emperor.kill();
    sleeps.iter().for_each(common::Process::wait_gone);
    emperor.wait_deserted();
}

#[test]
fn an_emperor_sweeps_up_what_one_before_it_left() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let emperor = Start::in_tree(tree).after("liege-4999999/7").start();
    emperor.vassal("a.ini");
    assert!(!emperor.cgroup.path().join("liege-4999999").exists());
    emperor.stop();
}

#[test]
fn a_source_that_is_not_there_yet_is_told_and_picked_up() {
    let tree = Tree::new();
    let late = tree.path("late");
    let emperor = Start::in_tree(tree).option("--emperor").option(&late).start();
    emperor.wait_for_line(|line| line.contains("warn") && line.contains("late"));
    emperor.tree.dir("late");
    let body = format!("[uwsgi]\n{SLEEP}");
    emperor.tree.place(&late.join("b.ini"), 0, &body);
    emperor.vassal("b.ini");
    emperor.stop();
}
