//! The channel to a router: what it is told at its birth, in order, and what it says. Never waited for.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::{Result, bail};
use routers::parking::{self, MESSAGE_MAX, ToEmperor, ToRouter};
use rustix::io::Errno;

use super::keep::Keep;
use crate::gateways::Opened;

/// Our end.
pub(super) struct Line {
    socket: OwnedFd,
    untold: VecDeque<Untold>,
}

/// What it is still to be told.
#[derive(Clone, Copy)]
enum Untold {
    Begin,
    Adopt(u64),
    Go,
}

/// What was heard.
pub(super) enum Heard {
    Said(ToEmperor, Vec<OwnedFd>),
    Nothing,
    End,
}

impl Line {
    /// To a router that will be told to begin, to adopt these, and to go.
    pub fn new(socket: OwnedFd, keys: Vec<u64>) -> Self {
        let adopted = keys.into_iter().map(Untold::Adopt);
        Self { socket, untold: [Untold::Begin].into_iter().chain(adopted).chain([Untold::Go]).collect() }
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends as much as the socket takes; whether there is more.
    ///
    /// # Errors
    /// It is gone.
    pub fn speak(&mut self, opened: &Opened, keep: &Keep) -> Result<bool> {
        while let Some(next) = self.untold.front() {
            match self.say(*next, opened, keep) {
                Ok(()) => drop(self.untold.pop_front()),
                Err(Errno::AGAIN) => return Ok(true),
                Err(Errno::PIPE | Errno::CONNRESET) => return Ok(false),
                Err(errno) => bail!("cannot be told what it has to know: {errno}"),
            }
        }
        Ok(false)
    }

    fn say(&self, next: Untold, opened: &Opened, keep: &Keep) -> Result<(), Errno> {
        let (word, lent) = match next {
            Untold::Begin => (ToRouter::Begin(opened.roles()), opened.descriptors()),
            Untold::Adopt(key) => match keep.get(key) {
                Some(parked) => (ToRouter::Adopt { key, state: parked.state.clone() }, parked.lent()),
                None => return Ok(()),
            },
            Untold::Go => (ToRouter::Go, Vec::new()),
        };
        let bytes = parking::encode(&word).map_err(|_| Errno::MSGSIZE)?;
        jail::run::send(&self.socket, &bytes, &lent)
    }

    /// The next message.
    ///
    /// # Errors
    /// What it did that no router does.
    pub fn hear(&self) -> Result<Heard, String> {
        let mut buffer = [0; MESSAGE_MAX];
        match jail::run::receive(&self.socket, &mut buffer) {
            Ok(Some(parcel)) => parking::decode(&buffer[..parcel.length])
                .map(|word| Heard::Said(word, parcel.descriptors))
                .map_err(|_| "says what is no message".to_owned()),
            Ok(None) | Err(Errno::CONNRESET) => Ok(Heard::End),
            Err(Errno::AGAIN) => Ok(Heard::Nothing),
            Err(Errno::MSGSIZE) => Err("says more than a message has".into()),
            Err(errno) => Err(format!("cannot be heard: {errno}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    fn pair() -> (Line, OwnedFd) {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .expect("a pair");
        rustix::io::ioctl_fionbio(&ours, true).expect("a socket");
        (Line::new(ours, vec![3]), theirs)
    }

    /// Row W8.
    #[test]
    fn a_router_that_says_nonsense_is_not_heard() {
        for (said, why) in [(&b"\xff\xff"[..], "no message"), (&[0; MESSAGE_MAX + 1], "more than a message")]
        {
            let (line, theirs) = pair();
            jail::run::send(&theirs, said, &[]).expect("room");
            assert!(line.hear().is_err_and(|told| told.contains(why)), "{why}");
        }
    }

    #[test]
    fn what_is_said_is_heard_with_its_descriptors_until_the_end() {
        let (line, theirs) = pair();
        let bytes = parking::encode(&ToEmperor::Forget(7)).expect("short");
        jail::run::send(&theirs, &bytes, &[theirs.as_fd()]).expect("room");
        let Ok(Heard::Said(ToEmperor::Forget(7), lent)) = line.hear() else { panic!("not heard") };
        assert_eq!(lent.len(), 1);
        drop((lent, theirs));
        assert!(matches!(line.hear(), Ok(Heard::End)));
    }

    fn opened() -> Opened {
        let socket = crate::spawner::charter::Leftover { path: "/s".into(), device: 0, inode: 0, pid: None };
        let charter = routers::tuntap::charter::Charter {
            device: "emperor0".into(),
            socket: "/s".into(),
            addresses: Vec::new(),
            mtu: 1500,
            mtu_beyond: 1500,
            policy: "allow".into(),
            open: true,
            credentials: false,
            peers: Vec::new(),
            firewall_in: Vec::new(),
            firewall_out: Vec::new(),
            routes: Vec::new(),
            nameservers: Vec::new(),
            peers_max: 1,
            peers_of_user_max: 1,
            queue_bytes: 1,
            owner: 0,
            stats_http: false,
        };
        Opened { charter, given: Vec::new(), socket, stats: None }
    }

    #[test]
    fn thousands_who_were_parked_are_handed_over_in_pieces() {
        const PEERS: u64 = 2000;
        let mut keep = Keep::of(PEERS as usize);
        for key in 0..PEERS {
            let device =
                rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).expect("a descriptor");
            keep.park(key, vec![7; 100], vec![device]).expect("room");
        }
        let (line, theirs) = pair();
        let (mut line, opened) = (Line::new(line.socket, keep.keys()), opened());
        let (mut adopted, mut waits) = (Vec::new(), 0);
        rustix::io::ioctl_fionbio(&theirs, true).expect("a socket");
        loop {
            let more = line.speak(&opened, &keep).expect("it is there");
            waits += usize::from(more);
            let mut buffer = [0; MESSAGE_MAX];
            while let Ok(Some(parcel)) = jail::run::receive(&theirs, &mut buffer) {
                match parking::decode(&buffer[..parcel.length]).expect("a message") {
                    ToRouter::Adopt { key, state } => {
                        assert_eq!((state, parcel.descriptors.len()), (vec![7; 100], 1));
                        adopted.push(key);
                    }
                    ToRouter::Begin(roles) => assert!(roles.is_empty() && adopted.is_empty()),
                    ToRouter::Go => assert_eq!(adopted.len() as u64, PEERS),
                }
            }
            if !more {
                break;
            }
        }
        assert!(waits > 0, "not all at once");
        assert_eq!(adopted, keep.keys());
    }

    #[test]
    fn nobody_who_does_not_listen_is_waited_for() {
        let (line, _theirs) = pair();
        assert!(matches!(line.hear(), Ok(Heard::Nothing)));
    }
}
