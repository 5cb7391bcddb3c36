//! Followers, fast and slow.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use super::*;

const NOW_AT: Moment = Moment(1);

struct Stage {
    events: Events,
    poller: Poller,
    _directory: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let stats = Address::Unix(directory.path().join("stats"));
        let (events, poller) =
            (Events::bind(Some(&stats), Guests::default()), Poller::new().expect("a poller"));
        events.watch(&poller).expect("a watch");
        Self { events, poller, _directory: directory }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.events.path().expect("a path")).expect("room")
    }

    fn follow(&mut self) -> UnixStream {
        let client = self.connect();
        self.events.accept(&self.poller, NOW_AT);
        let number = self.events.last;
        self.events.serve(number, &self.poller, NOW_AT);
        client
    }

    fn happens(&mut self, text: &str) {
        let text = format!("{text}\n");
        self.events.add(Line { owner: Owner::default(), text }, &self.poller, NOW_AT);
    }

    fn listens(&mut self) -> bool {
        self.poller.wait(Some(NOW_AT), NOW_AT).expect("a poller").contains(&Token::EventsListener)
    }
}

fn lines(client: &UnixStream, count: usize) -> Vec<String> {
    BufReader::new(client).lines().take(count).map(|line| line.expect("a line")).collect()
}

#[test]
fn a_follower_gets_the_past_then_the_present() {
    let mut stage = Stage::new();
    stage.happens("a");
    let client = stage.follow();
    stage.happens("b");
    assert_eq!(lines(&client, 3), ["a", NOW.trim_end(), "b"]);
}

#[test]
fn no_more_is_remembered_than_the_bound_and_what_is_lost_is_counted() {
    let mut stage = Stage::new();
    let slow = stage.follow();
    let long = "x".repeat(4_000);
    (0..LINES_MAX * 2).for_each(|_| stage.happens(&long));
    assert_eq!(stage.events.ring.lines.len(), LINES_MAX);
    let until = stage.events.next_deadline().expect("it takes nothing");
    let mut reader = BufReader::new(&slow);
    let mut line = String::new();
    while !line.contains("\"lost\"") {
        line.clear();
        assert!(reader.read_line(&mut line).expect("a line") > 0);
        let number = stage.events.last;
        stage.events.serve(number, &stage.poller, NOW_AT);
    }
    assert!(until > NOW_AT);
}

#[test]
fn who_takes_nothing_is_let_go_and_makes_room() {
    let mut stage = Stage::new();
    let clients: Vec<UnixStream> = (0..FOLLOWERS_MAX).map(|_| stage.follow()).collect();
    let _waiting = stage.connect();
    assert!(!stage.listens(), "nobody else is let in");
    let long = "x".repeat(4_000);
    (0..LINES_MAX).for_each(|_| stage.happens(&long));
    let until = stage.events.next_deadline().expect("nobody reads");
    stage.events.handle_deadline(until, &stage.poller);
    assert!(stage.events.followers.is_empty() && stage.listens());
    drop(clients);
}

#[test]
fn who_hangs_up_is_let_go_whatever_was_sent() {
    let mut stage = Stage::new();
    let mut client = stage.follow();
    client.write_all(&[b'x'; 65_536]).expect("nobody reads it, and the socket takes it");
    let number = stage.events.last;
    drop(client);
    stage.events.serve(number, &stage.poller, NOW_AT);
    assert!(stage.events.followers.is_empty());
}
