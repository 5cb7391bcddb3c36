//! `liege attach` and `liege exec`: a program of somebody's in the jail of a running vassal.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

#[path = "../common/mod.rs"]
mod common;

mod attacks;
mod command;
mod jail;
mod limits;
mod many;
mod seat;
mod ssh;
mod terminal;

use std::process::{Command, Output, Stdio};

use common::{ALICE, BOB, Emperor, Tree};

/// A program that lives until it is told to end.
const IDLE: &str = "command = /bin/sleep 1000000\n";

/// A vassal of Alice's and one of Bob's.
fn two_tenants() -> Tree {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "alice.ini", IDLE);
    tree.vassal_of(BOB, "bob.ini", IDLE);
    tree
}

/// Both, each with a process, in this jail.
fn tenants(options: &[&str]) -> Emperor {
    let emperor = Emperor::start(two_tenants(), options);
    for name in ["alice.ini", "bob.ini"] {
        emperor.vassal(name).child_named("sleep");
    }
    emperor
}

/// In the jail that is the default.
fn jailed() -> Emperor {
    tenants(&["--emperor-tyrant"])
}

/// `liege VERB ADDRESS WORDS...`, by this user.
fn liege(emperor: &Emperor, uid: u32, words: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    let id = uid.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(emperor.tree.path("liege"));
    command.arg(words[0]).arg(emperor.tree.path("run/stats.sock.control")).args(&words[1..]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("LANG", "C.UTF-8");
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Runs it to its end.
fn run(emperor: &Emperor, uid: u32, words: &[&str]) -> Output {
    liege(emperor, uid, words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
