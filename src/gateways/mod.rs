//! Routers between jails and the world: what is opened for one while there is the right to, and its process.

mod device;
pub mod filter;
mod leases;
mod listener;
mod nameservers;
mod opened;
mod revival;
pub mod role;

pub use opened::{Opened, Setting};
pub use revival::Revival;
