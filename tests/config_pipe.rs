//! Configs that come through the Emperor's pipe (`emperor://NAME`), from a real uWSGI Emperor and from ours.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{Emperor, LIEGE, Process, Start, Tree, eventually};

const UWSGI: &str = "/usr/bin/uwsgi";
/// The one for which the distribution packages modules.
const PYTHON: &str = "/usr/bin/python3";
const PLUGIN: &str = "/usr/lib/uwsgi/plugins/emperor_zeromq_plugin.so";
/// Tells the Emperor of a vassal: address, name, file with its config.
const TOUCH: &str = include_str!("programs/tell.py");

/// A config that shows which edition it is, with this many bytes of comments.
fn edition(word: &str, filler: usize) -> String {
    format!(
        "[uwsgi]\nenv = EDITION={word}\ncommand = /bin/sleep 1000000\n{}",
        "# filler\n".repeat(filler / 9)
    )
}

/// A uWSGI Emperor that hears of vassals by messages, and runs `liege` for each.
fn uwsgi() -> Option<Emperor> {
    let has_zmq =
        Command::new(PYTHON).args(["-c", "import zmq"]).output().is_ok_and(|output| output.status.success());
    if !has_zmq || !Path::new(PLUGIN).exists() {
        println!("skipped: needs {PLUGIN} and python3-zmq");
        return None;
    }
    let tree = Tree::new();
    let address = format!("zmq://ipc://{}", tree.path("messages").display());
    let options = ["--plugins", "emperor_zeromq", "--emperor", &address, "--binary-path", LIEGE];
    let mut emperor = Start::bare(tree).program(&[UWSGI]).options(&options).start();
    emperor.expect_no_tidy_end();
    emperor.lines.wait_since(0, |line| line.contains("starting uWSGI Emperor"));
    Some(emperor)
}

/// Its clock has seconds: what it hears in the second of the last news is no news to it.
fn touch(emperor: &Emperor, name: &str, text: &str) {
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let begin = second();
    eventually("another second", || (second() > begin + 1).then_some(()));
    let file = emperor.tree.path("text");
    std::fs::write(&file, text).unwrap();
    let address = format!("ipc://{}", emperor.tree.path("messages").display());
    let sent = Command::new(PYTHON).args(["-c", TOUCH, &address, name]).arg(&file).status().unwrap();
    assert!(sent.success());
}

/// The program of a vassal, once it runs in this edition.
fn program(emperor: &Emperor, name: &str, edition: &str) -> Process {
    eventually(&format!("{name} in the edition {edition}"), || {
        let pid = i32::try_from(emperor.stats_of(name)?["pid"].as_i64()?).ok().filter(|pid| *pid > 0)?;
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        let child: i32 = children.trim().parse().ok()?;
        let environment = std::fs::read_to_string(format!("/proc/{child}/environ")).ok()?;
        environment.contains(&format!("EDITION={edition}\0")).then(|| Process::of(child))
    })
}

fn pid_of(emperor: &Emperor, name: &str) -> i64 {
    emperor.wait_stats(name, |row| row["ready"] == 1)["pid"].as_i64().unwrap()
}

#[test]
fn a_vassal_of_ours_gets_configs_of_any_length_from_a_real_uwsgi_emperor_and_the_new_one_at_a_reload() {
    let Some(emperor) = uwsgi() else { return };
    touch(&emperor, "x.ini", &edition("first", 100_000));
    program(&emperor, "x.ini", "first");
    let master = pid_of(&emperor, "x.ini");
    for (word, filler) in [("second", 0), ("third", 100_000), ("fourth", 65_536)] {
        touch(&emperor, "x.ini", &edition(word, filler));
        program(&emperor, "x.ini", word);
    }
    assert_eq!(pid_of(&emperor, "x.ini"), master, "it is the same process, else its Emperor would forget it");
}

#[test]
fn a_broken_config_from_the_pipe_changes_nothing() {
    let Some(emperor) = uwsgi() else { return };
    touch(&emperor, "x.ini", &edition("first", 0));
    let first = program(&emperor, "x.ini", "first");
    touch(&emperor, "x.ini", "[uwsgi]\ncomand = x\n");
    emperor.lines.wait_since(0, |line| line.contains("unknown option `comand`"));
    assert!(first.is_alive());
    touch(&emperor, "x.ini", &edition("second", 0));
    program(&emperor, "x.ini", "second");
}

#[test]
fn an_application_of_a_real_uwsgi_emperor_is_handed_on_with_its_pipe() {
    let Some(emperor) = uwsgi() else { return };
    let socket = emperor.tree.path("socket").display().to_string();
    let text = |word: &str| {
        format!("[uwsgi]\nplugins = python3\nsocket = {socket}\nmaster = true\nprint = it is the {word}\n")
    };
    touch(&emperor, "x.ini", &text("first"));
    emperor.lines.wait_since(0, |line| line.contains("it is the first"));
    emperor.wait_stats("x.ini", |row| row["accepting"] == 1);
    touch(&emperor, "x.ini", &text("second"));
    emperor.lines.wait_since(0, |line| line.contains("it is the second"));
}

/// An Emperor of ours that hands configs over.
fn handing_over(tree: Tree, options: &[&str]) -> Emperor {
    Start::in_tree(tree).option("--emperor-config-pipe").options(options).start()
}

#[test]
fn our_emperor_hands_a_long_config_to_a_vassal_of_ours_and_the_new_one_at_a_reload() {
    let tree = Tree::new();
    let text = |word: &str| edition(word, 100_000).replacen("[uwsgi]\n", "env = NAME=%n\n", 1);
    tree.vassal("x.ini", &text("first"));
    let emperor = handing_over(tree, &["--emperor-use-clone", "fs,pid"]);
    let first = emperor.vassal("x.ini");
    let environment = |vassal: &Process| vassal.child().environment();
    assert!(first.command_line().ends_with(&["--ini".to_owned(), "emperor://x.ini".to_owned()]));
    assert!(environment(&first).contains(&"EDITION=first".to_owned()));
    assert!(environment(&first).contains(&"NAME=x".to_owned()));
    let mark = emperor.lines.mark();
    emperor.tree.vassal("x.ini", "comand = x\n");
    emperor.lines.wait_since(mark, |line| line.contains("unknown option `comand`"));
    assert!(first.is_alive(), "a broken config changes nothing");
    emperor.wait_stats("x.ini", |row| row["uses"] != row["fingerprint"]);
    emperor.tree.vassal("x.ini", &text("second"));
    program(&emperor, "x.ini", "second");
    first.wait_gone();
    emperor.wait_stats("x.ini", |row| row["uses"] == row["fingerprint"]);
}

#[test]
fn our_emperor_hands_its_config_to_a_real_uwsgi_that_cannot_open_the_file() {
    if !Path::new(UWSGI).exists() {
        println!("skipped: no {UWSGI}");
        return;
    }
    let tree = Tree::new();
    let text = |word: &str| {
        format!(
            "plugins = python3\nsocket = @liege-{}\nmaster = true\nprint = it is the {word}\n",
            std::process::id()
        )
    };
    let path = tree.vassal("x.ini", &text("first"));
    let user = common::ALICE.to_string();
    let hidden = |path: &Path| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap()
    };
    hidden(&path);
    let emperor = handing_over(tree, &["--binary-path", UWSGI, "--uid", &user, "--gid", &user]);
    emperor.lines.wait_since(0, |line| line.contains("it is the first"));
    emperor.wait_stats("x.ini", |row| row["accepting"] == 1);
    hidden(&emperor.tree.vassal("x.ini", &text("second")));
    emperor.lines.wait_since(0, |line| line.contains("it is the second"));
}
