//! What is ours, handed to whoever connects and may have it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::{Identity, run};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::net::{SocketFlags, accept_with};

use super::{Goods, is_short, is_trusted};
use crate::vassal::sockets::Listening;
use crate::vassal::step::Socket;
use crate::vassal::trouble::Trouble;

/// Answers in a row; whoever comes later is answered when we have looked at all else.
const ANSWERS_MAX: usize = 16;

/// Descriptors, and the socket on which they are handed over.
#[derive(Debug)]
pub struct Served {
    listening: Listening,
    goods: Goods,
    descriptors: Vec<OwnedFd>,
}

impl Served {
    /// Binds the socket; `known` is who the vassal becomes, where that was looked up already.
    ///
    /// # Errors
    /// Those of a socket.
    pub fn new(
        socket: &Socket,
        known: Option<&Identity>,
        (goods, descriptors): (Goods, Vec<OwnedFd>),
    ) -> Result<Self, Trouble> {
        let listening = Listening::bind(socket, known)?;
        fcntl_getfl(&listening)
            .and_then(|flags| fcntl_setfl(&listening, flags | OFlags::NONBLOCK))
            .map_err(|errno| Trouble::errno(format!("listen on {socket}"), errno))?;
        Ok(Self { listening, goods, descriptors })
    }

    /// Answers whoever has connected. Never waits: what a client does not read is its own loss. False where somebody waits for
    /// whom there is no descriptor.
    pub fn answer(&self) -> bool {
        for _ in 0..ANSWERS_MAX {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let client = match accept_with(&self.listening, flags) {
                Ok(client) => client,
                Err(errno) => return !is_short(errno),
            };
            if is_trusted(&client) == Ok(true) {
                let descriptors: Vec<BorrowedFd<'_>> = self.descriptors.iter().map(AsFd::as_fd).collect();
                // One that has gone already wants nothing any more.
                let _ = run::send(&client, &self.goods.packet(descriptors.len()), &descriptors);
            }
        }
        true
    }
}

impl AsFd for Served {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listening.as_fd()
    }
}
