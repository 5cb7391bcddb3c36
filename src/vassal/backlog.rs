//! How many connections wait to be accepted. The kernel tells of a TCP socket through the socket itself, of a unix one by
//! `sock_diag(7)`, in the network namespace that it belongs to.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, getsockname, netlink, recv, send,
    socket_with,
};

use super::pressure::Pressure;
use super::sockets::Listening;
use super::trouble::Trouble;
use super::watch::now;
use crate::emperor::event::Moment;

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `UDIAG_SHOW_RQLEN`.
const SHOW_QUEUE: u32 = 0x10;
/// `UNIX_DIAG_RQLEN`.
const QUEUE: u16 = 4;
/// Bytes of a header of netlink, and of what is said of a unix socket before its attributes.
const HEADER: usize = 16;
const MESSAGE: usize = 16;
/// Room for an answer: those two and one attribute.
const ANSWER_MAX: usize = 256;

/// What is known of those who wait.
#[derive(Debug)]
pub struct Backlog {
    pressure: Pressure,
    unix: Option<OwnedFd>,
}

impl Backlog {
    /// The rule, and the sockets whose queues nobody here sees.
    pub fn new(threshold: u32, sockets: &[Listening]) -> (Self, Vec<String>) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let unix = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG)).ok();
        let backlog = Self { pressure: Pressure::new(threshold), unix };
        let unseen = sockets.iter().filter(|socket| backlog.count(socket.as_fd()).is_err());
        let unseen = unseen.map(|socket| socket.name().to_owned()).collect();
        (backlog, unseen)
    }

    /// Whether somebody who comes is to be told of.
    pub fn listens(&self) -> bool {
        self.pressure.next_deadline().is_none()
    }

    /// When it wants to be asked.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.pressure.next_deadline()
    }

    /// Something happened: perhaps somebody waits.
    pub fn notice(&mut self, sockets: &[Listening]) {
        let waits = |socket: &Listening| {
            let mut one = [PollFd::new(socket, PollFlags::IN)];
            poll(&mut one, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
        };
        if self.listens() && sockets.iter().any(waits) {
            self.pressure.called(now());
        }
    }

    /// Counts, if it is time to. Whether help is to be asked for.
    pub fn is_too_long(&mut self, sockets: &[Listening]) -> bool {
        if self.next_deadline().is_none_or(|at| now() < at) {
            return false;
        }
        let most = sockets.iter().filter_map(|socket| self.count(socket.as_fd()).ok()).max();
        self.pressure.take(most.unwrap_or(0), now())
    }

    fn count(&self, socket: BorrowedFd<'_>) -> Result<u32, Errno> {
        if getsockname(socket)?.address_family() != AddressFamily::UNIX {
            return sys::tcp_backlog(socket);
        }
        let inode = u32::try_from(fstat(socket)?.st_ino).map_err(|_| Errno::OVERFLOW)?;
        let unix = self.unix.as_ref().ok_or(Errno::PROTONOSUPPORT)?;
        send(unix, &question(inode), SendFlags::DONTWAIT)?;
        let mut bytes = [0; ANSWER_MAX];
        // The kernel answers before `send` comes back.
        let (length, _) = recv(unix, &mut bytes, RecvFlags::DONTWAIT)?;
        queue(&bytes[..length.min(ANSWER_MAX)]).ok_or(Errno::NOENT)
    }
}

/// Takes the step: what is not seen is told of.
///
/// # Errors
/// None of its queues can be seen.
pub fn watch(vassal: &mut super::state::Vassal, threshold: u32) -> Result<(), Trouble> {
    let (backlog, unseen) = Backlog::new(threshold, &vassal.sockets);
    if !unseen.is_empty() {
        let trouble = Trouble::new(format!("cannot see who waits at {}", unseen.join(", ")));
        vassal.teller.nuisance(&trouble.advise(
            "`vassal-sos-backlog` counts at TCP sockets, and at unix sockets made in the network of the vassal",
        ));
    }
    vassal.backlog = (unseen.len() < vassal.sockets.len()).then_some(backlog);
    Ok(())
}

/// `struct nlmsghdr` and `struct unix_diag_req`: of the socket with this inode, whatever its cookie.
fn question(inode: u32) -> Vec<u8> {
    let body =
        [&[1_u8, 0, 0, 0][..], &u32::MAX.to_ne_bytes(), &inode.to_ne_bytes(), &SHOW_QUEUE.to_ne_bytes()]
            .concat();
    let length = (HEADER + body.len() + 8) as u32;
    [&length.to_ne_bytes()[..], &BY_FAMILY.to_ne_bytes(), &REQUEST.to_ne_bytes(), &[0; 8], &body, &[0xff; 8]]
        .concat()
}

/// The length of the queue in an answer, if it has one.
fn queue(answer: &[u8]) -> Option<u32> {
    let short = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    if short(4)? != BY_FAMILY {
        return None;
    }
    let mut at = HEADER + MESSAGE;
    loop {
        let (length, kind) = (usize::from(short(at)?), short(at + 2)?);
        if kind == QUEUE {
            return Some(u32::from_ne_bytes(answer.get(at + 4..at + 8)?.try_into().ok()?));
        }
        // One without a length would be looked at for ever.
        at += length.max(4).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn those_who_wait_are_counted_at_either_kind_of_socket() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("socket");
        let (unix, tcp) =
            (UnixListener::bind(&path).expect("bound"), TcpListener::bind("127.0.0.1:0").expect("bound"));
        let (backlog, unseen) = Backlog::new(1, &[]);
        assert!(unseen.is_empty());
        let counts = || [unix.as_fd(), tcp.as_fd()].map(|socket| backlog.count(socket).expect("counted"));
        assert_eq!(counts(), [0, 0]);
        let _unix: Vec<UnixStream> = (0..3).map(|_| UnixStream::connect(&path).expect("room")).collect();
        let address = tcp.local_addr().expect("bound");
        let _tcp: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(address).expect("room")).collect();
        assert_eq!(counts(), [3, 2]);
        let _ = (unix.accept().expect("one waits"), tcp.accept().expect("one waits"));
        assert_eq!(counts(), [2, 1]);
    }

    #[test]
    fn an_answer_that_is_none_has_no_queue() {
        for answer in [&[][..], &[0; 40], &[0xff; 64], &[20; 64]] {
            assert_eq!(queue(answer), None);
        }
    }
}
