//! Pure. A switch for IP packets between jails, their host, and other routers: `tuntap-router`.
//!
//! Frames and records are what uWSGI 2.0 has on the wire; rules are what administrators write.

mod chain;
mod compiled;
pub mod frame;
mod lease;
mod packet;
mod prefix;
mod queue;
mod reason;
pub mod record;
mod rule;
mod tally;
mod turns;
mod words;

pub use chain::{Chain, Judgement, TooManyRules};
pub use compiled::{Compiled, RULES_MAX};
pub use lease::{Exhausted, LEASES_MAX, Leases};
pub use packet::{Packet, Piece};
pub use prefix::Prefix;
pub use queue::{Full, Queue};
pub use reason::{REASONS, Reason};
pub use rule::{Action, Direction, Rule};
pub use tally::{Account, Flow, Tally};
pub use turns::Turns;
pub use words::Wrong;
