//! Closes a socket whatever its other end has left in it.
//!
//! Closing the last copy of a descriptor may wait for as long as its former owner likes (`SO_LINGER` of `socket(7)`),
//! and one that nobody takes is closed by whoever closes the socket that it is in.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::{ioctl_fionread, read, write};
use rustix::net::sockopt::{
    set_socket_oobinline, set_socket_passcred, socket_acceptconn, socket_domain, socket_type,
};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, ReturnFlags, Shutdown, SocketType, recvmsg, shutdown,
};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, set_parent_process_death_signal};

/// Those that somebody else is to close.
static LATER: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// A socket of ours that others have connected to, or sent to. It is closed as by [`close`] when it is dropped.
#[derive(Debug)]
pub struct Visited(Option<OwnedFd>);

impl From<OwnedFd> for Visited {
    fn from(socket: OwnedFd) -> Self {
        // A byte out of band that is not among the others is dropped, with what came along, by whoever reads the next one.
        let _ = set_socket_oobinline(&socket, true);
        Self(Some(socket))
    }
}

impl AsFd for Visited {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_ref().expect("it is there until it is dropped").as_fd()
    }
}

impl Drop for Visited {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(close);
    }
}

/// Closes a socket: at once, or by the next [`bury`] if something may be in it. A connection is over then for whoever else has a
/// copy; one that listens, or takes datagrams, is not.
///
/// Must not: be called for a connection while somebody else is to go on using it.
pub fn close(socket: OwnedFd) {
    if socket_domain(&socket) != Ok(AddressFamily::UNIX) {
        return;
    }
    // Who waits to be let in may have sent something already.
    if socket_acceptconn(&socket) == Ok(true) || socket_type(&socket) == Ok(SocketType::DGRAM) {
        return later([socket]);
    }
    // From here on nothing more gets in.
    let _ = shutdown(&socket, Shutdown::Both);
    if holds_something(&socket) {
        later([socket]);
    }
}

/// Has these closed by the next [`bury`], or by our end.
pub fn later(descriptors: impl IntoIterator<Item = OwnedFd>) {
    LATER.lock().unwrap_or_else(PoisonError::into_inner).extend(descriptors);
}

/// Has those closed that wait for it, all by one child. Where there can be none they go on waiting.
pub fn bury() {
    bury_by(|wait| jail::sys::fork(wait).is_ok());
}

/// The same by a child of our parent, which reaps those that it does not know.
pub fn bury_beside() {
    bury_by(|wait| jail::sys::fork_beside(wait).is_ok());
}

fn bury_by(fork: impl FnOnce(&dyn Fn() -> i32) -> bool) {
    let mut later = LATER.lock().unwrap_or_else(PoisonError::into_inner);
    if !later.is_empty() {
        let waiting = std::mem::take(&mut *later);
        *later = close_elsewhere(waiting, fork);
    }
}

/// Whether somebody has left something in it. A packet that is empty is known from the end by the name of its sender, for
/// which there is no room; in a stream nothing is without a byte.
pub fn holds_something(socket: impl AsFd) -> bool {
    if socket_type(&socket) == Ok(SocketType::STREAM) {
        return ioctl_fionread(&socket).is_ok_and(|bytes| bytes > 0);
    }
    let _ = set_socket_passcred(&socket, true);
    let looking = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match recvmsg(&socket, &mut [], &mut RecvAncillaryBuffer::default(), looking) {
        Ok(seen) => seen.bytes > 0 || seen.flags.intersects(ReturnFlags::CTRUNC | ReturnFlags::TRUNC),
        Err(_) => false,
    }
}

/// Lets a child have the last copies: only for a process that ends does the kernel close without waiting. Gives them back
/// where there is no child.
fn close_elsewhere(descriptors: Vec<OwnedFd>, fork: impl FnOnce(&dyn Fn() -> i32) -> bool) -> Vec<OwnedFd> {
    let Ok((gate, key)) = pipe_with(PipeFlags::CLOEXEC) else { return descriptors };
    let wait = || {
        let alone = set_parent_process_death_signal(Some(Signal::KILL)).is_err();
        i32::from(alone || read(&gate, &mut [0; 1]).is_err())
    };
    if !fork(&wait) {
        return descriptors;
    }
    drop(descriptors);
    let _ = write(&key, b"x");
    Vec::new()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::{ErrorKind, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
    use std::time::Duration;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    /// A connection that nobody reads, whose last owner waits an hour for its end.
    pub(crate) fn reluctant(listener: &TcpListener) -> TcpStream {
        let mut socket = TcpStream::connect(listener.local_addr().expect("bound")).expect("a connection");
        socket.set_nonblocking(true).expect("a socket");
        while socket.write(&[0; 65536]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::from_secs(3600))).expect("a socket");
        socket
    }

    /// Rows C6 and C8.
    #[test]
    fn a_socket_full_of_reluctant_descriptors_is_closed_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        jail::run::send(&theirs, b"x", &[reluctant(&listener).as_fd()]).expect("room");
        close(ours.into());
        bury();
        // What it had not read yet is lost with it, so its end may also be told as a reset.
        let end = std::io::Read::read(&mut { theirs }, &mut [0; 1]);
        assert!(matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        let pair = || {
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .expect("a pair")
        };
        let (ours, theirs) = pair();
        for _ in 0..3 {
            jail::run::send(&theirs, b"", &[]).expect("room");
        }
        jail::run::send(&theirs, b"", &[reluctant(&listener).as_fd()]).expect("room");
        assert!(holds_something(&ours));
        close(ours);
        bury();
        let (ours, theirs) = pair();
        drop(theirs);
        assert!(!holds_something(&ours));
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        drop(theirs);
        shutdown(&ours, Shutdown::Both).expect("a socket");
        assert!(!holds_something(&ours), "whoever ends well costs no child");
    }

    /// Rows C6 and C8: whoever has not been let in yet may have sent something already; and nothing that is closed is taken from
    /// somebody else who listens there.
    #[test]
    fn whatever_listens_or_takes_datagrams_is_closed_by_somebody_else() {
        let name = format!("liege-parting-{}", std::process::id());
        let socket = crate::bound::hidden(&name).expect("a name");
        rustix::net::listen(&socket, 8).expect("a socket");
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let client = UnixStream::connect_addr(&address).expect("somebody listens");
        let door = TcpListener::bind("127.0.0.1:0").expect("a port");
        jail::run::send(&client, b"x", &[reluctant(&door).as_fd()]).expect("room");
        let copy = socket.try_clone().expect("a descriptor");
        drop(Visited::from(socket));
        assert!(UnixStream::connect_addr(&address).is_ok(), "there is another copy");
        drop(Visited::from(copy));
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        jail::run::send(&theirs, b"x", &[reluctant(&door).as_fd()]).expect("room");
        drop(Visited::from(OwnedFd::from(ours)));
        bury();
        let end = std::io::Read::read(&mut { client }, &mut [0; 1]);
        assert!(matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }

    /// Row C6: whoever leaves many costs no more than one.
    #[test]
    fn one_child_closes_all_that_wait() {
        let children = || {
            let text = std::fs::read_to_string("/proc/thread-self/children").expect("a list");
            text.split_whitespace().map(|pid| pid.parse().expect("a number")).collect::<Vec<i32>>()
        };
        let before = children();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (ours, theirs): (Vec<_>, Vec<_>) = (0..3)
            .map(|_| {
                let (ours, theirs) = UnixStream::pair().expect("a pair");
                jail::run::send(&theirs, b"x", &[reluctant(&listener).as_fd()]).expect("room");
                (OwnedFd::from(ours), theirs)
            })
            .unzip();
        assert!(close_elsewhere(ours, |wait| jail::sys::fork(wait).is_ok()).is_empty());
        for mut theirs in theirs {
            let end = std::io::Read::read(&mut theirs, &mut [0; 1]);
            assert!(
                matches!(&end, Ok(0)) || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
            );
        }
        let made: Vec<i32> = children().into_iter().filter(|pid| !before.contains(pid)).collect();
        assert_eq!(made.len(), 1, "{made:?}");
        let child = rustix::process::Pid::from_raw(made[0]);
        rustix::process::waitpid(child, rustix::process::WaitOptions::empty()).expect("it is ours");
    }
}
