use crate::config::place::{ConfigError, Place};
use crate::config::show::{excerpt, printable, quoted};

fn shown(line: &str, column: u32) -> String {
    let place = Place { file: "a.ini".into(), line: 3, column };
    ConfigError { line: Some(line.into()), ..ConfigError::at(&place, "wrong") }.to_string()
}

#[test]
fn the_caret_stands_below_its_column() {
    insta::assert_snapshot!(shown("uid = root", 7), @r"
    a.ini:3:7: wrong
      uid = root
            ^
    ");
    insta::assert_snapshot!(shown("\tuid =\troot", 8), @r"
    a.ini:3:8: wrong
       uid = root
             ^
    ");
    insta::assert_snapshot!(shown("名 = ünï", 7), @r"
    a.ini:3:7: wrong
      名 = ünï
           ^
    ");
    insta::assert_snapshot!(shown("a\u{1b}[31m = x", 11), @r"
    a.ini:3:11: wrong
      a\u{1b}[31m = x
                     ^
    ");
    insta::assert_snapshot!(shown("uid", 4), @r"
    a.ini:3:4: wrong
      uid
         ^
    ");
}

#[test]
fn a_long_line_is_cut_around_its_caret() {
    let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
    let (text, caret) = excerpt(&line, 501);
    assert_eq!(text.chars().count(), 122);
    assert_eq!(text.chars().skip(caret).take(4).collect::<String>(), "HERE");
    assert!(text.starts_with('…') && text.ends_with('…'));
}

#[test]
fn a_column_beyond_the_line_or_within_a_character_is_borne() {
    assert_eq!(excerpt("ab", 99), ("ab".into(), 2));
    assert_eq!(excerpt("äb", 2), ("äb".into(), 0));
    assert_eq!(excerpt("", 0), (String::new(), 0));
}

#[test]
fn strangers_text_obeys_no_terminal() {
    assert_eq!(printable("a\tb\u{1b}[0m\u{202e}\n"), "a b\\u{1b}[0m\\u{202e}\\n");
    assert_eq!(quoted(&"x".repeat(100)), format!("`{}…`", "x".repeat(60)));
}
