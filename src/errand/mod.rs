//! What the administrator has done around vassals, each time by a process of its own: our own program in another role.
//!
//! It gets a sealed brief on its standard input, in which the hooks stand as they were written, and nothing else of ours.

mod act;
mod brief;
mod inside;
mod report;

pub use act::main;
pub use brief::{Brief, Which, read_from, restraint_sealed, sealed};
pub use inside::{give_up_groups, kinds_where, perform};

/// `argv[0]` of this role; nothing in an environment or a file can choose it.
pub const ROLE: &str = "liege: hook";
/// Where it finds a descriptor of the vassal's process, if it is to enter its namespaces.
pub const VASSAL_FD: i32 = 4;
/// And the limits of its jail.
pub const RESTRAINT_FD: i32 = 5;
/// And the directory of its cgroup, if it has one of its own.
pub const LEAF_FD: i32 = 6;
/// The longest that all of it may take, in seconds.
pub const BOUND_S: u32 = 300;
/// The same for `vassals-stop-hook`, for whose end the Emperor waits before its own.
pub const FAREWELL_S: u32 = 30;
