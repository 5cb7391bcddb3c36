//! Announcements that are signed, at routers of uWSGI that ask for it and beside those that uWSGI signs.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::common::router::{Kind, Router};
use super::common::{ALICE, BOB, Tree};
use super::{Ear, GONE, HERE, IDLE, emperor, server, tree};

/// Bytes that a signature by a key of 2048 bits and its name take.
const SIGNATURE: usize = 2 + 4 + 2 + 256;

/// Runs it to its end.
fn openssl(words: &[&str]) -> bool {
    let mut command = Command::new("openssl");
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().unwrap().success()
}

/// A private key of this many bits that its owner alone can read.
fn key(tree: &Tree, (owner, name): (u32, &str), bits: &str) -> PathBuf {
    let key = tree.path(name);
    assert!(openssl(&["genrsa", "-out", key.to_str().unwrap(), bits]));
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o400)).unwrap();
    chown(&key, Some(owner), Some(owner)).unwrap();
    key
}

/// What others know of it.
fn publish(key: &Path, public: &Path) {
    let [key, public] = [key, public].map(|path| path.to_str().unwrap());
    assert!(openssl(&["pkey", "-in", key, "-pubout", "-out", public]));
}

/// When it was signed, if it was by the holder of this key: `unix` and `sign` are the last fields.
fn signed_at(datagram: &[u8], public: &Path, scratch: &Tree) -> u64 {
    let (fields, sign) = datagram[4..].split_at(datagram.len() - 4 - SIGNATURE);
    assert_eq!(&sign[..8], b"\x04\0sign\0\x01");
    let [text, signature] = ["fields", "signature"].map(|name| scratch.path(name).display().to_string());
    std::fs::write(&text, fields).unwrap();
    std::fs::write(&signature, &sign[8..]).unwrap();
    let public = public.to_str().unwrap();
    assert!(openssl(&["dgst", "-sha256", "-verify", public, "-signature", &signature, &text]));
    let (time, seconds) = fields.split_at(fields.len() - 10);
    assert!(time.ends_with(b"\x04\0unix\x0a\0"), "{time:?}");
    std::str::from_utf8(seconds).unwrap().parse().unwrap()
}

#[test]
fn one_key_signs_what_uwsgi_announces_and_what_we_do_and_each_time_is_later_than_the_one_before() {
    let (tree, ear, scratch) = (tree(), Ear::new(), Tree::new());
    let key = key(&tree, (ALICE, "alice/key.pem"), "2048");
    let public = scratch.path("public.pem");
    publish(&key, &public);
    let (router, socket) = (ear.place(), tree.path("alice/app.sock"));
    let line = format!("server={router},key=shop.example,sign=SHA256:{}", key.display());
    let mut uwsgi = Command::new("uwsgi");
    uwsgi.args(["--master", "--workers=1", "--die-on-term", "--subscribe2", &line, "--socket"]).arg(&socket);
    let mut uwsgi = uwsgi.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let theirs = ear.hear();
    uwsgi.kill().and_then(|()| uwsgi.wait()).unwrap();
    let _ = std::fs::remove_file(&socket);
    let mut last = signed_at(&theirs, &public, &scratch) - 1;
    let config = format!("subscribe2 = {line},addr=/a\n{IDLE}");
    let path = tree.vassal_of(ALICE, "alice.ini", &config);
    let _emperor = emperor(tree);
    let mut removed = false;
    loop {
        let datagram = ear.hear();
        let ours = datagram.windows(13).any(|part| part == b"\x07\0address\x02\0/a");
        if !ours {
            continue;
        }
        let unix_s = signed_at(&datagram, &public, &scratch);
        assert!(unix_s > last, "{unix_s} after {last}");
        last = unix_s;
        match datagram[3] {
            GONE => break,
            said => assert_eq!(said, HERE),
        }
        if !std::mem::replace(&mut removed, true) {
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// Row P2: who has not the key of a name is not asked for it, signed or not, and takes back nobody's announcement.
#[test]
fn a_router_that_wants_signatures_asks_the_holder_of_the_key_alone_until_he_takes_it_back() {
    let (tree, keys) = (tree(), Tree::new());
    let right = key(&tree, (ALICE, "alice/key.pem"), "2048");
    let wrong = key(&tree, (BOB, "bob/key.pem"), "2048");
    publish(&right, &keys.path("shop.example.pem"));
    let check = format!("--subscriptions-sign-check=SHA256:{}", keys.path("").display());
    let router = Router::start(Kind::Http, &[check.trim_end_matches('/'), "--subscription-tolerance=1000"]);
    let place = router.subscriptions().display().to_string();
    let line = |key: &Path| format!("subscribe-to = {place}:shop.example,0,SHA256:{}", key.display());
    server(&tree, (BOB, "bob"), &format!("{}\nsubscribe-to = {place}:shop.example", line(&wrong)));
    let emperor = emperor(tree);
    emperor.wait_for("bob.ini", "now loyal");
    assert_eq!(router.ask("shop.example"), "");
    server(&emperor.tree, (ALICE, "alice"), &line(&right));
    router.wait_answer("shop.example", "served by alice");
    std::fs::remove_file(emperor.tree.vassals().join("bob.ini")).unwrap();
    emperor.wait_for("bob.ini", "removed");
    assert!((0..20).all(|_| router.ask("shop.example").contains("served by alice")));
    std::fs::remove_file(emperor.tree.vassals().join("alice.ini")).unwrap();
    router.wait_silence("shop.example");
}

/// Row I8: a key is read with the rights of the vassal, and nothing of it is shown.
#[test]
fn who_cannot_sign_is_told_why_and_nothing_of_the_file() {
    let tree = tree();
    key(&tree, (0, "run/root.pem"), "2048");
    key(&tree, (ALICE, "alice/short.pem"), "1024");
    tree.place(&tree.path("alice/text.pem"), ALICE, "-----BEGIN PRIVATE KEY-----\nhunter2\n");
    std::fs::write(tree.path("alice/long.pem"), "x".repeat((16 << 10) + 1)).unwrap();
    assert!(Command::new("mkfifo").arg(tree.path("alice/fifo.pem")).status().unwrap().success());
    std::os::unix::fs::symlink(tree.path("run/root.pem"), tree.path("alice/link.pem")).unwrap();
    let (cannot_read, cannot_sign) =
        ("cannot announce k: cannot read the key ", "cannot announce k: cannot sign with ");
    let cases = [
        ("run/root", cannot_read, "EACCES"),
        ("alice/link", cannot_read, "EACCES"),
        ("alice/fifo", cannot_read, "it is no regular file"),
        ("alice/long", cannot_read, "it is longer than 16 KiB"),
        ("alice/none", cannot_read, "ENOENT"),
        ("alice/text", cannot_sign, "it holds no private RSA key in PEM"),
        ("alice/short", cannot_sign, "it is no private RSA key that can be used (TooSmall)"),
    ];
    let config = |file: &Path| format!("subscribe2 = server=/r,key=k,addr=/a,sign=SHA256:{}", file.display());
    for (name, ..) in cases {
        let vassal = format!("{}.ini", &name[name.len() - 4..]);
        let file = tree.path(&format!("{name}.pem"));
        tree.vassal_of(ALICE, &vassal, &format!("{}\n{IDLE}", config(&file)));
    }
    let emperor = emperor(tree);
    for (name, what, why) in cases {
        let line = emperor.wait_for(&format!("{}.ini", &name[name.len() - 4..]), what);
        assert!(line.contains(&format!("{name}.pem: {why}")), "{line}");
    }
    assert_eq!(emperor.told("text.ini", "hunter2"), 0);
}
