//! Pure. uWSGI's stats of an Emperor as JSON, with what it lacks: state, last end, next start.

use serde::Serialize;

use crate::emperor::event::Moment;
use crate::emperor::{Emperor, Row};
use crate::monitors::Monitors;
use crate::runtime::Calendar;

/// What does not change while the Emperor runs.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "they are the keys of the document")]
pub struct Facts {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
    pub cwd: String,
    pub tyrant: bool,
    pub jail: String,
    pub emperor_capabilities: String,
    pub spawner_capabilities: String,
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    pid: i32,
    uid: u32,
    gid: u32,
    cwd: &'a str,
    emperor: Vec<String>,
    emperor_tyrant: u8,
    throttle_level: u64,
    jail: &'a str,
    emperor_capabilities: &'a str,
    spawner_capabilities: &'a str,
    log_lines_dropped: u64,
    vassals: Vec<Vassal<'a>>,
    blacklist: Vec<Blacklisted<'a>>,
}

#[derive(Serialize)]
struct Vassal<'a> {
    id: &'a str,
    pid: i32,
    born: u64,
    last_mod: i64,
    last_heartbeat: u64,
    loyal: u8,
    ready: u8,
    accepting: u8,
    last_loyal: u64,
    last_ready: u64,
    last_accepting: u64,
    first_run: u64,
    last_run: u64,
    cursed: u64,
    zerg: u8,
    on_demand: &'static str,
    suspended: u8,
    adopted: u8,
    uid: u32,
    gid: u32,
    monitor: String,
    attrs: serde_json::Map<String, serde_json::Value>,
    respawns: u32,
    state: &'static str,
    starts: u32,
    last_exit: Option<String>,
    next_start: u64,
    note: String,
}

#[derive(Serialize)]
struct Blacklisted<'a> {
    id: &'a str,
    throttle_level: u64,
    attempt: u32,
    first_attempt: u64,
    last_attempt: u64,
}
