use proptest::prelude::*;

use super::{Files, load_text, pairs, sentences, typed};
use crate::config::blocks::NESTED_MAX;
use crate::config::load::{ENTRIES_MAX, ERRORS_MAX};
use crate::config::loops::ITEMS_MAX;

/// Values of `env` of a config that has no errors.
fn values(text: &str) -> Vec<String> {
    let loaded = load_text(&format!("[uwsgi]\n{text}"));
    assert_eq!(sentences(&loaded.errors), "", "{text}");
    pairs(&loaded).into_iter().filter(|(key, _)| *key == "env").map(|(_, value)| value.to_owned()).collect()
}

fn errors(text: &str) -> String {
    let loaded = load_text(&format!("[uwsgi]\n{text}"));
    sentences(&loaded.texts.explain(loaded.errors))
}

#[test]
fn blocks_stand_within_blocks() {
    let table: [(&str, &[&str]); 6] = [
        ("for = a b\nfor = %(_)1 %(_)2\nenv = %(_)\nendfor\nendfor\n", &["a1", "a2", "b1", "b2"]),
        (
            "for = zz HOME\nif-env = %(_)\nenv = %(_)\nelse\nenv = no-%(_)\nendif\nendfor\n",
            &["/home/shop", "no-zz"],
        ),
        ("if-env = NONE\nfor = a\nif-env = HOME\nenv = 1\nendif\nendfor\nelse\nenv = 2\nendif\n", &["2"]),
        ("if-env = HOME\nif-env = NONE\nelse\nenv = 1\nend\nend\nenv = 2\n", &["1", "2"]),
        ("for = a\nif-not-opt = x\nenv = %(_)\nendif\nendfor\n", &["a"]),
        ("for-times = 2\nfor-times = %(_)\nenv = %(_)\nend\nend\n", &["1", "1", "2"]),
    ];
    for (text, wanted) in table {
        assert_eq!(values(text), wanted, "{text}");
    }
}

#[test]
fn else_counts_when_the_condition_does_not_hold() {
    let table: [(&str, &[&str]); 7] = [
        ("if-env = HOME\nenv = 1\nelse\nenv = 2\nendif\n", &["1"]),
        ("if-env = NONE\nenv = 1\nelse\nenv = 2\nenv = 3\nendif\n", &["2", "3"]),
        ("if-env = NONE\nelse\nenv = 2\nendif\n", &["2"]),
        ("if-env = HOME\nelse\nenv = 2\nendif\n", &[]),
        ("if-not-opt = x\nx = 1\nelse\nenv = 2\nendif\nenv = %(x)\n", &["1"]),
        ("if-opt = x\nelse\nx = 1\nenv = %(x)\nenv = 3\nendif\n", &["1", "3"]),
        ("if-env = NONE\nelse\nenv = %(_)\nendif\n", &["%(_)"]),
    ];
    for (text, wanted) in table {
        assert_eq!(values(text), wanted, "{text}");
    }
}

#[test]
fn conditions_ask_who_reads_the_config() {
    let table = [
        ("if-uid = 1001", true),
        ("if-uid = shop", true),
        ("if-uid = 0", false),
        ("if-not-uid = 0", true),
        ("if-not-uid = shop", false),
        ("if-gid = 1002", true),
        ("if-gid = shops", true),
        ("if-gid = shop", false),
        ("if-not-gid = shops", false),
        ("if-hostname = node7", true),
        ("if-hostname-match = ^node[0-9]+$", true),
        ("if-not-hostname-match = ^db", true),
        ("if-file = a.ini", true),
        ("if-dir = a.ini", false),
        ("if-not-directory = a.ini", true),
        ("if-exists = $(HOME)", false),
        ("if-plugin = python", false),
    ];
    for (condition, wanted) in table {
        assert_eq!(
            values(&format!("{condition}\nenv = 1\nendif\n")).len(),
            usize::from(wanted),
            "{condition}"
        );
    }
}

#[test]
fn what_stands_in_no_block_is_told_with_both_ends() {
    insta::assert_snapshot!(errors(
        "endif\nelse\nfor = a\nelse\nendif\nif-env = A\nelse\nelse\nend\nif-hostname-match = (\nuid = 1\nend\nfor-times = x\nuid = 1\nend\nif-env = B\n"
    ), @r"
    a.ini:2:1: `endif` ends nothing: no `for` or `if` is open in this file
      endif
      ^
      take it out
    a.ini:3:1: `else` without an `if` before it in this file
      else
      ^
      `else` stands once between an `if-…` and its `endif`
    a.ini:5:1: `else` within the `for` of a.ini:4:1
      else
      ^
      `else` stands once between an `if-…` and its `endif`
    a.ini:6:1: `endif` cannot end the `for` of a.ini:4:1
      endif
      ^
      write: endfor =
    a.ini:9:1: a second `else` for the `if-env` of a.ini:7:1
      else
      ^
      `else` stands once between an `if-…` and its `endif`
    a.ini:11:21: bad pattern `(`: found open group without closing ')'
      if-hostname-match = (
                          ^
      a backslash before a sign makes it an ordinary one
    a.ini:14:13: `x` is no number
      for-times = x
                  ^
      write: for-times = 3
    a.ini:17:1: `if-env` has no end in this file
      if-env = B
      ^
      write behind its last line: endif =
    ");
}

#[test]
fn a_block_ends_in_the_file_in_which_it_began() {
    let world = Files::of(&[
        ("a.ini", "[uwsgi]\nif-env = HOME\ninclude = b.ini\nenv = 1\nendif\n"),
        ("b.ini", "[uwsgi]\nendif\nif-env = HOME\n"),
    ]);
    let loaded = world.load("a.ini");
    assert_eq!(pairs(&loaded), [("env", "1")]);
    insta::assert_snapshot!(sentences(&loaded.texts.explain(loaded.errors)), @r"
    b.ini:2:1: `endif` ends nothing: no `for` or `if` is open in this file
      endif
      ^
      take it out
    b.ini:3:1: `if-env` has no end in this file
      if-env = HOME
      ^
      write behind its last line: endif =
    ");
}

#[test]
fn the_command_line_has_blocks_too() {
    let loaded = Files::of(&[]).load_entries(vec![
        typed(1, "for", "a b"),
        typed(2, "env", "%(_)"),
        typed(3, "endfor", ""),
        typed(4, "if-env", "NONE"),
    ]);
    assert_eq!(pairs(&loaded), [("env", "a"), ("env", "b")]);
    assert!(sentences(&loaded.errors).contains("command line:4:1: `if-env` has no end"));
}

#[test]
fn what_a_condition_or_a_loop_needs_is_read_once() {
    let lines = "env = %(_)\n".repeat(2_000);
    let text = format!("[uwsgi]\nif-hostname = @(name)\nfor = @(name)\n{lines}endfor\nendif\n");
    let world = Files::of(&[("a.ini", &text), ("name", "node7\n")]);
    let loaded = world.load("a.ini");
    // The condition reads it once, each line of the loop for itself.
    assert!(sentences(&loaded.errors).contains("more than 1000 sources"));
    let text = format!("[uwsgi]\nif-hostname = @(name)\n{lines}endif\nfor-glob = *@(name)\n{lines}endfor\n");
    let loaded = Files::of(&[("a.ini", &text), ("name", "node7\n")]).load("a.ini");
    assert_eq!((sentences(&loaded.errors).as_str(), loaded.entries.len()), ("", 4_000));
}

#[test]
fn loops_end() {
    let nested = "for-times = 10000\n".repeat(3) + "env = 1\n" + &"endfor\n".repeat(3);
    let idle = "for-times = 10000\n".repeat(3) + "if-env = NONE\nenv = 1\nendif\n" + &"endfor\n".repeat(3);
    let deep = "if-env = HOME\n".repeat(NESTED_MAX + 1);
    let wide = format!("for = {}\nenv = {}\nendfor\n", "x".repeat(30_000), "%(_)".repeat(10_000));
    let table = [
        ("for-times = 1000000000\nenv = 1\nendfor\n", "more than 10000 items"),
        ("for-times = 99999999999999999999999\nenv = 1\nendfor\n", "more than 10000 items"),
        (nested.as_str(), "more than 10000 options"),
        (idle.as_str(), "turns together"),
        (deep.as_str(), "blocks within blocks"),
        (wide.as_str(), "expand"),
    ];
    for (text, wanted) in table {
        let found = errors(text);
        assert!(found.contains(wanted), "{wanted}: {found}");
        assert!(found.starts_with("a.ini:"), "{found}");
    }
    assert_eq!(values(&format!("for-times = {ITEMS_MAX}\nenv = 1\nendfor\n")).len(), ITEMS_MAX);
}

#[test]
fn a_million_keys_are_one_error() {
    let many = "x=1\n".repeat(250_000);
    let world = Files::of(&[
        ("a.ini", "[uwsgi]\ninclude = b.ini\ninclude = b.ini\ninclude = b.ini\ninclude = b.ini\n"),
        ("b.ini", &format!("[uwsgi]\n{many}")),
    ]);
    let loaded = world.load("a.ini");
    assert!(sentences(&loaded.errors).contains("more than 10000 options"));
    assert!(loaded.entries.len() <= ENTRIES_MAX && loaded.errors.len() <= 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_logic_makes_us_panic_or_work_without_end(lines in prop::collection::vec(
        "(for|for-times|for-glob|for-readline|if-env|if-opt|if-not-opt|if-file|if-hostname-match|if-uid|else|endfor|endif|end|env|x|set|set-ph|include|inherit|declare-option|declare-option2|y|blacklist|end-blacklist|whitelist|strict|print|iprint|exit) ?= ?(a b|9999|%\\(_\\)|\\*i|a.ini|b.ini|HOME|x|x=%\\(_\\)|%\\(x\\)%\\(x\\)|%\\(x \\+ 1\\)|y=y=\\$1;x=\\$1\\$1|@\\(b.ini\\)|\\(|env x|)",
        0..60,
    )) {
        let text = format!("[uwsgi]\n{}\n", lines.join("\n"));
        let other = format!("[uwsgi]\n{}\n", lines.iter().rev().cloned().collect::<Vec<_>>().join("\n"));
        let loaded = Files::of(&[("a.ini", &text), ("b.ini", &other)]).load("a.ini");
        prop_assert!(loaded.entries.len() <= ENTRIES_MAX && loaded.errors.len() <= ERRORS_MAX);
    }
}
