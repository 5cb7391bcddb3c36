//! Daemons beside the command of a vassal, or in its place: how they live, end and are started again.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../vassal/emperor.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod emperor;
mod keys;
mod life;
mod notify;
#[path = "../common/program.rs"]
#[allow(dead_code, reason = "others use the rest of it")]
mod program;
mod real;
mod smart;
mod ssh;
mod told;
