//! The vassal master: from a config to a command, and what PID 1 of a jail has to do until that ends.

pub mod born;
mod cgroups;
pub mod confine;
mod control;
mod duties;
mod environment;
mod hooks;
mod identity;
mod launch;
mod leftovers;
mod life;
mod master;
mod patch;
pub mod phases;
mod programs;
mod root;
mod rootfs;
mod sockets;
mod source;
mod state;
pub mod step;
mod tell;
mod trouble;
mod walk;
mod watch;

pub use life::main;
pub use patch::program;
