//! `liege start`, `stop`, `restart`, `reload`, `enable`, `disable`: whoever may has vassals do it, and is told when they have.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

#[path = "../common/mod.rs"]
mod common;

mod attacks;
mod completed;
mod disabled;
mod kept;
mod life;
mod manual;
mod shown;
mod supervisorctl;
mod whole;

use std::process::{Command, Output, Stdio};

use common::Emperor;

/// A program that lives until it is told to end.
const IDLE: &str = "command = /bin/sleep 1000000\n";

/// `liege VERB ADDRESS WORDS...`, by this user.
fn command(emperor: &Emperor, uid: u32, words: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    let id = uid.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(emperor.tree.path("liege"));
    command.arg(words[0]).arg(emperor.stats_socket()).args(&words[1..]);
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").stdin(Stdio::null());
    command
}

/// What it says and its exit status.
fn said_by(uid: u32, emperor: &Emperor, words: &[&str]) -> (String, i32) {
    let Output { status, stdout, stderr } = command(emperor, uid, words).output().unwrap();
    let text = String::from_utf8([stdout, stderr].concat()).unwrap();
    (text, status.code().unwrap())
}

fn said(emperor: &Emperor, words: &[&str]) -> (String, i32) {
    said_by(0, emperor, words)
}

fn is(text: &str, status: i32) -> (String, i32) {
    (format!("{text}\n"), status)
}
