//! A second tenant, who must not notice anything of what the first one does.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::common::{ALICE, BOB, Emperor, PATIENCE, Process, Start, Tree};

/// Every attack is tried in each: without and with a user namespace, and in the jail that is the default.
pub const JAILS: [&str; 3] = ["fs,net,ipc,pid,uts", "fs,net,ipc,pid,uts,user", "standard"];

/// The option that makes such a jail: of namespaces, or by one word.
pub fn jailed(jail: &str) -> &'static str {
    if jail.starts_with("fs") { "--emperor-use-clone" } else { "--jail" }
}

/// A program that lives until it is told to end.
pub const IDLE: &str = "command = /bin/sleep 1000000\n";

const CONFIG: &str = "neighbour.ini";
/// Answers everybody on the socket that it was given.
const ANSWER: &str = r#"use Socket;
open(my $listener, "+<&=", 3) or die "no socket: $!";
while (accept(my $client, $listener)) { syswrite $client, "served\n"; close $client; }
"#;

/// Bob: one vassal that answers on a socket.
pub struct Neighbour {
    socket: PathBuf,
    /// His vassal.
    pub process: Process,
}

impl Neighbour {
    /// Puts his config among the vassals; a program of root's that he may run, a directory of his own.
    pub fn settle(tree: &Tree) {
        let program = tree.path("answer.pl");
        tree.place(&program, 0, ANSWER);
        let socket = tree.dir_of(BOB, "neighbour").join("socket");
        let lines = [
            "[uwsgi]".to_owned(),
            format!("socket = {}", socket.display()),
            format!("command = /usr/bin/perl {}", program.display()),
        ];
        tree.place(&tree.vassals().join(CONFIG), BOB, &(lines.join("\n") + "\n"));
    }

    /// Meets him once he runs.
    pub fn meet(emperor: &Emperor) -> Self {
        Self::of(emperor, emperor.vassal(CONFIG))
    }

    /// Meets him whose vassal this is.
    pub fn of(emperor: &Emperor, process: Process) -> Self {
        let neighbour = Self { socket: emperor.tree.path("neighbour/socket"), process };
        neighbour.assert_served();
        neighbour
    }

    /// He answers, and is the same process as ever.
    pub fn assert_served(&self) {
        let mut stream = UnixStream::connect(&self.socket).expect("the neighbour listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "served\n");
        assert!(self.process.is_alive(), "the neighbour was restarted");
    }
}

/// A tyrant with this jail; Alice has a directory of her own beside the common one, Bob is served already.
pub fn tyranny(jail: &str, options: &[&str]) -> (Emperor, Neighbour) {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    rule(tree, jail, options)
}

/// The same over a tree that is prepared.
pub fn rule(tree: Tree, jail: &str, options: &[&str]) -> (Emperor, Neighbour) {
    serve(tree, |start| start.options(&["--emperor-tyrant", jailed(jail), jail]).options(options))
}

/// An Emperor started in any way, with Bob served by it.
pub fn serve(tree: Tree, prepare: impl FnOnce(Start) -> Start) -> (Emperor, Neighbour) {
    Neighbour::settle(&tree);
    let alice = tree.path("alice");
    let mut start = Start::in_tree(tree);
    if alice.exists() {
        start = start.option("--emperor").option(alice);
    }
    let emperor = prepare(start).start();
    let neighbour = Neighbour::meet(&emperor);
    (emperor, neighbour)
}

/// A config of Alice's, in her own directory.
pub fn alices(tree: &Tree, name: &str, body: &str) -> PathBuf {
    let path = tree.path("alice").join(name);
    tree.place(&path, ALICE, &format!("[uwsgi]\n{body}"));
    path
}

/// Waits until this config was refused for this reason, and sees that it never ran.
pub fn assert_refused(emperor: &Emperor, name: &str, reason: &str) {
    emperor.wait_since(0, name, reason);
    assert_eq!(emperor.told(name, reason), 1, "{name} is told once");
    assert_eq!(emperor.told(name, "started with pid"), 0, "{name} ran");
}

/// A symbolic link of this user's, which appears as such.
pub fn link_of(owner: u32, target: &Path, link: &Path) {
    let fresh = link.with_extension("fresh");
    std::os::unix::fs::symlink(target, &fresh).unwrap();
    std::os::unix::fs::lchown(&fresh, Some(owner), Some(owner)).unwrap();
    std::fs::rename(fresh, link).unwrap();
}
