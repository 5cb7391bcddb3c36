//! A pretended router of networks: hears what vassals say, with all that comes along, and answers as a test wants.

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use routers::tuntap::frame::{Decoder, Frame, GREETING, PAYLOAD_MAX};
use routers::tuntap::talk::{self, Say, Welcome, Word};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::set_socket_passcred;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use super::emperor::PATIENCE;

/// Bytes in front of a packet of a device.
pub const BEFORE: usize = 10;

/// Where it listens.
pub struct Router(UnixListener);

/// What was heard: the kind of a frame, with its payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Greeting,
    Packet(Vec<u8>),
    Rules(Vec<u8>),
    Hello,
    Say(Say),
    End,
}

/// One peer.
pub struct Peer {
    pub stream: UnixStream,
    decoder: Decoder,
    /// Descriptors that came.
    pub descriptors: Vec<OwnedFd>,
    /// Who spoke last, as the kernel vouches for it: uid and gid.
    pub who: Option<(u32, u32)>,
    /// Every byte so far.
    pub bytes: Vec<u8>,
}

impl Router {
    /// Listens there, for everybody.
    pub fn at(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
        Self(listener)
    }

    /// The next peer.
    pub fn peer(&self) -> Peer {
        wait_for(&self.0);
        let (stream, _) = self.0.accept().unwrap();
        set_socket_passcred(&stream, true).unwrap();
        Peer {
            stream,
            decoder: Decoder::new(PAYLOAD_MAX),
            descriptors: Vec::new(),
            who: None,
            bytes: Vec::new(),
        }
    }

    /// A peer that has said hello and was welcomed.
    pub fn welcomed(&self, welcome: &Welcome) -> Peer {
        let mut peer = self.peer();
        assert_eq!(peer.hear(), Heard::Hello);
        peer.answer(&Word::Welcome(welcome.clone()));
        peer
    }
}

impl Peer {
    /// What it says next.
    pub fn hear(&mut self) -> Heard {
        loop {
            if let Some(frame) = self.decoder.next_frame().expect("frames") {
                return match frame {
                    Frame::Greeting => Heard::Greeting,
                    Frame::Packet(packet) => Heard::Packet(packet.to_vec()),
                    Frame::Rules(records) => Heard::Rules(records.to_vec()),
                    Frame::Hello => Heard::Hello,
                    Frame::Message(payload) => Heard::Say(talk::decode(payload).unwrap()),
                };
            }
            if !self.receive() {
                return Heard::End;
            }
        }
    }

    /// The next thing that is no packet.
    pub fn hear_word(&mut self) -> Heard {
        loop {
            match self.hear() {
                Heard::Packet(_) => {}
                heard => return heard,
            }
        }
    }

    fn receive(&mut self) -> bool {
        wait_for(&self.stream);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4), ScmCredentials(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let room = self.decoder.room();
        // As a router of uWSGI reads: no more than the greeting at first.
        let most = if self.bytes.is_empty() { GREETING.len() } else { room.len() };
        let got = recvmsg(
            &self.stream,
            &mut [IoSliceMut::new(&mut room[..most])],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        let Ok(got) = got else { return false };
        self.bytes.extend(&room[..got.bytes]);
        for message in control.drain() {
            match message {
                RecvAncillaryMessage::ScmRights(descriptors) => self.descriptors.extend(descriptors),
                // Nobody is there any more who could be vouched for when it ends.
                RecvAncillaryMessage::ScmCredentials(who) if got.bytes > 0 => {
                    self.who = Some((who.uid.as_raw(), who.gid.as_raw()));
                }
                _ => {}
            }
        }
        self.decoder.received(got.bytes);
        got.bytes > 0
    }

    /// Says a word.
    pub fn answer(&mut self, word: &Word) {
        self.stream.write_all(&talk::encode(word).unwrap()).unwrap();
    }

    /// Says these bytes. Who has gone hears nothing.
    pub fn say(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }
}

/// Waits until something can be read.
pub fn wait_for(one: impl AsFd) {
    let mut ready = [PollFd::new(&one, PollFlags::IN)];
    assert_eq!(poll(&mut ready, Some(&PATIENCE.try_into().unwrap())).unwrap(), 1, "nothing comes");
}

/// The next packet of a device, without what stands before it.
pub fn packet(device: &OwnedFd) -> Vec<u8> {
    wait_for(device);
    let mut bytes = vec![0; BEFORE + PAYLOAD_MAX];
    let length = std::fs::File::from(device.try_clone().unwrap()).read(&mut bytes).unwrap();
    bytes[BEFORE..length].to_vec()
}

/// Gives a packet to a device.
pub fn deliver(device: &OwnedFd, packet: &[u8]) {
    let bytes = [&[0; BEFORE], packet].concat();
    std::fs::File::from(device.try_clone().unwrap()).write_all(&bytes).unwrap();
}

/// The answer to an echo request, of either version; nothing for any other packet.
pub fn pong(ping: &[u8]) -> Option<Vec<u8>> {
    let (source, destination, header, kind) = match (ping[0] >> 4, ping.len()) {
        (4, 28..) if ping[9] == 1 && ping[20] == 8 => (12..16, 16..20, 20, 0),
        (6, 48..) if ping[6] == 58 && ping[40] == 128 => (8..24, 24..40, 40, 129),
        _ => return None,
    };
    let mut pong = ping.to_vec();
    pong[source.clone()].copy_from_slice(&ping[destination.clone()]);
    pong[destination].copy_from_slice(&ping[source]);
    pong[header] = kind;
    // The sum of all is what it was but for the kind.
    let sum = u32::from(u16::from_be_bytes([ping[header + 2], ping[header + 3]]));
    let before = u32::from(ping[header]) << 8;
    let sum = sum + before + (!(u32::from(kind) << 8) & 0xffff);
    let sum = (sum & 0xffff) + (sum >> 16);
    pong[header + 2..header + 4].copy_from_slice(&u16::try_from(sum).unwrap_or(0).to_be_bytes());
    Some(pong)
}
