//! What a vassal master and the keeper of a daemon say to each other: small messages over a socket with borders.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use super::super::exit::Exit;
use crate::emperor::order::from_vassal::TEXT_MAX;

/// Longest message.
const MESSAGE_MAX: usize = 1 + TEXT_MAX;

/// The master's end.
#[derive(Debug)]
pub struct Line {
    socket: OwnedFd,
    open: bool,
}

/// The keeper's end.
#[derive(Debug)]
pub struct Far(OwnedFd);

/// What a keeper tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The number of the process that is the daemon.
    Main(i32),
    /// It says that it is ready.
    Ready,
    /// What it says of itself, of `TEXT_MAX` bytes at most.
    Said(String),
    /// How that ended.
    Ended(Exit),
}

/// What a keeper is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A signal for the daemon.
    Signal(i32),
    /// The same, and it is to end by that.
    End(i32),
    /// Nobody is there to tell anything any more.
    Gone,
}

/// Both ends.
///
/// # Errors
/// Those of `socketpair(2)`.
pub fn pair() -> Result<(Line, Far), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    Ok((Line { socket: near, open: true }, Far(far)))
}

impl Line {
    /// Asks for it. A keeper that does not listen is killed in the end.
    pub fn ask(&self, asked: Asked) {
        let (kind, number) = match asked {
            Asked::Signal(number) => (b's', number),
            Asked::End(number) => (b'e', number),
            // Our end of it says that when it is closed.
            Asked::Gone => return,
        };
        let message = [&[kind][..], &number.to_ne_bytes()].concat();
        let _ = send(&self.socket, &message, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }

    /// What is told next, if anything is. Never waits.
    pub fn told(&mut self) -> Option<Told> {
        let mut bytes = [0; MESSAGE_MAX];
        let count = match recv(&self.socket, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((count, _)) => count,
            Err(Errno::AGAIN | Errno::INTR) => return None,
            Err(_) => 0,
        };
        let told = bytes[..count].split_first().and_then(|(kind, rest)| parse(*kind, rest));
        // Whoever says nothing that is to be understood is not listened to any more: it would be ready for ever.
        self.open = told.is_some();
        told
    }

    /// Whether something may still come.
    pub fn is_open(&self) -> bool {
        self.open
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Far {
    /// Tells it. A master that is gone is noticed elsewhere.
    pub fn tell(&self, told: Told) {
        let (kind, rest) = match told {
            Told::Main(pid) => (b'm', pid.to_ne_bytes().to_vec()),
            Told::Ready => (b'r', Vec::new()),
            Told::Said(text) => (b't', text.into_bytes()),
            Told::Ended(Exit::Code(code)) => (b'c', code.to_ne_bytes().to_vec()),
            Told::Ended(Exit::Signal(number)) => (b's', number.to_ne_bytes().to_vec()),
        };
        let message = [&[kind][..], &rest].concat();
        let _ = send(&self.0, &message, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }

    /// What is asked next, if anything is. Never waits.
    pub fn asked(&self) -> Option<Asked> {
        let mut bytes = [0; MESSAGE_MAX];
        match recv(&self.0, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((5, _)) if bytes[0] == b's' => Some(Asked::Signal(number(&bytes[1..5]))),
            Ok((5, _)) if bytes[0] == b'e' => Some(Asked::End(number(&bytes[1..5]))),
            Err(Errno::AGAIN | Errno::INTR) => None,
            Ok(_) | Err(_) => Some(Asked::Gone),
        }
    }
}

impl AsFd for Far {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn number(bytes: &[u8]) -> i32 {
    bytes.try_into().map_or(0, i32::from_ne_bytes)
}

fn parse(kind: u8, rest: &[u8]) -> Option<Told> {
    let number = || <[u8; 4]>::try_from(rest).map(i32::from_ne_bytes).ok();
    match kind {
        b'm' => number().map(Told::Main),
        b'r' => Some(Told::Ready),
        b't' => Some(Told::Said(String::from_utf8_lossy(rest).into_owned())),
        b'c' => number().map(|code| Told::Ended(Exit::Code(code))),
        b's' => number().map(|number| Told::Ended(Exit::Signal(number))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_and_asked_arrives_and_an_end_is_an_end() {
        let (mut near, far) = pair().expect("sockets");
        assert_eq!((near.told(), near.is_open(), far.asked()), (None, true, None));
        far.tell(Told::Main(77));
        far.tell(Told::Ready);
        far.tell(Told::Said("x".repeat(TEXT_MAX)));
        far.tell(Told::Ended(Exit::Signal(9)));
        near.ask(Asked::Signal(10));
        near.ask(Asked::End(15));
        assert_eq!((near.told(), near.told()), (Some(Told::Main(77)), Some(Told::Ready)));
        assert_eq!(near.told(), Some(Told::Said("x".repeat(TEXT_MAX))));
        assert_eq!(near.told(), Some(Told::Ended(Exit::Signal(9))));
        assert_eq!((far.asked(), far.asked()), (Some(Asked::Signal(10)), Some(Asked::End(15))));
        assert_eq!(far.asked(), None);
        drop(far);
        assert_eq!((near.told(), near.is_open()), (None, false));
        let (near, far) = pair().expect("sockets");
        drop(near);
        assert_eq!(far.asked(), Some(Asked::Gone));
    }
}
