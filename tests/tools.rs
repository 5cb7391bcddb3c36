//! `liege check` and `liege show-config`, from outside.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Tree, liege};
use serde_json::Value;

/// Where Debian puts the plugins of uWSGI.
const PLUGINS: &str = "/usr/lib/uwsgi/plugins";

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = liege(arguments);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_directory_stands_for_each_file_that_could_be_a_vassal() {
    let tree = Tree::new();
    let skeleton = tree.path("skeleton.ini");
    std::fs::write(&skeleton, "[uwsgi]\ncommand = /bin/echo %n\n").unwrap();
    let vassals = tree.path("vassals");
    for name in ["one.ini", "two.ini"] {
        std::os::unix::fs::symlink(&skeleton, vassals.join(name)).unwrap();
    }
    for name in [".hidden.ini", "notes.txt", "#edited.ini#"] {
        std::fs::write(vassals.join(name), "nonsense").unwrap();
    }
    let directory = vassals.to_str().unwrap();
    let (code, report) = json(&["check", "--json", directory]);
    assert_eq!(code, Some(0), "{report:#}");
    let files = report["files"].as_array().unwrap();
    let programs: Vec<&str> = files.iter().map(|file| file["runs"]["program"].as_str().unwrap()).collect();
    assert_eq!(programs, ["/bin/echo one", "/bin/echo two"]);

    std::os::unix::fs::symlink("gone.ini", vassals.join("three.ini")).unwrap();
    let (code, report) = json(&["check", "--json", directory]);
    assert_eq!((code, &report["files"][1]["verdict"]), (Some(1), &Value::from("wrong")), "{report:#}");
}

#[test]
fn the_exit_status_tells_fine_from_wrong_from_mistyped() {
    let tree = Tree::new();
    let file = tree.path("a.ini");
    for (content, status) in [("command = x", 0), ("comand = x", 1), ("module = x", 0), ("modul = x", 1)] {
        std::fs::write(&file, format!("[uwsgi]\n{content}\n")).unwrap();
        let output = liege(&["check", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(status), "{content}: {}", text(&output));
    }
    assert_eq!(liege(&["check"]).status.code(), Some(2));
    assert_eq!(liege(&["check", "--emperor-tyrant", "x"]).status.code(), Some(2));
    let gone = liege(&["show-config", "/nowhere/a.ini"]);
    let said = String::from_utf8(gone.stderr).unwrap();
    assert!(gone.status.code() == Some(2) && said.contains("command line:2:1"), "{said}");
    assert!(said.contains("\n  /nowhere/a.ini\n  ^"), "{said}");
}

#[test]
fn the_options_that_count_are_shown_with_their_places() {
    let tree = Tree::new();
    let (file, part) = (tree.path("shop.ini"), tree.path("part.ini"));
    std::fs::write(&part, "[uwsgi]\nenv = NAME=%(site)\n").unwrap();
    let content =
        format!("[uwsgi]\nsite = %n\ninclude = {}\ncommand = run $(LIEGE_NONE:-it)\n", part.display());
    std::fs::write(&file, content).unwrap();
    let (file, part) = (file.to_str().unwrap(), part.to_str().unwrap());
    let shown = text(&liege(&["show-config", file]));
    let wanted = format!(
        "[uwsgi]\n; {file}:2:1: %(site) is shop\n; {part}:2:1\nenv = NAME=shop\n; {file}:4:1\ncommand = run it\n"
    );
    assert_eq!(shown, wanted);

    let (code, document) = json(&["show-config", "--json", "--set", "site=other", file]);
    assert_eq!(code, Some(0));
    let option = &document["options"][0];
    assert_eq!((&option["name"], &option["value"]), (&"env".into(), &"NAME=other".into()), "{document:#}");
    assert_eq!((&option["file"], &option["line"]), (&part.into(), &2.into()), "{document:#}");
}

#[test]
fn what_is_shown_can_be_read_again() {
    let tree = Tree::new();
    let (first, second) = (tree.path("first.ini"), tree.path("second.ini"));
    std::fs::write(&first, "[uwsgi]\nset = who=shop\ncommand = run %(who)\nenv = A=1 ; no comment\n")
        .unwrap();
    let once = text(&liege(&["show-config", first.to_str().unwrap()]));
    std::fs::write(&second, &once).unwrap();
    let twice = text(&liege(&["show-config", second.to_str().unwrap()]));
    let options = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with(';')).map(str::to_owned).collect()
    };
    assert_eq!(options(&once), options(&twice));
}

/// A plugin is loaded before those that build upon it.
fn help_of(plugins: &[&str]) -> Vec<String> {
    let paths = plugins.iter().map(|name| format!("{PLUGINS}/{name}_plugin.so"));
    let arguments = paths.flat_map(|path| ["--plugin".to_owned(), path]);
    let output = Command::new("uwsgi").args(arguments).arg("--help").stdin(Stdio::null()).output().unwrap();
    let words = text(&output);
    let named = words.lines().filter_map(|line| line.trim_start().split(' ').next());
    named.filter_map(|word| Some(word.split_once("--")?.1.to_owned())).collect()
}

fn every_name() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = help_of(&[]).into_iter().collect();
    assert!(names.len() > 500, "uwsgi --help names {} options", names.len());
    for entry in Path::new(PLUGINS).read_dir().unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix("_plugin.so").filter(|name| !name.is_empty()) else { continue };
        let base = match name.split('_').next().unwrap() {
            "gevent" | "tornado" | "asyncio" | "greenlet" => "python3",
            "jwsgi" | "ring" | "servlet" => "jvm",
            "fiber" | "rbthreads" => "rack",
            _ => name,
        };
        let plugins: &[&str] = if base == name { &[name] } else { &[base, name] };
        names.extend(help_of(plugins));
    }
    names
}

#[test]
fn no_option_of_a_real_uwsgi_is_taken_for_a_typing_error() {
    if !Path::new(PLUGINS).exists() {
        println!("skipped: uwsgi-core and its plugins are not installed");
        return;
    }
    let names = every_name();
    let tree = Tree::new();
    let file = tree.path("all.ini");
    let lines: String =
        names.iter().filter(|name| !is_acted_upon(name)).map(|name| format!("{name} = 1\n")).collect();
    std::fs::write(&file, format!("[uwsgi]\n{lines}")).unwrap();
    let (code, report) = json(&["check", "--json", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{}", report["files"][0]["errors"]);
    let warnings = report["files"][0]["warnings"].as_array().unwrap();
    let unknown: Vec<&Value> =
        warnings.iter().filter(|one| one.to_string().contains("placeholder")).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(report["files"][0]["options"].as_array().unwrap().len() > 500);
}

/// Those that are carried out while a config is read, and the one that makes it an Emperor's: with `1` for a value
/// they would be errors of another kind.
fn is_acted_upon(name: &str) -> bool {
    const NAMES: &str = " config declare emperor exit fallback-config get include inherit ini iprint js json print \
        resolve set set-ph set-placeholder strict toml xml xmlconfig yaml yml ";
    const STARTS: [&str; 8] = ["if", "for-", "end", "else", "declare-", "blacklist", "whitelist", "inject-"];
    NAMES.contains(&format!(" {name} "))
        || name == "for"
        || STARTS.iter().any(|start| name.starts_with(start))
}
