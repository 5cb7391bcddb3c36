//! The vassal master: from a config to a command, and what PID 1 of a jail has to do until that ends.

mod again;
pub mod born;
mod cgroups;
pub mod confine;
mod control;
mod duties;
mod environment;
pub mod hooks;
pub mod identity;
mod launch;
mod leftovers;
mod life;
mod master;
mod namespaces;
pub mod net;
mod network;
mod notify;
mod patch;
pub mod phases;
pub mod programs;
pub mod reactions;
mod root;
mod rootfs;
mod separation;
mod sockets;
mod source;
pub mod state;
pub mod step;
pub mod surroundings;
pub mod tell;
mod touch;
pub mod trouble;
mod walk;
pub mod watch;

pub use life::main;
pub use patch::program;
