//! How a few vassals are, asked of the Emperor by name: nobody else is told of.

use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};
use serde_json::Value;

use super::common::{ALICE, BOB, Emperor, Tree};
use super::{IDLE, said, said_by};

fn start(options: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.liege();
    (0..20).for_each(|number| drop(tree.vassal_of(BOB, &format!("v{number}.ini"), IDLE)));
    tree.vassal_of(ALICE, "alice.ini", &format!("{IDLE}attach-daemon2 = name=one,cmd=/bin/sleep 1000000\n"));
    tree.vassal_of(BOB, "bob.ini", IDLE);
    let emperor = Emperor::start(tree, &[&["--emperor-tyrant"], options].concat());
    ["v7.ini", "alice.ini", "bob.ini"].iter().for_each(|name| drop(emperor.vassal(name)));
    emperor.wait_stats("alice.ini", |one| one["daemons"][0]["state"] == "running");
    emperor
}

/// Every byte that is told when `Show` (version 1, the seventh kind of ask) names these.
fn shown(emperor: &Emperor, names: &[&str]) -> Vec<u8> {
    let flags = SocketFlags::CLOEXEC;
    let socket: OwnedFd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(emperor.tree.path("run/stats.sock.control")).unwrap()).unwrap();
    let length = |count: usize| u8::try_from(count).unwrap();
    let mut ask = vec![1, 6, length(names.len())];
    names.iter().for_each(|name| ask.extend([&[length(name.len())], name.as_bytes()].concat()));
    send(&socket, &ask, SendFlags::empty()).unwrap();
    let (mut all, mut piece) = (Vec::new(), vec![0; 65_536]);
    loop {
        match recv(&socket, &mut *piece, RecvFlags::empty()) {
            Ok((count, _)) if count > 0 => all.extend_from_slice(&piece[..count]),
            _ => return all,
        }
    }
}

fn ids(text: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(text).unwrap();
    let vassals = document["vassals"].as_array().unwrap().iter();
    vassals.map(|vassal| vassal["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_answer_about_one_has_no_word_of_the_others() {
    let emperor = start(&[]);
    let all = String::from_utf8_lossy(&shown(&emperor, &["v7", "alice/one"])).into_owned();
    assert!(all.contains(r#""id":"v7.ini""#) && all.contains(r#""id":"alice.ini""#), "{all}");
    let others = (0..20).filter(|number| *number != 7).map(|number| format!("v{number}.ini"));
    assert!(others.chain(["bob.ini".into()]).all(|name| !all.contains(&name)), "{all}");
    // That is what the commands ask for: the whole is not to be had any more.
    std::fs::rename(emperor.stats_socket(), emperor.tree.path("run/away")).unwrap();
    let (status, code) = said(&emperor, &["status", "v7", "--json"]);
    assert_eq!((ids(&status), code), (vec!["v7.ini".to_owned()], 0));
    let (why, code) = said(&emperor, &["why", "v7.ini"]);
    assert!(why.starts_with("v7.ini: running since") && code == 0, "{why}");
    let (daemon, code) = said(&emperor, &["status", "alice/one"]);
    assert!(
        daemon.contains("daemon alice.ini/one running pid ") && !daemon.contains("v7") && code == 0,
        "{daemon}"
    );
    let (nobody, code) = said(&emperor, &["status", "nobody"]);
    assert!(nobody.contains("no such vassal") && code == 4, "{nobody}");
    let (some, code) = said(&emperor, &["status", "v7", "nobody", "alice/two"]);
    assert!(
        some.contains("v7.ini") && some.contains("no such vassal: nobody, alice/two;") && code == 4,
        "{some}"
    );
    let (why, code) = said(&emperor, &["why", "v7", "nobody"]);
    assert!(why.starts_with("v7.ini: ") && why.contains("no such vassal: nobody;") && code == 1, "{why}");
    let (pattern, code) = said(&emperor, &["status", "v*"]);
    assert!(pattern.contains("cannot reach") && code == 4, "{pattern}");
    std::fs::rename(emperor.tree.path("run/away"), emperor.stats_socket()).unwrap();
    let (all, code) = said(&emperor, &["status", "all"]);
    assert!(all.contains("v19.ini") && all.contains("alice.ini") && code == 0, "{all}");
    let (alone, _) = said(&emperor, &["status", "alice/one"]);
    assert!(!alone.contains("VASSAL"), "{alone}");
    emperor.stop();
}

/// A vassal that runs though its daemons do not.
#[test]
fn daemons_that_do_not_run_are_seen_at_their_vassal_and_explained() {
    let tree = Tree::new();
    tree.liege();
    let lost = "attach-daemon2 = name=lost,cmd=/no/such/program\n";
    tree.vassal("shop.ini", &format!("{IDLE}{lost}attach-daemon2 = name=one,cmd=/bin/sleep 1000000\n"));
    let emperor = Emperor::start(tree, &[]);
    emperor.wait_stats("shop.ini", |one| {
        let states =
            one["daemons"].as_array().unwrap().iter().map(|daemon| daemon["state"].as_str().unwrap());
        states.eq(["throttled", "running"])
    });
    let (status, code) = said(&emperor, &["status", "shop"]);
    assert!(status.contains("1 of 2 daemons does not run") && code == 0, "{status}");
    let (start, code) = said(&emperor, &["start", "shop/lost"]);
    assert!(start.contains("`liege why shop.ini/lost` tells more") && code == 7, "{start}");
    let (why, code) = said(&emperor, &["why", "shop/lost"]);
    let words =
        ["it is started again by itself", "`liege restart shop.ini/lost`", "ENOENT", "its vassal wrote"];
    assert!(words.iter().all(|word| why.contains(word)) && code == 0, "{why}");
    assert_eq!(said(&emperor, &["stop", "shop/one"]), super::is("shop.ini/one: stopped", 0));
    let (status, _) = said(&emperor, &["status", "shop"]);
    assert!(status.contains("2 of 2 daemons do not run"), "{status}");
    let (why, _) = said(&emperor, &["why", "shop/one"]);
    assert!(why.contains("`liege start shop.ini/one`"), "{why}");
    emperor.stop();
}

/// Row C4: who may not read the stats is told nothing here, and a guest of his own alone.
#[test]
fn nobody_is_told_by_name_what_the_stats_do_not_tell_him() {
    let emperor = start(&[]);
    for name in ["alice", "bob", "v7"] {
        let (text, code) = said_by(ALICE, &emperor, &["status", name]);
        assert!(text.contains("lets nobody in but root and its group") && code == 4, "{text}");
    }
    emperor.stop();
    let emperor = start(&["--emperor-stats-for-tenants"]);
    let (text, code) = said_by(ALICE, &emperor, &["status", "alice", "--json"]);
    assert_eq!((ids(&text), code), (vec!["alice.ini".to_owned()], 0));
    assert!(
        !text.contains("spawner_capabilities") && !text.contains(emperor.tree.vassals().to_str().unwrap()),
        "{text}"
    );
    // But for the word itself, which he has said.
    let told = |name: &str| {
        let (text, code) = said_by(ALICE, &emperor, &["status", name]);
        (text.replace(name, "NAME"), code)
    };
    assert_eq!(told("bob"), told("nobody"));
    assert_eq!(told("v7.ini"), told("nobody"));
    assert_eq!(told("bob/one"), told("nobody"));
    emperor.stop();
}

/// Row C6: a tenant looks at a pace, once he has looked a thousand times; root, and whoever else, is told all the same.
#[test]
fn whoever_looks_without_end_is_told_no_more_and_others_are() {
    const LOOKS: &str = r#"
import socket, sys
for number in range(2000):
    ask = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ask.connect(sys.argv[1])
    ask.send(b'\x01\x06\x01\x05alice')
    answer = ask.recv(65536)
    if b'too much was asked lately' in answer:
        print('refused after', number)
        break
    assert b'alice.ini' in answer, answer
    ask.close()
"#;
    let emperor = start(&["--emperor-stats-for-tenants"]);
    let id = ALICE.to_string();
    let mut looks = std::process::Command::new("setpriv");
    looks.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", LOOKS]);
    let output = looks.arg(emperor.tree.path("run/stats.sock.control")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let count: u32 = told.trim().strip_prefix("refused after ").expect(&errors).parse().unwrap();
    assert!(count >= 1_024, "{count}");
    assert!(!shown(&emperor, &["alice"]).is_empty());
    let (text, code) = said_by(BOB, &emperor, &["status", "bob", "--json"]);
    assert_eq!((ids(&text), code), (vec!["bob.ini".to_owned()], 0));
    emperor.stop();
}
