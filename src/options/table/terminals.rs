//! Pure. Options by which a vassal gives terminals to whoever connects, and of who does.

use super::super::spec::{Kind, OptionSpec};

pub(super) const CLIENTS: &[OptionSpec] = &[
    OptionSpec::new(
        "pty-connect",
        Kind::Address,
        "Shows the terminal that is served there by `pty-socket` or `forkpty-router`, and runs nothing.",
    ),
    OptionSpec::new(
        "pty-uconnect",
        Kind::Address,
        "The same for `forkpty-urouter`: it is told the size of the terminal.",
    ),
    OptionSpec::new(
        "pty-no-isig",
        Kind::Flag,
        "Sends ^C and its like as keys, which is so anyway; `~.` ends the connection.",
    ),
];

pub(super) const TERMINALS: &[OptionSpec] = &[
    OptionSpec::new(
        "pty-socket",
        Kind::Form("PATH|fd://N", "/run/shop/pty.sock"),
        "Unix socket of the vassal's user whose clients share the terminal of the command: all see what it writes, all may type.",
    )
    .repeats(),
    OptionSpec::new(
        "pty-log",
        Kind::Flag,
        "Writes what the command writes on that terminal to the log, too.",
    )
    .default("false"),
    OptionSpec::new(
        "pty-input",
        Kind::Flag,
        "Types what comes on the vassal's own standard input there, too.",
    )
    .default("false"),
    OptionSpec::new(
        "pty-exec",
        Kind::Text,
        "The command of a vassal with `pty-socket`: a name or path, or with a blank in it a line for the shell (`binsh`).",
    ),
    OptionSpec::new(
        "forkpty-router",
        Kind::Form("PATH|fd://N", "/run/shop/pty.sock"),
        "Unix socket whose clients get a program on a terminal of its own each, as the vassal's user in its jail; bytes go as they are.",
    )
    .aliases(&["forkptyrouter"])
    .repeats(),
    OptionSpec::new(
        "forkpty-urouter",
        Kind::Form("PATH|fd://N", "/run/shop/upty.sock"),
        "The same for clients that send frames: input, signals and the size of their window.",
    )
    .aliases(&["forkptyurouter"])
    .repeats(),
    OptionSpec::new(
        "forkptyrouter-command",
        Kind::Text,
        "Program of each terminal: a name or path, or with a blank in it a line for the shell (`binsh`).",
    )
    .aliases(&["forkpty-router-command", "forkptyrouter-cmd", "forkpty-router-cmd"])
    .default("/bin/sh"),
    OptionSpec::new("forkptyrouter-rows", Kind::Int(""), "Height of a terminal before its client says one.")
        .default("24"),
    OptionSpec::new("forkptyrouter-cols", Kind::Int(""), "Width of a terminal before its client says one.")
        .default("80"),
    OptionSpec::new(
        "forkptyrouter-timeout",
        Kind::Int("SECONDS"),
        "Seconds without a byte either way that end a session; 0 is never.",
    )
    .default("0"),
    OptionSpec::new(
        "forkptyrouter-processes",
        Kind::Form("NUMBER", "2"),
        "Processes that share the sockets, 64 at most.",
    )
    .aliases(&["forkptyrouter-workers"])
    .default("1"),
    OptionSpec::new(
        "forkptyrouter-stats",
        Kind::Address,
        "Address that serves its numbers as JSON.",
    )
    .aliases(&["forkptyrouter-stats-server", "forkptyrouter-ss"]),
];
