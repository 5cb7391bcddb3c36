//! Whoever does what a config or the administrator has done around a vassal, phase by phase, against the exact table of what it
//! may be: a right that leaks into a phase, or is missing from it, shows up here.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;
mod table;

use std::fmt::Write as _;
use std::fs::File;

use common::{ALICE, Emperor, Process, Tree, eventually};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use table::{Court, host, running};

/// Of a vassal's own config, in their order; `command` stands for what they are all about.
const PHASES: [&str; 13] = [
    "asap",
    "pre-jail",
    "in-jail",
    "post-jail",
    "as-root",
    "as-user",
    "pre-app",
    "command",
    "post-app",
    "hook-accepting",
    "hook-touch",
    "hook-emperor-stop",
    "as-user-atexit",
];
/// The one that lives on while others are done.
const COMMAND: &str = "command";
/// What the vassal is touched by, below the tree.
const TOUCHED: &str = "touched";

const IDLE: &str = "command = sleep infinity\n";

/// A program that reads what nobody writes, until it is let go.
struct Held {
    word: &'static str,
    path: String,
    writer: Option<File>,
}

impl Held {
    fn new(tree: &Tree, word: &'static str) -> Self {
        let path = tree.path(word);
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        // Open both ways, so that neither side waits for the other.
        let writer = File::options().read(true).write(true).open(&path).unwrap();
        Self { word, path: path.display().to_string(), writer: Some(writer) }
    }

    fn command(&self) -> String {
        format!("cat {}", self.path)
    }

    /// Once it reads: before that its loader may have something open.
    fn process(&self) -> Process {
        let reads = |process: &Process| {
            process.command_line() == ["cat", &self.path] && process.link("fd/3") == self.path
        };
        eventually(self.word, || {
            common::processes().into_iter().filter_map(|pid| Process::if_there(pid).ok()).find(reads)
        })
    }
}

/// Rows that are told by their difference from the row before.
#[derive(Default)]
struct Rows {
    text: String,
    last: Vec<String>,
}

impl Rows {
    /// Adds whoever is held, and lets it go unless it is the command.
    fn add(&mut self, court: &Court, held: &mut Held) {
        let process = held.process();
        let mut row = String::new();
        court.describe(&mut row, &process);
        let place = format!("TREE/{}", held.word);
        let row: Vec<String> = row.replace(&place, "HELD").lines().map(normal).collect();
        writeln!(self.text, "== {}", held.word).unwrap();
        self.write_difference(&row);
        self.last = row;
        if held.word != COMMAND {
            held.writer = None;
            process.wait_gone();
        }
    }

    fn write_difference(&mut self, row: &[String]) {
        for line in self.last.iter().filter(|line| !row.contains(line)) {
            writeln!(self.text, "- {line}").unwrap();
        }
        for line in row.iter().filter(|line| !self.last.contains(line)) {
            writeln!(self.text, "+ {line}").unwrap();
        }
    }
}

/// Of this machine are its capabilities: those of root, and all that there are.
fn normal(line: &str) -> String {
    let of_root = host().status("CapBnd");
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    let all = format!("{:016x}", (2_u64 << last.trim().parse::<u32>().unwrap()) - 1);
    let name = |line: &str| match line.split_once(": ") {
        Some((field, bits)) if field.starts_with("Cap") && (bits == all || bits == of_root) => {
            Some(format!("{field}: all"))
        }
        _ => None,
    };
    name(line).unwrap_or_else(|| line.to_owned())
}

/// A config that has every phase held.
fn config_of_all(tree: &Tree, head: &str, held: &[Held]) -> String {
    let line = |held: &Held| match held.word {
        COMMAND => format!("command = {}\n", held.command()),
        "hook-touch" => {
            format!("hook-touch = {} exec:{}\n", tree.path(TOUCHED).display(), held.command())
        }
        hook if hook.starts_with("hook-") => format!("{hook} = exec:{}\n", held.command()),
        phase => format!("exec-{phase} = {}\n", held.command()),
    };
    head.to_owned() + &held.iter().map(line).collect::<String>()
}

/// The vassal goes on until it is held in this phase.
fn bring_about(court: &Court, word: &str) {
    let tree = &court.emperor.tree;
    match word {
        "hook-touch" => {
            // From then on it minds what is touched.
            court.emperor.wait_for("alice.ini", "has been spawned");
            std::fs::write(tree.path(TOUCHED), "").unwrap();
        }
        "hook-emperor-stop" => std::fs::remove_file(tree.vassals().join("alice.ini")).unwrap(),
        _ => {}
    }
}

#[test]
fn every_phase_of_a_tenant_in_the_default_jail_is_exactly_what_the_table_says() {
    let tree = Tree::new();
    let mut held = PHASES.map(|word| Held::new(&tree, word));
    let config = config_of_all(&tree, "rlimit-nofile = 256\nnice = 3\n", &held);
    let court = Court::beside(IDLE, tree, ALICE, (&["--emperor-tyrant"], &config));
    let mut rows = Rows::default();
    for held in &mut held {
        bring_about(&court, held.word);
        rows.add(&court, held);
    }
    insta::assert_snapshot!("tenant", rows.text);
    court.emperor.stop();
}

#[test]
fn every_phase_of_a_trusted_vassal_that_jails_itself_is_exactly_what_the_table_says() {
    let tree = Tree::new();
    let mut held = PHASES.map(|word| Held::new(&tree, word));
    let head = "jail = standard\nuid = nobody\ngid = nogroup\nrlimit-nofile = 256\nnice = 3\n";
    let config = config_of_all(&tree, head, &held);
    let mut court = Court::beside(&format!("jail = standard\n{IDLE}"), tree, 0, (&[], &config));
    let mut rows = Rows::default();
    for held in &mut held {
        // The vassal's first process waits for the one that went on behind it, as process 1 of the jail.
        if held.word == "post-jail" {
            court.master = court.master.child_named("liege");
            court.neighbour = court.neighbour.child_named("liege");
        }
        bring_about(&court, held.word);
        rows.add(&court, held);
    }
    insta::assert_snapshot!("trusted", rows.text);
    court.emperor.stop();
}

/// What the administrator has done, in its order. Of those that name namespaces, these.
fn options_of_all(tree: &Tree, held: &[Held], namespaces: &[&str]) -> Vec<String> {
    let mut namespaces = namespaces.iter();
    let option = |held: &Held| match held.word {
        "vassals-start-hook" | "vassals-stop-hook" => {
            let script = tree.script(&format!("{}.sh", held.word), &held.command());
            format!("--{}={}", held.word, script.display())
        }
        word if word.starts_with("exec-") => format!("--{word}={}", held.command()),
        word if word.starts_with("setns-") => {
            let namespaces = namespaces.next().unwrap();
            format!("--hook-as-emperor-setns={namespaces} exec:{}", held.command())
        }
        word => format!("--{word}=exec:{}", held.command()),
    };
    held.iter().map(option).collect()
}

/// Nobody but Alice, so that whoever does something does it for her.
fn assert_emperors(name: &str, words: &[&'static str], jail: &[&str], namespaces: &[&str]) {
    let tree = Tree::new();
    let mut held: Vec<Held> = words.iter().map(|word| Held::new(&tree, word)).collect();
    let options = options_of_all(&tree, &held, namespaces);
    let config = tree.vassal_of(ALICE, "alice.ini", IDLE);
    let options: Vec<&str> = options.iter().map(String::as_str).chain(jail.iter().copied()).collect();
    let emperor = Emperor::start(tree, &options);
    let neighbour = Process::of(emperor.process.pid);
    let mut court = Court { emperor, master: host(), neighbour };
    let mut rows = Rows::default();
    for held in &mut held {
        match held.word {
            "hook-emperor-start" => {}
            "vassals-stop-hook" => std::fs::remove_file(&config).unwrap(),
            _ => court.master = running(&court.emperor, "alice.ini"),
        }
        rows.add(&court, held);
    }
    insta::assert_snapshot!(name, rows.text);
    court.emperor.stop();
}

#[test]
fn whoever_works_for_the_administrator_around_the_default_jail_is_exactly_what_the_table_says() {
    let words = [
        "hook-emperor-start",
        "hook-as-emperor-before-vassal",
        "hook-as-vassal-before-drop",
        "vassals-start-hook",
        "hook-as-vassal",
        "exec-as-vassal",
        "hook-as-emperor",
        "exec-as-emperor",
        "setns-of-all",
        "setns-of-net",
        "vassals-stop-hook",
    ];
    assert_emperors("administrator", &words, &["--emperor-tyrant"], &["fs,user", "net"]);
}

#[test]
fn whoever_works_for_the_administrator_without_a_user_namespace_is_exactly_what_the_table_says() {
    let words = [
        "hook-as-emperor-before-vassal",
        "hook-as-vassal-before-drop",
        "vassals-start-hook",
        "exec-as-vassal",
        "exec-as-emperor",
        "setns-of-net",
    ];
    let jail = ["--emperor-tyrant", "--emperor-use-clone", "fs,net,ipc,pid,uts"];
    assert_emperors("administrator_without_user_namespace", &words, &jail, &["net"]);
}
