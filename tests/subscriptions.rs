//! Vassals that are announced to routers: to real ones of uWSGI, which answer with them, and to one that looks at each
//! datagram.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;
#[path = "subscriptions/signed.rs"]
mod signed;

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use common::router::{Kind, Router, packet};
use common::{ALICE, BOB, Emperor, PATIENCE, Tree};
use rustix::process::Signal;

/// Answers every connection to descriptor 3, in whatever protocol it is asked.
const SERVER: &str = "import os, socket, sys
listener = socket.socket(fileno=3)
while True:
    peer = listener.accept()[0]
    peer.recv(65536)
    peer.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\nserved by %s as %d' % (sys.argv[1].encode(), os.getuid()))
    peer.close()
";
const IDLE: &str = "command = /bin/sleep 1000000\n";

/// Where tenants have a directory each for their sockets.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    tree.dir_of(BOB, "bob");
    tree.place(&tree.path("server.py"), 0, SERVER);
    tree
}

/// A server of this tenant, announced by this line.
fn server(tree: &Tree, (owner, name): (u32, &str), line: &str) {
    let (socket, script) = (tree.path(&format!("{name}/app.sock")), tree.path("server.py"));
    let command = format!("command = /usr/bin/python3 {} {name}", script.display());
    tree.vassal_of(
        owner,
        &format!("{name}.ini"),
        &format!("socket = {}\n{line}\n{command}\n", socket.display()),
    );
}

fn emperor(tree: Tree) -> Emperor {
    Emperor::start(tree, &["--emperor-tyrant", "--emperor-throttle=20"])
}

#[test]
fn routers_of_uwsgi_ask_a_program_from_its_start_to_its_stop() {
    for kind in [Kind::Http, Kind::Fast] {
        let router = Router::start(kind, &[]);
        let place = router.subscriptions().display().to_string();
        let tree = tree();
        server(&tree, (ALICE, "alice"), &format!("subscribe-to = {place}:shop.example"));
        server(&tree, (BOB, "bob"), &format!("subscribe2 = server={place},key=blog.example,proto=http"));
        let emperor = emperor(tree);
        router.wait_answer("shop.example", &format!("served by alice as {ALICE}"));
        router.wait_answer("blog.example", &format!("served by bob as {BOB}"));
        assert_eq!(router.ask("other.example"), "", "{kind:?}");
        std::fs::remove_file(emperor.tree.vassals().join("alice.ini")).unwrap();
        router.wait_silence("shop.example");
        router.wait_answer("blog.example", "served by bob");
        emperor.stop();
        router.wait_silence("blog.example");
    }
}

/// Row P2: who announces is the owner of the config, as the kernel says, root never; so nobody takes over the
/// requests of another, at a router that knows whose a key is.
#[test]
fn a_router_that_asks_the_kernel_believes_the_owner_of_a_key_alone() {
    let keys = Tree::new();
    let key = keys.path("shop.example");
    std::fs::write(&key, "").unwrap();
    chown(&key, Some(ALICE), Some(ALICE)).unwrap();
    let prefix = format!("--subscriptions-credentials-check={}/", keys.path("").display());
    let router = Router::start(Kind::Http, &["--subscriptions-use-credentials", &prefix]);
    let line = format!("subscribe-to = {}:shop.example", router.subscriptions().display());
    let tree = tree();
    server(&tree, (BOB, "bob"), &line);
    let emperor = emperor(tree);
    emperor.wait_for("bob.ini", "now loyal");
    assert_eq!(router.ask("shop.example"), "");
    server(&emperor.tree, (ALICE, "alice"), &line);
    router.wait_answer("shop.example", "served by alice");
    assert!((0..20).all(|_| router.ask("shop.example").contains("served by alice")));
}

/// A router that looks at what it is told.
struct Ear {
    socket: UnixDatagram,
    tree: Tree,
}

impl Ear {
    fn new() -> Self {
        let tree = Tree::new();
        let path = tree.path("run/router.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, tree }
    }

    fn place(&self) -> String {
        self.tree.path("run/router.sock").display().to_string()
    }

    /// The next datagram, as it came.
    fn hear(&self) -> Vec<u8> {
        let mut bytes = [0; 8_192];
        let length = self.socket.recv(&mut bytes).expect("an announcement");
        bytes[..length].to_vec()
    }

    /// The next datagram: `modifier2` and fields.
    fn next(&self) -> (u8, BTreeMap<String, String>) {
        let bytes = self.hear();
        let (header, mut rest) = bytes.split_at(4);
        assert_eq!((header[0], usize::from(u16::from_le_bytes([header[1], header[2]]))), (224, rest.len()));
        let mut words = Vec::new();
        while let [low, high, after @ ..] = rest {
            let (word, left) = after.split_at(usize::from(u16::from_le_bytes([*low, *high])));
            words.push(String::from_utf8(word.to_vec()).unwrap());
            rest = left;
        }
        (header[3], words.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
    }

    /// The next datagram that says this; those before it say the other.
    fn wait(&self, modifier2: u8) -> BTreeMap<String, String> {
        std::iter::repeat_with(|| self.next()).find(|(said, _)| *said == modifier2).unwrap().1
    }
}

const HERE: u8 = 0;
const GONE: u8 = 1;

#[test]
fn a_datagram_says_what_one_of_uwsgi_says() {
    let tree = tree();
    let ear = Ear::new();
    let (router, socket) = (ear.place(), tree.path("alice/app.sock"));
    let line = format!("server={router},key=shop.example,weight=3,modifier1=9");
    let mut uwsgi = Command::new("uwsgi");
    uwsgi.args(["--master", "--workers=1", "--die-on-term", "--subscribe2", &line, "--socket"]).arg(&socket);
    let mut uwsgi = uwsgi.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let theirs = ear.next();
    uwsgi.kill().and_then(|()| uwsgi.wait()).unwrap();
    let _ = std::fs::remove_file(&socket);
    tree.vassal_of(
        ALICE,
        "alice.ini",
        &format!("socket = {}\nsubscribe2 = {line}\n{IDLE}", socket.display()),
    );
    let emperor = emperor(tree);
    emperor.vassal("alice.ini");
    let mut ours = ear.wait(HERE);
    let (modifier2, mut theirs) = theirs;
    assert_eq!(modifier2, HERE);
    // What a load changes, and what we say to routers that would guess it otherwise.
    for name in ["cores", "load", "modifier2", "proto"] {
        theirs.remove(name);
        ours.remove(name);
    }
    assert_eq!(ours, theirs);
}

#[test]
fn a_router_hears_of_stops_and_deaths_and_of_reloads_when_that_is_asked_for() {
    let tree = tree();
    let ear = Ear::new();
    let router = ear.place();
    let config = |lines: &str| format!("subscribe2 = server={router},key=k,addr=/out/side\n{lines}{IDLE}");
    let path = tree.vassal_of(ALICE, "alice.ini", &config(""));
    let emperor = emperor(tree);
    assert_eq!(ear.wait(HERE)["address"], "/out/side");
    // Killed, it is gone, and comes back.
    let command = emperor.wait_for_programs("/bin/sleep", 1).remove(0);
    command.signal(Signal::KILL);
    assert_eq!(ear.wait(GONE)["key"], "k");
    ear.wait(HERE);
    // A reload alone is no news; the next word of an end is that of the reload after the next.
    emperor.tree.vassal_of(ALICE, "alice.ini", &config("weight = 2\n"));
    let mut next = ear.next();
    while next.1["weight"] != "2" {
        assert_eq!(next.0, HERE);
        next = ear.next();
    }
    emperor.tree.vassal_of(
        ALICE,
        "alice.ini",
        &config("weight = 3\nunsubscribe-on-graceful-reload = true\n"),
    );
    while ear.next().1["weight"] != "3" {}
    emperor.tree.vassal_of(ALICE, "alice.ini", &config("weight = 4\n"));
    assert_eq!(ear.wait(GONE)["weight"], "3");
    ear.wait(HERE);
    std::fs::remove_file(path).unwrap();
    assert_eq!(ear.wait(GONE)["weight"], "4");
}

#[test]
fn a_program_is_announced_when_it_is_ready_and_not_while_its_file_is_there() {
    let tree = tree();
    let ear = Ear::new();
    let (router, file) = (ear.place(), tree.path("alice/closed"));
    let server = format!("server={router},key=k,addr=/a,check={}", file.display());
    let ready = tree.script("ready", "while [ ! -e \"$1\" ]; do sleep 0.05; done\nsystemd-notify --ready || \
        python3 -c 'import os,socket; s=os.environ[\"NOTIFY_SOCKET\"]; socket.socket(1,2).sendto(b\"READY=1\",s.replace(\"@\",\"\\0\",1))'\n\
        exec sleep 1000000");
    let open = tree.path("alice/open");
    let command = format!("command = {} {}", ready.display(), open.display());
    let lines = format!("ready = notify\nsubscribe-freq = 1\nsubscribe2 = {server}\n{command}\n");
    tree.vassal_of(ALICE, "alice.ini", &lines);
    let emperor = emperor(tree);
    emperor.wait_for_programs("/bin/sh", 1);
    ear.socket.set_nonblocking(true).unwrap();
    assert!(ear.socket.recv(&mut [0; 16]).is_err(), "it is not ready");
    ear.socket.set_nonblocking(false).unwrap();
    std::fs::write(&open, "").unwrap();
    ear.wait(HERE);
    std::fs::write(&file, "").unwrap();
    ear.wait(GONE);
    std::fs::remove_file(&file).unwrap();
    ear.wait(HERE);
}

#[test]
fn who_cannot_be_announced_is_told_why() {
    let tree = tree();
    let absent = tree.path("run/absent.sock").display().to_string();
    for (name, lines) in [
        ("none.ini", "subscribe-to = /r:k\n"),
        ("any.ini", "socket = :0\nsubscribe-to = /r:k\n"),
        ("weak.ini", "subscribe-to = /r:k,0,SHA1:/key.pem\n"),
        ("away.ini", "subscribe2 = server=192.0.2.1:9,key=k,addr=/a\n"),
        ("absent.ini", &format!("subscribe2 = server={absent},key=k,addr=/a\nsubscribe-freq = 1\n")),
    ] {
        tree.vassal_of(ALICE, name, &format!("{lines}{IDLE}"));
    }
    let emperor = emperor(tree);
    emperor.wait_for("none.ini", "cannot announce k: the vassal has no socket 0");
    emperor.wait_for("any.ini", "is every address of this host");
    emperor.wait_for("weak.ini", "nothing is signed with the digest `SHA1`");
    emperor.wait_for("away.ini", "ENETUNREACH; advice: the vassal has a network of its own");
    emperor.wait_for("absent.ini", "cannot announce k to the router at");
    // It goes on without a router, and tells it once.
    emperor.wait_for("absent.ini", "now loyal");
    assert_eq!(emperor.told("absent.ini", "cannot announce k to the router at"), 1);
}

/// What a FastRouter says to an Emperor whose vassal is wanted (that of uWSGI 2.1; earlier ones say nothing).
fn command(verb: &str, vassal: &str) -> Vec<u8> {
    packet(&["cmd", verb, "vassal", vassal])
}

#[test]
fn a_vassal_that_a_command_wakes_is_asked_by_the_router_until_a_command_stops_it() {
    let router = Router::start(Kind::Fast, &[]);
    let tree = tree();
    let place = router.subscriptions().display().to_string();
    server(
        &tree,
        (ALICE, "alice"),
        &format!("subscribe2 = server={place},key=shop.example,vassal=alice.ini"),
    );
    let commands = tree.path("run/commands.sock");
    let option = format!("--emperor-command-socket={}", commands.display());
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--emperor-wait-for-command", &option]);
    let say =
        |verb| UnixDatagram::unbound().unwrap().send_to(&command(verb, "alice.ini"), &commands).unwrap();
    for _ in 0..2 {
        emperor.wait_stats("alice.ini", |row| row["state"] == "suspended");
        router.wait_silence("shop.example");
        say("spawn");
        router.wait_answer("shop.example", "served by alice");
        say("stop");
    }
    router.wait_silence("shop.example");
}
