use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::net::{AddressFamily, SocketType, socketpair};

use super::*;

type Told = fn(Heard);

/// Two ends that never wait.
fn pair() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).expect("two ends")
}

/// A terminal without doors, and the side of its program.
fn hall() -> (Hall<Told>, OwnedFd) {
    let (terminal, program) = pair();
    let end = eventfd(0, EventfdFlags::CLOEXEC).expect("a number");
    let console = Console { doors: Vec::new(), terminal, end, log: None, input: None, front: None };
    (Hall::open(console, (|_| ()) as Told).expect("a hall"), program)
}

/// Somebody in it, and his end.
fn guest(hall: &mut Hall<Told>, listens: Option<Listener>) -> OwnedFd {
    let (ours, theirs) = pair();
    hall.take_in(ours, listens, true).expect("a place");
    theirs
}

/// Nothing is ready: it would wait for a deadline, or for somebody else.
fn rests(hall: &Hall<Told>) -> bool {
    let mut events: Vec<epoll::Event> = Vec::with_capacity(BATCH_MAX);
    epoll::wait(&hall.epoll, rustix::buffer::spare_capacity(&mut events), Some(&Timespec::default()))
        .expect("a poller");
    events.is_empty()
}

/// Takes turns as long as something is ready: far fewer than this, or it would be for ever.
#[track_caller]
fn settle(hall: &mut Hall<Told>) {
    let mut events = Vec::with_capacity(BATCH_MAX);
    let came_to_rest = (0..500).any(|_| rests(hall) || hall.turn(&mut events).is_err());
    assert!(came_to_rest, "it looks again and again");
}

/// Writes there until nobody takes any more; how many bytes.
fn fill(hall: &mut Hall<Told>, end: &OwnedFd) -> usize {
    let mut all = 0;
    while let Ok(count) = write(end, &[b'x'; PIECE]) {
        all += count;
        settle(hall);
    }
    all
}

/// Reads there until nothing comes any more; how many bytes.
fn empty(hall: &mut Hall<Told>, end: &OwnedFd) -> usize {
    let (mut all, mut bytes) = (0, [0; PIECE]);
    while let Ok(count @ 1..) = read(end, &mut bytes) {
        all += count;
        settle(hall);
    }
    all
}

#[test]
fn a_terminal_that_is_hung_up_while_nobody_takes_its_last_words_is_not_looked_at_again_and_again() {
    let (mut hall, program) = hall();
    let client = guest(&mut hall, Some(Listener::Client));
    let written = fill(&mut hall, &program);
    assert_eq!(hall.shared.room(), 0);
    drop(program);
    settle(&mut hall);
    // Nor are they lost.
    assert_eq!(empty(&mut hall, &client), written);
    assert!(hall.is_drained && hall.shared.is_taken());
}

#[test]
fn what_was_typed_by_somebody_else_comes_to_the_last_byte_though_he_has_gone_and_the_program_reads_late() {
    let (mut hall, program) = hall();
    let input = guest(&mut hall, None);
    let typed = fill(&mut hall, &input);
    assert_eq!(hall.shared.input.free(), 0);
    drop(input);
    settle(&mut hall);
    assert_eq!(empty(&mut hall, &program), typed);
    assert!(hall.guests.is_empty(), "and then he is forgotten");
}

#[test]
fn a_client_who_has_gone_has_no_place_and_keeps_nobody_busy() {
    let (mut hall, program) = hall();
    let half = guest(&mut hall, Some(Listener::Client));
    let full = guest(&mut hall, Some(Listener::Client));
    let deaf = guest(&mut hall, Some(Listener::Client));
    rustix::net::shutdown(&half, rustix::net::Shutdown::Write).expect("half of an end");
    rustix::net::shutdown(&deaf, rustix::net::Shutdown::Read).expect("half of an end");
    write(&program, b"for all").expect("room");
    settle(&mut hall);
    assert_eq!(hall.guests.len(), 3);
    fill(&mut hall, &full);
    for (gone, left) in [(full, 2), (half, 1), (deaf, 0)] {
        drop(gone);
        settle(&mut hall);
        assert_eq!(hall.guests.len(), left);
    }
    drop(program);
    settle(&mut hall);
}
