//! Where a vassal stands that is born into mounts of its own.

mod common;

use common::{Emperor, Tree};

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
