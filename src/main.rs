//! A Linux process host: picks the role of this process.

mod config;
mod control;
mod emperor;
mod log;
mod monitors;
mod names;
mod runtime;
mod spawner;
mod stats;
mod trust;

fn main() {}
