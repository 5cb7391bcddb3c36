//! Pure. Options of the health of a vassal's command, and of how it is told things.

use super::super::spec::{Kind, OptionSpec};

pub(super) const HEALTH: &[OptionSpec] = &[
    OptionSpec::new(
        "ready",
        Kind::Form("WHEN", "lived:3"),
        "When the command counts as ready: `started` at once, `lived:SECONDS` when it has lived so long, `notify` when it says READY=1.",
    )
    .default("started"),
    OptionSpec::new(
        "notify",
        Kind::Flag,
        "The command gets a NOTIFY_SOCKET (sd_notify); `ready = notify` and `heartbeat` bring one by themselves.",
    )
    .default("false"),
    OptionSpec::new(
        "heartbeat",
        Kind::Int("SECONDS"),
        "The command is told (WATCHDOG_USEC) to say WATCHDOG=1 at least every so many seconds; each goes on to the Emperor, see `emperor-required-heartbeat`.",
    )
    .default("0"),
    OptionSpec::new(
        "idle",
        Kind::Int("SECONDS"),
        "A command on demand that nobody is connected to and that does nothing for so many seconds is stopped, and waits for its next connection; 0 never. An application of uWSGI gets it as it is.",
    )
    .default("0"),
    OptionSpec::new(
        "vassal-sos-backlog",
        Kind::Int("CONNECTIONS"),
        "The Emperor is asked for a zerg (`emperor-broodlord`) when so many connections wait to be accepted at one socket; 0 never.",
    )
    .default("0"),
    OptionSpec::new(
        "emperor-proxy-socket",
        Kind::Path,
        "A program of root or of the vassal's user that connects here (mode 600; uWSGI does so by UWSGI_EMPEROR_PROXY) speaks with the Emperor in the vassal's place, one at a time.",
    ),
    OptionSpec::new(
        "stop-signal",
        Kind::Form("SIGNAL", "INT"),
        "What the command gets when it is to stop: HUP, INT, QUIT, USR1, USR2, TERM or WINCH.",
    )
    .default("TERM"),
    OptionSpec::new(
        "reload-signal",
        Kind::Form("SIGNAL", "HUP"),
        "What the command gets when the vassal is to reload and no line of its config has changed; without it, and with other lines, it is stopped and started.",
    ),
];

/// Of the Emperor, for all vassals, and of a vassal.
pub const BOTH: &[OptionSpec] = &[
    OptionSpec::new(
        "reload-mercy",
        Kind::Int("SECONDS"),
        "Seconds that may pass until what is to end has ended, before it is killed: of a vassal, its command; of the Emperor that stops, all vassals, at most `emperor-curse-tolerance`.",
    )
    .default("as `emperor-curse-tolerance` for a vassal, 30 for the Emperor"),
    OptionSpec::new(
        "limit-nproc",
        Kind::Int(""),
        "Processes and threads: of the Emperor, of each vassal in a user namespace; of a vassal, of its user.",
    )
    .default("4096 for a vassal in a `jail` of the Emperor"),
];
