//! What a vassal sends over its control socket: single bytes, and nothing else is taken from it.
//!
//! Closing the last copy of a descriptor may wait for as long as its former owner likes (`SO_LINGER` of `socket(7)`),
//! and one that nobody takes is closed by whoever reads the byte that it came with.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, Shutdown, recvmsg, shutdown};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, set_parent_process_death_signal};

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
pub fn hear(control: impl AsFd, bytes: &mut [u8]) -> Words {
    // Looked at first: with no room for descriptors the kernel tells that there are some and gives none.
    let room = &mut [IoSliceMut::new(bytes)];
    match recvmsg(&control, room, &mut RecvAncillaryBuffer::default(), RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok(seen) if seen.flags.contains(ReturnFlags::CTRUNC) => Words::Smuggled,
        Ok(seen) if seen.bytes == 0 => Words::End,
        // No more than was looked at.
        Ok(seen) => read(&control, &mut bytes[..seen.bytes]).map_or(Words::Nothing, Words::Said),
        Err(Errno::CONNRESET) => Words::End,
        Err(_) => Words::Nothing,
    }
}

/// Closes a control socket, whatever is still in it.
pub fn close(control: OwnedFd) {
    // From here on nothing more gets in.
    let _ = shutdown(&control, Shutdown::Both);
    if ioctl_fionread(&control).is_ok_and(|bytes| bytes > 0) {
        close_elsewhere(control);
    }
}

/// Lets a child have the last copy: only for a process that ends does the kernel close without waiting.
fn close_elsewhere(descriptor: OwnedFd) {
    let Ok((gate, key)) = pipe_with(PipeFlags::CLOEXEC) else { return };
    let wait = || {
        let alone = set_parent_process_death_signal(Some(Signal::KILL)).is_err();
        i32::from(alone || read(&gate, &mut [0; 1]).is_err())
    };
    if jail::sys::fork(wait).is_ok() {
        drop(descriptor);
        let _ = write(&key, b"x");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

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
        close(ours.into());
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        drop(theirs);
        assert_eq!(hear(&ours, &mut bytes), Words::End);
    }

    /// A connection that nobody reads, whose last owner waits an hour for its end.
    fn reluctant(listener: &TcpListener) -> TcpStream {
        let mut socket = TcpStream::connect(listener.local_addr().expect("bound")).expect("a connection");
        socket.set_nonblocking(true).expect("a socket");
        while socket.write(&[0; 65536]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::from_secs(3600))).expect("a socket");
        socket
    }

    #[test]
    fn a_socket_full_of_reluctant_descriptors_is_closed_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        jail::run::send(&theirs, b"x", &[reluctant(&listener).as_fd()]).expect("room");
        close(ours.into());
        let mut end = [0; 1];
        assert_eq!(hear(&theirs, &mut end), Words::End);
    }
}
