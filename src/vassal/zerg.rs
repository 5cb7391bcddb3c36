//! Sockets shared with other vassals: ours are handed to zergs, those of others are fetched.

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_acceptconn;

use super::handover::{self, Goods, Served};
use super::sockets::Listening;
use super::state::Vassal;
use super::step::{Socket, Step};
use super::trouble::Trouble;
use crate::config::vassal::{Address, VassalConfig};

/// The mode of the socket of a zerg server: nobody but the owner may even connect.
const SERVED_MODE: u32 = 0o600;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZergStep {
    /// All sockets bound so far are served here.
    Serve(Socket),
    /// Those served here become ours.
    Fetch(PathBuf),
}

impl fmt::Display for ZergStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve(socket) => write!(f, "serve our sockets to zergs on {socket}"),
            Self::Fetch(path) => write!(f, "take the sockets served on {}", path.display()),
        }
    }
}

/// Serves them, bound while there are rights to.
pub fn serve(config: &VassalConfig, socket: impl FnOnce(Address, u32) -> Socket) -> Option<Step> {
    let path = config.zerg.server.as_ref()?;
    Some(Step::Zerg(ZergStep::Serve(socket(Address::Unix(path.value.clone()), SERVED_MODE))))
}

/// Fetches them.
pub fn fetch(config: &VassalConfig) -> impl Iterator<Item = Step> {
    config.zerg.of.iter().map(|path| Step::Zerg(ZergStep::Fetch(path.value.clone())))
}

/// Takes one of these steps.
///
/// # Errors
/// Nothing to serve, nobody who serves, or what the system refuses.
pub fn take(vassal: &mut Vassal, step: &ZergStep) -> Result<(), Trouble> {
    match step {
        ZergStep::Serve(socket) => serve_own(vassal, socket),
        ZergStep::Fetch(path) => fetch_from(vassal, path),
    }
}

fn serve_own(vassal: &mut Vassal, socket: &Socket) -> Result<(), Trouble> {
    let copies: Result<Vec<_>, _> = vassal.sockets.iter().map(Listening::copy).collect();
    let copies = copies.map_err(|errno| Trouble::errno("copy our sockets", errno))?;
    if copies.is_empty() {
        return Err(Trouble::new("zerg-server: there is no socket to be served").advise("add `socket`"));
    }
    vassal.served.push(Served::new(socket, vassal.identity.as_ref(), (Goods::Sockets, copies))?);
    Ok(())
}

/// What does not listen would keep the command waiting for ever.
fn fetch_from(vassal: &mut Vassal, path: &Path) -> Result<(), Trouble> {
    let fetched = handover::fetch(vassal, path, Goods::Sockets)?;
    if !fetched.iter().all(|socket| socket_acceptconn(socket) == Ok(true)) {
        return Err(Trouble::new(format!("not all that {} serves are sockets that listen", path.display())));
    }
    vassal.sockets.extend(fetched.into_iter().map(Listening::of_another));
    Ok(())
}
