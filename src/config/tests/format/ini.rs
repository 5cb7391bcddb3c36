use std::sync::Arc;

use proptest::prelude::*;

use crate::config::format::{self, FILE_MAX, Format, LINE_MAX, Section, Written, decode};
use crate::config::place::Texts;

fn parse(file: &Arc<str>, text: &str, section: &str) -> Section {
    format::parse(Format::Ini, file, text, Some(section))
}

fn lines(text: &str) -> Vec<(String, String, u32, u32, u32)> {
    let flat = |one: Written| (one.key, one.value, one.place.line, one.place.column, one.value_place.column);
    parse(&"a.ini".into(), text, "uwsgi").lines.into_iter().map(flat).collect()
}

#[test]
fn a_line_is_split_at_its_first_equals_sign() {
    let row = |key: &str, value: &str, line, key_column, value_column| {
        (key.to_owned(), value.to_owned(), line, key_column, value_column)
    };
    let table = [
        ("[uwsgi]\nuid = 5", vec![row("uid", "5", 2, 1, 7)]),
        ("[uwsgi]\n\t uid=5 \r\n", vec![row("uid", "5", 2, 3, 7)]),
        ("[uwsgi]\nenv = A=b", vec![row("env", "A=b", 2, 1, 7)]),
        ("[uwsgi]\nemperor-tyrant", vec![row("emperor-tyrant", "", 2, 1, 15)]),
        ("[uwsgi]\ncommand = a ; b # c", vec![row("command", "a ; b # c", 2, 1, 11)]),
        ("[uwsgi]\ncommand = \"a\\", vec![row("command", "\"a\\", 2, 1, 11)]),
        ("[uwsgi]\n; uid = 5\n  # gid = 5\n\n", vec![]),
        ("uid = 5\n[other]\ngid = 5\n", vec![]),
        ("[uwsgi]\na\n[other]\nb\n[uwsgi] ; again\na", vec![row("a", "", 2, 1, 2), row("a", "", 6, 1, 2)]),
        ("[ uwsgi ]\na", vec![row("a", "", 2, 1, 2)]),
    ];
    for (text, wanted) in table {
        assert_eq!(lines(text), wanted, "{text:?}");
    }
}

#[test]
fn lines_that_cannot_be_read_are_told_and_skipped() {
    let long = "x".repeat(LINE_MAX + 1);
    let text = format!("[uwsgi]\n = 5\n[broken\n[a] b\n{long}\nuid = 5\n");
    let section = parse(&"a.ini".into(), &text, "uwsgi");
    assert_eq!(section.lines.len(), 1);
    let mut texts = Texts::default();
    texts.insert(&Arc::from("a.ini"), text.as_str());
    let told: Vec<String> = texts.explain(section.errors).iter().take(3).map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    a.ini:2:2: no name before the `=`
       = 5
       ^
      write: NAME = VALUE
    a.ini:3:1: a section header ends with `]`
      [broken
      ^
      write: [uwsgi]
    a.ini:4:1: a section header ends with `]`
      [a] b
      ^
      write: [uwsgi]
    ");
}

#[test]
fn a_file_that_is_no_text_is_refused_where_that_begins() {
    let file: Arc<str> = "a.ini".into();
    let refused = |bytes: &[u8]| decode(&file, bytes).expect_err("refused").to_string();
    assert!(refused(b"[uwsgi]\nuid\0").starts_with("a.ini:2:4: a NUL byte: this is no text file\n"));
    assert!(refused(b"[uwsgi]\n\xc3\xa4\xff").starts_with("a.ini:2:3: not valid UTF-8\n"));
    assert!(refused(&vec![b' '; FILE_MAX + 1]).contains("larger than"));
    assert_eq!(decode(&file, "\u{feff}[uwsgi]".as_bytes()), Ok("[uwsgi]"));
}

proptest! {
    #[test]
    fn the_reader_bears_every_text_and_each_place_points_at_its_key(text in "(\\PC|[\\[\\]=;#\n\r\t ]|\\[uwsgi\\]\n){0,200}") {
        let file: Arc<str> = "a.ini".into();
        let section = parse(&file, &text, "uwsgi");
        let mut texts = Texts::default();
        texts.insert(&file, text.as_str());
        for one in section.lines {
            let line = texts.line(&one.place).expect("a line of the text");
            prop_assert!(line[one.place.column as usize - 1..].starts_with(&one.key));
            prop_assert!(line[one.value_place.column as usize - 1..].starts_with(&one.value));
        }
        for error in texts.explain(section.errors) {
            prop_assert!(error.to_string().contains('^'));
        }
    }

    #[test]
    fn the_decoder_bears_every_file(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        match decode(&"a.ini".into(), &bytes) {
            Ok(text) => prop_assert!(bytes.ends_with(text.as_bytes())),
            Err(error) => prop_assert!(error.place.is_some()),
        }
    }
}
