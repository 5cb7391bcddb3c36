//! What is said to a router that knows us, and its answers, each within a bounded time.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use jail::Identity;
use routers::tuntap::frame::{Decoder, Frame, PAYLOAD_MAX};
use routers::tuntap::talk::{self, Say, Word};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, UCred, recv, sendmsg};
use rustix::process::{Gid, Uid, getpid};

use super::super::programs;
use super::super::state::Vassal;
use super::super::trouble::Trouble;
use super::super::watch::{Happening, now};
use super::lent::Way;
use crate::emperor::event::Moment;

/// The longest that is waited for a router, all of its answers together: it may be coming back just now.
const WAIT_MS_MAX: u64 = 15_000;
/// Between two attempts while too many wait to be heard.
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a sentence of a router that are passed on.
const SENTENCE_MAX: usize = 300;

/// A connection to a router.
pub struct Call {
    name: String,
    socket: OwnedFd,
    who: Option<UCred>,
    decoder: Decoder,
    end: Moment,
}

impl Call {
    /// Calls a router, as somebody else than we are where `who` says so.
    ///
    /// # Errors
    /// There is none.
    pub fn new(vassal: &mut Vassal, way: &Way<'_>, who: Option<&Identity>) -> Result<Self, Trouble> {
        let end = now().plus_ms(WAIT_MS_MAX);
        let socket = loop {
            match way.connect() {
                Ok(socket) => break socket,
                Err(Errno::AGAIN) if now() < end => pause(vassal, &way.name, None, PAUSE)?,
                Err(errno) => return Err(unreached(&way.name, errno)),
            }
        };
        let decoder = Decoder::new(PAYLOAD_MAX);
        Ok(Self { name: way.name.clone(), socket, who: who.map(credentials), decoder, end })
    }

    /// Says hello.
    ///
    /// # Errors
    /// The router is gone.
    pub fn hello(&self) -> Result<(), Trouble> {
        self.send(&talk::hello(), None)
    }

    /// Says something, with a descriptor if there is one.
    ///
    /// # Errors
    /// The router is gone, or this is longer than a frame.
    pub fn say(&self, say: &Say, descriptor: Option<BorrowedFd<'_>>) -> Result<(), Trouble> {
        let frame = talk::encode(say).map_err(|unsaid| Trouble::new(unsaid.to_string()))?;
        self.send(&frame, descriptor)
    }

    fn send(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<(), Trouble> {
        match send(self.socket.as_fd(), bytes, (descriptor, self.who)) {
            Ok(sent) if sent == bytes.len() => Ok(()),
            Ok(_) => Err(Trouble::new(format!("router {} does not listen", self.name))),
            Err(errno) => Err(Trouble::errno(format!("speak with router {}", self.name), errno)),
        }
    }

    /// Its next word. Packets mean nothing yet.
    ///
    /// # Errors
    /// It refuses, says nothing in time, or something that is no word; or the vassal is to stop.
    pub fn hear(&mut self, vassal: &mut Vassal) -> Result<Word, Trouble> {
        loop {
            if let Some(word) = self.word()? {
                return Ok(word);
            }
            let left = Duration::from_nanos(self.end.0.saturating_sub(now().0));
            if left.is_zero() {
                return Err(self.silent());
            }
            match recv(&self.socket, self.decoder.room(), RecvFlags::DONTWAIT) {
                Ok((_, 0)) => {
                    let trouble = Trouble::new(format!("router {} has hung up", self.name));
                    return Err(trouble.advise("its log says why"));
                }
                Ok((_, bytes)) => self.decoder.received(bytes),
                Err(Errno::AGAIN) => pause(vassal, &self.name, Some(self.socket.as_fd()), left)?,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Trouble::errno(format!("hear router {}", self.name), errno)),
            }
        }
    }

    fn word(&mut self) -> Result<Option<Word>, Trouble> {
        let name = &self.name;
        loop {
            match self.decoder.next_frame() {
                Ok(None) => return Ok(None),
                Ok(Some(Frame::Message(payload))) => return understood(name, payload).map(Some),
                Ok(Some(_)) => {}
                Err(breach) => return Err(Trouble::new(format!("router {name} makes no sense: {breach}"))),
            }
        }
    }

    fn silent(&self) -> Trouble {
        let seconds = WAIT_MS_MAX / 1000;
        let trouble = Trouble::new(format!("router {} has not answered in {seconds} s", self.name));
        trouble.advise("is it one of liege's, and alive? One of uWSGI's is reached by `tuntap-device`")
    }

    /// The connection, which stands for us from now on.
    pub fn into_line(self) -> OwnedFd {
        self.socket
    }
}

fn understood(name: &str, payload: &[u8]) -> Result<Word, Trouble> {
    match talk::decode(payload) {
        Ok(Word::Refused(why)) => Err(Trouble::new(format!("router {name} refuses: {}", plain(&why)))),
        Ok(word) => Ok(word),
        Err(unsaid) => Err(Trouble::new(format!("router {name} makes no sense: {unsaid}"))),
    }
}

/// A sentence of somebody else, as it may stand in a log.
pub fn plain(sentence: &str) -> String {
    let one = |letter: char| if letter.is_control() { ' ' } else { letter };
    sentence.chars().map(one).take(SENTENCE_MAX).collect()
}

/// One frame, with a descriptor and with whom we speak for. Never waits.
///
/// # Errors
/// Those of `sendmsg(2)`.
pub fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    (descriptor, who): (Option<BorrowedFd<'_>>, Option<UCred>),
) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1), ScmCredentials(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let along = descriptor.as_slice();
    if !along.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(along));
    }
    if let Some(who) = who {
        control.push(SendAncillaryMessage::ScmCredentials(who));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags) {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

/// This process, speaking for that user.
pub fn credentials(who: &Identity) -> UCred {
    UCred { pid: getpid(), uid: Uid::from_raw(who.uid), gid: Gid::from_raw(who.gid) }
}

/// Why a router cannot be reached.
pub fn unreached(name: &str, errno: Errno) -> Trouble {
    let trouble = Trouble::errno(format!("reach router {name}"), errno);
    match errno {
        Errno::NOENT => trouble.advise("nothing is there: start the router, or correct the path"),
        Errno::CONNREFUSED => trouble.advise("nobody listens there: start the router"),
        Errno::ACCESS => trouble
            .advise("its socket must be writable to the vassal (chmod 666), and its directory open to it"),
        Errno::AGAIN => trouble.advise("too many wait to be heard by it"),
        Errno::PROTOTYPE | Errno::NOTSOCK => trouble.advise("that is no socket of a router"),
        _ => trouble,
    }
}

/// Until something is told on a descriptor, or a time is over; a stop is heeded.
pub fn pause(
    vassal: &mut Vassal,
    name: &str,
    told: Option<BorrowedFd<'_>>,
    time: Duration,
) -> Result<(), Trouble> {
    let told = told.map(|told| PollFd::from_borrowed_fd(told, PollFlags::IN));
    match vassal.next_beside(Some(time), told)? {
        Happening::Child => drop(programs::reap_all(vassal, None)),
        happening => programs::heed(vassal, happening, &format!("the call to router {name}"))?,
    }
    Ok(())
}
