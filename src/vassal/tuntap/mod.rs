//! Networks of a vassal by a router in user space: devices of its own, whose packets go to the router.

mod call;
mod carry;
mod device;
mod join;
mod knobs;
mod lent;
mod pace;
mod pump;
mod resolvers;
mod settle;

pub use join::join;
pub use lent::{ROUTERS, Router, inherited};
pub use pump::{Carriage, revive, start};
pub use resolvers::write;
