//! Everybody in a court under `jail`, against the exact table of what each may be: whatever is added to it, or lost from
//! it, shows up here.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;
mod table;

use common::{ALICE, Tree, eventually};
use table::Court;

/// A shell with a child: a program, and what it starts.
const FAMILY: &str = "rlimit-nofile = 256\nnice = 3\ncommand = sh -c 'sleep infinity & wait'\n";

fn assert_family(name: &str, options: &[&str], owner: u32, config: &str) {
    let court = Court::of(Tree::new(), owner, (options, config));
    let program = court.master.child_named("sh");
    let child = program.child_named("sleep");
    let table =
        court.table(&[("master", &court.master), ("program", &program), ("child of the program", &child)]);
    insta::assert_snapshot!(name, table);
    court.emperor.stop();
}

#[test]
fn everybody_in_the_default_jail_is_exactly_what_the_table_says() {
    assert_family("standard", &["--emperor-tyrant"], ALICE, FAMILY);
}

#[test]
fn everybody_in_the_strict_jail_is_exactly_what_the_table_says() {
    assert_family("strict", &["--emperor-tyrant", "--jail", "strict"], ALICE, FAMILY);
}

#[test]
fn a_trusted_vassal_that_jails_itself_is_exactly_what_the_table_says() {
    let config = format!("jail = standard\nuid = nobody\ngid = nogroup\n{FAMILY}");
    let court = Court::of(Tree::new(), 0, (&[], &config));
    // The vassal's first process waits for the one that went on behind it, as process 1 of the jail.
    let first = court.master.child_named("liege");
    let program = first.child_named("sh");
    let court = Court { master: first, neighbour: court.neighbour.child_named("liege"), ..court };
    let table = court.table(&[("master", &court.master), ("program", &program)]);
    insta::assert_snapshot!("trusted", table);
    court.emperor.stop();
}

#[test]
fn a_vassal_that_makes_a_user_namespace_in_the_default_jail_is_exactly_what_the_table_says() {
    let config = format!("unshare = user,fs\n{FAMILY}");
    assert_family("nested", &["--emperor-tyrant"], ALICE, &config);
}

#[test]
fn a_jail_with_a_root_of_its_own_is_exactly_what_the_table_says() {
    let tree = Tree::new();
    tree.dir("image");
    let bin = tree.dir("image/bin");
    common::copy_program("/bin/busybox", bin.join("busybox"));
    for name in ["sh", "sleep"] {
        std::os::unix::fs::symlink("busybox", bin.join(name)).unwrap();
    }
    for name in ["dev", "proc", "sys", "tmp", "run", "etc"] {
        tree.dir(&format!("image/{name}"));
    }
    let config = format!(
        "jail = standard\nrootfs = {} ro\nrlimit-nofile = 256\ncommand = sh -c 'sleep 100000 & wait'\n",
        tree.path("image").display()
    );
    let court = Court::of(tree, ALICE, (&["--emperor-tyrant"], &config));
    let program = court.master.child_named("sh");
    let table = court.table(&[("master", &court.master), ("program", &program)]);
    insta::assert_snapshot!("rootfs", table);
    court.emperor.stop();
}

/// A config of root's that jails itself and keeps its ids.
fn assert_root(name: &str, options: &str) {
    let court = Court::of(Tree::new(), 0, (&[], &format!("jail = standard\n{options}{FAMILY}")));
    let first = court.master.child_named("liege");
    let program = first.child_named("sh");
    let court = Court { master: first, neighbour: court.neighbour.child_named("liege"), ..court };
    let table = court.table(&[("master", &court.master), ("program", &program)]);
    insta::assert_snapshot!(name, table);
    court.emperor.stop();
}

#[test]
fn root_that_stays_root_in_its_jail_is_exactly_what_the_table_says() {
    assert_root("root", "");
}

#[test]
fn root_of_a_jail_with_a_capability_is_exactly_what_the_table_says() {
    assert_root("capable", "cap = net_bind_service\n");
}

#[test]
fn a_real_uwsgi_in_the_default_jail_is_exactly_what_the_table_says() {
    let config = "master = true\nplugins = python3\nprocesses = 1\nsocket = 127.0.0.1:0\n";
    let court = Court::open(&["--emperor-tyrant"], config);
    let worker = court.master.child();
    // The last that a worker opens.
    eventually("the queue of the worker", || {
        court.descriptors(&worker).iter().any(|one| one.contains("anon_inode")).then_some(())
    });
    let table = court.table(&[("uwsgi", &court.master), ("worker", &worker)]);
    insta::assert_snapshot!("uwsgi", table);
    court.emperor.stop();
}

#[test]
fn a_program_of_the_administrators_is_its_owner_from_the_beginning() {
    let tree = Tree::new();
    let program = tree.script("program", "sleep infinity & wait");
    let court = Court::of(
        tree,
        ALICE,
        (
            &[
                "--emperor-tyrant",
                "--emperor-curse-tolerance",
                "1",
                "--binary-path",
                program.to_str().unwrap(),
            ],
            "",
        ),
    );
    let child = court.master.child_named("sleep");
    let table = court.table(&[("program", &court.master), ("child of the program", &child)]);
    insta::assert_snapshot!("program", table);
    court.emperor.stop();
}
