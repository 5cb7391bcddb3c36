//! What the Emperor and its spawner keep.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, BOB, Emperor, Process, Start, Tree};

const SLEEP: &str = "command = sleep infinity\n";
const SETS: [&str; 4] = ["CapInh", "CapPrm", "CapEff", "CapAmb"];

fn spawner_of(emperor: &Emperor) -> Process {
    let is_spawner = |one: &Process| one.command_line().iter().any(|word| word.contains("spawner"));
    common::eventually("a spawner", || emperor.process.children().into_iter().find(is_spawner))
}

/// As `/proc/PID/status` writes this list of capability numbers.
fn set(numbers: &[u32]) -> String {
    format!("{:016x}", numbers.iter().fold(0_u64, |bits, one| bits | 1 << one))
}

const KILL: u32 = 5;
const SETGID: u32 = 6;
const SETUID: u32 = 7;
const SETPCAP: u32 = 8;
const SYS_ADMIN: u32 = 21;

#[test]
fn with_a_uid_the_emperor_has_no_capability_and_the_spawner_those_listed() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let list = "setuid,setgid,setpcap,kill,sys_admin";
    let emperor = Start::in_tree(tree)
        .serving_as(BOB)
        .options(&["--uid", "61002", "--gid", "61002", "--cap", list])
        .start();
    let vassal = emperor.vassal("a.ini");
    assert_eq!(emperor.process.status("Uid"), "61002 61002 61002 61002");
    assert_eq!(emperor.process.status("Gid"), "61002 61002 61002 61002");
    assert_eq!(emperor.process.status("Groups"), "");
    for name in [&SETS[..], &["CapBnd"]].concat() {
        assert_eq!(emperor.process.status(name), set(&[]), "{name} of the Emperor");
    }
    let spawner = spawner_of(&emperor);
    let listed = set(&[KILL, SETGID, SETUID, SETPCAP, SYS_ADMIN]);
    for name in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(spawner.status(name), listed, "{name} of the spawner");
    }
    for name in ["CapInh", "CapAmb"] {
        assert_eq!(spawner.status(name), set(&[]), "{name} of the spawner");
    }
    assert_eq!(vassal.status("Uid"), "61002 61002 61002 61002");
    for name in [&SETS[..], &["CapBnd"]].concat() {
        assert_eq!(vassal.status(name), set(&[]), "{name} of the vassal");
    }
    emperor.stop();
}

#[test]
fn status_shows_what_both_have() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let list = "setuid,setgid,setpcap,kill,sys_admin";
    let emperor = Start::in_tree(tree)
        .serving_as(BOB)
        .options(&["--uid", "61002", "--gid", "61002", "--cap", list])
        .start();
    emperor.vassal("a.ini");
    let stats = emperor.stats();
    assert_eq!(stats["emperor_capabilities"], "none");
    let mut kept: Vec<&str> = stats["spawner_capabilities"].as_str().unwrap().split(',').collect();
    kept.sort_unstable();
    assert_eq!(kept, ["kill", "setgid", "setpcap", "setuid", "sys_admin"]);
    emperor.stop();
}

#[test]
fn a_tyrant_keeps_only_what_its_features_need_when_nothing_is_listed() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--jail", "none"]);
    emperor.vassal("a.ini");
    for name in SETS {
        assert_eq!(emperor.process.status(name), set(&[]), "{name} of the Emperor");
    }
    let kept = u64::from_str_radix(&spawner_of(&emperor).status("CapPrm"), 16).unwrap();
    assert_eq!(kept & (1 << SYS_ADMIN), 0, "no namespace is in use");
    assert_ne!(kept & (1 << SETUID), 0);
    emperor.stop();
}

#[test]
fn an_unprivileged_emperor_still_reloads_stops_and_kills_its_tenants() {
    let tree = Tree::new();
    let config =
        tree.vassal_of(ALICE, "a.ini", "command = sh -c \"trap '' TERM; while :; do sleep 600; done\"\n");
    let emperor = Start::in_tree(tree)
        .serving_as(BOB)
        .options(&["--emperor-tyrant", "--uid", "61002", "--gid", "61002", "--emperor-curse-tolerance", "1"])
        .start();
    let vassal = emperor.vassal("a.ini");
    assert_eq!(vassal.status("Uid"), "61001 61001 61001 61001");
    assert_eq!(emperor.process.status("CapEff"), set(&[]));
    emperor.wait_for_programs("sleep", 1);
    std::fs::remove_file(config).unwrap();
    emperor.wait_for("a.ini", "removed uwsgi instance");
    vassal.wait_gone();
    emperor.stop();
}

#[test]
fn a_uid_of_zero_is_refused() {
    let tree = Tree::new();
    let mut emperor = Start::in_tree(tree).options(&["--uid", "0", "--gid", "0"]).start();
    assert_ne!(emperor.wait().code(), Some(0));
    emperor.stop();
}

#[test]
fn a_vassals_capabilities_survive_its_change_of_user_and_exec() {
    let tree = Tree::new();
    tree.vassal("a.ini", &format!("uid = {ALICE}\ngid = {ALICE}\ncap = net_bind_service,sys_nice\n{SLEEP}"));
    let emperor = Emperor::start(tree, &[]);
    let command = emperor.vassal("a.ini").child();
    let both = set(&[10, 23]);
    for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(command.status(name), both, "{name}");
    }
    assert_eq!(command.status("Uid"), "61001 61001 61001 61001");
    assert_eq!(command.status("NoNewPrivs"), "1");
    emperor.stop();
}

#[test]
fn the_emperors_list_bounds_every_vassal() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let emperor = Emperor::start(tree, &["--emperor-cap", "chown,setuid,setgid"]);
    let command = emperor.vassal("a.ini").child();
    let listed = set(&[0, SETGID, SETUID]);
    for name in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(command.status(name), listed, "{name}");
    }
    emperor.stop();
}

/// A jail that cannot be made is no jail: nobody runs without it.
#[test]
fn a_tyrant_without_the_right_to_make_jails_does_not_start_and_says_what_is_missing() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let options = ["--emperor-tyrant", "--cap", "setgid,setuid"];
    let mut emperor = Emperor::start(tree, &options);
    emperor.expect_no_tidy_end();
    let line = emperor.wait_for_line(|line| line.contains("no vassal can be made here"));
    assert!(line.contains("jails need") && line.contains("sys_admin") && line.contains("`cap`"), "{line}");
    assert!(!emperor.wait().success());
}

/// The list that uWSGI's manual gives for tyrants.
#[test]
fn setgid_and_setuid_are_enough_for_a_tyrant() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let unjailed = ["--emperor-tyrant", "--jail", "none", "--cap", "setgid,setuid"];
    let emperor = Emperor::start(tree, &unjailed);
    let vassal = emperor.vassal("a.ini");
    assert_eq!(vassal.status("Uid"), format!("{ALICE} {ALICE} {ALICE} {ALICE}"));
    for name in SETS {
        assert_eq!(vassal.status(name), set(&[]), "{name}");
    }
    emperor.stop();
}

#[test]
fn what_a_list_of_capabilities_lacks_is_told_once_at_the_start() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let options = ["--emperor-tyrant", "--cap", "setgid,setuid", "--emperor-use-clone", "fs,pid"];
    let emperor = Emperor::start(tree, &options);
    emperor.wait_for("a.ini", "cannot be started");
    assert_eq!(emperor.lines.count(|line| line.contains("lacks") && line.contains("sys_admin")), 1);
    emperor.stop();
}

#[test]
fn an_emperor_that_gave_up_root_leaves_no_pidfile_in_a_directory_of_roots() {
    let tree = Tree::new();
    let pidfile = tree.path("emperor.pid");
    let path = pidfile.display().to_string();
    let user = BOB.to_string();
    let options = ["--uid", &user, "--gid", &user, "--emperor-pidfile", &path];
    let mut emperor = Start::in_tree(tree).options(&options).start();
    emperor.wait_for_line(|line| line.contains("no vassals yet"));
    assert!(pidfile.exists());
    emperor.signal(rustix::process::Signal::TERM);
    assert!(emperor.wait().success());
    assert!(!pidfile.exists());
    emperor.stop();
}

#[test]
fn root_of_a_user_namespace_has_no_more_than_emperor_cap() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let options = ["--emperor-tyrant", "--emperor-use-clone", "fs,pid,user", "--emperor-cap", "kill,setuid"];
    let emperor = Emperor::start(tree, &options);
    let vassal = emperor.vassal("a.ini");
    for name in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(vassal.status(name), set(&[KILL, SETUID]), "{name}");
    }
    emperor.stop();
}
