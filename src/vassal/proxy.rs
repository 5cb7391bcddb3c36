//! A line to the Emperor for a program that runs elsewhere (`emperor-proxy-socket`): in a container that the command starts.
//!
//! In uWSGI whoever connects gets the vassal's own descriptor, and several of them take each other's bytes. Here it gets one
//! end of a new pair of sockets, one at a time, and what goes over it is judged before it goes on.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::{Identity, run};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, recv, send, socketpair,
};

use super::handover::{Goods, is_short, is_trusted};
use super::sockets::Listening;
use super::step::Socket;
use super::trouble::Trouble;

/// Bytes taken at once, and remembered until they are heeded; more of them say nothing new.
const BYTES_MAX: usize = 64;

/// The socket, and whoever speaks.
#[derive(Debug)]
pub struct Proxy {
    listening: Listening,
    client: Option<OwnedFd>,
    said: Vec<u8>,
}

impl Proxy {
    /// Binds the socket; `known` is who the vassal becomes, where that was looked up already.
    ///
    /// # Errors
    /// Those of a socket.
    pub fn new(socket: &Socket, known: Option<&Identity>) -> Result<Self, Trouble> {
        let listening = Listening::bind(socket, known)?;
        fcntl_getfl(&listening)
            .and_then(|flags| fcntl_setfl(&listening, flags | OFlags::NONBLOCK))
            .map_err(|errno| Trouble::errno(format!("listen on {socket}"), errno))?;
        Ok(Self { listening, client: None, said: Vec::new() })
    }

    /// Readable when there is something to be heard: whoever comes while somebody speaks waits until that one has gone.
    pub fn watched(&self) -> BorrowedFd<'_> {
        self.client.as_ref().map_or_else(|| self.listening.as_fd(), AsFd::as_fd)
    }

    /// Takes in a client, or what it says. Never waits. False where a client waits for whom there is no descriptor.
    pub fn hear(&mut self) -> bool {
        match &self.client {
            None => match self.greet() {
                Ok(client) => self.client = client,
                Err(errno) => return !is_short(errno),
            },
            Some(client) => {
                let mut bytes = [0; BYTES_MAX];
                match recv(client, &mut bytes, RecvFlags::DONTWAIT) {
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Ok((0, _)) | Err(_) => self.client = None,
                    Ok((count, _)) => {
                        let room = BYTES_MAX.saturating_sub(self.said.len());
                        self.said.extend(bytes[..count].iter().take(room));
                    }
                }
            }
        }
        true
    }

    /// One end for whoever may have it, the other for us.
    fn greet(&self) -> Result<Option<OwnedFd>, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let caller = accept_with(&self.listening, flags)?;
        if !is_trusted(&caller)? {
            return Ok(None);
        }
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        ioctl_fionbio(&ours, true)?;
        run::send(&caller, &Goods::Control.packet(1), &[theirs.as_fd()])?;
        Ok(Some(ours))
    }

    /// Whether somebody speaks.
    pub fn is_taken(&self) -> bool {
        self.client.is_some()
    }

    /// What was said since the last time.
    pub fn said(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.said)
    }

    /// Passes a byte on to whoever speaks. Who does not read is told no more.
    pub fn pass(&self, byte: u8) {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let _ = self.client.as_ref().map(|client| send(client, &[byte], flags));
    }
}
