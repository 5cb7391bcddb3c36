//! Namespaces handed over between programs, as uWSGI hands them over: on a unix socket, by descriptor.

mod join;
mod serve;

pub use join::join;
pub use serve::{Served, own};

use jail::sys;
use rustix::io::Errno;
use rustix::process::geteuid;

use std::os::fd::AsFd;

/// What a packet begins with; the number of descriptors follows.
const MAGIC: &[u8; 11] = b"uwsgi-setns";
/// Bytes of a whole packet.
const PACKET: usize = MAGIC.len() + size_of::<i32>();
/// What the kernel shows in the place of an id that has no number here.
const NOBODY: u32 = 65_534;

/// Whether the other end is root or our own user, both as our user namespace sees them. Namespaces of anybody else would
/// be a stage that he has set for us, and ours are nobody else's.
fn is_trusted(socket: impl AsFd) -> Result<bool, Errno> {
    let uid = sys::peer_uid(socket.as_fd())?;
    Ok(uid != NOBODY && (uid == 0 || uid == geteuid().as_raw()))
}
