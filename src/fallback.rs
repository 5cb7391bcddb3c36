//! `fallback-config`: the same process starts anew with another config, when the first one is of no use.

use std::ffi::OsString;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::io::{FdFlags, fcntl_setfd};

use crate::config::vassal::sub_emperor::OURSELVES;

/// Set for the second start: it has no fallback, or two configs could name each other for ever.
const FALLEN: &str = "LIEGE_FALLBACK";
/// The descriptor of the first config.
const CONFIG_FD: &str = "LIEGE_CONFIG_FD";
/// The descriptor of the one that the process before has taken.
const ACCEPTED: &str = "LIEGE_ACCEPTED_FD";
/// A way to the network outside.
const NETWORK_FD: &str = "LIEGE_NETWORK_FD";
/// Ways to routers.
const ROUTERS: &str = "LIEGE_ROUTERS";

/// Becomes `liege FILE`, with our environment, our rights and the descriptor `kept`. Comes back only when that is
/// not possible, with the reason; without one this is the second start already.
///
/// Must: be called by a process with a single thread that has no children and no listening socket of its own left.
pub fn take_over(file: &str, kept: Option<BorrowedFd<'_>>) -> Option<io::Error> {
    if std::env::var_os(FALLEN).is_some() {
        return None;
    }
    Some(
        kept.map_or(Ok(()), |kept| fcntl_setfd(kept, FdFlags::empty()))
            .map_or_else(io::Error::from, |()| exec(file)),
    )
}

fn exec(file: &str) -> io::Error {
    crate::inherited::hand_on();
    let mut command = Command::new(OURSELVES);
    // A file whose name begins with a dash is no option.
    command
        .args([OsString::from("--"), file.into()])
        .env_remove(CONFIG_FD)
        .env_remove(ACCEPTED)
        .env_remove(NETWORK_FD)
        .env_remove(ROUTERS)
        .env(FALLEN, "1");
    match jail::run::perform(&jail::Step::DefaultSignals) {
        Ok(()) => command.exec(),
        Err(failure) => io::Error::from_raw_os_error(failure.errno),
    }
}
