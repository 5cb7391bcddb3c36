//! Two Emperors of the same configs, and vassals that do as they are told there.

use std::path::Path;

use crate::common::{Emperor, LIEGE, Start, Tree};

pub const UWSGI: &str = "/usr/bin/uwsgi";

/// A vassal that does what stands in its config, a line for each thing, and tells what it hears.
pub const ACTOR: &str = r#"#!/usr/bin/python3 -IS
import os, signal, sys

control = int(os.environ['UWSGI_EMPEROR_FD'])
name = sys.argv[2]


def tell(what):
    os.write(1, f'SEEN {name} {what}\n'.encode())


def listen():
    while byte := os.read(control, 1):
        tell(f'heard {byte[0]}')
        if byte[0] in (0, 2):
            os._exit(0)
    tell('lost')
    os._exit(0)


# A zerg reads what its vassal does, and does nothing of it. Once it has started, its config may be changed.
script = [] if ':' in name else open(name).read().splitlines()
tell(f'started as {os.getuid()}:{os.getgid()} in {os.getcwd()}')
for line in script:
    match line.split():
        case ['say', *bytes_]:
            os.write(control, bytes(map(int, bytes_)))
        case ['exit', status]:
            os._exit(int(status))
        case ['die', number]:
            os.kill(os.getpid(), int(number))
        case ['deaf']:
            tell('deaf')
            while True:
                signal.pause()
listen()
"#;

/// Both run the same.
pub struct Pair {
    pub theirs: Emperor,
    pub ours: Emperor,
}

impl Pair {
    /// Both, with an actor for each vassal, and no pause before a start. Those of `ours` only we know.
    pub fn of_actors(fill: impl Fn(&Tree), options: &[&str], ours: &[&str]) -> Self {
        let fill = |tree: &Tree| {
            tree.script("actor", "");
            std::fs::write(tree.path("actor"), ACTOR).unwrap();
            fill(tree);
        };
        let first = ["--binary-path", "TREE/actor", "--emperor-freq", "1", "--emperor-throttle", "0"];
        Self::start(fill, &[&first, options].concat(), ours)
    }

    /// Both, each with a tree of its own; `TREE/` in an option stands for it.
    pub fn start(fill: impl Fn(&Tree), options: &[&str], ours: &[&str]) -> Self {
        let run = |program: &str, further: &[&str]| {
            let tree = Tree::new();
            fill(&tree);
            let top = tree.path("").display().to_string();
            let options = options.iter().chain(further).map(|one| one.replace("TREE/", &top));
            options.fold(Start::in_tree(tree).program(&[program]), Start::option).start()
        };
        let mut theirs = run(UWSGI, &[]);
        // What it leaves on the file system is its own affair.
        theirs.expect_no_tidy_end();
        Self { theirs, ours: run(LIEGE, ours) }
    }

    /// What both do or show, side by side: theirs, ours.
    pub fn each<T: Send>(&self, look: impl Fn(&Emperor) -> T + Sync) -> [T; 2] {
        std::thread::scope(|scope| {
            [&self.theirs, &self.ours].map(|one| scope.spawn(|| look(one))).map(|one| one.join().unwrap())
        })
    }

    /// The same of both.
    pub fn same<T: Send + PartialEq + std::fmt::Debug>(&self, look: impl Fn(&Emperor) -> T + Sync) -> T {
        let [theirs, ours] = self.each(look);
        assert_eq!(ours, theirs);
        ours
    }
}

/// What an actor told, since the start, without where the tree is.
pub fn told(emperor: &Emperor, name: &str) -> Vec<String> {
    let (first, tree) = (format!("SEEN {name} "), emperor.tree.path("").display().to_string());
    let lines = emperor.lines.all();
    lines
        .iter()
        .filter_map(|line| line.strip_prefix(&first))
        .map(|line| line.replace(&tree, "TREE/"))
        .collect()
}

/// Waits until an actor has told this so often, since the start.
pub fn wait_told(emperor: &Emperor, name: &str, what: &str, times: usize) {
    crate::common::eventually(
        &format!("{name}: {what}, {times} times, of {:?}", told(emperor, name)),
        || {
            let said = told(emperor, name).iter().filter(|line| line.starts_with(what)).count();
            (said >= times).then_some(())
        },
    );
}

/// That a difference is one on purpose: it has this row, or this sentence, among the documented ones.
pub fn documented(row: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let text = std::fs::read_to_string(page).unwrap();
    assert!(text.contains(row), "docs/differences.md does not say: {row}");
}
