//! How many connections wait to be accepted. The kernel tells of a TCP socket through the socket itself, of a unix one by
//! `sock_diag(7)`, in the network namespace that it belongs to.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jail::sys;
use rustix::event::{PollFd, PollFlags};
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
    /// Which of the vassal's sockets can be counted at.
    counted: Vec<usize>,
}

impl Backlog {
    /// The rule, and the sockets whose queues nobody here sees.
    pub fn new(threshold: u32, sockets: &[Listening]) -> (Self, Vec<String>) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let unix = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::SOCK_DIAG)).ok();
        let mut backlog = Self { pressure: Pressure::new(threshold), unix, counted: Vec::new() };
        let (counted, unseen): (Vec<usize>, Vec<usize>) =
            (0..sockets.len()).partition(|at| backlog.count(sockets[*at].as_fd()).is_ok());
        backlog.counted = counted;
        (backlog, unseen.into_iter().map(|at| sockets[at].name().to_owned()).collect())
    }

    /// What to wait for, as long as somebody who comes is to be told of. Where nobody can be counted, nobody is waited for: he
    /// would be there again at once, without end.
    pub fn watched<'a>(&self, sockets: &'a [impl AsFd]) -> Vec<PollFd<'a>> {
        if self.pressure.next_deadline().is_some() {
            return Vec::new();
        }
        let sockets = self.counted.iter().filter_map(|at| sockets.get(*at));
        sockets.map(|socket| PollFd::new(socket, PollFlags::IN | PollFlags::RDHUP)).collect()
    }

    /// When it wants to be asked.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.pressure.next_deadline()
    }

    /// What those that were watched were ready for: perhaps somebody waits, or has waited. A socket that was shut down is
    /// ready for ever, and nobody comes to it.
    pub fn notice(&mut self, ready: &[PollFlags]) {
        if ready.iter().any(|flags| flags.contains(PollFlags::IN)) {
            self.pressure.called(now());
        }
        let over = PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR | PollFlags::NVAL;
        let mut ready = ready.iter();
        self.counted.retain(|_| ready.next().is_none_or(|flags| !flags.intersects(over)));
    }

    /// Counts, if it is time to. Whether help is to be asked for.
    pub fn is_too_long(&mut self, sockets: &[impl AsFd]) -> bool {
        if self.next_deadline().is_none_or(|at| now() < at) {
            return false;
        }
        let sockets = self.counted.iter().filter_map(|at| sockets.get(*at));
        let most = sockets.filter_map(|socket| self.count(socket.as_fd()).ok()).max();
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

    use rustix::event::{Timespec, poll};
    use rustix::net::{Shutdown, shutdown};

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

    fn flags(backlog: &Backlog, sockets: &[impl AsFd]) -> Vec<PollFlags> {
        let mut watched = backlog.watched(sockets);
        poll(&mut watched, Some(&Timespec::default())).expect("asked");
        watched.iter().map(PollFd::revents).collect()
    }

    fn of(counted: Vec<usize>) -> Backlog {
        Backlog { counted, ..Backlog::new(1, &[]).0 }
    }

    #[test]
    fn who_was_accepted_meanwhile_is_noted_and_where_nobody_can_be_counted_nobody_is_waited_for() {
        let sockets = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").expect("bound"));
        let mut backlog = of(vec![1]);
        let clients = sockets.each_ref().map(|one| TcpStream::connect(one.local_addr().expect("bound")));
        assert!(clients.iter().all(Result::is_ok));
        let ready = flags(&backlog, &sockets);
        assert_eq!(ready, [PollFlags::IN], "the other one is not watched");
        drop(sockets[1].accept().expect("one waits"));
        backlog.notice(&ready);
        assert!(backlog.next_deadline().is_some() && backlog.watched(&sockets).is_empty());
    }

    #[test]
    fn a_socket_that_was_shut_down_is_waited_for_no_more() {
        let directory = tempfile::tempdir().expect("a directory");
        let unix = UnixListener::bind(directory.path().join("socket")).expect("bound");
        let tcp = TcpListener::bind("127.0.0.1:0").expect("bound");
        let sockets = [OwnedFd::from(unix), tcp.into()];
        let mut backlog = of(vec![0, 1]);
        assert_eq!(flags(&backlog, &sockets), [PollFlags::empty(); 2]);
        for how in [Shutdown::Read, Shutdown::Both] {
            for socket in &sockets {
                let _ = shutdown(socket, how);
            }
            let ready = flags(&backlog, &sockets);
            backlog.notice(&ready);
            assert!(backlog.counted.is_empty(), "{how:?}: {ready:?}");
            backlog = of(vec![0, 1]);
        }
    }

    #[test]
    fn an_answer_that_is_none_has_no_queue() {
        for answer in [&[][..], &[0; 40], &[0xff; 64], &[20; 64]] {
            assert_eq!(queue(answer), None);
        }
    }
}
