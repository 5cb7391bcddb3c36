//! Another program in our place: `privileged-binary-patch`, `unprivileged-binary-patch`, the real uWSGI.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use rustix::fs::{Access, access};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::fchdir;

use super::confine;
use super::environment::{Environment, PATH};
use super::launch::{Launch, Leads};
use super::programs;
use super::state::Vassal;
use super::trouble::Trouble;
use super::upward;
use crate::config::vassal::Patch;
use crate::config::vassal::sub_emperor::OURSELVES;
use crate::emperor::order::from_vassal::BECOMES;
use crate::leftovers;
use crate::{fetch, inherited};

/// Where programs find the number of their control descriptor.
pub const EMPEROR_FD: &str = "UWSGI_EMPEROR_FD";

/// Becomes what the config says, with our arguments and all that the Emperor gave us. Comes back only when that fails.
pub fn become_it(vassal: &Vassal, patch: &Patch) -> Trouble {
    let shell = programs::shell(vassal);
    let argv: Vec<&str> = match patch {
        Patch::Program(program) => {
            let ours = vassal.arguments.iter().map(String::as_str);
            std::iter::once(program.as_str()).chain(ours).collect()
        }
        Patch::Shell(text) => vec![&shell, "-c", text],
    };
    // It stays so over exec, and who takes our place expects no orphans.
    leftovers::leave_orphans();
    let mut launch = launch(&argv, vassal.user_environment());
    launch.sockets = vassal.sockets.iter().map(|socket| (socket.as_fd(), socket.name().to_owned())).collect();
    launch.confinement = Some(&vassal.confinement);
    if let Err(errno) = vassal.directory.as_ref().map_or(Ok(()), fchdir) {
        return Trouble::errno("change directory", errno);
    }
    let _lines = match kept_open(vassal, launch.first_free()) {
        Ok(lines) => lines,
        Err(errno) => return Trouble::errno("keep the network of a router", errno),
    };
    let Some(control) = &vassal.control else { return launch.replace_us(None) };
    upward::serves(vassal);
    control.send(BECOMES);
    // Sockets are expected from descriptor 3 on, which may be where the control descriptor is.
    match fcntl_dupfd_cloexec(control, launch.first_free()) {
        Ok(moved) => with_control(launch, moved.as_fd()),
        Err(errno) => Trouble::errno("keep the control descriptor", errno),
    }
}

/// Networks by routers last as long as somebody has their lines: whoever takes our place does.
fn kept_open(vassal: &Vassal, from: RawFd) -> Result<Vec<OwnedFd>, Errno> {
    let keep = |line: &OwnedFd| {
        let moved = fcntl_dupfd_cloexec(line, from)?;
        fcntl_setfd(&moved, FdFlags::empty()).map(|()| moved)
    };
    vassal.lines.iter().map(keep).collect()
}

/// Becomes the real uWSGI, which reads the config itself. Comes back only when that fails.
pub fn become_uwsgi(arguments: &[String], control: Option<&OwnedFd>, because: &str) -> Trouble {
    let Some(uwsgi) = program("uwsgi") else {
        return Trouble::new(format!("`{because}` needs the uwsgi program, which is not installed"))
            .advise("apt install uwsgi-core uwsgi-plugin-python3 (or the plugin of your language)");
    };
    let uwsgi = uwsgi.to_string_lossy().into_owned();
    let ours = arguments.iter().map(String::as_str);
    let argv: Vec<&str> = std::iter::once(uwsgi.as_str()).chain(ours).collect();
    let launch = launch(&argv, Environment::for_uwsgi(std::env::vars_os()));
    fetch::hand_on();
    inherited::hand_on();
    match control {
        Some(control) => {
            super::control::say(control, &[BECOMES]);
            with_control(launch, control.as_fd())
        }
        None => launch.replace_us(None),
    }
}

/// Becomes ourselves once more, with the newest config of the Emperor's pipe, as the same process: an Emperor that
/// was told of a config once does not start us again. Comes back only when that fails.
pub fn become_us(vassal: &Vassal) -> Trouble {
    let ours = vassal.arguments.iter().map(String::as_str);
    let argv: Vec<&str> = [OURSELVES, "vassal"].into_iter().chain(ours).collect();
    let mut launch = launch(&argv, Environment::for_uwsgi(std::env::vars_os()));
    if let Some(filter) = confine::inherited() {
        launch.environment.set(confine::FILTER, filter);
    }
    fetch::hand_on();
    inherited::hand_on();
    match &vassal.control {
        Some(control) => with_control(launch, control.as_fd()),
        None => launch.replace_us(None),
    }
}

fn launch<'a>(argv: &'a [&'a str], environment: Environment) -> Launch<'a> {
    Launch {
        argv,
        environment,
        sockets: Vec::new(),
        directory: None,
        input: None,
        output: None,
        confinement: None,
        leads: Leads::Group,
        identity: None,
        kept: Vec::new(),
        bears_terminals: false,
    }
}

fn with_control(mut launch: Launch<'_>, control: BorrowedFd<'_>) -> Trouble {
    launch.environment.set(EMPEROR_FD, control.as_raw_fd().to_string());
    launch.replace_us(Some(control))
}

/// The first program of this name on our `PATH`.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
    let places = std::env::split_paths(&path).map(|directory| directory.join(name));
    places.filter(|place| place.is_file()).find(|place| access(place, Access::EXEC_OK).is_ok())
}
