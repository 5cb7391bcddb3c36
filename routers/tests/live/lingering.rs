//! Descriptors whose last owner waits for as long as whoever has sent them likes, in every way into a router.

use std::cell::RefCell;
use std::io::{IoSlice, Write};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use routers::tuntap::talk::{Say, Word, encode, hello};
use rustix::net::sockopt::set_socket_linger;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;

use crate::attacks::{frame, packet};
use crate::emperor::{Emperor, charter};
use crate::jail::{Client, Jail};
use crate::peers::{connect, echo, ping, round_trip};

/// Connections, more than a router of this machine may have descriptors.
const CROWD: usize = 20_100;

/// Makes sockets that nobody reads: closing waits an hour for what was sent.
struct Source {
    listener: TcpListener,
    /// Their other ends.
    others: RefCell<Vec<TcpStream>>,
}

impl Source {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap(), others: RefCell::default() }
    }

    fn lingering(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        self.others.borrow_mut().push(self.listener.accept().unwrap().0);
        set_socket_linger(&stream, Some(Duration::from_secs(3600))).unwrap();
        stream.set_nonblocking(true).unwrap();
        while stream.write(&[0; 65_536]).is_ok() {}
        stream
    }

    /// One in a socket in a socket, each of which is the only way to the next one.
    fn nested(&self, depth: usize) -> UnixStream {
        let (mut outer, theirs) = UnixStream::pair().unwrap();
        give(&theirs, b"x", vec![self.lingering()]);
        for _ in 0..depth {
            let (next, theirs) = UnixStream::pair().unwrap();
            give(&theirs, b"x", vec![outer]);
            outer = next;
        }
        outer
    }
}

/// Gives descriptors away with bytes to a router that does nothing now, so that nobody else closes them.
fn give<T: AsFd + Send + 'static>(stream: &UnixStream, bytes: &[u8], descriptors: Vec<T>) {
    give_with(stream, (bytes, SendFlags::NOSIGNAL), descriptors);
}

fn give_with<T: AsFd + Send + 'static>(
    stream: &UnixStream,
    (bytes, flags): (&[u8], SendFlags),
    descriptors: Vec<T>,
) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let given: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    assert!(control.push(SendAncillaryMessage::ScmRights(&given)));
    if sendmsg(stream, &[IoSlice::new(bytes)], &mut control, flags).is_err() {
        // Nobody else has them: whoever closes them waits until the other end of theirs has gone.
        std::thread::spawn(move || drop(descriptors));
    }
}

/// User 1001 comes and goes, so many times.
fn come(emperor: &Emperor, count: usize) {
    let socket = emperor.charter.socket.clone();
    let come = move || {
        let (user, root) = (Uid::from_raw(1001), Uid::from_raw(0));
        set_thread_res_uid(user, user, root).unwrap();
        (0..count).for_each(|_| drop(UnixStream::connect(&socket).unwrap()));
    };
    std::thread::spawn(come).join().unwrap();
}

fn with_a_neighbour() -> (Emperor, Jail, TcpStream) {
    let emperor = Emperor::new(charter());
    let neighbour = Jail::new(&emperor, 1002, &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    let stream = connect(&neighbour.network, "10.77.0.1:7000").unwrap();
    (emperor, neighbour, stream)
}

/// The neighbour has his packets, and others come in.
fn nothing_has_happened((emperor, neighbour, stream): &(Emperor, Jail, TcpStream)) {
    round_trip(stream, 100_000);
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
    Client::hello(emperor, 1003);
    assert!(emperor.stats().contains("\"peers\""));
}

/// Row W6.
#[test]
fn no_descriptors_are_used_up_by_whoever_comes_while_what_he_has_sent_is_closed() {
    let all = with_a_neighbour();
    let source = Source::new();
    let table = encode(&Say::Table).unwrap();
    let (first, _) = Client::hello(&all.0, 1001);
    let (second, _) = Client::hello(&all.0, 1001);
    all.0.stop();
    (0..2).for_each(|_| give(&first.stream, &table, vec![source.lingering()]));
    (0..2).for_each(|_| give(&first.stream, &table, vec![source.nested(1)]));
    all.0.go_on();
    come(&all.0, CROWD);
    all.0.stop();
    give(&second.stream, &table, vec![source.lingering()]);
    all.0.go_on();
    nothing_has_happened(&all);
}

/// Row W6.
#[test]
fn what_comes_along_with_packets_is_closed_by_nobody_who_waits() {
    let all = with_a_neighbour();
    let source = Source::new();
    let bytes = frame(0, &packet([10, 77, 0, 30], [10, 77, 0, 1], 60));
    let mut client = Client::silent(&all.0);
    client.write(&bytes);
    all.0.wait_for_line("peer 10.77.0.30");
    all.0.stop();
    for _ in 0..100 {
        give(&client.stream, &bytes, vec![source.lingering()]);
    }
    for depth in 0..4 {
        give(&client.stream, &bytes, vec![source.nested(depth)]);
    }
    all.0.go_on();
    all.0.wait_for_stats("\"10.77.0.30\",\"sent\":{\"packets\":105");
    nothing_has_happened(&all);
}

/// Row W6. A byte out of band is thrown away by whoever reads past it, with what came along.
#[test]
fn what_is_sent_out_of_band_is_closed_by_nobody_who_waits() {
    let all = with_a_neighbour();
    let source = Source::new();
    let (client, _) = Client::hello(&all.0, 1001);
    all.0.stop();
    give_with(&client.stream, (b"x", SendFlags::OOB | SendFlags::NOSIGNAL), vec![source.lingering()]);
    client.say(&Say::Table, &[]);
    all.0.go_on();
    nothing_has_happened(&all);
}

/// Row W6.
#[test]
fn what_is_sent_to_stats_is_closed_by_nobody_who_waits() {
    let all = with_a_neighbour();
    let source = Source::new();
    all.0.stop();
    let readers = (0..4).map(|_| UnixStream::connect(all.0.path("stats")).unwrap());
    let readers: Vec<UnixStream> = readers.collect();
    readers.iter().for_each(|reader| give(reader, b"x", vec![source.nested(1)]));
    readers.iter().for_each(|reader| give(reader, b"x", vec![source.lingering()]));
    all.0.go_on();
    nothing_has_happened(&all);
}

/// Row W6.
#[test]
fn connections_with_something_in_them_are_ended_by_nobody_who_waits() {
    let all = with_a_neighbour();
    let source = Source::new();
    for _ in 0..20 {
        all.0.stop();
        for depth in 0..4 {
            let client = Client::as_user(&all.0, 1001);
            give(&client.stream, &[1], vec![source.nested(depth)]);
            let client = Client::as_user(&all.0, 1001);
            give(&client.stream, &[1], vec![source.lingering()]);
        }
        all.0.go_on();
    }
    nothing_has_happened(&all);
    // Whoever has come by this is let in again.
    let mut late = Client::as_user(&all.0, 1001);
    late.write(&hello());
    assert!(matches!(late.word(), Word::Welcome(_)));
}
