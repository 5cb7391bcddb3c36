//! The process that reads what vassals write.

use rustix::process::Signal;

use super::common::{ALICE, BOB, Emperor, Tree};
use super::{ON_STDERR, freeze, keeper, tail, writes};

#[test]
fn each_line_is_whole_and_behind_the_name_of_its_vassal() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", &writes(&tree, "a", "printf 'one\\ntw'; printf 'o\\n' >&2; printf 'no end'"));
    let emperor = Emperor::start(tree, &ON_STDERR);
    for line in ["[a.ini] one", "[a.ini] two", "[a.ini] no end"] {
        emperor.wait_for_line(|said| said == line);
    }
    emperor.stop();
}

/// Row L2: one writes as fast as it can, another loses nothing of what it says.
#[test]
fn a_flood_of_one_takes_no_line_of_another() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "flood.ini", &writes(&tree, "flood", "exec yes 'a flood'"));
    tree.vassal_of(BOB, "quiet.ini", &writes(&tree, "quiet", "seq -f 'line %.0f' 3000; exec sleep 1000000"));
    let emperor =
        Emperor::start(tree, &[&ON_STDERR[..], &["--emperor-tyrant", "--vassals-log-rate", "500"]].concat());
    emperor.wait_for_line(|line| line == "[quiet.ini] line 3000");
    let lines = emperor.lines.all();
    let heard: Vec<&String> = lines.iter().filter(|line| line.starts_with("[quiet.ini] line ")).collect();
    let said: Vec<String> = (1..=3000).map(|number| format!("[quiet.ini] line {number}")).collect();
    assert!(heard.iter().all(|line| said.contains(line)));
    emperor.stop();
}

/// Row L2.
#[test]
fn what_is_too_much_is_dropped_and_told() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", &writes(&tree, "a", "seq -f 'line %.0f' 500; while sleep 0.1; do echo more; done"));
    let emperor = Emperor::start(tree, &[&ON_STDERR[..], &["--vassals-log-rate", "5"]].concat());
    emperor.wait_for_line(|line| {
        line.starts_with("[a.ini] ") && line.ends_with("lines were dropped (vassals-log-rate)")
    });
    let passed = emperor.lines.count(|line| line.starts_with("[a.ini] line "));
    assert!(passed < 100, "{passed} of 500 lines, and 50 may come at once");
    assert!(tail(&emperor, &["a", "-n", "1000"]).contains("line 500\n"), "they are kept all the same");
    emperor.stop();
}

#[test]
fn what_is_written_while_there_is_no_keeper_is_read_by_the_next_one() {
    let tree = Tree::new();
    tree.liege();
    let gate = tree.path("gate");
    let script = format!(
        "echo before; until [ -e {gate} ]; do sleep 0.05; done; seq -f 'line %.0f' 200; echo written > {gate}; exec sleep 1000000",
        gate = gate.display()
    );
    tree.vassal("a.ini", &writes(&tree, "a", &script));
    let emperor = Emperor::start(tree, &ON_STDERR);
    emperor.wait_for_line(|line| line == "[a.ini] before");
    let first = keeper(&emperor, None);
    freeze(&first);
    std::fs::write(&gate, "").unwrap();
    assert_eq!(emperor.tree.text("gate"), "written\n");
    first.signal(Signal::KILL);
    emperor.wait_for_line(|line| line == "[a.ini] line 200");
    assert_eq!(emperor.lines.count(|line| line.starts_with("[a.ini] line ")), 200);
    assert_ne!(keeper(&emperor, Some(&first)).pid, first.pid);
    assert_eq!(tail(&emperor, &["a", "-n1"]), "line 200\n");
    assert_eq!(emperor.stats_of("a.ini").unwrap()["respawns"], 0, "nobody was killed by a broken pipe");
    emperor.stop();
}

#[test]
fn the_last_words_of_vassals_are_heard_when_the_emperor_ends() {
    let tree = Tree::new();
    tree.liege();
    let script = "trap 'seq -f \"last %.0f\" 100; exit 0' TERM INT; echo ready; while :; do sleep 0.05; done";
    tree.vassal("a.ini", &writes(&tree, "a", script));
    let mut emperor = Emperor::start(tree, &ON_STDERR);
    emperor.wait_for_line(|line| line == "[a.ini] ready");
    emperor.signal(Signal::TERM);
    assert!(emperor.wait().success());
    emperor.wait_for_line(|line| line == "[a.ini] last 100");
    emperor.stop();
}

#[test]
fn a_vassal_starts_again_and_again_and_no_pipe_is_left() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", &writes(&tree, "a", "echo hello; exit 1"));
    let emperor = Emperor::start(
        tree,
        &[&ON_STDERR[..], &["--emperor-throttle", "1", "--emperor-max-throttle", "1"]].concat(),
    );
    super::eventually("twenty starts", || {
        (emperor.lines.count(|line| line == "[a.ini] hello") >= 20).then_some(())
    });
    let pipes = |process: &super::Process| {
        process.descriptors().values().filter(|what| what.starts_with("pipe:")).count()
    };
    // Its own standard output and error, and what is just being read.
    super::eventually("closed pipes", || (pipes(&keeper(&emperor, None)) <= 4).then_some(()));
    super::eventually("closed pipes", || (pipes(&emperor.process) <= 5).then_some(()));
    emperor.stop();
}
