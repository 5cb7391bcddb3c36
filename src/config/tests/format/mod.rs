mod ini;
mod json;
mod toml;
mod xml;
mod yaml;

use std::sync::Arc;

use proptest::prelude::*;

use crate::config::format::{self, Format, LINES_MAX, SECTIONS_MAX, Section};
use crate::config::place::Texts;

/// Key, value, and the places of both, `line:column`.
type Row = (String, String, String, String);

fn section(format: Format, text: &str) -> Section {
    format::parse(format, &"f".into(), text, None)
}

fn rows(format: Format, text: &str) -> Vec<Row> {
    let section = section(format, text);
    assert_eq!(told(text, &section), "", "{text}");
    let at = |place: crate::config::place::Place| format!("{}:{}", place.line, place.column);
    section.lines.into_iter().map(|one| (one.key, one.value, at(one.place), at(one.value_place))).collect()
}

fn pairs(format: Format, text: &str) -> Vec<(String, String)> {
    section(format, text).lines.into_iter().map(|one| (one.key, one.value)).collect()
}

fn expect(list: &[(&str, &str, &str, &str)]) -> Vec<Row> {
    list.iter().map(|(a, b, c, d)| ((*a).into(), (*b).into(), (*c).into(), (*d).into())).collect()
}

fn owned(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Errors and warnings, each with its line.
fn told(text: &str, section: &Section) -> String {
    let mut texts = Texts::default();
    texts.insert(&Arc::from("f"), text);
    let all = section.errors.iter().chain(&section.ignored).cloned().collect();
    texts.explain(all).iter().map(|error| format!("{error}\n")).collect()
}

/// The same three options in each format, written `many` times.
fn repeated(format: Format, many: usize) -> String {
    match format {
        Format::Ini => format!("[uwsgi]\n{}", "a=1\n".repeat(many)),
        Format::Xml => format!("<uwsgi>{}</uwsgi>", "<a/>".repeat(many)),
        Format::Yaml => format!("uwsgi:\n  a: [{}]", "1,".repeat(many)),
        Format::Json => format!("{{\"uwsgi\":{{\"a\":[1{}]}}}}", ",1".repeat(many - 1)),
        Format::Toml => format!("[uwsgi]\na = [{}]", "1,".repeat(many)),
    }
}

const ALL: [Format; 5] = [Format::Ini, Format::Xml, Format::Yaml, Format::Json, Format::Toml];

#[test]
fn every_format_has_the_same_bound_on_options() {
    for format in ALL {
        let section = section(format, &repeated(format, 30_000));
        assert!(section.found.is_some(), "{format:?}");
        assert_eq!(section.lines.len(), LINES_MAX, "{format:?}");
        assert_eq!(section.errors.len(), 1, "{format:?}");
    }
}

#[test]
fn every_format_has_the_same_bound_on_sections() {
    let many = |one: fn(usize) -> String| (0..2_000).map(one).collect::<String>();
    for (format, text) in [
        (Format::Ini, many(|_| "[a]\n".into())),
        (Format::Xml, format!("<a>{}</a>", many(|_| "<uwsgi id=\"a\"/>".into()))),
        (Format::Yaml, many(|number| format!("a{number}:\n  x: 1\n"))),
        (Format::Json, format!("{{{}\"z\":{{}}}}", many(|number| format!("\"a{number}\":{{}},")))),
        (Format::Toml, many(|number| format!("[a{number}]\n"))),
    ] {
        assert_eq!(section(format, &text).sections.len(), SECTIONS_MAX, "{format:?}");
    }
}

#[test]
fn every_format_has_the_same_bound_on_a_value() {
    let long = "x".repeat(100_000);
    for text in [
        (Format::Ini, format!("[uwsgi]\na = {long}")),
        (Format::Xml, format!("<uwsgi><a>{long}</a></uwsgi>")),
        (Format::Yaml, format!("uwsgi:\n  a: {long}")),
        (Format::Json, format!("{{\"uwsgi\":{{\"a\":\"{long}\"}}}}")),
        (Format::Toml, format!("[uwsgi]\na = \"{long}\"")),
    ] {
        let section = section(text.0, &text.1);
        assert!(section.lines.is_empty(), "{:?}", text.0);
        assert!(section.errors[0].cause.contains("more than 65536 bytes"), "{:?}", section.errors);
    }
}

#[test]
fn depth_without_end_ends_in_an_error_or_a_warning() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for (format, text) in [
        (Format::Xml, format!("<uwsgi>{}</uwsgi>", deep("<a>", "</a>"))),
        (Format::Yaml, format!("uwsgi: {}", deep("[", "]"))),
        (Format::Yaml, format!("uwsgi: {}", deep("{a: ", "}"))),
        (Format::Yaml, "- ".repeat(100_000)),
        (Format::Json, format!("{{\"uwsgi\":{{\"a\":{}}}}}", deep("[", "]"))),
        (Format::Json, deep("{\"uwsgi\":", "}")),
        (Format::Toml, format!("[uwsgi]\na = {}", deep("[", "]"))),
        (Format::Toml, format!("[uwsgi]\na{} = 1", ".a".repeat(100_000))),
    ] {
        let section = section(format, &text);
        assert!(section.lines.is_empty(), "{format:?}");
        assert!(!section.errors.is_empty() || !section.ignored.is_empty(), "{format:?}");
    }
}

proptest! {
    #[test]
    fn every_format_bears_every_text(
        text in "(\\PC|[\\[\\]{}<>:,\"'&*!#=\n\r\t -]|uwsgi|<uwsgi>|</|\\[uwsgi\\]\n|\\{\"uwsgi\":|uwsgi:\n  ){0,120}",
    ) {
        for format in ALL {
            let section = section(format, &text);
            for error in section.errors.iter().chain(&section.ignored) {
                prop_assert!(error.place.is_some());
                let obeyed = error.to_string().contains('\u{1b}');
                prop_assert!(!obeyed);
            }
        }
    }
}
