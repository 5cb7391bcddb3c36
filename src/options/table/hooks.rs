//! Pure. Options of the phases of a vassal: handlers, mounts and programs.

use super::super::spec::{Kind, OptionSpec};

/// What the last of these words becomes, for each family of options.
macro_rules! hook {
    ($phase:literal, $when:literal) => {
        hook!($phase, $when, "a failure ends the vassal")
    };
    ($phase:literal, $when:literal, $failure:literal) => {
        OptionSpec::new(
            concat!("hook-", $phase),
            Kind::Hook,
            concat!("Handler run ", $when, "; ", $failure, "."),
        )
        .repeats()
    };
}

macro_rules! mount {
    ($phase:literal, $when:literal) => {
        OptionSpec::new(
            concat!("mount-", $phase),
            Kind::Mount,
            concat!("Mount made ", $when, ", after the hooks; a failure ends the vassal."),
        )
        .repeats()
    };
}

macro_rules! umount {
    ($phase:literal, $when:literal) => {
        OptionSpec::new(
            concat!("umount-", $phase),
            Kind::Umount,
            concat!("Unmounted ", $when, ", after the mounts; a failure ends the vassal."),
        )
        .repeats()
    };
}

macro_rules! exec {
    ($phase:literal, $when:literal) => {
        OptionSpec::new(
            concat!("exec-", $phase),
            Kind::Shell,
            concat!("Run ", $when, ", after hooks and mounts; a failure ends the vassal."),
        )
        .repeats()
    };
}

pub(super) const HOOKS: &[OptionSpec] = &[
    hook!("asap", "before all else"),
    mount!("asap", "before all else"),
    umount!("asap", "before all else"),
    exec!("asap", "before all else"),
    hook!("pre-jail", "before anything is separated"),
    mount!("pre-jail", "before anything is separated"),
    umount!("pre-jail", "before anything is separated"),
    hook!("in-jail", "in the jail, before `unshare`"),
    mount!("in-jail", "in the jail, before `unshare`"),
    umount!("in-jail", "in the jail, before `unshare`"),
    hook!("post-jail", "once the vassal has been separated"),
    mount!("post-jail", "once the vassal has been separated"),
    umount!("post-jail", "once the vassal has been separated"),
    hook!("as-root", "as root of the jail, before the user is changed"),
    mount!("as-root", "as root of the jail, before the user is changed"),
    umount!("as-root", "as root of the jail, before the user is changed"),
    hook!("as-user", "with the vassal's ids"),
    hook!("pre-app", "before the command is started"),
    exec!("pre-app", "before the command is started"),
    hook!("post-app", "once the command has been started"),
    exec!("post-app", "once the command has been started"),
    hook!("master-start", "once the command has been started, after post-app"),
    hook!("accepting", "once the command has been started, after master-start"),
    hook!("accepting-once", "after accepting: there is one command, so it is the same"),
    hook!("accepting1", "after accepting-once: there is one command, so it is the same"),
    hook!("accepting1-once", "after accepting1: there is one command, so it is the same"),
    OptionSpec::new(
        "hook-touch",
        Kind::Form("FILE HANDLER:ARGUMENTS", "/f mkdir:/p"),
        "Handler run each time that this file is touched while the command runs; a failure is told.",
    )
    .repeats(),
    hook!("emperor-reload", "when the Emperor says reload", "a failure is told"),
    hook!("emperor-stop", "when the Emperor says stop", "a failure is told"),
    hook!("emperor-lost", "when the Emperor is gone", "a failure is told"),
    hook!("as-user-atexit", "with the vassal's ids once its command has ended", "a failure is only told"),
];
