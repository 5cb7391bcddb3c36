//! Pure. Options of what vassals write.

use super::super::spec::{Kind, OptionSpec};

pub(super) const VASSALS: &[OptionSpec] = &[
    OptionSpec::new(
        "log-maxsize",
        Kind::Form("SIZE", "20M"),
        "The file of `logto`, and of a daemon's `log`, is put aside once it has so many bytes, behind a whole line. 0 for never.",
    )
    .default("0"),
    OptionSpec::new("log-age", Kind::Form("TIME", "1d"), "The same once it is so old. 0 for never.")
        .default("0"),
    OptionSpec::new(
        "log-keep",
        Kind::Int(""),
        "Files that were put aside are kept, `NAME.1` the newest; 100 at most.",
    )
    .default("5"),
    OptionSpec::new("log-compress", Kind::Flag, "They are compressed (`NAME.1.gz`).").default("false"),
    OptionSpec::new(
        "log-backupname",
        Kind::Path,
        "The file of `logto` gets this name when it is put aside, in the place of the one before it, and no number.",
    ),
    OptionSpec::new(
        "touch-logrotate",
        Kind::Path,
        "Puts the file of `logto`, and of each daemon's `log`, aside, if anything was written to it, whenever this one is touched.",
    )
    .repeats(),
    OptionSpec::new(
        "touch-logreopen",
        Kind::Path,
        "Opens the file of `logto`, and of each daemon's `log`, anew whenever this one is touched.",
    )
    .repeats(),
];

pub(super) const EMPERORS: &[OptionSpec] = &[
    OptionSpec::new(
        "vassals-log",
        Kind::Form("stderr|none|journal|syslog[:PATH]|dir:DIRECTORY|inherit", "dir:/var/log/liege"),
        "Where lines of vassals go: the Emperor's standard error, each behind the name of its vassal; nowhere; the journal, with fields; syslog; a file for each vassal in a directory. The last 64 KiB of each are kept for `liege tail`. `inherit`: vassals have the Emperor's own standard output and error, and nothing is kept.",
    )
    .default("stderr"),
    OptionSpec::new(
        "vassals-log-rate",
        Kind::Int(""),
        "Lines of one vassal in a second, over ten of them; more are dropped, counted and told. 0 for all.",
    )
    .default("1000"),
    OptionSpec::new(
        "vassals-log-maxsize",
        Kind::Form("SIZE", "20M"),
        "A file of `dir:` with so many bytes is put aside. 0 for never.",
    )
    .default("10M"),
    OptionSpec::new(
        "vassals-log-age",
        Kind::Form("TIME", "1d"),
        "A file of `dir:` that is so old is put aside. 0 for never.",
    )
    .default("0"),
    OptionSpec::new(
        "vassals-log-keep",
        Kind::Int(""),
        "Files that were put aside are kept for each vassal, `NAME.log.1` the newest; 100 at most.",
    )
    .default("5"),
    OptionSpec::new("vassals-log-compress", Kind::Flag, "They are compressed (`NAME.log.1.gz`).")
        .default("false"),
];
