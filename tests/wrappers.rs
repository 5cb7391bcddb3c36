//! Programs in the place of others: `emperor-wrapper-override` and `emperor-wrapper-fallback`, under a real uWSGI Emperor
//! and under ours.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{ALICE, BOB, Emperor, Start, Tree};

const UWSGI: &str = "/usr/bin/uwsgi";
/// Shows how it was called, and ends at the first byte of its Emperor.
const SHOW: &str = "echo \"called $0 with $*\"\nexec head -c 1 <&$UWSGI_EMPEROR_FD\n";

fn tree() -> Tree {
    let tree = Tree::new();
    tree.vassal("app.ini", "");
    tree.script("show", SHOW);
    tree
}

fn with(start: Start, tree_options: &[&str]) -> Emperor {
    start.options(tree_options).start()
}

/// How the program of the vassal was called under this Emperor.
fn called(emperor: &Emperor) -> String {
    let line = emperor.wait_for_line(|line| line.contains("called "));
    let text = line[line.find("called ").unwrap()..].to_owned();
    text.replace(&emperor.tree.path("").display().to_string(), "TREE/")
}

/// The same options under both.
fn compare(options: impl Fn(&Tree) -> Vec<String>) -> String {
    let run = |theirs: bool| {
        let tree = tree();
        let options = options(&tree);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let start = Start::in_tree(tree);
        let start = if theirs { start.program(&[UWSGI]) } else { start };
        let mut emperor = with(start, &options);
        if theirs {
            emperor.expect_no_tidy_end();
        }
        called(&emperor)
    };
    let (theirs, ours) = (run(true), run(false));
    assert_eq!(ours, theirs);
    ours
}

#[test]
fn the_first_override_that_can_be_run_is() {
    let show = |tree: &Tree| tree.path("show").display().to_string();
    let said = compare(|tree| {
        let overriding = ["/no/such", &show(tree), "/bin/false"];
        let pairs = overriding.iter().flat_map(|path| ["--emperor-wrapper-override".into(), (*path).into()]);
        pairs.chain(["--vassal-set".into(), "k=v".into()]).collect()
    });
    assert!(said.ends_with("show with --set k=v --ini app.ini"), "{said}");
}

#[test]
fn a_fallback_runs_where_nothing_else_can_be() {
    compare(|tree| {
        let show = tree.path("show").display().to_string();
        [
            "--binary-path",
            "/no/main",
            "--emperor-wrapper-fallback",
            "/no/such",
            "--emperor-wrapper-fallback",
            &show,
        ]
        .map(str::to_owned)
        .into()
    });
}

#[test]
fn where_none_can_be_run_each_is_named_with_its_reason() {
    let tree = tree();
    let file = tree.path("plain");
    std::fs::write(&file, "no program").unwrap();
    let file = file.display().to_string();
    let options = [
        "--emperor-wrapper-override",
        "/no/a",
        "--binary-path",
        "/no/b",
        "--emperor-wrapper-fallback",
        &file,
    ];
    let emperor = with(Start::in_tree(tree), &options);
    let said = emperor.wait_for("app.ini", "cannot be started");
    let reasons = format!("/no/a: ENOENT, /no/b: ENOENT, {file}: EACCES");
    assert!(said.contains(&format!("cannot exec /no/a, else /no/b, else {file}: {reasons}")), "{said}");
}

/// The administrator's words are paths, never text for a shell.
#[test]
fn a_wrapper_is_no_text_for_a_shell() {
    let tree = tree();
    let show = tree.path("show").display().to_string();
    let trap = tree.path("trap").display().to_string();
    let options =
        ["--emperor-wrapper-override", &format!("touch {trap}; true"), "--emperor-wrapper-override", &show];
    let emperor = with(Start::in_tree(tree), &options);
    assert!(called(&emperor).starts_with("called "));
    assert!(!Path::new(&trap).exists());
}

/// A config that prints one: who it was run as, and how much it could read of what is root's.
const PROGRAM: &str = "#!/bin/sh
printf '[uwsgi]\\nenv = BY=%s:%s\\n' $(id -u) $(cat /etc/shadow 2>/dev/null | wc -c)
echo command = /bin/sleep 1000000\n";

/// Writes a config of this mode; its owner stays.
fn write(path: &Path, mode: u32, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// S1, S4: a tenant's program is run with his ids (root of a jail is nobody outside of it), by no shell of ours; what
/// he may not execute is text.
#[test]
fn an_executable_config_is_what_it_prints_to_its_owner() {
    let outside = format!("{ALICE}:0");
    for (options, by) in
        [(&["--jail", "none"][..], outside.as_str()), (&[], "0:0"), (&["--emperor-config-pipe"], "0:0")]
    {
        let tree = Tree::new();
        let program = tree.vassal_of(ALICE, "it $(touch x).ini", "");
        let plain = tree.vassal_of(ALICE, "plain.ini", "");
        write(&program, 0o755, PROGRAM);
        write(&plain, 0o655, "[uwsgi]\nenv = BY=text\ncommand = /bin/sleep 1000000\n");
        let start = Start::in_tree(tree).options(&["--emperor-tyrant", "--emperor-magic-exec"]);
        let emperor = start.options(options).start();
        for (name, by) in [("it $(touch x).ini", by), ("plain.ini", "text")] {
            let environment = emperor.vassal(name).child().environment();
            assert!(environment.contains(&format!("BY={by}")), "{options:?} {environment:?}");
        }
    }
}

/// A program that prints without end is a config that cannot be read; its neighbours run.
#[test]
fn a_program_that_prints_too_much_harms_nobody() {
    let tree = Tree::new();
    let endless = tree.vassal_of(ALICE, "endless.ini", "");
    write(&endless, 0o755, "#!/bin/sh\nexec yes\n");
    tree.vassal_of(BOB, "app.ini", "command = /bin/sleep 1000000\n");
    let emperor = with(Start::in_tree(tree), &["--emperor-tyrant", "--emperor-magic-exec"]);
    emperor.vassal("app.ini");
    emperor.wait_for("endless.ini", "died (exit status");
}
