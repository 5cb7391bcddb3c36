//! Pure. A switch for IP packets between jails, their host, and other routers: `tuntap-router`.
//!
//! Frames and records are what uWSGI 2.0 has on the wire; rules are what administrators write.

mod compiled;
pub mod frame;
mod packet;
mod prefix;
mod reason;
pub mod record;
mod rule;
mod words;

pub use compiled::{Compiled, RULES_MAX};
pub use packet::{Packet, Piece};
pub use prefix::Prefix;
pub use reason::{REASONS, Reason};
pub use rule::{Action, Direction, Rule};
pub use words::Wrong;
