//! Sockets shared with other vassals: ours are handed to zergs, those of others are fetched.

use std::fmt;
use std::os::fd::OwnedFd;
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
    /// Sockets are bound and served here that are not ours.
    Pool(Socket, Vec<Socket>),
    /// Those served here become ours.
    Fetch(PathBuf),
    /// The same if somebody serves them.
    FetchIfThere(PathBuf),
}

impl fmt::Display for ZergStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve(socket) => write!(f, "serve our sockets to zergs on {socket}"),
            Self::Pool(socket, members) => {
                let members: Vec<String> = members.iter().map(ToString::to_string).collect();
                write!(f, "serve {} to zergs on {socket}", members.join(", "))
            }
            Self::Fetch(path) => write!(f, "take the sockets served on {}", path.display()),
            Self::FetchIfThere(path) => {
                write!(f, "take the sockets served on {}, if they are", path.display())
            }
        }
    }
}

/// Serves them, bound while there are rights to; `mode` is that of the vassal's other sockets.
pub fn serve(config: &VassalConfig, mode: u32, socket: impl Fn(Address, u32) -> Socket) -> Vec<Step> {
    let at = |path: &PathBuf| socket(Address::Unix(path.clone()), SERVED_MODE);
    let server = config.zerg.server.iter().map(|path| ZergStep::Serve(at(&path.value)));
    let pools = config.zerg.pools.iter().map(|pool| {
        let members = pool.value.addresses.iter().map(|address| socket(address.clone(), mode));
        ZergStep::Pool(at(&pool.value.at), members.collect())
    });
    server.chain(pools).map(Step::Zerg).collect()
}

/// Fetches them.
pub fn fetch(config: &VassalConfig) -> impl Iterator<Item = Step> {
    let step = if config.zerg.fallback { ZergStep::FetchIfThere } else { ZergStep::Fetch };
    config.zerg.of.iter().map(move |path| Step::Zerg(step(path.value.clone())))
}

/// Takes one of these steps.
///
/// # Errors
/// Nothing to serve, nobody who serves, or what the system refuses.
pub fn take(vassal: &mut Vassal, step: &ZergStep) -> Result<(), Trouble> {
    match step {
        ZergStep::Serve(socket) => serve_own(vassal, socket),
        ZergStep::Pool(socket, members) => serve_pool(vassal, socket, members),
        ZergStep::Fetch(path) => {
            let fetched = handover::fetch(vassal, path, Goods::Sockets)?;
            adopt(vassal, path, fetched)
        }
        ZergStep::FetchIfThere(path) => fetch_if_there(vassal, path),
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

fn serve_pool(vassal: &mut Vassal, socket: &Socket, members: &[Socket]) -> Result<(), Trouble> {
    let known = vassal.identity.as_ref();
    let bound: Vec<Listening> =
        members.iter().map(|member| Listening::bind(member, known)).collect::<Result<_, _>>()?;
    let copies: Result<Vec<_>, _> = bound.iter().map(Listening::copy).collect();
    let copies = copies.map_err(|errno| Trouble::errno("copy the sockets of a pool", errno))?;
    let served = Served::new(socket, known, (Goods::Sockets, copies))?;
    vassal.served.push(served);
    vassal.pooled.extend(bound);
    Ok(())
}

/// What cannot be had is told, and done without; unless it is a stop that ended it.
fn fetch_if_there(vassal: &mut Vassal, path: &Path) -> Result<(), Trouble> {
    let fetched = handover::fetch_at_once(vassal, path, Goods::Sockets);
    match fetched.and_then(|fetched| adopt(vassal, path, fetched)) {
        Err(trouble) if vassal.interrupted.is_none() => {
            vassal.teller.nuisance(&Trouble { advice: None, ..trouble }.advise("going on without them"));
            Ok(())
        }
        other => other,
    }
}

/// What does not listen would keep the command waiting for ever.
fn adopt(vassal: &mut Vassal, path: &Path, fetched: Vec<OwnedFd>) -> Result<(), Trouble> {
    if !fetched.iter().all(|socket| socket_acceptconn(socket) == Ok(true)) {
        return Err(Trouble::new(format!("not all that {} serves are sockets that listen", path.display())));
    }
    vassal.sockets.extend(fetched.into_iter().map(Listening::of_another));
    Ok(())
}
