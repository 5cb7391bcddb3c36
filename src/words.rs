//! What comes over a socket: bytes, and nothing else is taken from it: a descriptor that nobody takes is closed by whoever reads the
//! byte that it came with (see `parting`).

use std::io::IoSliceMut;
use std::os::fd::AsFd;

use rustix::io::{Errno, read};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// So many bytes.
    Said(usize),
    /// Nothing now.
    Nothing,
    /// The other end is closed.
    End,
    /// A descriptor is among what comes next, which is left where it is.
    Smuggled,
}

/// Reads what was said, as far as no descriptor came with it.
///
/// Must: be given a socket that is [`Visited`](crate::parting::Visited), or refuses descriptors.
pub fn hear(control: impl AsFd, bytes: &mut [u8]) -> Words {
    // Looked at first: with no room for descriptors the kernel tells that there are some and gives none.
    let room = &mut [IoSliceMut::new(bytes)];
    match recvmsg(&control, room, &mut RecvAncillaryBuffer::default(), RecvFlags::PEEK | RecvFlags::DONTWAIT)
    {
        Ok(seen) if seen.flags.contains(ReturnFlags::CTRUNC) => Words::Smuggled,
        Ok(seen) if seen.bytes == 0 => Words::End,
        // No more than was looked at.
        Ok(seen) => read(&control, &mut bytes[..seen.bytes]).map_or(Words::Nothing, Words::Said),
        Err(Errno::CONNRESET) => Words::End,
        Err(_) => Words::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{IoSlice, Write};
    use std::os::unix::net::UnixStream;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;

    fn out_of_band(socket: &UnixStream) {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let lent = [socket.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&lent)));
        sendmsg(socket, &[IoSlice::new(b"x")], &mut control, SendFlags::OOB).expect("room");
    }

    /// Rows C6 and C8.
    #[test]
    fn bytes_are_heard_up_to_a_descriptor_which_is_not_taken() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let mut bytes = [0; 8];
        assert_eq!(hear(&ours, &mut bytes), Words::Nothing);
        theirs.write_all(&[1, 5]).expect("room");
        assert_eq!((hear(&ours, &mut bytes), &bytes[..2]), (Words::Said(2), &[1, 5][..]));
        jail::run::send(&theirs, b"x", &[theirs.as_fd()]).expect("room");
        assert_eq!(hear(&ours, &mut bytes), Words::Smuggled);
        assert_eq!(hear(&ours, &mut bytes), Words::Smuggled, "it stays where it is");
        crate::parting::close(ours.into());
        // A byte out of band, which is not among the others, hides no descriptor.
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let ours = crate::parting::Visited::from(std::os::fd::OwnedFd::from(ours));
        out_of_band(&theirs);
        jail::run::send(&theirs, b"y", &[]).expect("room");
        assert_eq!(hear(&ours, &mut bytes), Words::Smuggled);
        drop(ours);
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        drop(theirs);
        assert_eq!(hear(&ours, &mut bytes), Words::End);
    }
}
