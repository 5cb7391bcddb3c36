//! Deaths, crash loops, and the end of an Emperor.

use std::io::Write;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{Emperor, LIEGE, Process, Start, Tree};
use crate::pair::{ACTOR, Pair, UWSGI, documented, told, wait_told};

fn blacklisted(emperor: &Emperor) -> Vec<String> {
    let stats = emperor.stats();
    let list = stats["blacklist"].as_array().unwrap().iter();
    let mut names: Vec<String> = list.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    // Which of them died first is nobody's promise.
    names.sort();
    names
}

/// Kills a vassal when its Emperor has heard that it is loyal, and waits for its next start.
fn kill_once_loyal(emperor: &Emperor, name: &str, times: usize) {
    wait_told(emperor, name, "started", times);
    let row =
        emperor.wait_stats(name, |one| one["loyal"] == 1 && process(one).is_some_and(|one| one.is_alive()));
    process(&row).expect("it waits for words of its Emperor").signal(Signal::KILL);
    wait_told(emperor, name, "started", times + 1);
}

fn process(row: &Value) -> Option<Process> {
    let pid = i32::try_from(row["pid"].as_i64()?).ok()?;
    Process::if_there(pid).ok()
}

/// How long it waits differs on purpose; who waits, and from which death on, does not.
#[test]
fn who_was_never_loyal_is_throttled_after_some_deaths_and_who_was_is_not() {
    documented("| `emperor-throttle` | pause between any two starts |");
    let pair = Pair::of_actors(
        |tree| {
            tree.vassal("crash.ini", "exit 1\n");
            tree.vassal("signal.ini", "die 9\n");
            tree.vassal("loyal.ini", "say 17\n");
        },
        &["--emperor-throttle", "10"],
        &[],
    );
    pair.each(|emperor| {
        for name in ["crash.ini", "signal.ini"] {
            emperor.wait_for_line(|line| line.contains(name) && line.contains("throttling it..."));
        }
        (1..=3).for_each(|times| kill_once_loyal(emperor, "loyal.ini", times));
    });
    let list = pair.same(blacklisted);
    assert_eq!(list.len(), 2, "{list:?}");
    let of_loyal = |emperor: &Emperor| {
        emperor.lines.has(|line| line.contains("loyal.ini") && line.contains("throttling it..."))
    };
    assert!(!pair.same(of_loyal));
}

#[test]
fn without_a_blacklist_nobody_is_on_it() {
    let pair = Pair::of_actors(
        |tree| {
            tree.vassal("crash.ini", "exit 1\n");
        },
        &["--emperor-no-blacklist", "--emperor-throttle", "10"],
        &[],
    );
    pair.each(|emperor| wait_told(emperor, "crash.ini", "started", 4));
    assert_eq!(pair.same(blacklisted), Vec::<String>::new());
}

/// Two directories: one that crashes starts again in its own, whichever was looked at last.
#[test]
fn one_that_crashes_starts_again_in_its_own_directory() {
    documented("| one of several directories, where a vassal crashes |");
    let pair = Pair::of_actors(
        |tree| {
            tree.vassal("x.ini", "say 17\n");
            tree.dir("other");
            tree.place(&tree.path("other/y.ini"), 0, "[uwsgi]\nsay 17\n");
        },
        &["--emperor", "TREE/other"],
        &[],
    );
    let seen = pair.each(|emperor| {
        wait_told(emperor, "y.ini", "started", 1);
        kill_once_loyal(emperor, "x.ini", 1);
        (told(emperor, "x.ini"), told(emperor, "y.ini"))
    });
    let [theirs, ours] = seen;
    assert_eq!((ours.0.len(), &ours.1), (theirs.0.len(), &theirs.1));
    assert_eq!(ours.0, ["started as 0:0 in TREE/vassals"; 2]);
}

/// The first process of a pid namespace, beside whom a stranger and the Emperor live: says how both fare in the end.
const NAMESPACE: &str = r#"sleep 1000000 & stranger=$!
"$@" & emperor=$!
read word < "$0"
kill -TERM $emperor
wait $emperor
echo "ENDED $?"
kill -0 $stranger && echo "STRANGER lives" || echo "STRANGER gone"
kill $stranger
exit 0"#;

/// One that does not stop, and two that nobody has started yet.
fn waiting(tree: &Tree) {
    tree.script("actor", "");
    std::fs::write(tree.path("actor"), ACTOR).unwrap();
    tree.vassal("deaf.ini", "deaf\n");
    tree.dir("sockets");
    for name in ["one.ini", "two.ini"] {
        let socket = tree.path("sockets").join(name.replace("ini", "socket"));
        tree.vassal(name, "");
        tree.place(&tree.vassals().join(format!("{name}.at")), 0, &format!("{}\n", socket.display()));
    }
}

fn end_of(program: &str) -> [String; 2] {
    let tree = Tree::new();
    waiting(&tree);
    let path = |name: &str| tree.path(name).display().to_string();
    let (go, actor) = (path("run/go"), path("actor"));
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    let options = ["--binary-path", &actor, "--emperor-on-demand-extension", ".at", "--reload-mercy", "1"];
    let around = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", NAMESPACE, &go];
    let sockets = path("sockets");
    let mut start = Start::in_tree(tree).program(&[&around[..], &[program]].concat()).options(&options);
    if program == LIEGE {
        start = start.options(&["--on-demand-sockets", &sockets]);
    }
    let mut emperor = start.start();
    emperor.expect_no_tidy_end();
    wait_told(&emperor, "deaf.ini", "deaf", 1);
    for name in ["one.ini", "two.ini"] {
        emperor.wait_stats(name, |one| one["pid"] == -1 && one["on_demand"] != "");
    }
    std::fs::File::options().write(true).open(&go).unwrap().write_all(b"go\n").unwrap();
    assert!(emperor.wait().success());
    ["ENDED", "STRANGER"].map(|word| emperor.wait_for_line(|line| line.starts_with(word)))
}

#[test]
fn at_the_end_only_vassals_are_killed() {
    let [theirs, ours] = std::thread::scope(|scope| {
        [UWSGI, LIEGE].map(|program| scope.spawn(|| end_of(program))).map(|one| one.join().unwrap())
    });
    assert_eq!(ours, ["ENDED 0", "STRANGER lives"]);
    // What becomes of the stranger is our promise alone.
    assert_eq!(theirs[0], ours[0]);
}
