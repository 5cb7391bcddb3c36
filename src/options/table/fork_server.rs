//! Pure. Options of what configs say to the Emperor of their vassals, and of fork servers.

use super::super::spec::{Kind, OptionSpec};

pub(super) const ATTRIBUTES: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor-collect-attr",
        Kind::Text,
        "A name that is looked for in the section `[emperor]` of a vassal's ini file; what it says there is shown in the stats.",
    )
    .aliases(&["emperor-collect-attribute"])
    .repeats(),
    OptionSpec::new(
        "emperor-wrapper-attr",
        Kind::Text,
        "The attribute with the program that is run instead of `emperor-wrapper` or `binary-path`, with the vassal's rights.",
    ),
    OptionSpec::new(
        "emperor-chdir-attr",
        Kind::Text,
        "The attribute with the directory that a vassal's program starts in, entered with the vassal's rights.",
    ),
];

pub(super) const FORK_SERVERS: &[OptionSpec] = &[
    OptionSpec::new(
        "emperor-use-fork-server",
        Kind::Address,
        "Vassals are made by the fork server that listens here (`fork-server` of uWSGI 2.1), a vassal itself. A path or `@NAME`.",
    ),
    OptionSpec::new(
        "emperor-fork-server-attr",
        Kind::Text,
        "The attribute with the address of a vassal's own fork server, which has to be a vassal of the same user.",
    ),
    OptionSpec::new(
        "vassal-fork-base",
        Kind::Text,
        "A vassal, by its name, that is made without a fork server: one that is a fork server.",
    )
    .repeats(),
];
