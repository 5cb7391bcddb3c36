//! Attacks by questions: answers that nobody reads, and descriptors that nobody takes.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use jail::run::{receive, send};
use routers::tuntap::charter::Charter;
use routers::tuntap::talk::{Say, Word, encode, hello};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit, Uid, prlimit};

use crate::emperor::{Emperor, PATIENCE, charter};
use crate::jail::{Client, Jail};

/// A charter with rules that do not fit into the pieces of an answer.
fn wordy() -> Charter {
    let mut charter = charter();
    charter.queue_bytes = 8192;
    charter.firewall_in = (0..400).map(|port| format!("deny any 10.77.0.9 proto tcp dport {port}")).collect();
    charter
}

/// Waits until the router has ended a connection, and reads nothing of it.
fn wait_for_end(client: &Client) {
    let mut one = [PollFd::new(&client.stream, PollFlags::RDHUP)];
    let patience = PATIENCE.try_into().unwrap();
    assert_eq!(poll(&mut one, Some(&patience)), Ok(1), "the router does not end it");
}

/// As many answers as there are, each with the descriptors that came along.
fn descriptors_that_came(client: &Client) -> usize {
    client.stream.set_nonblocking(true).unwrap();
    let mut room = vec![0; 1 << 20];
    let mut count = 0;
    while let Ok(Some(parcel)) = receive(&client.stream, &mut room) {
        count += parcel.descriptors.len();
    }
    count
}

/// Row W6.
#[test]
fn answers_that_a_tenant_does_not_read_are_no_more_than_packets_that_he_does_not_read() {
    let emperor = Emperor::new(charter());
    let jails: Vec<Jail> =
        (0..5).map(|index| Jail::labelled(&emperor, (1001, &format!("shop{index}")), &[])).collect();
    let client = &jails[0].client;
    (0..200).for_each(|_| client.say(&Say::Table, &[]));
    emperor.wait_for_line("too much is asked");
    let stats: serde_json::Value = serde_json::from_str(&emperor.stats()).unwrap();
    let waiting = stats["peers"].as_array().unwrap().iter().map(|peer| peer["queue_bytes"].as_u64().unwrap());
    assert!(waiting.sum::<u64>() <= emperor.charter.queue_bytes as u64);
    assert_eq!(descriptors_that_came(client), 0, "each would be memory that nobody counts");
}

/// Row W6. A connection that is over is none for the router, but what lies in it is his memory still.
#[test]
fn what_a_tenant_leaves_unread_counts_after_his_connections_have_ended() {
    let emperor = Emperor::new(charter());
    let begin = || {
        let client = Client::as_user(&emperor, 1001);
        let sent = [&hello()[..], &encode(&Say::Table).unwrap(), b"garbage"].concat();
        // He may be refused already.
        let _ = rustix::io::write(&client.stream, &sent);
        wait_for_end(&client);
        client
    };
    let mut clients: Vec<Client> = (0..10).map(|_| begin()).collect();
    // They are counted as soon as they are closed, which is beside the router's work.
    while !emperor.has_line("it has not read what was said") {
        clients.push(begin());
        assert!(clients.len() < 1000, "nothing counts");
    }
    let mut neighbour = Client::as_user(&emperor, 1002);
    neighbour.write(&hello());
    assert!(matches!(neighbour.word(), Word::Welcome(_)));
    drop(clients);
    // As soon as they all have ended, which is beside the router's work, too.
    let is_let_in = || {
        let mut again = Client::as_user(&emperor, 1001);
        let _ = rustix::io::write(&again.stream, &hello());
        matches!(again.next_word(), Some(Word::Welcome(_)))
    };
    let begin = Instant::now();
    while !is_let_in() {
        assert!(begin.elapsed() < PATIENCE, "he is not let in again");
    }
}

/// Row W6.
#[test]
fn a_tenant_who_asks_all_the_time_keeps_no_answer_from_another_one() {
    let emperor = Emperor::new(charter());
    let mut asker = Client::hello(&emperor, 1001).0;
    let mut neighbour = Client::hello(&emperor, 1002).0;
    let asked = encode(&Say::Table).unwrap().repeat(500);
    for _ in 0..4 {
        asker.write(&asked);
        let refused = (0..500).filter(|_| matches!(asker.word(), Word::Refused(_))).count();
        assert!(refused > 0);
        assert!(neighbour.ask(&Say::Table).1.contains("\"uid\":1002"));
    }
}

/// Row W6.
#[test]
fn a_table_that_is_too_long_is_cut_behind_a_peer() {
    let mut charter = charter();
    (charter.queue_bytes, charter.peers_of_user_max) = (8192, 40);
    let emperor = Emperor::new(charter);
    let clients: Vec<Client> = (0..30)
        .map(|index| {
            let mut client = Client::hello(&emperor, 1001).0;
            assert!(matches!(client.claim(&[], &format!("{index:0>100}"), None), Word::Held(_)));
            client
        })
        .collect();
    let mut client = Client::hello(&emperor, 1001).0;
    let table: serde_json::Value = serde_json::from_str(&client.ask(&Say::Table).1).unwrap();
    let shown = table["peers"].as_array().unwrap().len() as u64;
    assert!(shown > 0 && shown + table["left_out"].as_u64().unwrap() == 31, "{table}");
    drop(clients);
}

#[test]
fn what_is_too_long_for_pieces_is_sent_with_a_descriptor_to_whoever_may_rule() {
    let emperor = Emperor::new(wordy());
    let mut root = Client::hello(&emperor, 0).0;
    assert_eq!(root.ask_much(&Say::Rules).1.lines().count(), 402);
    assert!(root.ask_much(&Say::Table).1.contains("\"rules\""));
}

/// Row W6. The kernel counts descriptors on their way for the user who sends them: what other processes of his have sent is in the
/// way of the router too.
#[test]
fn where_no_descriptor_can_be_sent_whoever_asks_is_answered_and_whoever_joins_is_parked_later() {
    // Nobody else is this one.
    let user = 1_000_000_000 + std::process::id();
    let emperor = Emperor::of_user(wordy(), user);
    let (sender, taker) = UnixStream::pair().unwrap();
    send_as(user, sender, 300);
    let limit = Rlimit { current: Some(200), maximum: Some(200) };
    prlimit(Some(emperor.pid()), Resource::Nofile, limit).unwrap();
    let jail = Jail::labelled(&emperor, (1001, "shop"), &[]);
    let mut root = Client::hello(&emperor, 0).0;
    root.say(&Say::Rules, &[]);
    let word = root.word();
    assert!(matches!(&word, Word::Refused(why) if why.contains("LimitNOFILE")), "{word:?}");
    let mut tenant = Client::hello(&emperor, 1001).0;
    assert!(tenant.ask(&Say::Table).1.contains("1001/shop"));
    assert_eq!(emperor.parked(), 0, "a descriptor was sent all the same");
    drop(taker);
    emperor.wait_for_parked(3);
    assert_eq!(root.ask_much(&Say::Rules).1.lines().count(), 402, "the connection is good still");
    drop(jail);
}

/// Sends descriptors as this user, which are on their way as long as the other end is there.
fn send_as(user: u32, socket: UnixStream, count: usize) {
    let sent = std::thread::spawn(move || {
        let (user, root) = (Uid::from_raw(user), Uid::from_raw(0));
        rustix::thread::set_thread_res_uid(user, user, root).unwrap();
        let null: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
        let many = [null.as_fd(); 10];
        (0..count / many.len()).for_each(|_| send(&socket, &[0], &many).unwrap());
    });
    sent.join().unwrap();
}
