//! Pure. From what a jail should be (`Spec`) to what is done, in order (`Plan`).

mod advice;
mod capabilities;
mod errno;
mod failure;
mod filter;
pub mod mountinfo;
mod namespaces;
mod order;
mod refusals;
mod rootfs;
mod show;
mod spec;
mod step;

pub use advice::{Host, advise, advise_birth};
pub use capabilities::Capabilities;
pub use errno::errno_name;
pub use failure::Failure;
pub use filter::{Filter, Instruction};
pub use namespaces::Namespaces;
pub use order::plan;
pub use rootfs::{
    Attributes, DEVICES, Depth, Device, HARMLESS, INERT, LINKS, Made, Mount, Old, Presence, Root, Rootfs,
    Source,
};
pub use spec::{Identity, Network, Program, Spec, UserMap};
pub use step::{Phase, Plan, Step};

#[cfg(test)]
mod tests;
