//! Sockets of a router, each in a directory that nobody else can put anything into.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{AtFlags, FileType, statat, unlinkat};
use rustix::io::Errno;
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};

use crate::bound::born_with;
use crate::emperor::event::Owner;
use crate::guarded::{Name, Others};
use crate::spawner::charter::Leftover;

/// Most that wait to be let in.
const QUEUE_MAX: i32 = 128;
/// `sun_path` of `unix(7)`, less the byte that ends it.
const PATH_MAX: usize = 107;

/// Listens at a path, in a file of this mode, and says which file that is. `owner`: whom the Emperor is about to become.
///
/// Must not: take away anything but a socket at which nobody listens any more, or follow a link.
///
/// # Errors
/// A directory of others, something else in its place, somebody who listens there.
pub fn listen(path: &Path, owner: Option<Owner>, mode: u32) -> Result<(OwnedFd, Leftover)> {
    let name = Name::of(path, Others { owner, group: false }).map_err(|why| {
        anyhow!("{why}: whoever can put a file there could pose as the router; use a path below /run")
    })?;
    if name.path.as_os_str().len() > PATH_MAX {
        bail!("{} is longer than the {PATH_MAX} bytes of a socket's path", name.path.display());
    }
    clear(&name)?;
    let listener = born_with(mode, || bound(&name.path))
        .with_context(|| format!("cannot listen at {}", name.path.display()))?;
    let file = Leftover::of(&name.path).context("its file is gone again")?;
    Ok((listener, file))
}

/// One that listens. Its connections have `SO_PASSCRED` from it: set on each of them after it was accepted, what came in
/// between would have no sender, and the kernel does not pass on in one piece what differs in its sender (`unix(7)`).
fn bound(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    set_socket_passcred(&socket, true)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, QUEUE_MAX)?;
    Ok(socket)
}

/// Makes room: what an Emperor that was killed has left goes.
fn clear(name: &Name) -> Result<()> {
    let place = name.path.display();
    let found = match statat(&name.directory, name.name(), AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        found => found.with_context(|| format!("cannot look at {place}"))?,
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        bail!("{place} is there, and no socket: name another path, or take that away");
    }
    match UnixStream::connect(&name.path) {
        Ok(_) => bail!("somebody listens at {place} already: name another path, or end that one"),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            unlinkat(&name.directory, name.name(), AtFlags::empty())
                .with_context(|| format!("cannot take the old socket {place} away"))
        }
        Err(error) => bail!("cannot tell whether somebody listens at {place}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::accept;
    use rustix::net::sockopt::socket_passcred;

    use super::*;

    #[test]
    fn what_a_connection_brings_has_its_sender_before_anybody_has_touched_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let (listener, _) = listen(&path, None, 0o666).expect("a listener");
        let _client = UnixStream::connect(&path).expect("somebody listens");
        let connection = accept(&listener).expect("somebody has connected");
        assert_eq!(socket_passcred(&connection), Ok(true));
    }
}
