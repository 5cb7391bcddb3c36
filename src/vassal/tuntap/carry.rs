//! Packets between a device and a stream of frames, as routers of uWSGI have it.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use routers::tuntap::frame::{self, Decoder, Frame, GREETING, HEADER, PAYLOAD_MAX};
use routers::tuntap::talk::{self, Say, Word};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, writev};
use rustix::net::{RecvFlags, SendFlags, UCred, recv, send};

use super::super::net::Feed;
use super::super::tell::Teller;
use super::super::trouble::{Trouble, name};
use super::call::{self, plain};
use super::device;

/// Bytes that stand before a packet of the device (`struct virtio_net_hdr`).
const BEFORE: usize = 10;
/// Longest packet that a router of uWSGI has room for.
const PACKET_MAX: usize = 8192;
/// Packets in a row before the other side is looked at.
const BATCH: usize = 64;
/// What there is to do about a packet: nothing.
const WHOLE: [u8; BEFORE] = [0; BEFORE];

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The router is gone, or makes no sense.
    Router(String),
    /// The device is gone.
    Device,
    /// The vassal is gone.
    Vassal,
}

/// Who reads the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// We do.
    Us,
    /// The router was asked to, and has not answered.
    Asked,
    /// The router.
    Router,
}

/// Carries the packets of one device.
pub struct Carrier<'a> {
    tun: BorrowedFd<'a>,
    /// To the vassal.
    line: BorrowedFd<'a>,
    feed: &'a Feed,
    who: Option<UCred>,
    buffer: Box<[u8]>,
    /// What of the buffer is still to be sent.
    rest: std::ops::Range<usize>,
    reader: Reader,
}

impl<'a> Carrier<'a> {
    /// For this device, as long as the other end of the line is there; `who` is whom we speak for.
    pub fn new(
        (tun, line): (BorrowedFd<'a>, BorrowedFd<'a>),
        (feed, who): (&'a Feed, Option<UCred>),
    ) -> Self {
        let buffer = vec![0; BEFORE + PAYLOAD_MAX].into();
        Self { tun, line, feed, who, buffer, rest: 0..0, reader: Reader::Us }
    }

    /// Carries packets over this connection until it is over. Nothing is allocated for a packet.
    pub fn serve(&mut self, socket: &OwnedFd, teller: &Teller) -> End {
        (self.rest, self.reader) = (0..0, Reader::Us);
        // Whatever a router has made of it, and whoever was to unmake that was killed.
        let _ = device::plain(self.tun);
        let mut decoder = Decoder::new(PAYLOAD_MAX);
        let end = match self.begin(socket) {
            Ok(()) => self.carry(socket, &mut decoder, teller),
            Err(errno) => Err(End::Router(format!("it does not listen: {}", name(errno)))),
        };
        match end {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    /// Who we are, that we know more than uWSGI's clients, and our rules.
    fn begin(&self, socket: &OwnedFd) -> Result<(), Errno> {
        if self.feed.credentials {
            let who = self.who.unwrap_or_else(ourselves);
            call::send(socket.as_fd(), GREETING, (None, Some(who)))?;
        }
        call::send(socket.as_fd(), &talk::hello(), (None, self.who))?;
        let records = &self.feed.records[..];
        if let (Some(header), false) = (frame::rules_header(records.len()), records.is_empty()) {
            call::send(socket.as_fd(), &[&header[..], records].concat(), (None, self.who))?;
        }
        Ok(())
    }

    fn carry(&mut self, socket: &OwnedFd, decoder: &mut Decoder, teller: &Teller) -> Result<Never, End> {
        loop {
            let (tun, router) = self.wait(socket)?;
            if router.contains(PollFlags::OUT) && !self.rest.is_empty() {
                self.send_rest(socket)?;
            }
            if router.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                self.receive(socket, decoder, teller)?;
            }
            if tun.contains(PollFlags::IN) {
                self.collect(socket)?;
            } else if tun.contains(PollFlags::ERR) {
                return Err(End::Device);
            }
        }
    }

    fn wait(&self, socket: &OwnedFd) -> Result<(PollFlags, PollFlags), End> {
        let ours = self.reader == Reader::Us && self.rest.is_empty();
        let tun = if ours { PollFlags::IN } else { PollFlags::empty() };
        let more = if self.rest.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let mut watched = [
            PollFd::new(&self.tun, tun),
            PollFd::new(socket, PollFlags::IN | more),
            PollFd::new(&self.line, PollFlags::IN),
        ];
        match poll(&mut watched, None) {
            Ok(_) if !watched[2].revents().is_empty() => Err(End::Vassal),
            Ok(_) => Ok((watched[0].revents(), watched[1].revents())),
            Err(Errno::INTR) => Ok((PollFlags::empty(), PollFlags::empty())),
            Err(errno) => Err(End::Router(format!("cannot wait for it: {}", name(errno)))),
        }
    }

    /// From the device to the router. A frame is sent whole, or the rest of it before any other.
    fn collect(&mut self, socket: &OwnedFd) -> Result<(), End> {
        for _ in 0..BATCH {
            if !self.rest.is_empty() || self.reader != Reader::Us {
                return Ok(());
            }
            let length = match read(self.tun, &mut self.buffer[..]) {
                Ok(length) => length,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(_) => return Err(End::Device),
            };
            let Some(header) = to_be_sent(&self.buffer[..length]) else { continue };
            self.buffer[BEFORE - HEADER..BEFORE].copy_from_slice(&header);
            self.rest = BEFORE - HEADER..length;
            self.send_rest(socket)?;
        }
        Ok(())
    }

    fn send_rest(&mut self, socket: &OwnedFd) -> Result<(), End> {
        match send(socket, &self.buffer[self.rest.clone()], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(sent) => self.rest.start += sent,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) => return Err(End::Router(format!("it is gone: {}", name(errno)))),
        }
        Ok(())
    }

    /// From the router to the device. The kernel drops what comes while the device is down, and so do we.
    fn receive(&mut self, socket: &OwnedFd, decoder: &mut Decoder, teller: &Teller) -> Result<(), End> {
        for _ in 0..BATCH {
            match recv(socket, decoder.room(), RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Err(End::Router("it has hung up".into())),
                Ok((_, bytes)) => decoder.received(bytes),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(errno) => return Err(End::Router(format!("it is gone: {}", name(errno)))),
            }
            loop {
                match decoder.next_frame() {
                    Ok(None) => break,
                    Ok(Some(Frame::Packet(packet))) => deliver(self.tun, packet)?,
                    Ok(Some(Frame::Message(payload))) => self.hear(socket, payload, teller)?,
                    Ok(Some(Frame::Greeting | Frame::Rules(_) | Frame::Hello)) => {}
                    Err(breach) => return Err(End::Router(format!("it makes no sense: {breach}"))),
                }
            }
        }
        Ok(())
    }

    /// A router that knows us.
    fn hear(&mut self, socket: &OwnedFd, payload: &[u8], teller: &Teller) -> Result<(), End> {
        match (talk::decode(payload), self.reader) {
            (Ok(Word::Welcome(_)), Reader::Us) => self.lend(socket),
            (Ok(Word::Taken), Reader::Asked) => {
                self.reader = Reader::Router;
                Ok(())
            }
            (Ok(Word::Refused(why)), Reader::Us | Reader::Router) => {
                Err(End::Router(format!("it refuses: {}", plain(&why))))
            }
            // Then packets go through the connection, as a client of uWSGI has it.
            (Ok(Word::Refused(why)), Reader::Asked) => {
                let _ = device::plain(self.tun);
                self.reader = Reader::Us;
                teller.nuisance(&Trouble::new(format!("the router refuses the device: {}", plain(&why))));
                Ok(())
            }
            (Ok(_), _) => Err(End::Router("it answers what nobody has asked".into())),
            (Err(unsaid), _) => Err(End::Router(format!("it makes no sense: {unsaid}"))),
        }
    }

    /// The router reads and writes the device from here on.
    fn lend(&mut self, socket: &OwnedFd) -> Result<(), End> {
        while !self.rest.is_empty() {
            // A frame that has begun is not left.
            self.send_rest(socket)?;
            let mut watched = [PollFd::new(socket, PollFlags::OUT), PollFd::new(&self.line, PollFlags::IN)];
            if poll(&mut watched, None).is_ok() && !watched[1].revents().is_empty() {
                return Err(End::Vassal);
            }
        }
        let told = |errno: Errno| End::Router(format!("cannot lend it the device: {}", name(errno)));
        device::offload(self.tun).map_err(told)?;
        let frame = talk::encode(&Say::Lend).map_err(|unsaid| End::Router(unsaid.to_string()))?;
        match call::send(socket.as_fd(), &frame, (Some(self.tun), self.who)) {
            Ok(sent) if sent == frame.len() => self.reader = Reader::Asked,
            Ok(_) => return Err(told(Errno::AGAIN)),
            Err(errno) => return Err(told(errno)),
        }
        Ok(())
    }
}

/// The header of the frame for what the device gave: a packet of version 4 that is whole and that the router has room for.
fn to_be_sent(given: &[u8]) -> Option<[u8; HEADER]> {
    let (before, packet) = given.split_first_chunk::<BEFORE>()?;
    let is_v4 = packet.first().is_some_and(|byte| byte >> 4 == 4);
    // Flags and kind: nothing is left to do about it.
    let is_whole = before[0] & 1 == 0 && before[1] == 0;
    (is_v4 && is_whole && packet.len() <= PACKET_MAX).then(|| frame::packet_header(packet.len())).flatten()
}

fn deliver(tun: BorrowedFd<'_>, packet: &[u8]) -> Result<(), End> {
    match writev(tun, &[IoSlice::new(&WHOLE), IoSlice::new(packet)]) {
        Err(Errno::BADFD) => Err(End::Device),
        _ => Ok(()),
    }
}

fn ourselves() -> UCred {
    use rustix::process::{getgid, getpid, getuid};
    UCred { pid: getpid(), uid: getuid(), gid: getgid() }
}

/// Nothing.
enum Never {}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(before: [u8; BEFORE], packet: &[u8]) -> Vec<u8> {
        [&before[..], packet].concat()
    }

    #[test]
    fn only_whole_packets_of_version_4_go_to_a_router_of_uwsgi() {
        let v4 = [0x45; 20];
        assert_eq!(to_be_sent(&given(WHOLE, &v4)), frame::packet_header(20));
        assert_eq!(to_be_sent(&given(WHOLE, &[0x60; 40])), None);
        assert_eq!(to_be_sent(&given(WHOLE, &[])), None);
        assert_eq!(to_be_sent(&WHOLE[..9]), None);
        assert_eq!(to_be_sent(&given(WHOLE, &[0x45; PACKET_MAX + 1])), None);
        assert!(to_be_sent(&given(WHOLE, &[0x45; PACKET_MAX])).is_some());
        for (index, value) in [(0, 1), (1, 1)] {
            let mut before = WHOLE;
            before[index] = value;
            assert_eq!(to_be_sent(&given(before, &v4)), None, "{index}");
        }
    }
}
