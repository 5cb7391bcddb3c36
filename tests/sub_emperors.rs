//! Emperors in vassals of Emperors, three deep: what the outermost does reaches the innermost, and its end is the end of all.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, Emperor, Process, Start, Tree, eventually, liege};
use rustix::process::Signal;
use serde_json::Value;

const INNERMOST: &str = "command = /bin/sh -c 'echo innermost runs; exec sleep 1000000'\n";

/// What the outermost is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outermost {
    /// Root's, of tenants in jails: the others are one of these.
    Tyrant,
    /// The same, where each is a program: `command = liege --emperor …`.
    Commanded,
    /// Root's, of trusted vassals without jails.
    Plain,
    /// An ordinary user's, without jails.
    Users,
}

/// The vassal of one Emperor that is the next Emperor.
fn sub_emperor(tree: &Tree, level: &str) -> String {
    let (source, stats) = (tree.path(level), tree.path(&format!("{level}/stats.sock")));
    format!("emperor = {}\nemperor-stats = {}\n", source.display(), stats.display())
}

/// The same as a program that happens to be an Emperor.
fn program(tree: &Tree, level: &str) -> String {
    let (source, stats) = (tree.path(level), tree.path(&format!("{level}/stats.sock")));
    let liege = tree.liege();
    let words =
        format!("{} --emperor {} --emperor-stats {}", liege.display(), source.display(), stats.display());
    format!("command = {words}\nreload-signal = HUP\nready = notify\n")
}

/// `vassals/first.ini`, in which `second/second.ini`, in which `third/innermost.ini`.
fn three_deep(kind: Outermost) -> Emperor {
    let tree = Tree::new();
    let next = if kind == Outermost::Commanded { program } else { sub_emperor };
    let owner = if kind == Outermost::Plain { 0 } else { ALICE };
    for level in ["second", "third"] {
        tree.dir_of(owner, level);
    }
    tree.place(&tree.path("third/innermost.ini"), owner, &format!("[uwsgi]\n{INNERMOST}"));
    tree.place(&tree.path("second/second.ini"), owner, &format!("[uwsgi]\n{}", next(&tree, "third")));
    tree.vassal_of(owner, "first.ini", &next(&tree, "second"));
    let emperor = match kind {
        Outermost::Tyrant | Outermost::Commanded => {
            Start::in_tree(tree).options(&["--emperor-tyrant"]).start()
        }
        Outermost::Plain => Start::in_tree(tree).start(),
        Outermost::Users => Start::owned(tree, ALICE).by_user(ALICE).start(),
    };
    emperor.wait_for_line(|line| line == "innermost runs");
    emperor
}

/// Whoever is killed leaves the socket that its program spoke to, where that was a file.
fn clear_up_after(killed: &[i32]) {
    let whose = |name: &str| name.strip_prefix("liege-notify-")?.split('-').next()?.parse::<i32>().ok();
    for entry in std::fs::read_dir("/tmp").unwrap().flatten() {
        if entry.file_name().to_str().and_then(whose).is_some_and(|pid| killed.contains(&pid)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

const ALL: [Outermost; 4] = [Outermost::Tyrant, Outermost::Commanded, Outermost::Plain, Outermost::Users];

/// The stats of one of the inner Emperors, as `liege status` gets them from outside.
fn status(emperor: &Emperor, level: &str, vassal: &str) -> Option<Value> {
    let place = emperor.tree.path(&format!("{level}/stats.sock"));
    let output = liege(&["status", place.to_str().unwrap(), "--json"]);
    let stats: Value = serde_json::from_slice(&output.stdout).ok()?;
    stats["vassals"].as_array()?.iter().find(|one| one["id"] == vassal).cloned()
}

fn wait_status(emperor: &Emperor, (level, vassal): (&str, &str), wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("status of {vassal}"), || status(emperor, level, vassal).filter(|one| wanted(one)))
}

fn sleeper(emperor: &Emperor) -> Process {
    emperor.wait_for_programs("sleep", 1).remove(0)
}

#[test]
fn a_reload_of_the_outermost_reloads_the_innermost_and_no_emperor_ends_for_it() {
    for kind in ALL {
        let emperor = three_deep(kind);
        let before = wait_status(&emperor, ("third", "innermost.ini"), |one| one["state"] != "starting");
        // What it would say to a service manager, it says above.
        emperor.wait_stats("first.ini", |one| one["said"] == "The Emperor is governing 1 vassals");
        let (first, mark) = (emperor.vassal("first.ini").child(), emperor.lines.mark());
        emperor.signal(Signal::HUP);
        emperor.lines.wait_since(mark, |line| line == "innermost runs");
        let reloaded = |one: &Value| one["starts"].as_u64() > before["starts"].as_u64();
        wait_status(&emperor, ("third", "innermost.ini"), reloaded);
        assert!(first.is_alive(), "{kind:?}: it reloads by itself");
        emperor.stop();
    }
}

#[test]
fn a_config_of_any_level_is_seen_and_its_end_is_the_end_of_all_below() {
    for kind in ALL {
        let emperor = three_deep(kind);
        wait_status(&emperor, ("second", "second.ini"), |one| {
            one["state"] == "running" || one["state"] == "loyal"
        });
        let innermost = sleeper(&emperor);
        std::fs::remove_file(emperor.tree.path("second/second.ini")).unwrap();
        innermost.wait_gone();
        eventually("the last vassal's end", || {
            status(&emperor, "second", "second.ini").is_none().then_some(())
        });
        assert!(!emperor.tree.path("third/stats.sock").exists(), "{kind:?}");
        emperor.stop();
    }
}

/// Row P7: whatever ends the outermost, nobody of any depth survives it.
#[test]
fn nobody_of_any_depth_survives_the_outermost() {
    for kind in ALL {
        let emperor = three_deep(kind);
        let innermost = sleeper(&emperor);
        emperor.stop();
        assert!(!innermost.is_alive(), "{kind:?}");

        let mut emperor = three_deep(kind);
        let (innermost, all) = (sleeper(&emperor), emperor.cgroup.pids());
        emperor.kill();
        innermost.wait_gone();
        emperor.wait_deserted();
        clear_up_after(&all);
        for level in ["second", "third", "run"] {
            // Nobody was left to remove them.
            let _ = std::fs::remove_file(emperor.tree.path(&format!("{level}/stats.sock")));
        }
    }
}

/// Row P7: an Emperor in the middle that dies takes those below along, and comes back with all of them.
#[test]
fn an_emperor_in_the_middle_that_is_killed_comes_back_with_all_below() {
    for kind in ALL {
        let emperor = three_deep(kind);
        let (innermost, mark, all) = (sleeper(&emperor), emperor.lines.mark(), emperor.cgroup.pids());
        let middle = emperor.vassal("first.ini").child();
        middle.signal(Signal::KILL);
        innermost.wait_gone();
        emperor.lines.wait_since(mark, |line| line == "innermost runs");
        let again = sleeper(&emperor);
        assert_ne!(again.pid, innermost.pid);
        emperor.stop();
        clear_up_after(&all);
    }
}

/// The watchdog of one Emperor is the heartbeat of the other.
#[test]
fn an_emperor_in_a_vassal_beats_like_any_program() {
    let tree = Tree::new();
    tree.dir_of(ALICE, "second");
    let config = format!("{}heartbeat = 1\n", sub_emperor(&tree, "second"));
    tree.vassal_of(ALICE, "first.ini", &config);
    let emperor = Start::in_tree(tree).options(&["--emperor-tyrant"]).start();
    let first = emperor.wait_stats("first.ini", |one| one["last_heartbeat"] != 0)["last_heartbeat"].as_u64();
    emperor.wait_stats("first.ini", |one| one["last_heartbeat"].as_u64() > first);
    emperor.stop();
}

/// What the vassal does for itself happens before, as its own user; what it governs is not its, and stays where it is.
#[test]
fn the_phases_of_the_vassal_come_before_its_emperor_and_another_config_begins_anew() {
    for options in [&["--emperor-tyrant"][..], &[]] {
        let tree = Tree::new();
        let owner = if options.is_empty() { 0 } else { ALICE };
        tree.dir_of(owner, "second");
        tree.place(&tree.path("second/innermost.ini"), owner, &format!("[uwsgi]\n{INNERMOST}"));
        let config = |say: &str| {
            let phase = format!("exec-as-user = echo {say} of user $(id -u)\n");
            format!("{phase}{}vassal-set = env=SAID={say}\n", sub_emperor(&tree, "second"))
        };
        tree.vassal_of(owner, "first.ini", &config("one"));
        let (again, text) = (tree.vassals().join("first.ini"), config("two"));
        let emperor = Start::in_tree(tree).options(options).start();
        emperor.wait_for_line(|line| line == format!("one of user {owner}"));
        emperor.wait_for_line(|line| line == "innermost runs");
        let first = sleeper(&emperor);
        assert!(first.environment().contains(&"SAID=one".to_owned()));
        emperor.tree.place(&again, owner, &format!("[uwsgi]\n{text}"));
        emperor.wait_for_line(|line| line == format!("two of user {owner}"));
        first.wait_gone();
        let second = sleeper(&emperor);
        assert!(second.environment().contains(&"SAID=two".to_owned()));
        emperor.stop();
    }
}

/// A config that is of no use as it is now leaves what runs alone.
#[test]
fn a_mistake_in_the_options_of_an_emperor_in_a_vassal_is_told_with_its_place_and_disturbs_nobody() {
    let emperor = three_deep(Outermost::Tyrant);
    wait_status(&emperor, ("third", "innermost.ini"), |one| one["state"] != "starting");
    let innermost = sleeper(&emperor);
    let wrong = format!("{}emperor-throttle = soon\n", sub_emperor(&emperor.tree, "second"));
    emperor.tree.vassal_of(ALICE, "first.ini", &wrong);
    emperor.wait_for_line(|line| line.contains("first.ini:4:20: `emperor-throttle`"));
    assert!(innermost.is_alive());
    emperor.stop();
}
