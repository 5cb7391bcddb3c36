//! Pure. Options of a vassal's config.

use super::super::spec::{Kind, OptionSpec};

pub(super) const PROGRAM: &[OptionSpec] = &[
    OptionSpec::new(
        "command",
        Kind::Words,
        "Program of the vassal with its arguments; quotes work as in a shell, no shell is involved.",
    ),
    OptionSpec::new(
        "unprivileged-binary-patch",
        Kind::Path,
        "Program put in the vassal's place after the as-user phase, with its arguments.",
    ),
    OptionSpec::new("unprivileged-binary-patch-arg", Kind::Shell, "The same for a shell command."),
    OptionSpec::new(
        "privileged-binary-patch",
        Kind::Path,
        "Program put in the vassal's place after the pre-jail phase, still with its first rights.",
    ),
    OptionSpec::new("privileged-binary-patch-arg", Kind::Shell, "The same for a shell command."),
];

pub(super) const PHASES: &[OptionSpec] = &[
    OptionSpec::new(
        "exec-pre-jail",
        Kind::Shell,
        "Run before anything is separated; a failure ends the vassal.",
    )
    .repeats(),
    OptionSpec::new(
        "exec-in-jail",
        Kind::Shell,
        "Run in the jail, before `unshare`; a failure ends the vassal.",
    )
    .repeats(),
    OptionSpec::new(
        "unshare",
        Kind::Namespaces,
        "Namespaces entered after the in-jail phase, besides those of `emperor-use-clone`.",
    )
    .repeats()
    .default("none"),
    OptionSpec::new(
        "exec-post-jail",
        Kind::Shell,
        "Run once the vassal has been separated; a failure ends the vassal.",
    )
    .repeats(),
    OptionSpec::new("hostname", Kind::Text, "Host name inside; needs a `uts` namespace.")
        .default("the Emperor's"),
    OptionSpec::new(
        "exec-as-root",
        Kind::Shell,
        "Run as root of the jail, before the user is changed; a failure ends the vassal.",
    )
    .repeats(),
    OptionSpec::new("add-gid", Kind::Group, "A supplementary group, besides those of `uid`.").repeats(),
    OptionSpec::new(
        "no-initgroups",
        Kind::Flag,
        "No supplementary groups but `gid` and `add-gid`: not those that `uid` is in.",
    )
    .default("false"),
    OptionSpec::new(
        "exec-as-user",
        Kind::Shell,
        "Run with the vassal's ids, before its program; a failure ends the vassal.",
    )
    .repeats(),
    OptionSpec::new(
        "exec-as-user-atexit",
        Kind::Shell,
        "Run with the vassal's ids once its program has ended; a failure is only told.",
    )
    .repeats(),
];

pub(super) const SOCKETS: &[OptionSpec] = &[
    OptionSpec::new(
        "socket",
        Kind::Address,
        "Listens here before the user is changed and hands the socket on (LISTEN_FDS): `:3031`, `127.0.0.1:3031`, `[::1]:3031`, a path, `@abstract`, or `fd://3`, which listens already.",
    )
    .aliases(&["uwsgi-socket"])
    .repeats(),
    OptionSpec::new(
        "zerg",
        Kind::Path,
        "Takes the sockets that a program of root or of the same user serves on this socket (`zerg-server`); waits 60 seconds for it.",
    )
    .repeats(),
    OptionSpec::new(
        "zerg-server",
        Kind::Path,
        "Serves the vassal's sockets on this socket, mode 600, to zergs of root and of the vassal's user.",
    ),
    OptionSpec::new(
        "zerg-fallback",
        Kind::Flag,
        "Where nobody serves a `zerg` at this moment, the vassal goes on with its own sockets alone instead of waiting.",
    )
    .default("false"),
    OptionSpec::new(
        "zerg-pool",
        Kind::Form("PATH:ADDRESS,…", "/run/pool.sock:/run/app.sock,127.0.0.1:3031"),
        "Listens at these addresses and serves the sockets at PATH as `zerg-server` does, without having them itself; needs no `command`.",
    )
    .aliases(&["zergpool"])
    .repeats(),
    OptionSpec::new("chmod-socket", Kind::Mode, "Mode of unix sockets, octal; 666 when no mode is given.")
        .aliases(&["chmod"])
        .default("660"),
    OptionSpec::new("chown-socket", Kind::Text, "Owner of unix sockets, `USER[:GROUP]`.").default("the vassal's ids"),
];
