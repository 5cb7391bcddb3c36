//! Pure. From what a jail should be (`Spec`) to what is done, in order (`Plan`).

mod advice;
mod assemble;
mod capabilities;
mod clock;
mod denied;
mod errand;
mod errno;
mod evaluate;
mod failure;
mod fence;
mod filter;
mod knob;
pub mod mountinfo;
mod namespaces;
mod need;
pub(crate) mod netlink;
mod network;
mod order;
mod payer;
mod refusals;
mod restraint;
mod rootfs;
mod rules;
mod securebits;
mod setting;
mod show;
mod spec;
pub mod standard;
mod step;

pub use advice::{Host, advise, advise_birth, rule_missing};
pub use capabilities::Capabilities;
pub use clock::{Clock, ClockOffset};
pub use errand::{Awaited, Errand};
pub use errno::errno_name;
pub use evaluate::Call;
pub use failure::Failure;
pub(crate) use fence::Rights;
pub use fence::{FILES_SINCE, Fence, SCOPES_SINCE, Scopes};
pub use filter::{Filter, Instruction, compile};
pub use knob::{Knob, controllers, is_bound_to_v1};
pub use namespaces::Namespaces;
pub use need::Need;
pub use network::{Address, IPVLAN_MODES, Link, LinkKind, MACVLAN_MODES, Mode, Prefix, Route, VethEnd};
pub use order::plan;
pub use payer::PAYERS;
pub use restraint::{Joined, Restraint};
pub use rootfs::{
    Attributes, DEVICES, Depth, Device, HARMLESS, INERT, LINKS, Made, Mount, Old, Owners, Presence, Root,
    Rootfs, Source, TUN, files_max,
};
pub use rules::{Answer, Clause, Compare, Relation, Rules, Test};
pub use securebits::SecureBits;
pub use setting::{IoPriority, Limit, Resource, Setting};
pub use spec::{Extent, Identity, Network, Program, Spec, UserMap};
pub use step::{Phase, Plan, Step};

#[cfg(test)]
mod tests;
