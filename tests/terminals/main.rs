//! Terminals that a vassal serves, as our own clients and those of uWSGI see them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod clients;
#[path = "../common/mod.rs"]
mod common;
#[path = "../vassal/emperor.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod emperor;
mod interop;
mod manual;
mod programs;
mod router;
#[path = "../attach/seat.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod seat;
mod shared;

use rustix::process::Signal;

use emperor::{Place, Vassal};

/// Where `emperor` looks for it.
mod program {
    pub use super::common::lend_program;
}

fn place(options: &str) -> Place {
    Place::new(&format!(
        "forkpty-router = DIR/raw\nforkpty-urouter = DIR/framed\nenv = PS1=ready>\n{options}"
    ))
}

/// Whether a process of this number is there and lives.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Whether it sleeps: a process that looks again and again never does.
fn rests(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
}

fn stop(vassal: Vassal) {
    vassal.signal(Signal::TERM);
    vassal.end();
}

/// Waits until it is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < emperor::PATIENCE, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// Children of a process, as numbers.
fn children_of(pid: i32) -> Vec<String> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().map(str::to_owned).collect()
}
