//! An Emperor of somebody who is not root.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, Emperor, Process, Start, Tree};

const SLEEP: &str = "command = sleep infinity\n";
const JAIL: [&str; 2] = ["--emperor-use-clone", "fs,net,ipc,pid,uts,time"];

#[test]
fn an_ordinary_user_gets_jails_by_user_namespaces_and_is_told() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", "hostname = inside\ncommand = sleep infinity\n");
    let emperor = Start::owned(tree, ALICE).options(&JAIL).by_user(ALICE).start();
    let vassal = emperor.vassal("a.ini");
    let ours = Process::of_this_test();
    for name in ["mnt", "net", "ipc", "pid", "uts", "user", "time"] {
        assert_ne!(vassal.namespace(name), ours.namespace(name), "{name}");
    }
    assert_eq!(vassal.status("Uid"), "61001 61001 61001 61001");
    assert_eq!(vassal.read("uid_map").split_whitespace().collect::<Vec<_>>(), ["0", "61001", "1"]);
    assert_eq!(vassal.status("NoNewPrivs"), "1");
    emperor.wait_for_line(|line| line.contains("user namespace"));
    emperor.stop();
}

#[test]
fn an_ordinary_user_without_namespaces_simply_supervises() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let emperor = Start::owned(tree, ALICE).by_user(ALICE).start();
    let vassal = emperor.vassal("a.ini");
    assert_eq!(vassal.status("Uid"), "61001 61001 61001 61001");
    assert_eq!(vassal.namespace("user"), Process::of_this_test().namespace("user"));
    emperor.stop();
}

#[test]
fn nobody_survives_a_killed_emperor_of_an_ordinary_user() {
    for options in [&[][..], &JAIL] {
        let tree = Tree::new();
        tree.vassal_of(ALICE, "a.ini", SLEEP);
        let mut emperor = Start::owned(tree, ALICE).options(options).by_user(ALICE).start();
        let vassal = emperor.vassal("a.ini");
        let command = vassal.child();
        emperor.kill();
        vassal.wait_gone();
        command.wait_gone();
        emperor.wait_deserted();
    }
}

#[test]
fn tyrant_mode_needs_root_and_says_so() {
    let tree = Tree::new();
    let mut emperor = Start::owned(tree, ALICE).option("--emperor-tyrant").by_user(ALICE).start();
    assert_eq!(emperor.wait().code(), Some(1));
    emperor.wait_for_line(|line| line.contains("emperor-tyrant") && line.contains("root"));
    emperor.stop();
}

#[test]
fn where_user_namespaces_are_forbidden_the_reason_and_the_cure_are_told() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    // In a user namespace that allows no further one; without capabilities, its root is nobody special.
    let forbid = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --bounding-set=-all \"$@\"";
    let start = Start::owned(tree, ALICE).options(&JAIL).copied();
    let start = start.through(&["unshare", "--map-root-user", "sh", "-c", forbid, "sh"]);
    let mut emperor = start.dropped_to(ALICE).start();
    emperor.wait_for_line(|line| line.contains("max_user_namespaces"));
    emperor.expect_no_tidy_end();
    emperor.signal(rustix::process::Signal::TERM);
    emperor.wait();
}

/// Under the filter of system calls that every tenant's vassal is under.
#[test]
fn a_tenant_runs_an_emperor_of_her_own_in_her_vassal() {
    let tree = Tree::new();
    for directory in ["hers", "hers/shop"] {
        tree.dir_of(ALICE, directory);
    }
    let inner = tree.path("hers/shop/inner.ini");
    tree.place(&inner, ALICE, "[uwsgi]\ncommand = /bin/sh -c 'echo inner runs; exec sleep 1000000'\n");
    let command =
        format!("command = {} --emperor {}/*/*.ini\n", tree.liege().display(), tree.path("hers").display());
    tree.vassal_of(ALICE, "outer.ini", &command);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    emperor.wait_for_line(|line| line == "inner runs");
    let mark = emperor.lines.mark();
    emperor.tree.place(
        &emperor.tree.path("hers/shop/later.ini"),
        ALICE,
        "[uwsgi]\ncommand = /bin/sh -c 'echo later runs; exec sleep 1000000'\n",
    );
    emperor.lines.wait_since(mark, |line| line == "later runs");
}

#[test]
fn an_ordinary_user_has_the_jail_of_one_word_too() {
    for kind in ["standard", "strict"] {
        let tree = Tree::new();
        let look =
            "{ id -u; ls -A /tmp | wc -l; ls /dev/kmsg 2>&1 | grep -c cannot; } > fresh; mv fresh seen";
        tree.vassal_of(ALICE, "a.ini", &format!("command = sh -c '{look}; exec sleep infinity'\n"));
        let emperor = Start::owned(tree, ALICE).options(&["--jail", kind]).by_user(ALICE).start();
        assert_eq!(emperor.tree.text("vassals/seen"), format!("{ALICE}\n0\n1\n"), "{kind}");
        let program = emperor.vassal("a.ini").child();
        assert_eq!(program.status("CapEff"), "0000000000000000");
        emperor.stop();
    }
}
