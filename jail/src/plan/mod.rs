//! Pure. From what a jail should be (`Spec`) to what is done, in order (`Plan`).

mod advice;
mod capabilities;
mod errno;
mod failure;
mod filter;
mod knob;
mod namespaces;
mod order;
mod refusals;
mod setting;
mod show;
mod spec;
mod step;

pub use advice::{Host, advise, advise_birth};
pub use capabilities::Capabilities;
pub use errno::errno_name;
pub use failure::Failure;
pub use filter::{Filter, Instruction};
pub use knob::{Knob, controllers};
pub use namespaces::Namespaces;
pub use order::plan;
pub use setting::{IoPriority, Limit, Resource, Setting};
pub use spec::{Identity, Network, Program, Spec, UserMap};
pub use step::{Phase, Plan, Step};

#[cfg(test)]
mod tests;
