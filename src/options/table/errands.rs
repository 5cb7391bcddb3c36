//! Pure. Options of what the administrator has done around vassals.

use super::super::spec::{Kind, OptionSpec};

const INSIDE: Kind = Kind::Form("NAMESPACE,… HANDLER:ARGUMENTS", "net mkdir:/p");

const fn hook(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec::new(name, Kind::Hook, help).repeats()
}

const fn mount(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec::new(name, Kind::Mount, help).repeats()
}

const fn umount(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec::new(name, Kind::Umount, help).repeats()
}

pub(super) const ERRANDS: &[OptionSpec] = &[
    hook("hook-emperor-start", "Handler run when the Emperor starts, before any vassal; a failure ends it."),
    hook(
        "hook-as-emperor-before-vassal",
        "Handler run with the administrator's rights before anything of a vassal runs; a failure ends the start.",
    ),
    hook(
        "hook-as-vassal-before-drop",
        "Handler run in each vassal's namespaces as root, before it gets its ids; a failure ends the start.",
    ),
    OptionSpec::new(
        "vassals-start-hook",
        Kind::Path,
        "Program run in each vassal, with its ids and its name as the one argument; a failure is told.",
    ),
    hook(
        "hook-as-vassal",
        "Handler run in each vassal, with its ids, before its program; a failure ends the start.",
    ),
    mount(
        "mount-as-vassal",
        "Mount made in each vassal, with its ids, after those hooks; a failure ends the start.",
    ),
    umount(
        "umount-as-vassal",
        "Unmounted in each vassal, with its ids, after those mounts; a failure ends the start.",
    ),
    OptionSpec::new(
        "exec-as-vassal",
        Kind::Shell,
        "Run in each vassal, with its ids, before its program; a failure ends the start.",
    )
    .repeats(),
    hook("hook-as-emperor", "Handler run by the Emperor after each start of a vassal; a failure is told."),
    mount(
        "mount-as-emperor",
        "Mount made by the Emperor after each start of a vassal and those hooks; a failure is told.",
    ),
    umount(
        "umount-as-emperor",
        "Unmounted by the Emperor after each start of a vassal and those mounts; a failure is told.",
    ),
    OptionSpec::new(
        "exec-as-emperor",
        Kind::Shell,
        "Run by the Emperor after each start of a vassal; UWSGI_VASSAL_* say which.",
    )
    .repeats(),
    OptionSpec::new(
        "hook-as-emperor-setns",
        INSIDE,
        "Handler run by the Emperor in these namespaces of each vassal that was started; a failure is told.",
    )
    .repeats(),
    hook(
        "hook-as-on-demand-vassal",
        "Handler run by the Emperor each time that a vassal begins to wait for its first connection; a failure is told.",
    ),
    hook(
        "hook-as-on-config-vassal",
        "Handler run by the Emperor when the config of a vassal changes that waits for a connection; a failure is told.",
    ),
    OptionSpec::new(
        "vassals-stop-hook",
        Kind::Path,
        "Program run by the Emperor once a vassal is gone, with its name as the one argument; a failure is told.",
    ),
];
