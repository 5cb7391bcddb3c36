//! Pure. One limit of a cgroup: a file of it and what is written there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A file of a cgroup and its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knob {
    /// Its name, such as `memory.max`.
    pub file: String,
    /// What is written to it.
    pub value: String,
    /// The option that asks for it, as a person wrote it: `memory-max = 64M`.
    pub option: String,
}

impl Knob {
    /// The controller that it belongs to: `memory`.
    pub fn controller(&self) -> &str {
        self.file.split('.').next().unwrap_or_default()
    }
}

/// The controllers that these belong to.
pub fn controllers(knobs: &[Knob]) -> BTreeSet<&str> {
    knobs.iter().map(Knob::controller).collect()
}
