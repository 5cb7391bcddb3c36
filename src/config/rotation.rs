//! Pure. When the file of a log is put aside, as configs say it.

use serde::{Deserialize, Serialize};

/// When a file is put aside, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Once it has so many bytes; 0 for never.
    pub size: u64,
    /// Once it is so old, in seconds; 0 for never.
    pub age_s: u64,
    /// How many that were put aside are kept.
    pub keep: u32,
    /// They are compressed.
    pub compress: bool,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { size: 10 << 20, age_s: 0, keep: 5, compress: false }
    }
}

impl Rotation {
    /// Whether a file of this length, begun so long ago, is to be put aside before more is written to it.
    pub fn is_due(&self, length: u64, age_s: u64) -> bool {
        length > 0 && ((self.size > 0 && length >= self.size) || (self.age_s > 0 && age_s >= self.age_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_put_aside_by_size_or_by_age_and_never_an_empty_one() {
        let rotation = Rotation { size: 100, age_s: 60, ..Rotation::default() };
        assert!(rotation.is_due(100, 0) && rotation.is_due(1, 60));
        assert!(!rotation.is_due(99, 59) && !rotation.is_due(0, 1000));
        let never = Rotation { size: 0, age_s: 0, ..rotation };
        assert!(!never.is_due(u64::MAX, u64::MAX));
    }
}
