//! What there is without a word about it, and what becomes of lines where there is no pipe.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::Signal;

use super::common::{ALICE, BOB, Emperor, Start, Tree, eventually};
use super::{keeper, tail, writes};

fn says(path: &Path, text: &str) {
    eventually(&format!("{text} in {}", path.display()), || {
        std::fs::read_to_string(path).unwrap_or_default().contains(text).then_some(())
    });
}

#[test]
fn lines_stand_behind_names_and_are_kept_without_a_word_about_it() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", &writes(&tree, "a", "echo here; exec sleep 1000000"));
    let emperor = Start::in_tree(tree).with_names().start();
    emperor.wait_for_line(|line| line == "[a.ini] here");
    assert_eq!(tail(&emperor, &["a"]), "here\n");
    emperor.stop();
}

#[test]
fn who_asks_for_it_has_the_emperors_own_output() {
    let tree = Tree::new();
    tree.vassal("a.ini", &writes(&tree, "a", "echo here; exec sleep 1000000"));
    let emperor = Emperor::start(tree, &["--vassals-log", "inherit"]);
    emperor.wait_for_line(|line| line == "here");
    emperor.stop();
}

/// Row L6: one has as many vassals as he likes.
#[test]
fn who_takes_the_pipes_of_all_gets_none_and_writes_to_nobody() {
    let tree = Tree::new();
    let body = writes(&tree, "a", "echo hers; exec sleep 1000000");
    (0..30).for_each(|one| drop(tree.vassal_of(ALICE, &format!("a{one}.ini"), &body)));
    let start = Start::in_tree(tree).with_names().options(&["--emperor-tyrant", "--jail", "none"]);
    let emperor = start.through(&["prlimit", "--nofile=128"]).start();
    let told = emperor.wait_for_line(|line| line.contains("what it writes goes nowhere"));
    let name = told.split("vassal=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let without = emperor.vassal(name).child_named("sleep").descriptors();
    assert_eq!((&*without[&1], &*without[&2]), ("/dev/null", "/dev/null"));
    emperor.tree.vassal_of(BOB, "bob.ini", &writes(&emperor.tree, "b", "echo his; exec sleep 1000000"));
    emperor.wait_for_line(|line| line == "[bob.ini] his");
    assert!(!emperor.lines.has(|line| line == "hers"), "a line of nobody");
    emperor.stop();
}

/// Row L6: the log keeper ends as soon as it is born.
#[test]
fn where_no_keeper_lives_what_is_written_goes_nowhere() {
    let tree = Tree::new();
    tree.vassal("a.ini", &writes(&tree, "a", "exec sleep 1000000"));
    let emperor = Start::in_tree(tree).with_names().start();
    emperor.vassal("a.ini");
    let mut last = None;
    for _ in 0..5 {
        let one = keeper(&emperor, last.as_ref());
        one.signal(Signal::KILL);
        one.wait_gone();
        last = Some(one);
    }
    emperor.wait_for_line(|line| line.contains("log keeper") && line.contains("born again in 800 ms"));
    emperor.tree.vassal("b.ini", &writes(&emperor.tree, "b", "echo leaked; exec sleep 1000000"));
    emperor.wait_for("b.ini", "the log keeper does not live");
    emperor.vassal("b.ini").child_named("sleep");
    assert!(!emperor.lines.has(|line| line.contains("leaked")));
    emperor.stop();
}

#[test]
fn lines_go_on_in_the_new_log_of_the_emperor_which_is_its_users() {
    let tree = Tree::new();
    tree.vassal("a.ini", &writes(&tree, "a", "while :; do echo a line; sleep 0.05; done"));
    let log = tree.path("log");
    let id = ALICE.to_string();
    let start = Start::in_tree(tree).serving_as(ALICE).option("--logto").option(&log);
    let start = start.options(&["--uid", &id, "--gid", &id, "--logfile-chown", "--log-reopen"]);
    let emperor = start.start();
    says(&log, "[a.ini] a line");
    for (signal, aside) in [(Signal::USR2, "first"), (Signal::HUP, "second")] {
        std::fs::rename(&log, emperor.tree.path(aside)).unwrap();
        emperor.signal(signal);
        says(&log, "the log was opened anew");
        says(&log, "[a.ini] a line");
        let found = std::fs::metadata(&log).unwrap();
        assert_eq!((found.uid(), found.gid()), (ALICE, ALICE));
    }
    emperor.stop();
}
