//! The process that reads what vassals write.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::common::{ALICE, BOB, Emperor, Process, Start, Tree};
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

/// The kernel takes no more descriptors of a user who has many on their way, whoever sent them, and says nothing when it does again.
#[test]
fn a_pipe_that_cannot_be_lent_at_once_is_read_all_the_same() {
    /// Nobody else's here.
    const USER: u32 = 61_771;
    const HOG: &str = r#"
import array, socket, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
for _ in range(2):
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 250))])
print("full", flush=True)
sys.stdin.read()
"#;
    let tree = Tree::new();
    tree.vassal_of(USER, "a.ini", &writes(&tree, "a", "echo here; exec sleep 1000000"));
    let start = Start::owned(tree, USER).options(&ON_STDERR).by_user(USER);
    let emperor = start.through(&["prlimit", "--nofile=250:250"]).start();
    let here = || emperor.lines.count(|line| line == "[a.ini] here");
    super::eventually("the first line", || (here() == 1).then_some(()));
    let id = USER.to_string();
    let mut hog = Command::new("setpriv");
    hog.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]);
    hog.args(["/usr/bin/python3", "-c", HOG]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut hog = hog.spawn().unwrap();
    let mut full = String::new();
    BufReader::new(hog.stdout.take().unwrap()).read_line(&mut full).unwrap();
    assert_eq!(full, "full\n");
    let before = pipes(&emperor.process);
    emperor.vassal("a.ini").signal(Signal::KILL);
    super::eventually("another pipe, that is not told of", || {
        let now = pipes(&emperor.process);
        (now.len() == before.len() && now != before).then_some(())
    });
    assert_eq!(here(), 1);
    drop(hog.stdin.take());
    assert!(hog.wait().unwrap().success());
    super::eventually("the second line", || (here() == 2).then_some(()));
    emperor.stop();
}

/// A keeper that has no time while the last vassals end is told of their pipes all the same, and reads them.
#[test]
fn a_pipe_that_could_not_be_lent_before_the_end_is_read_in_it() {
    /// More words than its channel takes.
    const OTHERS: usize = 1_000;
    let tree = Tree::new();
    tree.liege();
    let said = tree.path("said");
    let script = format!("echo here; echo said >> {}; exec sleep 1000000", said.display());
    tree.vassal("a.ini", &writes(&tree, "a", &script));
    let others: Vec<_> = (0..OTHERS).map(|number| tree.vassal(&format!("{number}.ini"), "")).collect();
    let socket = tree.path("run/commands.sock").display().to_string();
    let waiting = ["--emperor-wait-for-command", "--emperor-wait-for-command-ignore", "a.ini"];
    let told = ["--emperor-command-socket", &socket];
    let mut emperor = Emperor::start(tree, &[&ON_STDERR[..], &waiting, &told].concat());
    let here = |emperor: &Emperor| emperor.lines.count(|line| line == "[a.ini] here");
    super::eventually("the first line", || (here(&emperor) == 1).then_some(()));
    let count = || emperor.stats()["vassals"].as_array().unwrap().len();
    super::eventually("all vassals", || (count() == OTHERS + 1).then_some(()));
    let keeper = keeper(&emperor, None);
    freeze(&keeper);
    // It is told of each that goes, and then of a pipe.
    others.iter().for_each(|config| std::fs::remove_file(config).unwrap());
    super::eventually("their end", || (count() == 1).then_some(()));
    let mark = emperor.lines.mark();
    emperor.vassal("a.ini").signal(Signal::KILL);
    emperor.vassal_since(mark, "a.ini");
    super::eventually("its second line to be written", || {
        std::fs::read_to_string(&said).is_ok_and(|lines| lines.lines().count() == 2).then_some(())
    });
    emperor.signal(Signal::TERM);
    emperor.wait_for_line(|line| line.contains("The Emperor is buried."));
    keeper.signal(Signal::CONT);
    assert!(emperor.wait().success());
    super::eventually("the second line", || (here(&emperor) == 2).then_some(()));
    emperor.stop();
}

fn pipes(process: &Process) -> BTreeSet<String> {
    process.descriptors().into_values().filter(|what| what.starts_with("pipe:")).collect()
}
