//! `docs/terminals.md` and the examples, as they are written.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::common::{ALICE, Emperor, Start, Tree, eventually};
use super::seat::Seat;

/// A file of ours.
fn text_of(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The manual with our paths and a user that is there.
fn manual(tree: &Tree) -> String {
    let text = text_of("docs/terminals.md").replace("/run/shop", &tree.path("shop").display().to_string());
    text.replace("uid = shop", &format!("uid = {ALICE}")).replace("gid = shop", &format!("gid = {ALICE}"))
}

/// Its command lines that begin like this.
fn lines(manual: &str, begin: &str) -> Vec<String> {
    let wanted = format!("    {begin}");
    manual.lines().filter(|line| line.starts_with(&wanted)).map(|line| line.trim().to_owned()).collect()
}

/// A command line of the manual, of this Emperor's.
fn command(emperor: &Emperor, line: &str) -> Command {
    let (program, rest) = line.split_once(' ').unwrap();
    let program = match program {
        "liege" => emperor.tree.path("liege"),
        _ => PathBuf::from("/usr/bin/uwsgi-core"),
    };
    let words = rest.split(' ').flat_map(|word| match word {
        // The usual place is somebody else's here.
        "attach" | "exec" => {
            vec![word.to_owned(), emperor.tree.path("run/stats.sock").display().to_string()]
        }
        _ => vec![word.to_owned()],
    });
    let mut command = Command::new(program);
    command.args(words);
    command
}

/// Somebody sits down at it, computes something, and leaves.
fn used(program: &Command, is_shared: bool) {
    let seat = Seat::default();
    let seat = if is_shared { seat.send("\r") } else { seat };
    let seat = seat.expect("$ ").send("echo $((6*7))-fine\r").expect("42-fine\r\n").expect("$ ");
    seat.send(if is_shared { "\r~." } else { "exit\r" }).sit(program);
}

#[test]
fn the_commands_of_the_manual_do_what_it_says() {
    let tree = Tree::new();
    tree.liege();
    tree.dir_of(ALICE, "shop");
    let manual = manual(&tree);
    let configs: Vec<&str> =
        manual.split("```ini\n[uwsgi]\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [shared, router] = configs[..] else { panic!("{configs:?}") };
    tree.vassal("shop.ini", shared);
    tree.vassal("doors.ini", router);
    let emperor = Emperor::start(tree, &["--jail", "standard"]);
    for name in ["shop.ini", "doors.ini"] {
        emperor.wait_for(name, "is ready to accept requests");
    }
    let begins = ["liege attach", "liege --pty-connect", "liege --pty-uconnect", "uwsgi --plugin pty"];
    let found = begins.map(|begin| lines(&manual, begin));
    assert_eq!(found.each_ref().map(Vec::len), [1, 2, 1, 1]);
    for line in found.iter().flatten() {
        if line.starts_with("uwsgi") && !Path::new("/usr/lib/uwsgi/plugins/pty_plugin.so").exists() {
            eprintln!("skipped: uwsgi has no plugin pty here");
            continue;
        }
        used(&command(&emperor, line), line.contains("/console"));
    }
    for line in lines(&manual, "liege exec") {
        let output = command(&emperor, &line).output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b"total "), "{output:?}");
    }
    emperor.stop();
}

#[test]
fn the_examples_run_as_they_say() {
    let tree = Tree::new();
    tree.liege();
    for name in ["shared.ini", "router.ini"] {
        let text = text_of(&format!("examples/terminals/{name}"));
        tree.place(&tree.vassals().join(name), ALICE, &text);
    }
    std::os::unix::fs::chown(tree.vassals(), Some(ALICE), Some(ALICE)).unwrap();
    let emperor = Start::in_tree(tree).options(&["--emperor-tyrant"]).start();
    for (name, example) in [("shared", "shared.ini"), ("router", "router.ini")] {
        emperor.wait_for(example, "is ready to accept requests");
        let text = text_of(&format!("examples/terminals/{example}"));
        let line = text.lines().find_map(|line| line.strip_prefix(";     liege --pty")).unwrap();
        let line = line.replace("examples/terminals", &emperor.tree.vassals().display().to_string());
        let program = command(&emperor, &format!("liege --pty{line}"));
        eventually("its socket", || {
            program.get_args().last().is_some_and(|path| Path::new(path).exists()).then_some(())
        });
        used_by_tenant(&program, name == "shared");
    }
    emperor.stop();
}

/// The same by the tenant: whom a terminal belongs to is asked.
fn used_by_tenant(program: &Command, is_shared: bool) {
    let mut command = Command::new("setpriv");
    let id = ALICE.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    command.arg(program.get_program()).args(program.get_args());
    used(&command, is_shared);
}
