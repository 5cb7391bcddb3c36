//! A tenant who has as many users as he likes, as the root of a user namespace has, so that no bound for each user is one for him.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use routers::tuntap::talk::{Say, Word, encode, hello};
use rustix::process::{Resource, Rlimit, Uid, getrlimit, setrlimit};

use crate::emperor::{Emperor, PATIENCE, charter};
use crate::jail::{Client, Jail};
use crate::peers::{echo, ping};

/// Connections that are enough to fill a router.
const MANY: u32 = 4200;
/// The first of his users.
const FIRST: u32 = 200_000;

/// An Emperor whose router, like us, has as many descriptors as there may be.
fn roomy() -> Emperor {
    let given = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: given.maximum, ..given }).unwrap();
    Emperor::new(charter())
}

/// Connects as one user after the other, in a thread of its own.
fn connect_as(socket: &str, uid: u32) -> UnixStream {
    let (user, root) = (Uid::from_raw(uid), Uid::from_raw(0));
    rustix::thread::set_thread_res_uid(user, user, root).unwrap();
    let stream = UnixStream::connect(socket).unwrap();
    rustix::thread::set_thread_res_uid(root, root, root).unwrap();
    stream
}

/// So many connections, ten of each user.
fn crowd(emperor: &Emperor, made: impl Fn(&UnixStream) + Send + 'static) -> Vec<UnixStream> {
    let socket = emperor.charter.socket.clone();
    let connect = move |index| {
        let stream = connect_as(&socket, FIRST + index / 10);
        made(&stream);
        stream
    };
    std::thread::spawn(move || (0..MANY).map(connect).collect()).join().unwrap()
}

/// Somebody of this user who is let in before long: he comes again where he is turned away.
fn let_in(emperor: &Emperor, uid: u32) -> Client {
    let begin = Instant::now();
    loop {
        let mut client = Client::as_user(emperor, uid);
        let _ = rustix::io::write(&client.stream, &hello());
        if matches!(client.next_word(), Some(Word::Welcome(_))) {
            return client;
        }
        assert!(begin.elapsed() < PATIENCE, "user {uid} is never let in");
    }
}

/// Row W6.
#[test]
fn a_tenant_with_many_users_keeps_nobody_out_by_saying_nothing() {
    let emperor = roomy();
    let neighbour = Jail::new(&emperor, 1002, &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    let mut roots = Client::silent(&emperor);
    let mut first = Client::as_user(&emperor, 1003);
    let many = crowd(&emperor, |_| {});
    let _newcomer = let_in(&emperor, 1004);
    assert!(first.is_closed(), "it was one longest");
    // Nor by coming again and again.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut many = many;
            for index in (0..100_000).cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let place = index as usize % many.len();
                many[place] = connect_as(&emperor.charter.socket, FIRST + MANY + index);
            }
        });
        let _newcomers: Vec<Client> = (1005..1008).map(|uid| let_in(&emperor, uid)).collect();
        let root = Jail::new(&emperor, 1009, &[]);
        assert!(ping(&root.network, "10.77.0.1:7000") && ping(&neighbour.network, "10.77.0.1:7000"));
        stop.store(true, Ordering::Relaxed);
    });
    roots.send_as(1001, &hello());
    assert!(matches!(roots.word(), Word::Welcome(_)), "root's stay");
}

/// Bytes that were said to this user and wait in the router, once it has read as many of him as that.
fn waiting(emperor: &Emperor, uid: u32, said: usize) -> u64 {
    let begin = Instant::now();
    loop {
        let stats: serde_json::Value = serde_json::from_str(&emperor.stats()).unwrap();
        let his =
            stats["peers"].as_array().unwrap().iter().find(|peer| peer["uid"] == uid).expect("his line");
        if his["rx"] == said {
            return his["queue_bytes"].as_u64().unwrap();
        }
        assert!(begin.elapsed() < PATIENCE, "not read: {his}");
    }
}

/// Row W6. What he left stays where it is, but others are let in, and nobody can leave as much again.
#[test]
fn a_tenant_with_many_users_keeps_nobody_out_by_leaving_unread_what_was_said() {
    let emperor = roomy();
    let said = [&hello()[..], b"garbage"].concat();
    let _many = crowd(&emperor, move |stream| {
        let _ = rustix::io::write(stream, &said);
    });
    let asked = [&hello()[..], &encode(&Say::Table).unwrap().repeat(20)].concat();
    // All of his are counted as soon as they are closed, which is beside the router's work.
    let begin = Instant::now();
    for uid in 1002.. {
        let mut newcomer = let_in(&emperor, uid);
        newcomer.write(&asked[hello().len()..]);
        if waiting(&emperor, uid, asked.len()) > 0 {
            let (_, text) = newcomer.text();
            assert!(text.contains(&format!("\"uid\":{uid}")), "and he has his answers: {text}");
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "as much is said to everybody as before");
    }
}
