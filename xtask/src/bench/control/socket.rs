//! What goes over the sockets of an Emperor, without a client's start and end.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::net::sockopt::set_socket_timeout;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};

use crate::bench::stamps::{ms, now_ns};

use super::house::PATIENCE;

/// As `src/control/messages.rs` has it: version 1, `Govern`, `Look`, one name, whose length and bytes follow.
const LOOK: [u8; 4] = [1, 2, 0, 1];
/// Bytes of the answer that says that all was told. No other answer is so short.
const TOLD: usize = 2;
const MESSAGE_MAX: usize = 65_536;

/// Microseconds from the connection to the end of what comes.
///
/// # Errors
/// Nobody is there, or he is too slow.
pub fn read_all(path: &Path) -> Result<f64> {
    let before = now_ns();
    whole(path)?;
    Ok(ms(before, now_ns()) * 1e3)
}

/// All that comes.
///
/// # Errors
/// As above.
pub fn whole(path: &Path) -> Result<Vec<u8>> {
    let mut stream = UnixStream::connect(path).with_context(|| path.display().to_string())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Microseconds from the connection until it was told how this vassal stands.
///
/// # Errors
/// Nobody is there, he is too slow, or he does not tell.
pub fn look(path: &Path, name: &str) -> Result<f64> {
    let asked = [&LOOK[..], &[u8::try_from(name.len())?], name.as_bytes()].concat();
    let mut answer = [0; MESSAGE_MAX];
    let before = now_ns();
    let socket = open(path)?;
    send(&socket, &asked, SendFlags::NOSIGNAL)?;
    loop {
        match recv(&socket, &mut answer[..], RecvFlags::empty())?.0 {
            0 => bail!("it is refused"),
            TOLD => return Ok(ms(before, now_ns()) * 1e3),
            _ => {}
        }
    }
}

fn open(path: &Path) -> Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, rustix::net::sockopt::Timeout::Recv, Some(PATIENCE))?;
    connect(&socket, &SocketAddrUnix::new(path)?).with_context(|| path.display().to_string())?;
    Ok(socket)
}
