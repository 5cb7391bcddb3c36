//! What is wrong disturbs nobody: the last good config runs on, whenever the wrong one comes and whoever says what.

use std::fs::File;
use std::io::Write as _;

use rustix::process::Signal;

use super::common::{ALICE, Emperor, Process, Tree};
use super::{IDLE, is, said};

/// A program that takes its time to end, until somebody lets it.
const SLOW: &str = "command = sh -c \"trap 'echo ending' TERM; trap 'exit 0' USR1; echo armed; while :; do sleep 0.05; done\"\n";

fn append(emperor: &Emperor, text: &str) {
    let path = emperor.tree.vassals().join("shop.ini");
    File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn start(options: &[&str]) -> (Emperor, Process) {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "shop.ini", SLOW);
    let emperor = Emperor::start(tree, options);
    let first = emperor.vassal("shop.ini");
    emperor.wait_for_line(|line| line.contains("armed"));
    (emperor, first)
}

/// A good save, and when it is being carried out a wrong one; then the program ends.
fn save_twice(emperor: &Emperor, first: &Process) {
    let program = first.child_named("sh");
    let mark = emperor.lines.mark();
    append(emperor, "env = A=1\n");
    emperor.lines.wait_since(mark, |line| line.contains("ending"));
    let mark = emperor.lines.mark();
    append(emperor, "comand = x\n");
    emperor.lines.wait_since(mark, |line| line.contains("unknown option `comand`"));
    program.signal(Signal::USR1);
}

/// The process that comes after this one, once it is there.
fn next(emperor: &Emperor, before: &Process) -> Process {
    let one = emperor.wait_stats("shop.ini", |one| {
        one["pid"].as_i64().is_some_and(|pid| pid > 0 && pid != i64::from(before.pid)) && one["ready"] == 1
    });
    Process::of(one["pid"].as_i64().unwrap().try_into().unwrap())
}

fn is_told_wrong(emperor: &Emperor) {
    let (told, _) = said(emperor, &["why", "shop"]);
    let wrong = ["its new config is not used: ", "shop.ini:4:1: unknown option `comand`"];
    assert!(wrong.iter().all(|words| told.contains(words)), "{told}");
    let (told, status) = said(emperor, &["status", "shop"]);
    assert!(status == 0 && told.contains("running") && told.contains("is not used"), "{told}");
}

/// It comes back with what was accepted, also after a death of it, until the file is mended.
#[test]
fn a_wrong_save_while_a_reload_is_carried_out_takes_no_site_down() {
    let jailed: &[&str] = &["--emperor-tyrant", "--jail", "standard"];
    for options in [jailed, &["--emperor-tyrant", "--jail", "none"], &["--emperor-config-pipe"]] {
        let (emperor, first) = start(options);
        save_twice(&emperor, &first);
        let second = next(&emperor, &first);
        let program = second.child_named("sh");
        let environment = program.environment();
        assert!(environment.contains(&"A=1".into()), "{environment:?}");
        assert!(environment.iter().all(|one| !one.starts_with("LIEGE_")), "{environment:?}");
        is_told_wrong(&emperor);
        program.signal(Signal::KILL);
        let third = next(&emperor, &second);
        assert!(third.child_named("sh").environment().contains(&"A=1".into()));
        is_told_wrong(&emperor);
        emperor.tree.vassal_of(ALICE, "shop.ini", "command = sleep 1000009\n");
        third.child_named("sh").signal(Signal::USR1);
        let fourth = next(&emperor, &third);
        assert_eq!(fourth.child().command_line(), ["sleep", "1000009"]);
        assert_eq!(emperor.told("shop.ini", "refused"), 0);
        emperor.stop();
    }
}

/// Or a tenant's text would be read with root's rights.
#[test]
fn a_text_of_another_owner_is_not_gone_on_with() {
    let (emperor, first) = start(&["--jail", "none"]);
    let program = first.child_named("sh");
    let mark = emperor.lines.mark();
    append(&emperor, "env = A=1\n");
    emperor.lines.wait_since(mark, |line| line.contains("ending"));
    // Root's by now, and wrong.
    let path = emperor.tree.vassals().join("shop.ini");
    let mark = emperor.lines.mark();
    emperor.tree.place(&path, 0, "comand = x\n");
    emperor.wait_since(mark, "shop.ini", "permissions of file");
    program.signal(Signal::USR1);
    emperor.wait_stats("shop.ini", |one| one["state"] == "refused");
    first.wait_gone();
    emperor.stop();
}

/// Whoever is known to have a wrong config would not come back.
#[test]
fn a_restart_with_a_wrong_config_is_refused_and_disturbs_nobody() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("shop.ini", IDLE);
    tree.vassal("well.ini", IDLE);
    let emperor = Emperor::start(tree, &[]);
    let (shop, well) = (emperor.vassal("shop.ini"), emperor.vassal("well.ini"));
    emperor.tree.vassal("shop.ini", "comand = /bin/sleep 1\n");
    let error = "shop.ini: ERROR (its new config is not used: shop.ini:2:1: unknown option `comand`";
    let (told, status) = said(&emperor, &["reload", "shop"]);
    assert!(status == 1 && told.starts_with(error), "{told}");
    for names in [&["shop"][..], &["all"]] {
        let (told, status) = said(&emperor, &[&["restart"], names].concat());
        assert!(status == 1 && told.lines().any(|line| line.starts_with(error)), "{told}");
        assert!(shop.is_alive(), "{told}");
    }
    assert!(!well.is_alive(), "the others are restarted");
    emperor.tree.vassal("shop.ini", IDLE);
    assert_eq!(said(&emperor, &["reload", "shop"]), is("shop.ini: reloaded", 0));
    assert_eq!(said(&emperor, &["restart", "shop"]), is("shop.ini: restarted", 0));
    assert!(!shop.is_alive());
    emperor.stop();
}
