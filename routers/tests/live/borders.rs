//! What is sent while the router lets somebody in, and frames that more than one process has sent.

use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use routers::tuntap::talk::{Say, Word, encode, hello};

use crate::attacks::{frame, packet};
use crate::emperor::{Emperor, charter};
use crate::jail::Client;

/// Connections of each of those who connect at once.
const CONNECTIONS: usize = 300;

/// Row W1.
#[test]
fn many_who_connect_and_write_at_once_are_all_heard() {
    let mut charter = charter();
    // Whoever has left is not always missed before the next one comes.
    charter.peers_of_user_max = 100;
    let emperor = Emperor::new(charter);
    let short = frame(0, &[0x45; 19]);
    let said = [&short.repeat(20)[..], &hello()].concat();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..CONNECTIONS {
                    let mut client = Client::silent(&emperor);
                    said.iter().for_each(|byte| client.write(&[*byte]));
                    assert!(matches!(client.word(), Word::Welcome(_)));
                }
            });
        }
    });
}

/// A frame with a packet of 10.77.0.30.
fn good() -> Vec<u8> {
    frame(0, &packet([10, 77, 0, 30], [10, 77, 0, 1], 100))
}

/// Row W1. A client that has a child in the midst of a frame, or changes its user.
#[test]
fn a_frame_of_several_senders_is_heard() {
    let emperor = Emperor::new(charter());
    let mut client = Client::silent(&emperor);
    client.write(&good()[..3]);
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(std::os::fd::OwnedFd::from(client.stream.try_clone().unwrap()))
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&good()[3..]).unwrap();
    assert!(child.wait().unwrap().success());
    emperor.wait_for_stats("\"10.77.0.30\",\"sent\":{\"packets\":1,\"bytes\":100");
    client.write(&good()[..50]);
    client.send_as(1001, &[&good()[50..], &good()[..7]].concat());
    client.send_as(1002, &good()[7..60]);
    emperor.wait_for_stats("\"10.77.0.30\",\"sent\":{\"packets\":2,\"bytes\":200");
    client.send_as(1003, &good()[60..]);
    emperor.wait_for_stats("\"10.77.0.30\",\"sent\":{\"packets\":3,\"bytes\":300");
}

/// Row W2.
#[test]
fn a_word_of_several_senders_is_of_nobody() {
    let emperor = Emperor::new(charter());
    let mut client = Client::silent(&emperor);
    let rules = encode(&Say::Replace { generation: None }).unwrap();
    let (first, last) = rules.split_at(3);
    let mut hello = hello().to_vec();
    hello.extend(first);
    client.send_as(1001, &hello[..9]);
    client.send_as(1002, &hello[9..]);
    assert!(matches!(client.word(), Word::Welcome(_)));
    // Neither has made root's connection his, and root has said only half of this.
    client.send_as(0, last);
    let word = client.word();
    assert!(matches!(&word, Word::Refused(why) if why.contains("root's")), "{word:?}");
    client.write(&good());
    emperor.wait_for_line("peer 10.77.0.30 of user 0");
}

/// Row W6.
#[test]
fn a_frame_of_too_many_senders_ends_its_peer_and_nobody_else() {
    let emperor = Emperor::new(charter());
    let mut other = Client::silent(&emperor);
    let (mut client, _) = Client::hello(&emperor, 1001);
    for (index, byte) in (0..20).zip(good()) {
        let socket = other.stream.as_fd();
        // By senders who are not the last one's, or with a descriptor, which is a border too.
        let sent = match index % 2 {
            0 => jail::run::send(&client.stream, &[byte], &[socket]),
            _ => jail::run::send(&client.stream, &[byte], &[]),
        };
        if sent.is_err() {
            break;
        }
    }
    assert!(client.is_ended());
    emperor.wait_for_line("borders between senders");
    other.write(&good());
    emperor.wait_for_line("peer 10.77.0.30 of user 0");
}
