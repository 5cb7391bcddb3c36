//! Tyrants: as whom a vassal runs, and what keeps it from running at all.

use std::os::unix::fs::{chown, symlink};

use rustix::process::Signal;

use crate::common::{ALICE, BOB, Emperor, Process, Tree};
use crate::pair::{Pair, documented, told, wait_told};

const TYRANT: [&str; 1] = ["--emperor-tyrant"];
/// As theirs, without a jail.
const BARE: [&str; 1] = ["--jail=none"];

fn tyrants(fill: impl Fn(&Tree)) -> Pair {
    Pair::of_actors(fill, &TYRANT, &BARE)
}

fn started(owner: u32) -> String {
    format!("started as {owner}:{owner} in TREE/vassals")
}

/// Comes back when everybody has been looked at.
fn pass_by(emperor: &Emperor) {
    for name in ["tick.ini", "tock.ini"] {
        emperor.tree.vassal_of(ALICE, name, "");
        wait_told(emperor, name, "started", 1);
    }
}

#[test]
fn a_vassal_runs_as_the_owner_of_its_config_and_never_as_root() {
    let pair = tyrants(|tree| {
        tree.vassal_of(ALICE, "alice.ini", "");
        tree.vassal_of(BOB, "bob.ini", "");
        tree.vassal("root.ini", "");
        let path = tree.vassal_of(ALICE, "group.ini", "");
        chown(path, Some(ALICE), Some(0)).unwrap();
    });
    pair.each(pass_by);
    for (name, owner) in [("alice.ini", ALICE), ("bob.ini", BOB)] {
        pair.each(|emperor| wait_told(emperor, name, "started", 1));
        assert_eq!(pair.same(|emperor| told(emperor, name)), [started(owner)]);
    }
    for name in ["root.ini", "group.ini"] {
        assert_eq!(pair.same(|emperor| told(emperor, name)), [""; 0]);
    }
}

#[test]
fn a_config_that_changes_hands_is_stopped_and_started_as_its_new_owner() {
    let pair = tyrants(|tree| {
        tree.vassal_of(ALICE, "x.ini", "");
        tree.vassal_of(ALICE, "roots.ini", "");
    });
    pair.each(|emperor| {
        for name in ["x.ini", "roots.ini"] {
            wait_told(emperor, name, "started", 1);
        }
        let path = |name: &str| emperor.tree.vassals().join(name);
        chown(path("x.ini"), Some(BOB), Some(BOB)).unwrap();
        chown(path("roots.ini"), Some(0), Some(0)).unwrap();
        wait_told(emperor, "x.ini", "started", 2);
        wait_told(emperor, "roots.ini", "heard 0", 1);
        pass_by(emperor);
    });
    assert_eq!(pair.same(|emperor| told(emperor, "x.ini")), [started(ALICE), "heard 0".into(), started(BOB)]);
    assert_eq!(pair.same(|emperor| told(emperor, "roots.ini")), [started(ALICE), "heard 0".into()]);
}

/// What somebody else could have put there; and a group that is not the owner's first one.
#[test]
fn a_config_of_two_names_is_run_by_them_alone() {
    documented("| a hard link to a config | a vassal of its owner | refused: a config has one name |");
    let pair = tyrants(|tree| {
        tree.dir_of(BOB, "bobs");
        for name in ["one", "two"] {
            tree.place(&tree.path(&format!("bobs/{name}")), BOB, "[uwsgi]\n");
        }
        symlink(tree.path("bobs/one"), tree.vassals().join("symbolic.ini")).unwrap();
        std::fs::hard_link(tree.path("bobs/two"), tree.vassals().join("hard.ini")).unwrap();
        let path = tree.vassal_of(ALICE, "group.ini", "");
        chown(path, Some(ALICE), Some(1)).unwrap();
    });
    pair.each(pass_by);
    pair.each(|emperor| wait_told(emperor, "group.ini", "started", 1));
    pair.same(|emperor| told(emperor, "group.ini"));
    assert_eq!(pair.same(|emperor| told(emperor, "symbolic.ini")), [started(BOB)]);
    assert_eq!(pair.each(|emperor| told(emperor, "hard.ini")), [vec![started(BOB)], vec![]]);
}

#[test]
fn a_tenant_that_hears_nothing_outlives_a_killed_emperor_of_theirs_alone() {
    documented("| the Emperor is killed |");
    let mut pair = tyrants(|tree| {
        tree.vassal_of(ALICE, "deaf.ini", "deaf\n");
        tree.vassal_of(ALICE, "good.ini", "");
    });
    let vassals = pair.each(|emperor| {
        ["deaf.ini", "good.ini"].map(|name| {
            wait_told(emperor, name, "started", 1);
            let pid = emperor.stats_of(name).unwrap()["pid"].as_i64().unwrap();
            Process::of(i32::try_from(pid).unwrap())
        })
    });
    pair.theirs.kill();
    pair.ours.kill();
    let [[their_deaf, their_good], ours] = &vassals;
    ours.iter().for_each(Process::wait_gone);
    their_good.wait_gone();
    assert!(their_deaf.is_alive());
    their_deaf.signal(Signal::KILL);
}
