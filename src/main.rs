//! A Linux process host: picks the role of this process.

mod cli;
mod config;
mod emperor;
mod options;

fn main() {}
