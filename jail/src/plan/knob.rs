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

/// Whether this controller is bound to version 1; `cgroups` is the text of `/proc/self/cgroup` (`cgroups(7)`).
pub fn is_bound_to_v1(cgroups: &str, controller: &str) -> bool {
    let old = if controller == "io" { "blkio" } else { controller };
    let names = cgroups.lines().filter_map(|line| line.split(':').nth(1));
    names.flat_map(|names| names.split(',')).any(|name| name == old)
}

/// The controllers that these belong to.
pub fn controllers(knobs: &[Knob]) -> BTreeSet<&str> {
    knobs.iter().map(Knob::controller).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_of_version_1_are_known_by_their_old_names() {
        let hybrid = "4:cpu,cpuacct:/\n3:blkio:/\n1:name=systemd:/\n0::/\n";
        assert!(is_bound_to_v1(hybrid, "cpu") && is_bound_to_v1(hybrid, "io"));
        assert!(!is_bound_to_v1(hybrid, "memory") && !is_bound_to_v1("0::/memory\n", "memory"));
    }
}
