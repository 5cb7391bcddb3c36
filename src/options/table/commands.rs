//! Pure. Options of what an Emperor is told while it runs.

use super::super::spec::{Kind, OptionSpec};

pub(super) const COMMANDS: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor-command-socket",
        Kind::Address,
        "Takes commands here (`spawn`, `respawn`, `stop`, `log`), in uWSGI's datagrams: from root, from the Emperor's user, and from the owner of the vassal. A path, `@NAME` or `fd://N`.",
    ),
    OptionSpec::new(
        "emperor-control-socket",
        Kind::Form("PATH|none", "/run/liege/control.sock"),
        "Where `liege start`, `stop`, `attach` and others ask, everybody for what is his own: a path, `@NAME` or `none`.",
    )
    .default("beside the stats"),
    OptionSpec::new(
        "emperor-state-directory",
        Kind::Path,
        "Here it is remembered, also for the next Emperor, which vassals are disabled (`liege disable`). It is made if its parent is there.",
    ),
    OptionSpec::new(
        "emperor-wait-for-command",
        Kind::Flag,
        "A vassal is not started before the command `spawn` names it.",
    )
    .default("false"),
    OptionSpec::new(
        "emperor-wait-for-command-ignore",
        Kind::Text,
        "A vassal, by its name, that is started without waiting for a command.",
    )
    .repeats(),
    OptionSpec::new(
        "emperor-trigger-socket",
        Kind::Address,
        "Looks at all sources anew whenever somebody connects here, at most once a second.",
    ),
    OptionSpec::new(
        "master-fifo",
        Kind::Path,
        "FIFO, mode 600, that takes letters: q and Q stop, r R c w W reload, s says how everybody is, E looks at all sources, l and L open the log anew, P writes the pidfiles anew.",
    ),
];
