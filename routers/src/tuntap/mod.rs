//! Pure. A switch for IP packets between jails, their host, and other routers: `tuntap-router`.
//!
//! `Router` is the door. Frames and records are what uWSGI 2.0 has on the wire; rules are what administrators write.

mod accounts;
mod asked;
mod book;
mod chain;
pub mod charter;
mod compiled;
pub mod frame;
mod grant;
pub mod io;
mod json;
mod lease;
mod netlink;
mod offload;
mod order;
mod packet;
mod peers;
mod policy;
mod prefix;
mod queue;
mod reason;
pub mod record;
mod report;
mod router;
mod rule;
mod segment;
mod share;
mod standard;
pub mod talk;
mod tally;
mod too_big;
mod turns;
mod words;

pub use accounts::{ACCOUNTS_MAX, Accounts};
pub use book::{Book, WrongLine};
pub use chain::{Chain, Judgement, TooManyRules};
pub use compiled::{Compiled, RULES_MAX};
pub use grant::{ADDRESSES_MAX, Grant};
pub use lease::{LEASES_MAX, Leases, NoneLeft};
pub use offload::{OFFLOAD_HEADER, Offload};
pub use order::Order;
pub use packet::{Packet, Piece};
pub use peers::{GivenTwice, Peer, PeerId, Peers, Refused};
pub use policy::{Admission, Policy, Settings};
pub use prefix::Prefix;
pub use queue::{Full, Queue};
pub use reason::{REASONS, Reason};
pub use router::{Chains, Router, Verdict};
pub use rule::{Action, Direction, Rule};
pub use segment::Segments;
pub use tally::{Account, Flow, Tally};
pub use turns::Turns;
pub use words::Wrong;
