//! Pure. What being root is worth (`capabilities(7)`, "The securebits flags").

use std::fmt;

use serde::{Deserialize, Serialize};

/// Flags that a process passes on, also over exec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecureBits(pub u32);

/// `SECBIT_…` of `linux/securebits.h`, less those that would not outlive the start of a program or would undo `cap`.
const NAMES: [(&str, u32); 4] =
    [("noroot", 1), ("noroot-locked", 2), ("no-setuid-fixup", 4), ("no-setuid-fixup-locked", 8)];

impl SecureBits {
    /// The flag of this name, as systemd has it.
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(one, _)| *one == name).map(|(_, bit)| Self(*bit))
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for SecureBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = NAMES.iter().filter(|(_, bit)| self.0 & bit != 0).map(|(name, _)| *name);
        f.write_str(&set.collect::<Vec<_>>().join(","))
    }
}
