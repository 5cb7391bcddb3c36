//! `emperor-limits`, as far as a kernel shows it whose controllers are bound to version 1; tests-vm/cases/limits-live.sh has the
//! rest. Row G6.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::path::PathBuf;

use common::{ALICE, Emperor, Tree};

const SLEEP: &str = "command = sleep infinity\n";

/// Renamed into place, as editors do.
fn write(tree: &Tree, owner: u32, text: &str) -> PathBuf {
    let path = tree.path("limits");
    tree.place(&tree.path("limits.new"), owner, text);
    std::fs::rename(tree.path("limits.new"), &path).unwrap();
    path
}

fn start(tree: Tree, limits: &str) -> Emperor {
    let file = write(&tree, 0, limits).display().to_string();
    tree.vassal("a.ini", SLEEP);
    Emperor::start(tree, &["--emperor-limits", &file])
}

#[test]
fn a_bad_file_is_told_with_line_and_cure_and_disturbs_nobody() {
    let emperor = start(Tree::new(), "; nobody yet\n");
    let vassal = emperor.vassal("a.ini");
    for (text, told) in [
        (
            "[a.ini]\nmemroy-max = 1\n",
            ["limits:2:1: `memroy-max` is no limit of a cgroup", "did you mean `memory-max`?"],
        ),
        ("[uid=nobody-here]\n", ["limits:1:1: there is no user `nobody-here`", "[uid=1000]"]),
        (
            "[a.ini]\nrelease_agent = /x\n",
            ["`release_agent` is no limit of a cgroup", "use one of memory-max"],
        ),
        (
            "[a.ini]\nio-max = /dev/null rbps=1\n",
            ["/dev/null is no block device", "the last good limits still hold"],
        ),
    ] {
        let mark = emperor.lines.mark();
        write(&emperor.tree, 0, text);
        emperor.lines.wait_since(mark, |line| told.iter().all(|part| line.contains(part)));
    }
    assert!(vassal.is_alive());
    emperor.stop();
}

/// Row G6: limits are root's to write.
#[test]
fn a_file_that_a_tenant_can_write_to_is_refused() {
    let emperor = start(Tree::new(), "");
    emperor.vassal("a.ini");
    write(&emperor.tree, ALICE, "[*]\npids-max = 1\n");
    emperor.wait_for_line(|line| line.contains("others than the administrator could change limits here"));
    emperor.stop();
}

#[test]
fn a_file_that_is_gone_is_told_and_its_limits_hold_on() {
    let emperor = start(Tree::new(), "");
    emperor.vassal("a.ini");
    std::fs::remove_file(emperor.tree.path("limits")).unwrap();
    emperor.wait_for_line(|line| {
        line.contains("the last good limits still hold") && line.contains("cannot open the file of limits")
    });
    write(&emperor.tree, 0, "; again\n");
    emperor.wait_for_line(|line| line.contains("limits was read again"));
    emperor.stop();
}

#[test]
fn no_emperor_starts_with_a_bad_file() {
    let mut emperor = start(Tree::new(), "[a.ini\n");
    emperor.expect_no_tidy_end();
    assert!(!emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("limits:1:1: a section header ends with `]`"));
    emperor.stop();
}
