//! Namespaces of another process: handed over as descriptors, and joined.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::plan::{Failure, Namespaces};
use crate::sys;

/// What can be served and joined, in the order that works: mounts late, since everything else may be named by them, and
/// process ids last. A user namespace is never among them: in it, rights would be others than those we were given.
const ORDER: [(&str, Namespaces, LinkNameSpaceType); 7] = [
    ("cgroup", Namespaces::CGROUP, LinkNameSpaceType::ControlGroup),
    ("ipc", Namespaces::IPC, LinkNameSpaceType::InterProcessCommunication),
    ("uts", Namespaces::UTS, LinkNameSpaceType::HostNameAndNISDomainName),
    ("net", Namespaces::NET, LinkNameSpaceType::Network),
    ("time", Namespaces::TIME, LinkNameSpaceType::Time),
    ("mnt", Namespaces::FS, LinkNameSpaceType::Mount),
    ("pid", Namespaces::PID, LinkNameSpaceType::ProcessID),
];

/// Names of what can be served, as `/proc/PID/ns` has them.
pub fn served_names() -> impl Iterator<Item = &'static str> {
    ORDER.iter().map(|(name, ..)| *name)
}

/// Our own namespaces, except those named. One that this kernel lacks is left out.
///
/// # Errors
/// `/proc/self/ns` cannot be read.
pub fn own_namespaces(except: &[String]) -> Result<Vec<OwnedFd>, Failure> {
    let place =
        openat(CWD, c"/proc/self/ns", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let wanted = served_names().filter(|name| !except.iter().any(|one| one == name));
    let mut opened = Vec::new();
    for name in wanted {
        match openat(&place, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(namespace) => opened.push(namespace),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(Failure { detail: name.into(), ..errno.into() }),
        }
    }
    Ok(opened)
}

/// Joins namespaces, the last one of each kind. One that we are in already, a user namespace and unknown kinds are left
/// alone. Says which were joined; with `pid` only a child of ours is in it.
///
/// # Errors
/// A descriptor that names no namespace, or what `setns(2)` says: then we are somewhere in between, and must end.
pub fn join(namespaces: &[OwnedFd]) -> Result<Namespaces, Failure> {
    let mut known = Vec::new();
    for one in namespaces {
        known.push((sys::namespace_kind(one.as_fd())?, one));
    }
    let mut joined = Namespaces::NONE;
    for (name, kind, kind_of_link) in ORDER {
        let Some((_, one)) = known.iter().rev().find(|(known, _)| *known == Some(kind)) else { continue };
        if is_ours(name, one)? {
            continue;
        }
        let told = |errno: Errno| Failure { detail: name.into(), ..errno.into() };
        move_into_link_name_space(one.as_fd(), Some(kind_of_link)).map_err(told)?;
        joined = joined.with(kind);
    }
    Ok(joined)
}

/// Asked before mounts change, or `/proc` may be another's.
fn is_ours(name: &str, namespace: &OwnedFd) -> Result<bool, Failure> {
    let path = match name {
        // What our children get, which is not always ours.
        "pid" => "/proc/self/ns/pid_for_children".to_owned(),
        name => format!("/proc/self/ns/{name}"),
    };
    let Ok(ours) = rustix::fs::stat(path) else { return Ok(false) };
    let theirs = fstat(namespace)?;
    Ok((ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino))
}
