//! Routers that the Emperor lends, and ways to others.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use jail::sys;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::super::trouble::Trouble;
use crate::config::vassal::tuntap::RouterName;

/// Routers that are lent, set by liege's spawner: `FD:DEVICE:PATH`, with one space between two of them.
pub const ROUTERS: &str = "LIEGE_ROUTERS";

/// A router.
#[derive(Debug)]
pub struct Router {
    /// Its device, for people; its path where nobody has named it.
    pub name: String,
    path: PathBuf,
    /// The file of its socket, wherever its path leads in the jail (`O_PATH`).
    socket: Option<OwnedFd>,
}

/// Those that whoever started us has lent.
///
/// Must: be called once, before this process opens any descriptor.
///
/// # Errors
/// An entry that is none, or a descriptor that is not open.
pub fn inherited() -> Result<Vec<Router>, Trouble> {
    let Some(text) = std::env::var_os(ROUTERS) else { return Ok(Vec::new()) };
    let text = text.to_string_lossy();
    text.split(' ').filter(|entry| !entry.is_empty()).map(taken).collect()
}

fn taken(entry: &str) -> Result<Router, Trouble> {
    let wrong = || Trouble::new(format!("{ROUTERS}: `{entry}` is no router"));
    let (number, name, path) = parse(entry).ok_or_else(wrong)?;
    let socket = sys::adopt(number)
        .map_err(|errno| Trouble::errno(format!("use descriptor {number} of {ROUTERS}"), errno))?;
    Ok(Router { name: name.into(), path: path.into(), socket: Some(socket) })
}

fn parse(entry: &str) -> Option<(i32, &str, &str)> {
    let (number, rest) = entry.split_once(':')?;
    let (name, path) = rest.split_once(':')?;
    Some((number.parse().ok()?, name, path))
}

/// A way to a router.
#[derive(Clone, Debug)]
pub struct Way<'a> {
    /// The router, for people.
    pub name: String,
    path: &'a Path,
    socket: Option<BorrowedFd<'a>>,
}

/// The way to the router that a config means.
///
/// # Errors
/// None of this name is lent.
pub fn way<'a>(lent: &'a [Router], name: &'a RouterName) -> Result<Way<'a>, Trouble> {
    match name {
        RouterName::Lent(name) => {
            let router = lent.iter().find(|router| router.name == *name);
            router.map(Router::way).ok_or_else(|| unknown(lent, name))
        }
        RouterName::At(path) => Ok(way_to(lent, path)),
    }
}

/// The way to the router that listens on this path: by what was lent, if that is the same path of the host.
pub fn way_to<'a>(lent: &'a [Router], path: &'a Path) -> Way<'a> {
    let router = lent.iter().find(|router| router.path == *path);
    router.map_or_else(|| Way { name: path.display().to_string(), path, socket: None }, Router::way)
}

fn unknown(lent: &[Router], name: &str) -> Trouble {
    let names: Vec<&str> = lent.iter().map(|router| router.name.as_str()).collect();
    let trouble = Trouble::new(format!("there is no router {name}"));
    match names[..] {
        [] => trouble.advise(format!(
            "the administrator gives the Emperor one (`tuntap-router = {name} SOCKET`); without an Emperor of liege's write the path of its socket"
        )),
        _ => trouble.advise(format!("there is {}", names.join(", "))),
    }
}

impl Router {
    /// The way to it.
    pub fn way(&self) -> Way<'_> {
        Way { name: self.name.clone(), path: &self.path, socket: self.socket.as_ref().map(AsFd::as_fd) }
    }
}

impl Way<'_> {
    /// The same way, for later.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn to_router(&self) -> Result<Router, Errno> {
        let socket = self.socket.map(|socket| fcntl_dupfd_cloexec(socket, 0)).transpose()?;
        Ok(Router { name: self.name.clone(), path: self.path.to_owned(), socket })
    }

    /// The descriptor that it hangs on, if any.
    pub fn kept(&self) -> Option<RawFd> {
        self.socket.map(|socket| socket.as_raw_fd())
    }

    /// A connection, not blocking. Never waits.
    ///
    /// # Errors
    /// Those of `connect(2)`; `EAGAIN` when too many wait to be heard.
    pub fn connect(&self) -> Result<OwnedFd, Errno> {
        let by_number = self.socket.map(|socket| connected(format!("/proc/self/fd/{}", socket.as_raw_fd())));
        match by_number {
            // No /proc here.
            None | Some(Err(Errno::NOENT | Errno::NOTDIR)) => connected(self.path),
            Some(done) => done,
        }
    }
}

fn connected(path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(name: &str, path: &str) -> Router {
        Router { name: name.into(), path: path.into(), socket: None }
    }

    #[test]
    fn what_is_lent_is_a_number_a_name_and_a_path() {
        assert_eq!(parse("7:emperor0:/run/a:b.socket"), Some((7, "emperor0", "/run/a:b.socket")));
        for odd in ["", "7", "7:emperor0", "x:emperor0:/run/a", ":emperor0:/run/a"] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_router_is_found_by_its_name_or_by_its_path() {
        let lent = [router("emperor0", "/run/a"), router("emperor1", "/run/b")];
        let named = |name: RouterName| way(&lent, &name).map(|way| way.name);
        assert_eq!(named(RouterName::Lent("emperor1".into())), Ok("emperor1".into()));
        assert_eq!(named(RouterName::At("/run/a".into())), Ok("emperor0".into()));
        assert_eq!(named(RouterName::At("/run/c".into())), Ok("/run/c".into()));
        let told = named(RouterName::Lent("emperor2".into())).expect_err("unknown").to_string();
        assert_eq!(told, "there is no router emperor2; advice: there is emperor0, emperor1");
        let told = way(&[], &RouterName::Lent("emperor2".into())).expect_err("none").to_string();
        assert!(told.contains("`tuntap-router = emperor2 SOCKET`"), "{told}");
    }
}
