//! Pure. The option of the whole jail.

use super::super::spec::{Kind, OptionSpec};

pub(super) const JAIL: &[OptionSpec] = &[OptionSpec::new(
    "jail",
    Kind::Form("standard|strict|none", "standard"),
    "A whole jail by one word: namespaces, private `/tmp`, `/dev` and `/proc`, no capability, filtered system calls; `strict`: the host's files read-only besides. Emperor's: for each vassal; vassal's: for itself, on top of that.",
)
.default("Emperor: `standard` with `emperor-tyrant`, unless `emperor-use-clone` is given; else none")];
