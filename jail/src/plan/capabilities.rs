//! Pure. A set of capabilities, by name or number.

use std::fmt;
use std::str::FromStr;

use caps::Capability;
use serde::{Deserialize, Serialize};

/// A set of Linux capabilities (`capabilities(7)`), bit N for capability N.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);

    /// Those of this list.
    pub fn of(list: &[Capability]) -> Self {
        Self(list.iter().fold(0, |bits, one| bits | one.bitmask()))
    }

    /// Every capability that this build knows; those the kernel does not know are passed over.
    pub fn all() -> Self {
        caps::all().into_iter().fold(Self::NONE, |set, one| set.with(Self::of(&[one])))
    }

    /// True when `one` is in the set.
    pub fn has(self, one: Capability) -> bool {
        self.0 & one.bitmask() != 0
    }

    /// True for the empty set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This set and `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set less `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The members, by number.
    pub fn each(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |number| self.0 & (1 << number) != 0)
    }
}

/// A name in a capability list that names none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown capability `{0}`")]
pub struct UnknownCapability(String);

impl FromStr for Capabilities {
    type Err = UnknownCapability;

    /// Parses a comma list of names (`setuid,cap_kill,CAP_CHOWN`) or numbers (`39`).
    ///
    /// # Errors
    /// The first entry that names no capability.
    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let entries = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        entries.map(one).try_fold(Self::NONE, |set, capability| Ok(set.with(Self::of(&[capability?]))))
    }
}

fn one(name: &str) -> Result<Capability, UnknownCapability> {
    let unknown = || UnknownCapability(name.to_owned());
    if let Ok(number) = name.parse::<u8>() {
        return caps::all().into_iter().find(|one| one.index() == number).ok_or_else(unknown);
    }
    let upper = name.to_ascii_uppercase();
    let full = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
    full.parse().map_err(|_| unknown())
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |number: u8| {
            let known = caps::all().into_iter().find(|one| one.index() == number);
            known.map_or_else(
                || number.to_string(),
                |one| one.to_string().trim_start_matches("CAP_").to_ascii_lowercase(),
            )
        };
        let names: Vec<String> = self.each().map(name).collect();
        f.write_str(if names.is_empty() { "none" } else { "" })?;
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_41_have_a_number_and_three_spellings_of_a_name() {
        assert_eq!(Capabilities::all().each().collect::<Vec<u8>>(), (0..=40).collect::<Vec<u8>>());
        for number in 0..=40_u8 {
            let one = Capabilities(1 << number);
            let name = one.to_string();
            for spelling in [
                number.to_string(),
                name.clone(),
                format!("cap_{name}"),
                format!("CAP_{}", name.to_uppercase()),
            ] {
                assert_eq!(spelling.parse(), Ok(one), "{spelling}");
            }
        }
        assert!("41".parse::<Capabilities>().is_err());
    }
}
