//! What the black-box tests stand on: a tree of their own, an Emperor in a cgroup of its own, and the proof
//! that nothing is left of either.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

pub mod callers;
mod cgroup;
mod emperor;
mod hung;
mod leftovers;
mod lines;
mod process;
mod program;
pub mod router;
pub mod siege;
mod tree;
mod wait;

pub use cgroup::Cgroup;
pub use emperor::{Emperor, LIEGE, Start, liege};
pub use hung::{Hung, can_hang};
pub use lines::Lines;
pub use process::{NAMESPACES, Process, RIGHTS, processes, running};
pub use program::{copy_program, lend_program};
pub use tree::Tree;
pub use wait::{PATIENCE, eventually};

/// Ids of two tenants that stand in no passwd file.
pub const ALICE: u32 = 61_001;
/// The other one.
pub const BOB: u32 = 61_002;

/// Every test here makes namespaces and changes ids.
pub fn demand_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test must be run as root: it gives vassals other ids"
    );
}
