//! A router where there is not enough of something: descriptors, time of its Emperor, addresses.

use std::io::Read;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use routers::tuntap::talk::{Word, hello};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use crate::emperor::{Emperor, PATIENCE, charter};
use crate::jail::{Client, Jail};
use crate::peers::{echo, ping};

/// Waits until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// Whether the router sleeps, with all of its threads: one that looks again and again never does.
fn rests(emperor: &Emperor) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", emperor.pid().as_raw_nonzero())).unwrap();
    let stat =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
    let sleeps = |stat: String| stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('S'));
    tasks.map_while(Result::ok).map(stat).all(sleeps)
}

/// The router gets no new descriptor until it is given back what this returns.
fn take_descriptors(emperor: &Emperor) -> Rlimit {
    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(Some(emperor.pid()), Resource::Nofile, Rlimit { current: Some(3), maximum }).unwrap()
}

fn give_back(emperor: &Emperor, limit: Rlimit) {
    prlimit(Some(emperor.pid()), Resource::Nofile, limit).unwrap();
}

/// Row W6.
#[test]
fn whoever_comes_when_no_descriptor_is_free_is_let_in_later_though_nobody_leaves() {
    let emperor = Emperor::new(charter());
    let neighbour = Jail::new(&emperor, 1002, &[]);
    echo(&emperor.host, "10.77.0.1:7000");
    let limit = take_descriptors(&emperor);
    let mut late = Client::silent(&emperor);
    emperor.wait_for_line("cannot accept another connection");
    until("a router that rests", || rests(&emperor));
    assert!(ping(&neighbour.network, "10.77.0.1:7000"));
    give_back(&emperor, limit);
    late.send_as(1001, &hello());
    assert!(matches!(late.word(), Word::Welcome(_)));
}

#[test]
fn whoever_asks_for_stats_when_no_descriptor_is_free_keeps_nobody_busy_and_gets_them_later() {
    let emperor = Emperor::new(charter());
    let limit = take_descriptors(&emperor);
    let mut reader = UnixStream::connect(emperor.path("stats")).unwrap();
    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    until("a router that rests", || rests(&emperor));
    give_back(&emperor, limit);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.contains("\"peers\""), "{text}");
}

/// Row W6.
#[test]
fn whoever_comes_and_goes_takes_no_time_from_a_neighbour_who_is_to_be_parked() {
    let emperor = Emperor::new(charter());
    for _ in 0..50_000 {
        let mut client = Client::silent(&emperor);
        client.stream.shutdown(Shutdown::Write).unwrap();
        assert!(client.is_closed());
    }
    let _neighbour = Jail::new(&emperor, 1002, &[]);
    emperor.wait_for_parked(1);
}

/// Row W2.
#[test]
fn addresses_that_somebody_chose_for_a_moment_are_there_for_others_when_he_has_gone() {
    let mut charter = charter();
    charter.addresses = vec![("10.77.0.1".parse().unwrap(), 29)];
    let emperor = Emperor::new(charter);
    let choose = |last: u8| {
        let (mut client, _) = Client::hello(&emperor, 1010 + u32::from(last));
        let word = client.claim(&[&format!("10.77.0.{last}")], "x", None);
        assert!(matches!(word, Word::Held(_)), "{word:?}");
        client
    };
    let ask = || {
        let (mut client, _) = Client::hello(&emperor, 1002);
        client.claim(&[], "shop", None)
    };
    let all: Vec<Client> = (2..7).map(choose).collect();
    let word = ask();
    assert!(matches!(&word, Word::Refused(why) if why.contains("in use")), "{word:?}");
    drop(all);
    until("an address", || matches!(ask(), Word::Held(held) if held[0].0.to_string() == "10.77.0.2"));
}

/// Row W2. By name, by asking for one, or both.
#[test]
fn one_user_takes_half_of_a_pool_and_leaves_the_rest() {
    let mut charter = charter();
    charter.addresses = vec![("10.77.0.1".parse().unwrap(), 24)];
    charter.peers_of_user_max = 256;
    charter.peers_max = 1000;
    let emperor = Emperor::new(charter);
    let ask = |uid: u32, addresses: &[&str], label: &str| {
        let (mut client, _) = Client::hello(&emperor, uid);
        let word = client.claim(addresses, label, None);
        (client, word)
    };
    let mut his = Vec::new();
    for last in 2..=254 {
        let (client, word) = match last % 2 {
            0 => ask(1001, &[&format!("10.77.0.{last}")], "x"),
            _ => ask(1001, &[], &format!("x{last}")),
        };
        match word {
            Word::Held(_) => his.push(client),
            word => assert!(matches!(&word, Word::Refused(_)), "{word:?}"),
        }
    }
    assert!((127..=128).contains(&his.len()), "{} of 253", his.len());
    let (_client, word) = ask(1001, &[], "more");
    assert!(
        matches!(&word, Word::Refused(why) if why.contains("those that are left are for others")),
        "{word:?}"
    );
    for uid in 1002..1010 {
        let (client, word) = ask(uid, &[], "shop");
        assert!(matches!(word, Word::Held(_)), "{word:?}");
        his.push(client);
    }
}
