//! Walks the steps of a plan.

use std::os::fd::OwnedFd;

/// A process that was made.
#[derive(Debug)]
pub struct Born {
    /// Its pid, as its parent sees it.
    pub pid: i32,
    /// A descriptor of it.
    pub pidfd: OwnedFd,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Number of the step, from 1.
    pub step: u16,
    /// `errno(3)`; 0 when `detail` says all.
    pub errno: i32,
    /// What more is known.
    pub detail: String,
}
