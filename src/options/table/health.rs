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

pub(super) const MERCY: &[OptionSpec] = &[OptionSpec::new(
    "reload-mercy",
    Kind::Int("SECONDS"),
    "Seconds that the command may take to end before it is killed; of the Emperor: that all may take when it ends itself, at most `emperor-curse-tolerance`.",
)
.default("vassal: as `emperor-curse-tolerance`; Emperor: 30")];
