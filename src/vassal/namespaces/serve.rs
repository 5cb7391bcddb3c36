//! Our namespaces, handed to whoever connects and may have them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::{Identity, run};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{SocketFlags, accept_with};

use super::{MAGIC, PACKET, is_trusted};
use crate::vassal::sockets::Listening;
use crate::vassal::step::Socket;
use crate::vassal::trouble::Trouble;

/// Answers in a row; whoever comes later is answered when we have looked at all else.
const ANSWERS_MAX: usize = 16;

/// Namespaces, and the socket on which they are handed over.
#[derive(Debug)]
pub struct Served {
    listening: Listening,
    namespaces: Vec<OwnedFd>,
}

/// Our namespaces as they are now, except those named.
///
/// # Errors
/// An unknown name, or no `/proc`.
pub fn own(except: &[String]) -> Result<Vec<OwnedFd>, Trouble> {
    // `user` is never served: to name it changes nothing.
    let is_known =
        |name: &&String| *name == "user" || run::served_names().any(|known| known == name.as_str());
    if let Some(odd) = except.iter().find(|name| !is_known(name)) {
        let known = run::served_names().collect::<Vec<_>>().join(", ");
        let trouble = Trouble::new(format!("setns-socket-skip: there is no namespace `{odd}`"));
        return Err(trouble.advise(format!("use some of: {known}")));
    }
    run::own_namespaces(except).map_err(|failure| {
        let trouble = Trouble::new(format!("cannot take our namespaces: {}", failure.cause()));
        trouble.advise("they are named by /proc: add `proc`, or `setns-preopen`")
    })
}

impl Served {
    /// Binds the socket; `known` is who the vassal becomes, where that was looked up already.
    ///
    /// # Errors
    /// Those of a socket.
    pub fn new(socket: &Socket, known: Option<&Identity>, namespaces: Vec<OwnedFd>) -> Result<Self, Trouble> {
        let listening = Listening::bind(socket, known)?;
        fcntl_getfl(&listening)
            .and_then(|flags| fcntl_setfl(&listening, flags | OFlags::NONBLOCK))
            .map_err(|errno| Trouble::errno(format!("listen on {socket}"), errno))?;
        Ok(Self { listening, namespaces })
    }

    /// Answers whoever has connected. Never waits: what a client does not read is its own loss.
    pub fn answer(&self) {
        for _ in 0..ANSWERS_MAX {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let Ok(client) = accept_with(&self.listening, flags) else { return };
            if is_trusted(&client) == Ok(true) {
                // One that has gone already wants nothing any more.
                let _ = run::send(&client, &self.packet(), &self.descriptors());
            }
        }
    }

    fn packet(&self) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        let (magic, count) = packet.split_at_mut(MAGIC.len());
        magic.copy_from_slice(MAGIC);
        let number = i32::try_from(self.namespaces.len()).expect("as many as there are kinds");
        count.copy_from_slice(&number.to_ne_bytes());
        packet
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.namespaces.iter().map(AsFd::as_fd).collect()
    }
}

impl AsFd for Served {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listening.as_fd()
    }
}
