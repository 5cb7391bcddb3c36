//! Reaches an Emperor and asks.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, socket_with,
};

use crate::config::vassal::Address;
use crate::control::door::shown;
use crate::control::fetch::plain;
use crate::control::messages::{Answer, Ask, MESSAGE_MAX, Say, VARIABLES, decode, encode, is_plain};
use crate::control::place::beside;
use crate::stats;

/// A connection to an Emperor, and then to a session.
#[derive(Debug)]
pub struct Connection(OwnedFd);

impl Connection {
    /// To the control socket of the Emperor whose stats, or whose control socket, are at this address; else to the usual one.
    ///
    /// # Errors
    /// Nobody is there.
    pub fn open(address: Option<&Address>) -> Result<Self> {
        let places: Vec<Address> = match address {
            Some(address) => beside(address).into_iter().chain([address.clone()]).collect(),
            None => {
                let usual = stats::usual_path().into_iter().chain([PathBuf::from(stats::OF_ROOT)]);
                usual.filter_map(|path| beside(&Address::Unix(path))).collect()
            }
        };
        let mut first = None;
        for place in &places {
            match reach(place) {
                Ok(socket) => return Ok(Self(socket)),
                // An error of many words is made only where somebody hears of it: its backtrace takes longer than all else.
                Err(errno) => drop(first.get_or_insert((place, errno))),
            }
        }
        let error = first.map_or_else(
            || anyhow!("no place is known: say where"),
            |(place, errno)| anyhow!(errno).context(format!("cannot reach {}", shown(place))),
        );
        Err(error.context("is an Emperor running? Its control socket is where emperor-control-socket says"))
    }

    /// What comes later than this is not waited for.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn wait_at_most(&self, patience: Option<Duration>) -> Result<()> {
        Ok(set_socket_timeout(&self.0, Timeout::Recv, patience)?)
    }

    /// Asks for something.
    ///
    /// # Errors
    /// It is too long, or nobody is there any more; why not, if that was said.
    pub fn ask(&self, ask: &Ask) -> Result<()> {
        let packet = encode(ask).map_err(|_| anyhow!("the command is too long"))?;
        match jail::run::send(&self.0, &packet, &[]) {
            Ok(()) => Ok(()),
            Err(errno @ (Errno::PIPE | Errno::CONNRESET)) => Err(self.refusal(errno)),
            Err(errno) => Err(errno).context("cannot ask the Emperor"),
        }
    }

    /// What was said to us before the other end was closed.
    fn refusal(&self, errno: Errno) -> anyhow::Error {
        match self.hear() {
            Ok(Some((Answer::Refused(sentence), _))) => anyhow!("{}", plain(&sentence.into())),
            _ => anyhow!(errno).context("cannot ask the Emperor"),
        }
    }

    /// The next answer, with what came along; `None` when nobody is there any more.
    ///
    /// # Errors
    /// What came is no answer.
    pub fn hear(&self) -> Result<Option<(Answer, Vec<OwnedFd>)>> {
        let mut buffer = vec![0; self.length_of_next()];
        let mut receive = || jail::run::receive(&self.0, &mut buffer);
        // An end before all was read that we have said; behind it is what was said to us.
        let received = match receive() {
            Err(Errno::CONNRESET) => receive(),
            received => received,
        };
        match received {
            Ok(Some(parcel)) => Ok(Some((decode(&buffer[..parcel.length])?, parcel.descriptors))),
            Ok(None) | Err(Errno::CONNRESET) => Ok(None),
            Err(errno) => Err(errno).context("cannot hear the Emperor"),
        }
    }

    /// Bytes of what comes next, which is waited for: room for the longest would stay ours for as long as the session lasts.
    fn length_of_next(&self) -> usize {
        let look = || recv(&self.0, &mut [0; 1], RecvFlags::PEEK | RecvFlags::TRUNC);
        let looked = loop {
            match look() {
                Err(Errno::INTR) => {}
                looked => break looked,
            }
        };
        looked.map_or(MESSAGE_MAX, |(_, length)| length.clamp(1, MESSAGE_MAX))
    }

    /// Says something to the session.
    pub fn say(&self, say: Say) {
        self.say_with(say, &[]);
    }

    /// Lends it what its command is to read and write.
    pub fn lend(&self, lent: &[OwnedFd]) {
        let lent: Vec<BorrowedFd<'_>> = lent.iter().map(AsFd::as_fd).collect();
        self.say_with(Say::Lent, &lent);
    }

    fn say_with(&self, say: Say, lent: &[BorrowedFd<'_>]) {
        if let Ok(packet) = encode(&say) {
            // One that is over hears nothing.
            let _ = jail::run::send(&self.0, &packet, lent);
        }
    }

    /// For whoever waits for it.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn reach(address: &Address) -> Result<OwnedFd, Errno> {
    let place = match address {
        Address::Unix(path) => SocketAddrUnix::new(path)?,
        Address::Abstract(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
        Address::Tcp(_) | Address::Inherited(_) => return Err(Errno::AFNOSUPPORT),
    };
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &place).map(|()| socket)
}

/// What the Emperor is told of our terminal.
pub fn surroundings() -> Vec<(String, String)> {
    let of = |name: &str| std::env::var(name).ok().filter(|value| is_plain(value));
    VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), of(name)?))).collect()
}

#[cfg(test)]
mod tests {
    use rustix::net::socketpair;

    use super::*;

    #[test]
    fn whoever_is_refused_before_he_has_asked_is_told_why() {
        let pair = || socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = pair().expect("a pair");
        let packet = encode(&Answer::Refused("too many\u{1b}".into())).expect("short");
        jail::run::send(&theirs, &packet, &[]).expect("room");
        drop(theirs);
        let told = Connection(ours).ask(&Ask::End).expect_err("nobody is there");
        assert_eq!(told.to_string(), "too many\\u{1b}");
        let (ours, theirs) = pair().expect("a pair");
        drop(theirs);
        let told = Connection(ours).ask(&Ask::End).expect_err("nobody is there");
        assert_eq!(told.to_string(), "cannot ask the Emperor");
    }
}
