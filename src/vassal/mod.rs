//! The vassal master: from a config to a command, and what PID 1 of a jail has to do until that ends.

mod born;
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
