//! Who keeps us from closing what, and for how long.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use super::*;

/// A socket that nobody reads, whose last owner waits for an hour, and its other end.
fn lingering() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("a connection");
    let (theirs, _) = listener.accept().expect("it has come");
    set_socket_linger(&ours, Some(Duration::from_secs(3600))).expect("a socket");
    ours.set_nonblocking(true).expect("a socket");
    while ours.write(&[0; 65_536]).is_ok() {}
    (ours, theirs)
}

/// Whether this is the end of a connection, once all has come.
fn is_end(mut other: TcpStream) -> bool {
    match std::io::copy(&mut other, &mut std::io::sink()) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn null() -> OwnedFd {
    std::fs::File::open("/dev/null").expect("there is one").into()
}

/// Nobody closes anything; as much of this user waits.
fn waiting(since: Instant, is_device: bool, rest: fn(OwnedFd) -> Rest, count: usize) -> Closer {
    let closer = Closer::default();
    let mut work = closer.shared.lock();
    work.busy = vec![Busy { uid: 7, is_device, since }; BUSY_OF_USER_MAX];
    work.queue.extend((0..count).map(|_| (7, rest(null()))));
    drop(work);
    closer
}

#[test]
fn only_who_keeps_us_waiting_for_long_gets_no_connection() {
    let now = Instant::now();
    let long_ago = now.checked_sub(PATIENCE).expect("the clock runs");
    assert!(!waiting(now, false, Rest::Descriptor, 1).is_held_up_by(7), "many vassals of one user have left");
    let stuck = waiting(long_ago, false, Rest::Descriptor, 1);
    assert!(stuck.is_held_up_by(7) && !stuck.is_held_up_by(8));
    assert!(!waiting(long_ago, true, Rest::Descriptor, 1).is_held_up_by(7), "that is the kernel's own time");
    assert!(!waiting(long_ago, false, Rest::Device, 1).is_held_up_by(7), "nothing of his own waits");
}

/// Row W6.
#[test]
fn nobody_has_more_than_so_many_waiting() {
    let now = Instant::now();
    for (rest, most) in
        [(Rest::Descriptor as fn(OwnedFd) -> Rest, OF_USER_MAX), (Rest::Device, DEVICES_OF_USER_MAX)]
    {
        assert!(!waiting(now, true, rest, most - 1).is_held_up_by(7));
        let full = waiting(now, true, rest, most);
        assert!(full.is_held_up_by(7) && !full.is_held_up_by(8));
    }
}

#[test]
fn each_that_waits_has_somebody_who_closes_it() {
    let closer = Closer::default();
    closer.shared.lock().idle = 1;
    closer.close(7, Rest::Descriptor(null()));
    closer.close(8, Rest::Descriptor(null()));
    assert_eq!(closer.shared.lock().threads, 1, "one of the two was rung for already");
}

/// Row W6.
#[test]
fn no_socket_and_nothing_that_lies_in_one_keeps_anybody_waiting() {
    let grave = Grave::new(super::super::grave::ends().expect("a pair")).expect("a grave");
    let closer = Closer::new(Some(grave));
    let (alone, first) = lingering();
    let (inner, second) = lingering();
    let (third_in, third) = lingering();
    let (outer, way) = UnixStream::pair().expect("a pair");
    jail::run::send(&way, b"x", &[inner.as_fd()]).expect("room");
    let (connection, mut other) = UnixStream::pair().expect("a pair");
    jail::run::send(&other, b"x", &[third_in.as_fd()]).expect("room");
    drop((inner, third_in));
    closer.close(7, Rest::Descriptor(alone.into()));
    closer.close(7, Rest::Descriptor(outer.into()));
    closer.close(7, Rest::Connection(connection.into()));
    assert!(is_end(first) && is_end(second) && is_end(third));
    assert!(matches!(other.read(&mut [0]), Ok(0)));
}

/// Row W6.
#[test]
fn whoever_has_left_too_much_costs_no_descriptor_more() {
    let grave = Grave::new(super::super::grave::ends().expect("a pair"));
    let stuck = waiting(Instant::now(), false, Rest::Descriptor, OF_USER_MAX);
    let closer = Closer::new(grave);
    std::mem::swap(&mut *closer.shared.lock(), &mut *stuck.shared.lock());
    for bytes in [&b""[..], b"x"] {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        theirs.write_all(bytes).expect("room");
        closer.close(7, Rest::Connection(ours.into()));
        assert!(matches!(theirs.read(&mut [0]), Ok(0) | Err(_)));
        assert_eq!(closer.shared.lock().queue.len(), OF_USER_MAX);
    }
}

/// Row W6.
#[test]
fn devices_are_closed_whoever_keeps_the_rest_waiting() {
    let mut work = Work::default();
    let since = Instant::now();
    work.busy = (0..TENANTS_MAX as u32).map(|uid| Busy { uid, is_device: false, since }).collect();
    work.queue.push_back((1000, Rest::Descriptor(null())));
    work.queue.push_back((1001, Rest::Device(null())));
    work.tenants = 1;
    assert!(matches!(work.next(), Some((1001, Rest::Device(_)))));
    assert!(work.next().is_none());
    work.busy.pop();
    assert!(matches!(work.next(), Some((1000, Rest::Descriptor(_)))));
    assert_eq!(work.tenants, 0);
}

/// Row W6.
#[test]
fn so_many_wait_in_all() {
    let closer = Closer::default();
    closer.shared.lock().threads = CLOSERS_MAX;
    (0..IN_ALL_MAX - 1).for_each(|_| closer.close(7, Rest::Descriptor(null())));
    (0..9).for_each(|_| closer.close(7, Rest::Device(null())));
    assert!(!closer.is_crowded());
    closer.close(8, Rest::Descriptor(null()));
    assert!(closer.is_crowded());
}
