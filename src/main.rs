//! A Linux process host: picks the role of this process.

mod bound;
mod cli;
mod config;
mod control;
mod daemons;
mod doctor;
mod emperor;
mod envdir;
mod errand;
mod fallback;
mod fetch;
mod gateways;
mod guarded;
mod inherited;
mod inspect;
mod items;
mod journal;
mod keeper;
mod leftovers;
mod log;
mod logfile;
mod monitors;
mod names;
mod options;
mod parting;
mod plan;
mod prospect;
mod reactor;
mod regular;
mod runtime;
mod seccomp;
mod session;
mod spawner;
mod stats;
mod subids;
mod trust;
mod vassal;
mod verbs;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

/// Set by an Emperor, ours or uWSGI's, for whom it starts.
const HAS_EMPEROR: &str = "UWSGI_EMPEROR_FD";

fn main() -> ExitCode {
    if let Err(failure) = jail::run::open_standard_descriptors() {
        log::error("liege", &format!("cannot open /dev/null: {}", failure.cause()));
        return ExitCode::FAILURE;
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.first().is_some_and(|name| name == spawner::ROLE) {
        return ended("spawner", spawner::main().map(|()| ExitCode::SUCCESS));
    }
    if arguments.first().is_some_and(|name| name == gateways::role::ROLE) {
        let device = arguments.get(1).map(|device| device.to_string_lossy().into_owned());
        let outcome = gateways::role::main(device.unwrap_or_default());
        return ended("router", outcome.map(|()| ExitCode::SUCCESS));
    }
    if arguments.first().is_some_and(|name| name == keeper::role::ROLE) {
        return ended("log keeper", keeper::role::main().map(|()| ExitCode::SUCCESS));
    }
    if arguments.first().is_some_and(|name| name == vassal::household::ROLE) {
        return vassal::household::main();
    }
    if arguments.first().is_some_and(|name| name == session::ROLE) {
        return session::main();
    }
    let is_hook = arguments.first().is_some_and(|name| name == errand::ROLE);
    let arguments = arguments.into_iter().skip(1).collect();
    if is_hook {
        return errand::main(arguments);
    }
    verbs::main(arguments)
}

/// An error that ends the process is told here, once.
fn ended(who: &str, outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        log::error(who, &format!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// What this process may do.
fn permitted() -> jail::Capabilities {
    let set = caps::read(None, caps::CapSet::Permitted).unwrap_or_default();
    jail::Capabilities::of(&set.into_iter().collect::<Vec<_>>())
}
