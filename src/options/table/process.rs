//! Pure. Options of the Emperor's own process, and of what a vassal's program has as well.

use super::super::spec::{Kind, OptionSpec};

const LOG: Kind = Kind::Form("FILE|ADDRESS:PORT", "/var/log/emperor");

pub(super) const PROCESS: &[OptionSpec] = &[
    OptionSpec::new(
        "daemonize",
        LOG,
        "Goes into the background once everything is set up, with this log; the exit status of what was started tells whether the Emperor governs.",
    )
    .aliases(&["daemonize2"]),
    OptionSpec::new("log-reopen", Kind::Flag, "A reload of all vassals (SIGHUP, `r` to the FIFO) opens the log anew, too.")
        .default("false"),
    OptionSpec::new("logfile-chown", Kind::Flag, "The file of `logto` or `daemonize` is given to `uid` and `gid`.")
        .default("false"),
    OptionSpec::new("pidfile", Kind::Path, "File that holds the Emperor's process id while it runs, made with its first rights."),
    OptionSpec::new("pidfile2", Kind::Path, "The same, made once privileges are given up."),
    OptionSpec::new("safe-pidfile", Kind::Path, "The same as pidfile."),
    OptionSpec::new("safe-pidfile2", Kind::Path, "The same as pidfile2."),
    OptionSpec::new("procname", Kind::Text, "The same as emperor-procname, which goes before it."),
    OptionSpec::new("procname-master", Kind::Text, "The same, where there is no procname."),
    OptionSpec::new("procname-prefix", Kind::Text, "Stands before the name of the Emperor's process."),
    OptionSpec::new("procname-prefix-spaced", Kind::Text, "The same, and a blank behind it."),
    OptionSpec::new("procname-append", Kind::Text, "Stands behind the name of the Emperor's process."),
    OptionSpec::new("auto-procname", Kind::Flag, "Calls the Emperor's process `uWSGI Emperor` where no other name is given.")
        .default("false"),
];

pub(super) const BOTH: &[OptionSpec] = &[
    OptionSpec::new("chdir", Kind::Path, "Working directory: of the vassal's program; of the Emperor, before it looks for its sources.")
        .default("of a vassal, the directory of its config"),
    OptionSpec::new("chdir2", Kind::Path, "Working directory of the vassal's program after the pre-app phase; of the Emperor once everything is set up.")
        .default("that of chdir"),
    OptionSpec::new(
        "env",
        Kind::Pair,
        "Environment variable of the vassal's phases and program; of the Emperor and of what is done as Emperor, not of its vassals. A later one replaces an earlier one.",
    )
    .repeats(),
    OptionSpec::new("unenv", Kind::Form("NAME", "LANG"), "Variable that they do not get.").repeats(),
    OptionSpec::new("umask", Kind::Mode, "Permissions that new files do not get, octal: of the vassal from the first phase on; of the Emperor's own files.")
        .default("022"),
    OptionSpec::new(
        "logto",
        LOG,
        "File that standard output and error are appended to: of the vassal, opened with its ids; of the Emperor, with its first rights. An Emperor's may be ADDRESS:PORT, for UDP.",
    ),
    OptionSpec::new(
        "log-master",
        Kind::Flag,
        "One process writes what others say: the file of a vassal's `logto` is written by one beside its command; what vassals write without one, by the log keeper, as it is unless `vassals-log = inherit`.",
    )
    .default("false"),
    OptionSpec::new("logto2", LOG, "The same as logto, which it goes before; of the Emperor, opened once privileges are given up."),
];
