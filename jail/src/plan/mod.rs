//! Pure. From what a jail should be (`Spec`) to what is done, in order (`Plan`).

mod advice;
mod capabilities;
mod namespaces;
mod order;
mod spec;
mod step;

pub use advice::{Host, advise};
pub use capabilities::Capabilities;
pub use namespaces::Namespaces;
pub use order::plan;
pub use spec::{Identity, Network, Program, Spec, UserMap};
pub use step::{Phase, Plan, Step};
