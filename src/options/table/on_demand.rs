//! Pure. Options of vassals that are started by their first connection.

use super::super::spec::{Kind, OptionSpec};

pub(super) const ON_DEMAND: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor-on-demand-extension",
        Kind::Text,
        "A vassal with a file `CONFIG` + this suffix beside its config is started by the first connection to the address in that file.",
    )
    .aliases(&["emperor-on-demand-ext"]),
    OptionSpec::new(
        "emperor-on-demand-directory",
        Kind::Path,
        "Each vassal is started by the first connection to its socket in this directory: the name of its config, `.socket` in the place of the suffix.",
    )
    .aliases(&["emperor-on-demand-dir"]),
    OptionSpec::new(
        "emperor-on-demand-exec",
        Kind::Words,
        "Program that is asked where a vassal listens: it gets the name of the vassal as its last argument, runs with the vassal's ids, and prints the address.",
    ),
    OptionSpec::new(
        "on-demand-sockets",
        Kind::Path,
        "The directory in which the unix sockets of on-demand vassals are made, wherever a file asks for one.",
    )
    .default("emperor-on-demand-directory"),
    OptionSpec::new(
        "on-demand-mode",
        Kind::Mode,
        "Permissions of those sockets, octal; they belong to the user of the vassal.",
    )
    .default("660"),
];
