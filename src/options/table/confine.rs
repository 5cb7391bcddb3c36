//! Pure. Options of the limits of a command: filters of system calls, fences around files and sockets.

use super::super::spec::{Kind, OptionSpec};

pub(super) const EMPERORS: &[OptionSpec] = &[OptionSpec::new(
    "emperor-seccomp",
    Kind::Path,
    "Filter of system calls for vassals that get other ids than the Emperor's: `default`, `strict`, `off`, or an OCI seccomp profile (JSON).",
)
.default("default")];

pub(super) const VASSALS: &[OptionSpec] = &[
    OptionSpec::new(
        "seccomp",
        Kind::Path,
        "Filter of system calls: `default`, `strict`, `off`, or an OCI seccomp profile (JSON); a tenant's comes on top of `emperor-seccomp`.",
    )
    .default("default, once the vassal is not root"),
    OptionSpec::new(
        "no-new-privs",
        Kind::Flag,
        "Nothing that a vassal with a `uid` runs gains privileges; turned off only by a trusted config, and its filter with it.",
    )
    .default("true"),
    OptionSpec::new(
        "landlock-ro",
        Kind::Path,
        "File or directory that the command may read and run, with all below; every other one is closed to it.",
    )
    .repeats(),
    OptionSpec::new("landlock-rw", Kind::Path, "The same, and it may be written to.").repeats(),
    OptionSpec::new(
        "landlock-scope-abstract",
        Kind::Flag,
        "The command connects to abstract unix sockets of its own processes only.",
    )
    .default("true on the host's network, where the kernel can"),
    OptionSpec::new("landlock-scope-signal", Kind::Flag, "The command sends signals to its own processes only.")
        .default("false"),
];
