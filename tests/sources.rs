//! Where configs come from: directories and patterns that appear, vanish, overflow or have to be polled.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use common::{ALICE, Emperor, Start, Tree, eventually};
use rustix::process::Signal;

const IDLE: &str = "[uwsgi]\ncommand = /bin/sleep 1000000\n";

fn place(emperor: &Emperor, path: &Path) {
    emperor.tree.place(path, 0, IDLE);
}

/// Several sources, the common directory not among them.
fn start(tree: Tree, sources: &[&str]) -> Emperor {
    let sources = sources.iter().flat_map(|source| ["--emperor", source]).collect::<Vec<_>>();
    Start::bare(tree).options(&sources).start()
}

#[test]
fn a_pattern_names_its_vassals_by_their_whole_path_and_sees_new_directories() {
    for scheme in ["", "glob://"] {
        let tree = Tree::new();
        let srv = tree.dir("srv");
        tree.dir("srv/one");
        tree.place(&srv.join("one/liege.ini"), 0, IDLE);
        let emperor = start(tree, &[&format!("{scheme}{}/*/liege.ini", srv.display())]);
        let name = |site: &str| srv.join(site).join("liege.ini").display().to_string();
        emperor.wait_for(&name("one"), "has been spawned");
        emperor.tree.dir("srv/two");
        place(&emperor, &srv.join("two/liege.ini"));
        emperor.wait_for(&name("two"), "has been spawned");
        place(&emperor, &srv.join("two/other.ini"));
        std::fs::rename(srv.join("one"), srv.join("three")).unwrap();
        emperor.wait_for(&name("three"), "has been spawned");
        emperor.wait_for(&name("one"), "removed uwsgi instance");
        assert!(!emperor.lines.has(|line| line.contains("other.ini")));
    }
}

#[test]
fn sources_are_relative_to_where_it_was_started() {
    let tree = Tree::new();
    for directory in ["first", "second"] {
        tree.dir(directory);
        tree.place(&tree.path(directory).join(format!("{directory}.ini")), 0, IDLE);
    }
    tree.dir("third");
    tree.place(&tree.path("third/third.ini"), 0, IDLE);
    let emperor = start(tree, &["first", "dir://second", "thi*/*.ini"]);
    for name in ["first.ini", "second.ini", "third/third.ini"] {
        emperor.wait_for(name, "has been spawned");
    }
}

#[test]
fn the_same_name_in_two_directories_is_two_vassals() {
    let tree = Tree::new();
    for directory in ["first", "second"] {
        tree.dir(directory);
        tree.place(&tree.path(directory).join("x.ini"), 0, IDLE);
    }
    let emperor = start(tree, &["first", "second"]);
    let rows = |emperor: &Emperor| -> Vec<serde_json::Value> {
        let stats = emperor.stats();
        let all = stats["vassals"].as_array().unwrap().clone();
        all.into_iter().filter(|row| row["ready"] == 1).collect()
    };
    let before = eventually("both", || Some(rows(&emperor)).filter(|rows| rows.len() == 2));
    assert_ne!(before[0]["monitor"], before[1]["monitor"]);
    assert_ne!(before[0]["pid"], before[1]["pid"]);
    let status = common::liege(&["status", &emperor.stats_socket().display().to_string()]);
    let table = String::from_utf8(status.stdout).unwrap();
    for directory in ["first", "second"] {
        let shown = format!("x.ini ({})", emperor.tree.path(directory).display());
        assert!(table.contains(&shown), "{table}");
    }
    std::fs::remove_file(emperor.tree.path("first/x.ini")).unwrap();
    let after = eventually("one", || Some(rows(&emperor)).filter(|rows| rows.len() == 1));
    assert!(before.contains(&after[0]) || before.iter().any(|row| row["pid"] == after[0]["pid"]));
    assert!(after[0]["monitor"].as_str().unwrap().ends_with("second"));
}

#[test]
fn a_source_that_is_given_twice_is_used_once() {
    let tree = Tree::new();
    let srv = tree.dir("srv");
    tree.place(&srv.join("x.ini"), 0, IDLE);
    let pattern = format!("{}/*.ini", srv.display());
    let emperor = start(tree, &["srv", "./srv/", "srv/*.ini", &pattern]);
    for again in [&format!("source={} ", srv.display()), &pattern] {
        let of_it = |line: &str| line.contains(" warn ") && line.contains(again) && line.contains("twice");
        emperor.wait_for_line(of_it);
    }
    emperor.vassal("x.ini");
    emperor.vassal("srv/x.ini");
    assert_eq!(emperor.stats()["emperor"].as_array().unwrap().len(), 2);
    assert_eq!(emperor.lines.count(|line| line.contains("twice")), 2);
}

#[test]
fn a_directory_that_vanishes_stops_nobody_and_is_picked_up_when_it_returns() {
    let tree = Tree::new();
    let (here, away) = (tree.dir("here"), tree.path("away"));
    tree.place(&here.join("stays.ini"), 0, IDLE);
    tree.place(&here.join("goes.ini"), 0, IDLE);
    let emperor = start(tree, &[here.to_str().unwrap()]);
    let (stays, goes) = (emperor.vassal("stays.ini"), emperor.vassal("goes.ini"));
    std::fs::rename(&here, &away).unwrap();
    let told = |line: &str| line.contains(" warn ") && line.contains(here.to_str().unwrap());
    emperor.wait_for_line(told);
    assert!(stays.is_alive() && goes.is_alive());
    std::fs::remove_file(away.join("goes.ini")).unwrap();
    place(&emperor, &away.join("comes.ini"));
    std::fs::rename(&away, &here).unwrap();
    emperor.vassal("comes.ini");
    emperor.wait_for("goes.ini", "removed uwsgi instance");
    goes.wait_gone();
    assert!(stays.is_alive());
    assert_eq!(emperor.told("stays.ini", "reload the uwsgi instance"), 0);
}

#[test]
fn a_vassal_that_died_while_its_directory_was_away_comes_back_with_it() {
    let tree = Tree::new();
    let (here, away) = (tree.dir("here"), tree.path("away"));
    tree.place(&here.join("x.ini"), 0, IDLE);
    let options =
        ["--emperor", here.to_str().unwrap(), "--emperor-throttle", "100", "--emperor-max-throttle", "200"];
    let emperor = Start::bare(tree).options(&options).start();
    let vassal = emperor.vassal("x.ini");
    std::fs::rename(&here, &away).unwrap();
    emperor.wait_for_line(|line| line.contains("cannot be read"));
    vassal.signal(rustix::process::Signal::KILL);
    emperor.wait_for("x.ini", "cannot be started: its directory is not where its source says");
    std::fs::rename(&away, &here).unwrap();
    let mark = emperor.lines.mark();
    emperor.vassal_since(mark, "x.ini");
    emperor.stop();
}

#[test]
fn a_directory_that_is_not_there_yet_is_told_and_picked_up() {
    let tree = Tree::new();
    let later = tree.path("later");
    let emperor = start(tree, &[later.to_str().unwrap()]);
    let told = emperor.lines.wait_since(0, |line| line.contains(later.to_str().unwrap()));
    assert!(told.contains(" warn ") && told.contains("it is waited for"), "{told}");
    assert!(!told.contains("go on"), "{told}");
    emperor.tree.dir("later");
    place(&emperor, &later.join("x.ini"));
    emperor.vassal("x.ini");
}

/// To somebody who is not root, at the start and later.
#[test]
fn an_unreadable_directory_is_not_an_empty_one() {
    let tree = Tree::new();
    let shut = tree.dir_of(ALICE, "shut");
    tree.place(&shut.join("x.ini"), ALICE, IDLE);
    chown(tree.path("run"), Some(ALICE), Some(ALICE)).unwrap();
    std::fs::set_permissions(&shut, PermissionsExt::from_mode(0o000)).unwrap();
    let emperor = Start::bare(tree).option("--emperor").option(&shut).by_user(ALICE).start();
    emperor.wait_for_line(|line| line.contains(" warn ") && line.contains(shut.to_str().unwrap()));
    std::fs::set_permissions(&shut, PermissionsExt::from_mode(0o755)).unwrap();
    let process = emperor.vassal("x.ini");
    std::fs::set_permissions(&shut, PermissionsExt::from_mode(0o000)).unwrap();
    emperor.signal(Signal::WINCH);
    emperor.stats();
    assert!(process.is_alive());
    assert_eq!(emperor.told("x.ini", "stop the uwsgi instance"), 0);
    std::fs::set_permissions(&shut, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Events are lost while nobody takes them; a look at everything makes up for that.
#[test]
fn nothing_is_missed_when_the_queue_of_events_overflows() {
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let tree = Tree::new();
    for name in ["goes.ini", "changes.ini", "stays.ini"] {
        tree.vassal(name, "command = /bin/sleep 1000000\n");
    }
    let emperor = Emperor::start(tree, &[]);
    let stays = emperor.vassal("stays.ini");
    let goes = emperor.vassal("goes.ini");
    emperor.vassal("changes.ini");
    emperor.signal(Signal::STOP);
    let vassals = emperor.tree.vassals();
    for number in 0..limit {
        std::fs::write(vassals.join(format!("noise{number}")), "").unwrap();
    }
    let mark = emperor.lines.mark();
    std::fs::remove_file(vassals.join("goes.ini")).unwrap();
    place(&emperor, &vassals.join("changes.ini"));
    place(&emperor, &vassals.join("comes.ini"));
    emperor.signal(Signal::CONT);
    emperor.wait_since(mark, "comes.ini", "has been spawned");
    emperor.wait_since(mark, "changes.ini", "has been spawned");
    goes.wait_gone();
    assert!(stays.is_alive());
    assert_eq!(emperor.told("stays.ini", "reload the uwsgi instance"), 0);
}

#[test]
fn what_is_polled_by_force_is_seen_as_well() {
    let tree = Tree::new();
    let srv = tree.dir("srv");
    let pattern = format!("{}/*.ini", srv.display());
    let emperor = Start::in_tree(tree)
        .options(&["--emperor", &pattern, "--emperor-poll", "--emperor-freq", "1"])
        .start();
    for (path, name) in [
        (emperor.tree.vassals().join("x.ini"), "x.ini".to_owned()),
        (srv.join("x.ini"), srv.join("x.ini").display().to_string()),
    ] {
        place(&emperor, &path);
        emperor.wait_for(&name, "has been spawned");
        place(&emperor, &path);
        emperor.wait_for(&name, "reload the uwsgi instance");
        std::fs::remove_file(&path).unwrap();
        emperor.wait_for(&name, "removed uwsgi instance");
    }
}

/// Suffixes of configs, and what only looks like one.
#[test]
fn a_name_decides_what_is_a_config() {
    let tree = Tree::new();
    let emperor = Emperor::start(tree, &["--emperor-extra-extension", ".vassal"]);
    let vassals = emperor.tree.vassals();
    for name in [".hidden.ini", "x.ini~", "#x.ini#", "x.ini.swp", "x.conf", "README", "ini"] {
        place(&emperor, &vassals.join(name));
    }
    for name in ["a.ini", "b.vassal"] {
        place(&emperor, &vassals.join(name));
        emperor.wait_for(name, "started with pid");
    }
    assert_eq!(emperor.lines.count(|line| line.contains("started with pid")), 2);
    assert!(!emperor.lines.has(|line| line.contains("hidden") || line.contains("README")));
}
