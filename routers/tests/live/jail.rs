//! Jails of tenants, as far as a router knows them.

use std::io::{Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use routers::tuntap::frame::{Decoder, Frame};
use routers::tuntap::talk::{Say, Welcome, Word, decode, encode, hello};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, UCred, sendmsg};
use rustix::process::{Gid, Uid, getpid};

use crate::emperor::Emperor;
use crate::network::Network;

/// A tenant's connection to the router.
pub struct Client {
    pub stream: UnixStream,
    decoder: Decoder,
}

/// A jail whose device the router has.
pub struct Jail {
    pub network: Network,
    pub client: Client,
    pub tun: OwnedFd,
    pub addresses: Vec<String>,
}

impl Client {
    /// Somebody who says hello as this user.
    pub fn hello(emperor: &Emperor, uid: u32) -> (Self, Welcome) {
        let mut client = Self::silent(emperor);
        client.send_as(uid, &hello());
        match client.word() {
            Word::Welcome(welcome) => (client, welcome),
            other => panic!("{other:?}"),
        }
    }

    /// Somebody who says nothing.
    pub fn silent(emperor: &Emperor) -> Self {
        Self { stream: emperor.connect(), decoder: Decoder::new(65_535) }
    }

    /// Somebody who has connected as this user.
    pub fn as_user(emperor: &Emperor, uid: u32) -> Self {
        let socket = emperor.charter.socket.clone();
        let stream = std::thread::spawn(move || {
            let (user, root) = (Uid::from_raw(uid), Uid::from_raw(0));
            rustix::thread::set_thread_res_uid(user, user, root).unwrap();
            UnixStream::connect(socket).unwrap()
        });
        let stream = stream.join().unwrap();
        stream.set_read_timeout(Some(crate::emperor::PATIENCE)).unwrap();
        Self { stream, decoder: Decoder::new(65_535) }
    }

    /// Sends bytes with credentials of somebody else, as root may.
    pub fn send_as(&self, uid: u32, bytes: &[u8]) {
        self.send_all_as(uid, bytes, &[]);
    }

    /// The same, with descriptors.
    pub fn send_all_as(&self, uid: u32, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1), ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let who = UCred { pid: getpid(), uid: Uid::from_raw(uid), gid: Gid::from_raw(uid) };
        assert!(control.push(SendAncillaryMessage::ScmCredentials(who)));
        assert!(descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors)));
        sendmsg(&self.stream, &[std::io::IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL).unwrap();
    }

    /// Says something, with a descriptor or two.
    pub fn say(&self, say: &Say, descriptors: &[BorrowedFd<'_>]) {
        jail::run::send(&self.stream, &encode(say).unwrap(), descriptors).unwrap();
    }

    /// The next word of the router.
    pub fn word(&mut self) -> Word {
        self.next_word().expect("the router has hung up")
    }

    /// Likewise; none where it has hung up.
    pub fn next_word(&mut self) -> Option<Word> {
        loop {
            match self.decoder.next_frame().unwrap() {
                Some(Frame::Message(payload)) => return Some(decode(payload).unwrap()),
                Some(Frame::Packet(_)) => {}
                Some(other) => panic!("{other:?}"),
                None => match self.stream.read(self.decoder.room()) {
                    Ok(0) => return None,
                    Ok(read) => self.decoder.received(read),
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                    Err(error) => panic!("no answer in time: {error}"),
                },
            }
        }
    }

    /// The next packet for somebody without a device.
    pub fn packet(&mut self) -> Vec<u8> {
        loop {
            match self.decoder.next_frame().unwrap() {
                Some(Frame::Packet(packet)) => return packet.to_vec(),
                Some(other) => panic!("{other:?}"),
                None => {
                    let read = self.stream.read(self.decoder.room()).expect("a packet in time");
                    assert!(read > 0, "the router has hung up");
                    self.decoder.received(read);
                }
            }
        }
    }

    /// Claims these addresses, or some.
    pub fn claim(&mut self, addresses: &[&str], label: &str, tun: Option<&OwnedFd>) -> Word {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let tun: Vec<_> = tun.into_iter().map(AsFd::as_fd).collect();
        self.say(&Say::Claim { addresses, label: label.into() }, &tun);
        self.word()
    }

    /// A question whose answer is a text in pieces.
    pub fn ask(&mut self, say: &Say) -> (u64, String) {
        self.say(say, &[]);
        self.text()
    }

    /// The pieces of a text.
    pub fn text(&mut self) -> (u64, String) {
        let mut text = Vec::new();
        loop {
            match self.word() {
                Word::Piece { generation, bytes, is_last } => {
                    text.extend(bytes);
                    if is_last {
                        return (generation, String::from_utf8(text).unwrap());
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// A question whose answer is too long for pieces.
    pub fn ask_much(&mut self, say: &Say) -> (u64, String) {
        self.say(say, &[]);
        let mut bytes = [0; 512];
        let parcel = jail::run::receive(&self.stream, &mut bytes).unwrap().expect("an answer");
        let Word::Text(generation) = decode(&bytes[4..parcel.length]).unwrap() else {
            panic!("{:?}", decode::<Word>(&bytes[4..parcel.length]))
        };
        let file = std::fs::File::from(parcel.descriptors.into_iter().next().unwrap());
        let mut text = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut text, 0).unwrap();
        (generation, String::from_utf8(text).unwrap())
    }

    /// Whether the router has ended this connection.
    pub fn is_ended(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 4096]), Ok(0) | Err(_))
    }

    /// Whether nothing can come any more.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 16]), Ok(0))
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }
}

impl Jail {
    /// A jail of this user with addresses that it asks for, or gets.
    pub fn new(emperor: &Emperor, uid: u32, addresses: &[&str]) -> Self {
        Self::labelled(emperor, (uid, "jail"), addresses)
    }

    pub fn labelled(emperor: &Emperor, (uid, label): (u32, &str), addresses: &[&str]) -> Self {
        let network = Network::new();
        let tun = network.device("net0", &[]);
        let (mut client, _) = Client::hello(emperor, uid);
        let word = client.claim(addresses, label, Some(&tun));
        let Word::Held(held) = word else { panic!("{word:?}") };
        let held: Vec<String> = held.iter().map(|(address, length)| format!("{address}/{length}")).collect();
        network.dress("net0", 65000, &held.iter().map(String::as_str).collect::<Vec<_>>());
        network.run("ip route add default dev net0");
        let addresses = held.iter().map(|one| one.split('/').next().unwrap().to_owned()).collect();
        Self { network, client, tun, addresses }
    }
}
