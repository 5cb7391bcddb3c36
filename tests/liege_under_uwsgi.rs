//! Our vassals under a real uWSGI Emperor, and what a program finds in its hands under either Emperor.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{Emperor, LIEGE, Process, Start, Tree, eventually};
use rustix::process::Signal;

const UWSGI: &str = "/usr/bin/uwsgi";

/// A uWSGI Emperor that runs `liege` for each vassal. What it leaves on the file system is its own affair.
fn uwsgi(tree: Tree) -> Emperor {
    let start =
        Start::in_tree(tree).program(&[UWSGI]).options(&["--binary-path", LIEGE, "--emperor-freq", "1"]);
    let mut emperor = start.start();
    emperor.expect_no_tidy_end();
    emperor
}

/// A line of uWSGI's own, which names nobody in a field.
fn wait_since(emperor: &Emperor, mark: usize, text: &str) {
    emperor.lines.wait_since(mark, |line| line.contains(text));
}

/// The process that it counts as this vassal, once that is ready.
fn vassal(emperor: &Emperor, name: &str) -> Process {
    let row = emperor.wait_stats(name, |row| row["ready"] == 1);
    Process::of(i32::try_from(row["pid"].as_i64().unwrap()).unwrap())
}

const IDLE: &str = "command = /bin/sleep 1000000\n";

#[test]
fn it_sees_our_vassal_spawned_accepting_and_loyal() {
    let tree = Tree::new();
    tree.vassal("x.ini", IDLE);
    let emperor = uwsgi(tree);
    for what in ["has been spawned", "is ready to accept requests", "is now loyal"] {
        wait_since(&emperor, 0, &format!("[emperor] vassal x.ini {what}"));
    }
    let row = emperor.wait_stats("x.ini", |row| row["loyal"] == 1);
    assert_eq!((&row["ready"], &row["accepting"]), (&1.into(), &1.into()));
    assert_eq!(vassal(&emperor, "x.ini").child().command_line(), ["/bin/sleep", "1000000"]);
}

#[test]
fn its_reload_byte_starts_the_program_anew_with_the_new_config() {
    let tree = Tree::new();
    tree.vassal("x.ini", &format!("env = EDITION=first\n{IDLE}"));
    let emperor = uwsgi(tree);
    let first = vassal(&emperor, "x.ini").child();
    assert!(first.environment().contains(&"EDITION=first".to_owned()));
    let path = emperor.tree.vassal("x.ini", &format!("env = EDITION=second\n{IDLE}"));
    let later = Command::new("/usr/bin/touch").args(["-d", "+5 seconds"]).arg(path).status().unwrap();
    assert!(later.success());
    wait_since(&emperor, 0, "[emperor] reload the uwsgi instance x.ini");
    first.wait_gone();
    eventually("the second edition", || {
        let row = emperor.stats_of("x.ini")?;
        let master = i32::try_from(row["pid"].as_i64()?).ok().filter(|pid| *pid > 0)?;
        let text = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).ok()?;
        let child: i32 = text.trim().parse().ok()?;
        let environment = std::fs::read_to_string(format!("/proc/{child}/environ")).ok()?;
        environment.contains("EDITION=second").then_some(())
    });
}

#[test]
fn its_stop_byte_ends_our_vassal_and_its_program() {
    let tree = Tree::new();
    let path = tree.vassal("x.ini", IDLE);
    tree.vassal("stays.ini", IDLE);
    let emperor = uwsgi(tree);
    let (master, stays) = (vassal(&emperor, "x.ini"), vassal(&emperor, "stays.ini"));
    let program = master.child();
    std::fs::remove_file(path).unwrap();
    wait_since(&emperor, 0, "[emperor] removed uwsgi instance x.ini");
    master.wait_gone();
    program.wait_gone();
    assert!(stays.is_alive());
}

#[test]
fn it_starts_a_killed_vassal_of_ours_again_and_the_old_program_is_gone() {
    let tree = Tree::new();
    tree.vassal("x.ini", IDLE);
    let emperor = uwsgi(tree);
    let master = vassal(&emperor, "x.ini");
    let program = master.child();
    master.signal(Signal::KILL);
    program.wait_gone();
    let second = eventually("another process", || {
        let row = emperor.stats_of("x.ini").filter(|row| row["ready"] == 1)?;
        let pid = i32::try_from(row["pid"].as_i64()?).ok()?;
        (pid != master.pid).then(|| Process::of(pid))
    });
    assert_eq!(second.child().command_line(), ["/bin/sleep", "1000000"]);
}

#[test]
fn a_program_of_ours_that_crashes_ends_its_vassal() {
    let tree = Tree::new();
    tree.vassal("x.ini", IDLE);
    let emperor = uwsgi(tree);
    let master = vassal(&emperor, "x.ini");
    master.child().signal(Signal::SEGV);
    master.wait_gone();
    wait_since(&emperor, 0, "[emperor] removed uwsgi instance x.ini");
    eventually("another process", || {
        let row = emperor.stats_of("x.ini").filter(|row| row["ready"] == 1)?;
        (row["pid"].as_i64()? != i64::from(master.pid)).then_some(())
    });
}

#[test]
fn our_vassals_die_with_it() {
    let tree = Tree::new();
    tree.vassal("x.ini", IDLE);
    let mut emperor = uwsgi(tree);
    let master = vassal(&emperor, "x.ini");
    let program = master.child();
    emperor.kill();
    master.wait_gone();
    program.wait_gone();
    emperor.wait_deserted();
}

/// Our Emperor as a vassal of its: it says what uWSGI's own would say, and obeys the same bytes.
#[test]
fn it_sees_an_emperor_of_ours_as_a_vassal_and_is_obeyed() {
    let tree = Tree::new();
    let below = tree.dir_of(0, "below");
    let innermost = tree.path("below/innermost.ini");
    tree.place(&innermost, 0, "[uwsgi]\ncommand = /bin/sh -c 'echo innermost runs; exec sleep 1000000'\n");
    let config = format!("emperor = {}\nheartbeat = 1\n", below.display());
    let path = tree.vassal("x.ini", &config);
    let emperor = uwsgi(tree);
    for what in ["has been spawned", "is ready to accept requests", "is now loyal"] {
        wait_since(&emperor, 0, &format!("[emperor] vassal x.ini {what}"));
    }
    emperor.wait_stats("x.ini", |row| row["last_heartbeat"] != 0);
    let (master, mark) = (vassal(&emperor, "x.ini"), emperor.lines.mark());
    let (ours, sleeper) = (master.child(), emperor.wait_for_programs("sleep", 1).remove(0));
    let later = Command::new("/usr/bin/touch").args(["-d", "+5 seconds"]).arg(&path).status().unwrap();
    assert!(later.success());
    // Reloaded: everybody below, and no Emperor ends for it.
    emperor.lines.wait_since(mark, |line| line == "[innermost.ini] innermost runs");
    sleeper.wait_gone();
    assert!(ours.is_alive());
    let sleeper = emperor.wait_for_programs("sleep", 1).remove(0);
    std::fs::remove_file(path).unwrap();
    wait_since(&emperor, mark, "[emperor] removed uwsgi instance x.ini");
    [master, ours, sleeper].into_iter().for_each(|one| one.wait_gone());
}

/// Writes down what it finds, then lives on.
const WRAPPER: &str = r#"exec 9>"$0.$$"
{
    echo "cwd=$(pwd)"
    for word in "$@"; do echo "argv=$word"; done
    env | sed 's/^/env=/'
    for fd in /proc/$$/fd/*; do echo "fd=${fd##*/}"; done
    echo "stdin=$(readlink /proc/$$/fd/0)"
    echo "control=$(readlink /proc/$$/fd/$UWSGI_EMPEROR_FD | cut -d: -f1)"
    echo "control number=$UWSGI_EMPEROR_FD"
    sed -n 's/^Sig\(Blk\|Ign\):\t/\1=/p' /proc/self/status
} >&9
mv "$0.$$" "$0.dump"
exec sleep 1000000"#;

/// What the wrapper found, by kind.
type Dump = BTreeMap<String, Vec<String>>;

fn dump(program: &[&str]) -> Dump {
    let tree = Tree::new();
    let wrapper = tree.script("wrapper", WRAPPER);
    tree.vassal("x.ini", IDLE);
    let start = Start::in_tree(tree).program(program);
    let start = start.option("--emperor-wrapper").option(&wrapper);
    let mut emperor = start.options(&["--vassal-set", "k=v", "--vassals-include-before", "/a.ini"]).start();
    let written = wrapper.with_extension("dump");
    let text = eventually("a dump", || std::fs::read_to_string(&written).ok());
    let dump = without_tree(&text, &emperor.tree.path(""));
    emperor.kill();
    dump
}

fn without_tree(text: &str, tree: &Path) -> Dump {
    let text = text.replace(tree.to_str().unwrap(), "TREE/");
    let mut dump = Dump::new();
    for (kind, value) in text.lines().filter_map(|line| line.split_once('=')) {
        dump.entry(kind.to_owned()).or_default().push(value.to_owned());
    }
    dump
}

#[test]
fn a_wrapper_finds_the_same_under_either_emperor() {
    let (theirs, ours) = (dump(&[UWSGI]), dump(&[LIEGE]));
    for kind in ["cwd", "argv", "stdin", "control", "Blk"] {
        assert_eq!(ours[kind], theirs[kind], "{kind}");
    }
    assert_eq!(ours["argv"], ["--include", "/a.ini", "--set", "k=v", "--ini", "x.ini"]);
    assert_eq!(ours["control"], ["socket"]);
    assert_descriptors(&ours);
    assert_descriptors(&theirs);
    assert_eq!(ours["Ign"], ["0000000000000000"], "no signal is ignored, not even SIGPIPE");
    assert_environment(&ours, &theirs);
}

/// 0 to 2, the control descriptor, and the wrapper's own: from 9 on what it writes to, the script that it reads and what
/// its shell has put aside; at the lowest free number the directory that it lists.
fn assert_descriptors(dump: &Dump) {
    let control = dump["control number"][0].as_str();
    let lowest = if control == "3" { "4" } else { "3" };
    let mut wanted: Vec<&str> = vec!["0", "1", "2", "9", "10", "11", control, lowest];
    wanted.sort_unstable();
    assert_eq!(dump["fd"], wanted);
}

/// Nothing that uWSGI's Emperor would not give, and what makes a vassal of it.
fn assert_environment(ours: &Dump, theirs: &Dump) {
    let names = |dump: &Dump| -> Vec<String> {
        dump["env"].iter().filter_map(|one| Some(one.split_once('=')?.0.to_owned())).collect()
    };
    let theirs = names(theirs);
    for name in names(ours) {
        assert!(theirs.contains(&name), "{name} is not among {theirs:?}");
    }
    assert!(names(ours).contains(&"UWSGI_EMPEROR_FD".to_owned()));
}

#[test]
fn a_vassal_sees_what_its_emperor_sets_whichever_emperor_it_is() {
    let seen = |program: &str| {
        let tree = Tree::new();
        tree.vassal(
            "x.ini",
            &format!("env = SHOP=%(shop)-%n\nif-opt = shop=books\nenv = KIND=books\nendif\n{IDLE}"),
        );
        let before = tree.path("before.ini");
        std::fs::write(&before, "[uwsgi]\nenv = BEFORE=%(shop)\nshelf = 3\n").unwrap();
        let after = tree.path("after.ini");
        std::fs::write(&after, "[uwsgi]\nenv = AFTER=%(shelf)\n").unwrap();
        let start =
            Start::in_tree(tree).program(&[program]).option("--vassals-include-before").option(before);
        let start = start.option("--vassals-inherit").option(after);
        let start =
            start.options(&["--vassal-set", "shop=books", "--binary-path", LIEGE, "--emperor-freq", "1"]);
        let mut emperor = start.start();
        emperor.expect_no_tidy_end();
        let environment = vassal(&emperor, "x.ini").child().environment();
        ["SHOP=", "KIND=", "BEFORE=", "AFTER="]
            .map(|name| environment.iter().find(|one| one.starts_with(name)).cloned().unwrap_or_default())
    };
    let ours = seen(LIEGE);
    assert_eq!(ours, ["SHOP=books-x", "KIND=books", "BEFORE=books", "AFTER=3"]);
    assert_eq!(ours, seen(UWSGI));
}
