//! Where a vassal stands that is born into mounts of its own.

mod common;

use common::{ALICE, Emperor, Start, Tree};

#[test]
fn it_stands_among_its_own_mounts() {
    let tree = Tree::new();
    let below = tree.vassals().join("below");
    std::fs::create_dir(&below).unwrap();
    let script = tree.path("looks");
    tree.place(&script, 0, "test -e below/seen && echo among its own\nexec sleep 1000000\n");
    let mount = format!("hook-in-jail = mount:tmpfs none {}\n", below.display());
    let seen = format!("hook-in-jail = exec:touch {}/seen\n", below.display());
    let command = format!("command = /bin/sh {}\n", script.display());
    tree.vassal("a.ini", &format!("{mount}{seen}{command}"));
    let emperor = Emperor::start(tree, &["--emperor-use-clone", "fs"]);
    emperor.wait_for_line(|line| line.ends_with("among its own"));
    emperor.stop();
}

/// Whatever runs it: by a descriptor of the host's, no program could say where it stands.
#[test]
fn a_program_of_others_stands_there_too() {
    for tyrant in [&[][..], &["--emperor-tyrant"]] {
        let tree = Tree::new();
        let wrapper =
            tree.script("wrapper", "echo \"it stands in $(/bin/pwd) and beside $(ls)\"\nexec sleep 1000000");
        tree.vassal_of(ALICE, "a.ini", "command = /bin/true\n");
        let stands = format!("it stands in {} and beside a.ini", tree.vassals().display());
        let start = Start::in_tree(tree).option("--emperor-wrapper").option(wrapper);
        // It does not listen, so it is killed in the end.
        let start = start.options(&["--emperor-use-clone", "fs", "--emperor-curse-tolerance", "1"]);
        let emperor = start.options(tyrant).start();
        emperor.wait_for_line(|line| line.ends_with(&stands));
    }
}

/// Where its path leads elsewhere among its own mounts, it stands neither there nor in what that hides.
#[test]
fn it_does_not_stand_in_what_is_hidden_from_it() {
    for (what, by) in [("tmpfs", "tmpfs none"), ("another directory", "none VICTIM")] {
        let tree = Tree::new();
        let wrapper = tree.script("wrapper", "echo \"it stands in $(/bin/pwd)\"\nexec sleep 1000000");
        tree.vassal("a.ini", "command = /bin/true\n");
        let by = by.replace("VICTIM", tree.dir("victim").to_str().unwrap());
        let flags = if what == "tmpfs" { "" } else { " bind" };
        let hook = format!("mount:{by} {}{flags}", tree.vassals().display());
        let start = Start::in_tree(tree).option("--emperor-wrapper").option(wrapper);
        let start = start.options(&["--emperor-use-clone", "fs", "--hook-as-vassal-before-drop", &hook]);
        let emperor = start.options(&["--emperor-curse-tolerance", "1"]).start();
        emperor.wait_for_line(|line| line.contains("it stands in "));
        assert!(emperor.lines.has(|line| line.ends_with("it stands in /")), "behind {what}");
    }
}
