//! The vassal master: from a config to a command, and what PID 1 of a jail has to do until that ends.

mod born;
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
mod namespaces;
pub mod net;
mod network;
mod patch;
pub mod phases;
mod programs;
mod root;
mod rootfs;
mod separation;
mod sockets;
mod source;
mod state;
pub mod step;
pub mod surroundings;
mod tell;
mod trouble;
mod walk;
mod watch;

pub use life::main;
pub use patch::program;
