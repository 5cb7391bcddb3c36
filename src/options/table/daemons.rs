//! Pure. Options by which a vassal runs daemons beside its command or in its place, and an Emperor beside its vassals.

use super::super::spec::{Kind, OptionSpec};

const SMART: Kind = Kind::Form("PIDFILE[,SECONDS] COMMAND", "/run/shop/worker.pid worker --pidfile x");

pub(super) const DAEMONS: &[OptionSpec] = &[
    OptionSpec::new(
        "attach-daemon",
        Kind::Form("COMMAND", "memcached -p 11311"),
        "Program in the foreground, started before the command or before all vassals, and started again when it ends; it ends with the vassal or the Emperor.",
    )
    .repeats(),
    OptionSpec::new(
        "attach-control-daemon",
        Kind::Form("COMMAND", "worker --once"),
        "The same; when it ends the vassal, or the Emperor, stops.",
    )
    .repeats(),
    OptionSpec::new(
        "smart-attach-daemon",
        SMART,
        "Program that may leave for the background, where its pid file names it after so many seconds at most; a reload does not end it.",
    )
    .repeats(),
    OptionSpec::new("smart-attach-daemon2", SMART, "The same for a program in the foreground: its pid file is written for it.")
        .repeats(),
    OptionSpec::new(
        "attach-daemon2",
        Kind::Form("KEY=VALUE,…", "cmd=worker,name=jobs,stopsignal=INT"),
        "Daemon by its keys: `cmd`, `name`, `pidfile`, `freq`, `daemonize`, `control`, `touch`, `stopsignal`, `reloadsignal`, `grace`, `ready`, `stdin`, `uid`, `gid`, `ns_pid`, `chdir`, `env`, `log`, `max_throttle`, `notifypid` (docs/daemons.md).",
    )
    .repeats(),
    OptionSpec::new(
        "daemons-honour-stdin",
        Kind::Flag,
        "Daemons keep standard input; without it they read from /dev/null.",
    )
    .default("false"),
];

pub(super) const SSH: &[OptionSpec] = &[OptionSpec::new(
    "ssh",
    Kind::Form("[ADDRESS:]PORT", "2201"),
    "Daemon `ssh`: dropbear as the vassal's user in its jail, for whoever has a key in `~/.ssh/authorized_keys`; its own key is made once.",
)];
