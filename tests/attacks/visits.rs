//! What a guest of the stats can leave there for the Emperor. Rows C6 and C8.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::common::{ALICE, BOB, Emperor, Tree};

const VISITS: &str = include_str!("../programs/visits.py");
const IDLE: &str = "command = /bin/sleep infinity\n";

/// Visits whose end takes an hour while this is there.
struct Visits {
    process: Child,
    /// How many were refused what they left.
    refused: usize,
}

impl Visits {
    /// So many of a user at a socket.
    fn of(uid: u32, emperor: &Emperor, (socket, count): (&str, usize)) -> Self {
        let (id, count) = (uid.to_string(), count.to_string());
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "/usr/bin/python3", "-c", VISITS]);
        command.arg(emperor.tree.path(socket)).arg(count).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<usize> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert!(words[0] > 0, "nobody was there");
        Self { process, refused: words[1] }
    }
}

impl Drop for Visits {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

/// The Emperor does all that it should for somebody else.
fn assert_serves(emperor: &Emperor, name: &str) {
    emperor.tree.vassal_of(BOB, name, IDLE);
    emperor.vassal(name);
}

/// Rows C6 and C8: connections with descriptors in them whose end takes an hour: those that are let in, those that are refused, and those
/// that have gone before.
#[test]
fn what_guests_of_the_stats_leave_there_holds_up_nobody() {
    for options in [&["--stats-http"][..], &[]] {
        let tree = Tree::new();
        tree.vassal_of(ALICE, "alice.ini", IDLE);
        let shared = ["--emperor-tyrant", "--emperor-stats-for-tenants"];
        let emperor = Emperor::start(tree, &[&shared[..], options].concat());
        emperor.vassal("alice.ini");
        for (socket, count) in
            [("run/stats.sock.events", 1), ("run/stats.sock.events", 40), ("run/stats.sock", 40)]
        {
            let visits = Visits::of(ALICE, &emperor, (socket, count));
            if visits.refused == 0 {
                eprintln!("skipped: this kernel cannot refuse descriptors");
            }
            assert_serves(&emperor, &format!("after{count}{}.ini", socket.len()));
        }
        emperor.stop();
    }
}

/// Row C8: the same at the trigger socket, whose connections are for whoever is of the Emperor's group.
#[test]
fn what_is_left_at_the_trigger_socket_holds_up_nobody() {
    let tree = Tree::new();
    let trigger = tree.path("run/trigger").display().to_string();
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--emperor-trigger-socket", &trigger]);
    emperor.stats();
    let _visits = Visits::of(0, &emperor, ("run/trigger", 40));
    assert_serves(&emperor, "after.ini");
    emperor.stop();
}
