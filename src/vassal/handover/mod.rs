//! Descriptors handed over between programs, as uWSGI hands them over: on a unix socket, in one packet for whoever
//! connects.

mod fetch;
mod serve;

pub use fetch::{fetch, fetch_at_once};
pub use serve::Served;

use jail::sys;
use rustix::io::Errno;
use rustix::process::geteuid;

use std::os::fd::AsFd;

/// What the kernel shows in the place of an id that has no number here.
const NOBODY: u32 = 65_534;

/// What is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goods {
    /// `setns-socket`, fetched by `setns`.
    Namespaces,
    /// `zerg-server`, fetched by `zerg`: sockets that listen.
    Sockets,
    /// A line to the Emperor: `emperor-proxy-socket`, fetched by uWSGI where it has `UWSGI_EMPEROR_PROXY`.
    Control,
}

impl Goods {
    /// What is handed over, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Sockets => "sockets",
            Self::Control => "a line to the Emperor",
        }
    }

    /// The option of whoever serves.
    fn server(self) -> &'static str {
        match self {
            Self::Namespaces => "setns-socket",
            Self::Sockets => "zerg-server",
            Self::Control => "emperor-proxy-socket",
        }
    }

    /// The option of whoever fetches.
    fn client(self) -> &'static str {
        match self {
            Self::Namespaces => "setns",
            Self::Sockets => "zerg",
            Self::Control => "UWSGI_EMPEROR_PROXY",
        }
    }

    /// The packet beside so many descriptors: a word, and their number as an `int` of this machine.
    pub(super) fn packet(self, count: usize) -> Vec<u8> {
        let word: &[u8] = match self {
            Self::Namespaces => b"uwsgi-setns",
            Self::Sockets => b"uwsgi-zerg",
            Self::Control => b"uwsgi-emperor",
        };
        let number = i32::try_from(count).unwrap_or(i32::MAX);
        [word, &number.to_ne_bytes()].concat()
    }
}

/// Whether whoever connected still waits, as there is no descriptor or no memory for him (`accept(2)`): his socket stays
/// ready, so it is not to be looked at again at once.
pub(super) const fn is_short(errno: Errno) -> bool {
    matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
}

/// Whether the other end is root or our own user, both as our user namespace sees them. What anybody else hands over would
/// be a stage that he has set for us, and what is ours is nobody else's.
pub(super) fn is_trusted(socket: impl AsFd) -> Result<bool, Errno> {
    let uid = sys::peer_uid(socket.as_fd())?;
    Ok(uid != NOBODY && (uid == 0 || uid == geteuid().as_raw()))
}
