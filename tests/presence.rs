//! How the Emperor stands among the processes of the host.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{Emperor, Process, Start, Tree, eventually};

/// A program that leaves an orphan behind, and says which.
const LEAVES: &str = r#"(sleep 1000000 & echo $! > "$0.fresh"; mv "$0.fresh" "$0.orphan") &
wait
exec sleep 1000000"#;

#[test]
fn the_emperor_is_called_as_its_config_says() {
    let emperor = Emperor::start(Tree::new(), &["--emperor-procname", "the liege of all of them"]);
    let shown = || emperor.process.command_line().join(" ").trim_end().to_owned();
    eventually("its new name", || (shown() == "the liege of all of them").then_some(()));
    eventually("what `top` shows, 15 letters", || {
        (emperor.process.read("comm").trim_end() == "the liege of al").then_some(())
    });
}

/// Whose child the orphan of a vassal is.
fn parent_of_the_orphan(options: &[&str]) -> (i32, i32) {
    let tree = Tree::new();
    let wrapper = tree.script("wrapper", LEAVES);
    tree.vassal("x.ini", "");
    let start = Start::in_tree(tree).option("--emperor-wrapper").option(&wrapper);
    let emperor = start.options(&["--emperor-curse-tolerance", "1"]).options(options).start();
    let orphan = Process::of(emperor.tree.text("wrapper.orphan").trim().parse().unwrap());
    // Its first parent goes only then.
    let maker = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let parent = eventually("an orphan", || {
        let parent = orphan.status("PPid");
        let maker = maker(&parent);
        // One that is ending has no command line any more; a shell may become its last command.
        let first = ["/bin/sh", "mv"].iter().any(|name| maker.starts_with(name));
        (!maker.is_empty() && !first).then(|| parent.parse().unwrap())
    });
    let pid = emperor.process.pid;
    // It goes with its vassal, whosever child it is.
    emperor.stop();
    orphan.wait_gone();
    (parent, pid)
}

#[test]
fn orphans_of_vassals_come_to_an_emperor_that_asks_for_them() {
    let (parent, emperor) = parent_of_the_orphan(&["--emperor-subreaper"]);
    assert_eq!(parent, emperor);
    let (parent, emperor) = parent_of_the_orphan(&[]);
    assert_ne!(parent, emperor);
}
