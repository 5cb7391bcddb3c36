//! Walks the steps of a plan.

mod backdrop;
mod cgroup;
mod cgroup_place;
mod delegation;
mod descriptors;
mod executable;
mod fence;
mod host;
mod identity;
mod nest;
mod parcel;
mod perform;
mod pool;
mod program;
mod rootfs;
mod settings;
mod shed;
mod spawn;
mod user_map;
mod walk;

pub use crate::plan::Failure;
pub use backdrop::Backdrop;
pub use cgroup::{Cgroup, Removed};
pub use descriptors::open_standard_descriptors;
pub use executable::Executable;
pub use fence::{build, filter, go_behind, landlock_version};
pub use nest::Nest;
pub use parcel::{DESCRIPTORS_MAX, Parcel, receive, send};
pub use perform::{perform, perform_with};
pub use pool::Pool;
pub use rootfs::{OldRoot, enter, lend};
pub use settings::{limit, to_be_set_anew};
pub use shed::{be_subreaper, die_with_parent, not_dumpable, shed};
pub use spawn::{Birth, Born, SpawnError, Spawned, spawn};
pub use user_map::groups_are_given_up;
