//! A Linux process host: picks the role of this process.

mod config;
mod emperor;
mod monitors;
mod names;
mod trust;

fn main() {}
