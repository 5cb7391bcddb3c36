//! Pure. Options of a vassal's namespaces, besides `unshare`.

use super::super::spec::{Kind, OptionSpec};

pub(super) const NAMESPACES: &[OptionSpec] = &[
    OptionSpec::new(
        "setns",
        Kind::Path,
        "Joins the namespaces that a program of root or of the same user serves on this socket (`setns-socket`), before the pre-jail phase; waits 60 seconds for it.",
    ),
    OptionSpec::new(
        "time-offset",
        Kind::Form("CLOCK:SECONDS", "monotonic:60"),
        "Seconds that a clock of the new time namespace is ahead: `monotonic:86400`, `boottime:-60`.",
    )
    .repeats(),
    OptionSpec::new("jailed", Kind::Flag, "The post-jail phase takes place although nothing was separated.")
        .default("false"),
    OptionSpec::new(
        "unshare2",
        Kind::Namespaces,
        "Further namespaces, entered once the root is another one (`rootfs`, `chroot`, `pivot-root`).",
    )
    .repeats()
    .default("none"),
    OptionSpec::new(
        "unshare-id-map",
        Kind::Form("INSIDE OUTSIDE COUNT", "0 100000 65536"),
        "Ids of the namespace that `unshare = user` or `unshare2 = user` makes, of users and groups alike: first one inside, first one outside, how many; without, its root alone has a number, the one that the vassal had.",
    )
    .repeats(),
    OptionSpec::new(
        "refork-post-jail",
        Kind::Flag,
        "A child goes on after the post-jail phase: signals are passed on to it, and its end is the vassal's.",
    )
    .aliases(&["re-fork-post-jail"])
    .default("false"),
    OptionSpec::new("refork-as-root", Kind::Flag, "The same before the as-root phase.")
        .aliases(&["re-fork-as-root"])
        .default("false"),
    OptionSpec::new("refork", Kind::Flag, "The same before the as-user phase.").aliases(&["re-fork"]).default("false"),
    OptionSpec::new(
        "setns-socket",
        Kind::Path,
        "Serves the vassal's namespaces on this socket, mode 600, to root and to the vassal's user.",
    ),
    OptionSpec::new(
        "setns-socket-skip",
        Kind::Text,
        "A namespace that is not served, by its name in /proc/PID/ns: cgroup, ipc, mnt, net, pid, time, uts.",
    )
    .aliases(&["setns-skip"])
    .repeats(),
    OptionSpec::new(
        "setns-preopen",
        Kind::Flag,
        "Serves the namespaces that the vassal has before its root is another one; without, /proc must be there.",
    )
    .default("false"),
];
