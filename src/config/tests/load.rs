use proptest::prelude::*;

use super::{Files, load_text, pairs, sentences, typed};
use crate::config::load::{BYTES_MAX, DEPTH_MAX, ENTRIES_MAX, ERRORS_MAX, FILES_MAX};
use crate::config::place::{ENVIRONMENT, Entry};

#[test]
fn files_are_read_where_they_are_named_and_inherited_ones_last() {
    let world = Files::of(&[
        ("a.ini", "[uwsgi]\nchdir = 1\ninherit = base.ini\ninclude = b.ini:other\nchdir = 4\n"),
        ("b.ini", "[other]\nchdir = 2\nini = :third\n[third]\nchdir = 3\n"),
        ("base.ini", "[uwsgi]\nchdir = 5-%n-$(HOME)\ninherit = %(root).ini\nroot = root\n"),
        ("root.ini", "[uwsgi]\nchdir = 6\n"),
    ]);
    let loaded = world.load("a.ini");
    assert_eq!(sentences(&loaded.errors), "");
    let values: Vec<&str> =
        pairs(&loaded).into_iter().filter(|(key, _)| *key == "chdir").map(|(_, value)| value).collect();
    assert_eq!(values, ["1", "2", "3", "4", "5-base-/home/shop", "6"]);
}

#[test]
fn every_entry_knows_its_place() {
    let world =
        Files::of(&[("a.ini", "[uwsgi]\ninclude = b.ini\n"), ("b.ini", "\n[uwsgi]\n  uid = %(x)\nx = 5\n")]);
    let loaded = world.load("a.ini");
    let entry = &loaded.entries[0];
    assert_eq!(
        (entry.place.to_string(), entry.value_place.to_string()),
        ("b.ini:3:3".into(), "b.ini:3:9".into())
    );
    assert_eq!(loaded.texts.line(&entry.place), Some("  uid = %(x)"));
}

#[test]
fn set_makes_options_and_placeholders() {
    let loaded = load_text(
        "[uwsgi]\nset = uid=5\nset = mine=x\nset-placeholder = other = y\ncommand = %(mine) %(other)\n",
    );
    assert_eq!(pairs(&loaded), [("uid", "5"), ("command", "x y")]);
    let loaded = load_text("[uwsgi]\nset = uid\nset-ph = gid=5\nset = set=a=b\n");
    insta::assert_snapshot!(sentences(&loaded.texts.explain(loaded.errors)), @r"
    a.ini:2:7: `set`: no `=`
      set = uid
            ^
      write: set = NAME=VALUE
    a.ini:3:10: `gid` is an option, it cannot be a placeholder
      set-ph = gid=5
               ^
      use `set`, or another name
    a.ini:4:7: `set` cannot set itself
      set = set=a=b
            ^
      write what it is to set: set = NAME=VALUE
    ");
}

#[test]
fn an_unknown_name_is_kept_for_the_reader_to_refuse() {
    let loaded = load_text("[uwsgi]\nused = 1\nchdir = %(used)\nx-mine = 1\ncomand = 1\n");
    assert_eq!(pairs(&loaded), [("chdir", "1"), ("comand", "1")]);
}

#[test]
fn an_unknown_variable_of_the_environment_is_a_warning() {
    let mut entry = typed(1, "emperor-tyrnt", "1");
    entry.place.file = ENVIRONMENT.into();
    let loaded = Files::of(&[]).load_entries(vec![entry]);
    assert!(loaded.entries.is_empty());
    insta::assert_snapshot!(sentences(&loaded.warnings), @r"
    environment:1:1: no option is called `emperor-tyrnt`: this variable is ignored
      did you mean `emperor-tyrant`?
    ");
}

#[test]
fn a_section_that_was_asked_for_must_exist() {
    let world = Files::of(&[("a.ini", "[uwsgi]\nuid = 1\n[zerg]\n"), ("b.ini", "uid = 1\n")]);
    let asked = world.load("a.ini:none");
    insta::assert_snapshot!(sentences(&asked.errors), @r"
    command line:1:1: `a.ini` has no section [none]
      it has [uwsgi], [zerg]
    ");
    let usual = world.load("b.ini");
    assert!(usual.errors.is_empty());
    insta::assert_snapshot!(sentences(&usual.warnings), @r"
    b.ini: no section [uwsgi]
      begin the file with [uwsgi]: what stands before a section is not read
    ");
}

#[test]
fn files_that_cannot_be_read_are_told_where_they_are_named() {
    let world =
        Files::of(&[("a.ini", "[uwsgi]\ninclude = none.ini\nini = ftp\nini =\ninclude = a.ini\nini = -\n")]);
    let loaded = world.load("a.ini");
    insta::assert_snapshot!(sentences(&loaded.texts.explain(loaded.errors)), @r"
    a.ini:2:11: cannot read `none.ini`: entity not found
      include = none.ini
                ^
      is the name right? A relative one counts from the start directory (%v)
    a.ini:3:7: cannot read `ftp`: entity not found
      ini = ftp
            ^
      is the name right? A relative one counts from the start directory (%v)
    a.ini:4:6: `ini` needs a file
      ini =
           ^
      write: ini = FILE
    a.ini:5:11: `a.ini` includes itself
      include = a.ini
                ^
      take this line out
    a.ini:6:7: cannot read `-`: entity not found
      ini = -
            ^
      is the name right? A relative one counts from the start directory (%v)
    ");
}

#[test]
fn the_suffix_of_the_path_or_the_option_chooses_the_format() {
    let world = Files::of(&[
        ("a.xml", "<uwsgi><chdir>x</chdir></uwsgi>"),
        ("a.yml", "uwsgi:\n  chdir: x\nother:\n  chdir: x\n"),
        ("a.js", "{\"uwsgi\": {\"chdir\": \"x\"}, \"other\": {\"chdir\": \"x\"}}"),
        ("a.toml", "[uwsgi]\nchdir = 'x'\n"),
        ("a.conf", "[uwsgi]\nchdir = x\n[other]\nchdir = x\n"),
    ]);
    for (key, name) in [
        ("include", "a.xml"),
        ("inherit", "a.yml:other"),
        ("include", "a.js:other"),
        ("include", "a.toml"),
        ("xmlconfig", "a.xml"),
        ("yaml", "a.yml:other"),
        ("js", "a.js"),
        ("toml", "a.toml"),
        ("ini", "a.conf:other"),
        ("config", "a.conf"),
        ("config", "a.js"),
    ] {
        let loaded = world.load_entries(vec![typed(1, key, name)]);
        assert_eq!(sentences(&loaded.errors), "", "{key} {name}");
        assert_eq!(pairs(&loaded), [("chdir", "x")], "{key} {name}");
    }
    let unknown = world.load_entries(vec![typed(1, "include", "a.conf")]);
    insta::assert_snapshot!(sentences(&unknown.errors), @r"
    command line:1:1: cannot read `a.conf`: its suffix is that of no config
      suffixes are .ini .xml .yaml .yml .json .js .toml; or say what it is: ini = FILE
    ");
}

#[test]
fn a_section_is_looked_for_behind_the_path_of_an_address() {
    for (named, parts) in [
        ("a.ini:b", ("a.ini", Some("b"))),
        ("a.ini", ("a.ini", None)),
        (":b", ("", Some("b"))),
        ("http://h:80/x.ini", ("http://h:80/x.ini", None)),
        ("http://h:80/x.ini:b", ("http://h:80/x.ini", Some("b"))),
        ("http://h:80", ("http://h:80", None)),
        ("exec://cat a.ini:b", ("exec://cat a.ini", Some("b"))),
        ("exec://echo 'a: b'", ("exec://echo 'a: b'", None)),
        ("emperor://a.ini:zerg", ("emperor://a.ini", Some("zerg"))),
        ("fd://3", ("fd://3", None)),
    ] {
        assert_eq!(crate::config::split_section(named), parts, "{named}");
    }
}

#[test]
fn what_is_not_run_here_is_told_and_changes_nothing() {
    let world = Files::of(&[("a.ini", "[uwsgi]\nini = exec://true\nchdir = x\n")]);
    let loaded = world.load("a.ini");
    assert_eq!(sentences(&loaded.errors), "");
    assert_eq!(pairs(&loaded), [("chdir", "x")]);
    insta::assert_snapshot!(sentences(&loaded.texts.explain(loaded.unread)), @r"
    a.ini:2:7: `exec://true`: not run here: only the process that the config is for does that
      ini = exec://true
            ^
    ");
}

#[test]
fn a_name_with_a_colon_before_its_suffix_has_no_section() {
    let world = Files::of(&[("a:b.ini", "[uwsgi]\nuid = 1\n")]);
    assert_eq!(pairs(&world.load("a:b.ini")), [("uid", "1")]);
}

#[test]
fn includes_end() {
    let chain: Vec<(String, String)> =
        (0..=DEPTH_MAX).map(|n| (format!("{n}.ini"), format!("[uwsgi]\nini = {}.ini\n", n + 1))).collect();
    let chain: Vec<(&str, &str)> = chain.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert!(sentences(&Files::of(&chain).load("0.ini").errors).contains("more than 16 deep"));

    let circle = Files::of(&[("a.ini", "[uwsgi]\nini = b.ini\n"), ("b.ini", "[uwsgi]\nini = a.ini\n")]);
    assert!(sentences(&circle.load("a.ini").errors).contains("`a.ini` includes itself"));

    let heirs = Files::of(&[("a.ini", "[uwsgi]\ninherit = a.ini\n")]);
    assert!(sentences(&heirs.load("a.ini").errors).contains(&format!("more than {FILES_MAX} files")));
}

#[test]
fn options_bytes_and_errors_have_bounds() {
    let many = "uid = 1\n".repeat(ENTRIES_MAX + 5);
    let loaded = load_text(&format!("[uwsgi]\n{many}"));
    assert_eq!((loaded.entries.len(), loaded.errors.len()), (ENTRIES_MAX, 1));

    let large = format!("[uwsgi]\n{}", "#\n".repeat(500_000));
    let world = Files::of(&[("large.ini", &large)]);
    let wanted = BYTES_MAX / large.len() + 1;
    let entries: Vec<Entry> = (1..=5).map(|line| typed(line, "ini", "large.ini")).collect();
    let loaded = world.load_entries(entries);
    assert_eq!(loaded.errors.len(), 5 - wanted + 1);

    let broken = "uid = @(x)\n".repeat(1000);
    assert_eq!(load_text(&format!("[uwsgi]\n{broken}")).errors.len(), ERRORS_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_config_is_borne_within_its_bounds(
        text in "(ini|include|inherit|set|set-ph|uid|x|[:=$%@()]|\\PC|[a-c]\\.ini|\n){0,120}",
        other in "\\[x\\]\n((ini|inherit|set) ?= ?[$%]?[(a-c.)]{0,5}(\\.ini)?(:x)?\n){0,9}",
    ) {
        let text = format!("[uwsgi]\n{text}");
        let world = Files::of(&[("a.ini", &text), ("b.ini", &other), ("c.ini", &text)]);
        let loaded = world.load("a.ini");
        prop_assert!(loaded.entries.len() <= ENTRIES_MAX && loaded.errors.len() <= ERRORS_MAX);
        for entry in &loaded.entries {
            prop_assert!(loaded.texts.line(&entry.place).is_some() || &*entry.place.file == "command line");
        }
        for errors in [loaded.vassal().err(), loaded.emperor().err()].into_iter().flatten() {
            let obeyed = errors.iter().any(|error| error.to_string().contains('\u{1b}'));
            prop_assert!(!obeyed);
        }
    }
}
