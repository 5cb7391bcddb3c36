//! The control descriptor: single bytes to and from the Emperor.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendFlags, recvmsg, sendmsg,
};

/// Descriptors taken with one byte; any more are refused by closing them.
const DESCRIPTORS_MAX: usize = 4;

/// Our end of the socket pair that an Emperor left in `UWSGI_EMPEROR_FD`.
#[derive(Debug)]
pub struct Control(OwnedFd);

/// What came from the Emperor.
#[derive(Debug)]
pub enum Word {
    /// A byte, and the descriptor of a config when one came with it.
    Byte(u8, Option<OwnedFd>),
    /// The Emperor is gone.
    End,
}

impl Control {
    /// Speaks over this descriptor, which must be a stream socket.
    pub fn new(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// Sends one byte. An Emperor that is gone or does not read is noticed elsewhere, as the end of the stream.
    pub fn send(&self, byte: u8) {
        self.say(&[byte]);
    }

    /// Sends one byte that must not be lost.
    ///
    /// # Errors
    /// No room.
    pub fn must_send(&self, byte: u8) -> Result<(), Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match sendmsg(&self.0, &[IoSlice::new(&[byte])], &mut SendAncillaryBuffer::default(), flags) {
            // One that is gone lets nobody in.
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Sends these bytes, or as many of them as it has room for.
    pub fn say(&self, bytes: &[u8]) {
        say(self, bytes);
    }

    /// The next word, or `None` when there is none yet.
    pub fn receive(&self) -> Option<Word> {
        let mut byte = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        match recvmsg(&self.0, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags) {
            Ok(message) if message.bytes == 1 => Some(Word::Byte(byte[0], first_of(&mut ancillary))),
            Err(Errno::AGAIN | Errno::INTR) => None,
            Ok(_) | Err(_) => Some(Word::End),
        }
    }
}

/// Sends these bytes over such a descriptor, or as many of them as it has room for.
pub fn say(control: impl AsFd, bytes: &[u8]) {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let _ = sendmsg(control, &[IoSlice::new(bytes)], &mut SendAncillaryBuffer::default(), flags);
}

fn first_of(ancillary: &mut RecvAncillaryBuffer<'_>) -> Option<OwnedFd> {
    let rights = |message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    };
    ancillary.drain().filter_map(rights).flatten().next()
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
