//! What vassals write: whole lines, nobody's lost by another's flood, the last of them kept for whoever may read them.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

#[path = "../common/mod.rs"]
mod common;

mod attacks;
mod daemons;
mod keeper;
mod of_daemons;
mod own;
mod places;
mod rotated;
mod tail;
mod usual;

use std::process::{Command, Output, Stdio};

use common::{Emperor, Process, Tree, eventually};
use rustix::process::Signal;

/// Has what vassals write on the Emperor's standard error.
const ON_STDERR: [&str; 2] = ["--vassals-log", "stderr"];

/// A config whose command is this shell script, which every tenant may run.
fn writes(tree: &Tree, name: &str, script: &str) -> String {
    let script = tree.script(name, script);
    format!("command = {}\n", script.display())
}

/// `liege VERB ADDRESS WORDS...`, by this user.
fn command(emperor: &Emperor, uid: u32, words: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    let id = uid.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(emperor.tree.path("liege"));
    command.arg(words[0]).arg(emperor.tree.path("run/stats.sock.control")).args(&words[1..]);
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").stdin(Stdio::null());
    command
}

/// Runs it to its end.
fn run(emperor: &Emperor, uid: u32, words: &[&str]) -> Output {
    command(emperor, uid, words).output().unwrap()
}

/// The last lines of a vassal, as root reads them; none of one that is not there yet.
fn tail(emperor: &Emperor, words: &[&str]) -> String {
    String::from_utf8(run(emperor, 0, &[&["tail"], words].concat()).stdout).unwrap()
}

/// The log keeper, and no other than this one.
fn keeper(emperor: &Emperor, other_than: Option<&Process>) -> Process {
    eventually("the log keeper", || {
        let mut all = emperor.process.children().into_iter();
        let is_one =
            |one: &Process| one.command_line().first().is_some_and(|name| name == "liege log-keeper");
        all.find(|one| is_one(one) && other_than.is_none_or(|other| other.pid != one.pid))
    })
}

/// Stops somebody in the midst of what he does.
fn freeze(process: &Process) {
    process.signal(Signal::STOP);
    eventually("its halt", || process.status("State").starts_with('T').then_some(()));
}
