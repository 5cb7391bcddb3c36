//! The connection of somebody who asks, and later of the client of a session. No descriptor is ever taken from it here.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, read};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, Shutdown, recvmsg, shutdown};

use super::messages::{Ask, MESSAGE_MAX, Malformed, decode};
use crate::parting;

/// One such connection; our end is not blocking. When it is dropped it is over for whoever else has a copy, too.
#[derive(Debug)]
pub struct Caller(Option<OwnedFd>);

/// What he says.
#[derive(Debug)]
pub enum Heard {
    /// This, or what is wrong with it.
    Ask(Result<Ask, Malformed>),
    /// Nothing yet.
    Nothing,
    /// He has gone.
    End,
}

impl Caller {
    /// He has just connected.
    pub fn new(socket: OwnedFd) -> Self {
        Self(Some(socket))
    }

    /// Takes what he says, unless a descriptor is with it.
    pub fn hear(&self) -> Heard {
        let mut buffer = vec![0; MESSAGE_MAX];
        let looking = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let room = &mut [IoSliceMut::new(&mut buffer)];
        // With no room for descriptors the kernel tells that there are some and gives none.
        let seen = match recvmsg(self, room, &mut RecvAncillaryBuffer::default(), looking) {
            Ok(seen) => seen,
            Err(Errno::AGAIN | Errno::INTR) => return Heard::Nothing,
            Err(_) => return Heard::End,
        };
        if seen.flags.contains(ReturnFlags::CTRUNC) {
            return Heard::Ask(Err(Malformed::Excess("descriptors came along, and none belongs to it")));
        }
        if seen.bytes == 0 {
            return Heard::End;
        }
        let (taken, flags) = (read(self, &mut buffer), seen.flags);
        match taken {
            Ok(_) if flags.contains(ReturnFlags::TRUNC) => {
                Heard::Ask(Err(Malformed::Excess("it is too long")))
            }
            Ok(length) => Heard::Ask(decode(&buffer[..length])),
            Err(_) => Heard::End,
        }
    }

    /// From here on he says nothing more. False when something is in it already; else whoever closes it waits for nobody.
    pub fn seal(&self) -> bool {
        shutdown(self, Shutdown::Read).is_ok() && !parting::holds_something(self)
    }

    /// Leaves him to somebody else, who has a copy.
    ///
    /// Must: come after [`Self::seal`].
    pub fn leave(mut self) {
        drop(self.0.take());
    }

    /// For whoever minds his session.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn copy(&self) -> std::io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }
}

impl AsFd for Caller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().expect("it is there until it is dropped").as_fd()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(parting::close);
    }
}
