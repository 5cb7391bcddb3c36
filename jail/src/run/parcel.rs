//! Packets with descriptors over a `SOCK_SEQPACKET` socket (`unix(7)`, `SCM_RIGHTS`).

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Descriptors in one packet at most.
pub const DESCRIPTORS_MAX: usize = 64;

/// One packet, whole.
#[derive(Debug)]
pub struct Parcel {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// Its descriptors, closed by exec.
    pub descriptors: Vec<OwnedFd>,
}

/// Sends one packet. Whether it waits is up to the socket.
///
/// # Errors
/// `E2BIG` for more than [`DESCRIPTORS_MAX`] descriptors, `EMSGSIZE` for more bytes than the socket carries at
/// once, `EAGAIN`, `EPIPE` (without a signal).
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    if descriptors.len() > DESCRIPTORS_MAX {
        return Err(Errno::TOOBIG);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOBIG);
    }
    retried(|| sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)).map(|_| ())
}

/// Receives one packet; `None` when the other end is gone. Whether it waits is up to the socket.
///
/// # Errors
/// `EMSGSIZE` when the packet had more bytes than `buffer`: it is lost as a whole and what came with it is closed;
/// `EAGAIN`. Where not all of its descriptors could be taken in (more than [`DESCRIPTORS_MAX`], or no number is free
/// any more) it comes with none, so that a request can still be answered.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<Option<Parcel>, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        retried(|| recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC))?;
    // Taken out before anything is refused: whatever is not returned is closed here.
    let descriptors: Vec<OwnedFd> = control.drain().flat_map(rights).collect();
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(Errno::MSGSIZE);
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Ok(Some(Parcel { length: received.bytes, descriptors: Vec::new() }));
    }
    let end = received.bytes == 0 && descriptors.is_empty();
    Ok((!end).then_some(Parcel { length: received.bytes, descriptors }))
}

fn rights(message: RecvAncillaryMessage<'_>) -> Vec<OwnedFd> {
    match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
        _ => Vec::new(),
    }
}

fn retried<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            answer => return answer,
        }
    }
}
