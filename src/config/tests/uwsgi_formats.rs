//! The same file, read by us and by the real uwsgi, option by option.

use super::real_uwsgi::{is_here, shown};
use super::{Files, sentences, typed};

/// What uwsgi understood.
fn understood(option: &str, file: &str) -> Vec<(String, String)> {
    let lines = shown(&[&format!("--{option}"), file], &[]).expect("a config that uwsgi takes");
    let pair = |line: &String| line.split_once(" = ").map(|(key, value)| (key.to_owned(), value.to_owned()));
    lines.iter().filter_map(pair).collect()
}

fn compare(option: &str, section: &str, text: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(format!("x.{option}"));
    std::fs::write(&path, text).expect("written");
    let named = format!("{}{section}", path.to_str().expect("UTF-8"));
    let file = path.to_str().expect("UTF-8");
    let loaded = Files::of(&[(file, text)]).load_entries(vec![typed(1, option, &named)]);
    assert_eq!(sentences(&loaded.errors), "", "{option} {text}");
    let ours: Vec<_> = loaded.entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
    assert_eq!(ours, understood(option, &named), "{option}{section}: {text}");
}

#[test]
fn ini_is_understood_as_uwsgi_does() {
    if !is_here() {
        return;
    }
    let sections = "x-0 = 0\n[uwsgi]\nx-a = 1 ; no comment\n  x-b\t=\t two words \n# x-c = 1\n;x-d = 1\nx-e = a=b\n[other]\nx-f = 2\n[uwsgi]\nx-a = 3\n";
    compare_keys("ini", "", sections);
    compare_keys("ini", ":other", sections);
}

fn compare_keys(option: &str, section: &str, text: &str) {
    // Names of ours that begin with `x-` are placeholders, and vanish.
    compare(option, section, &text.replace("x-", "qq"));
}

#[test]
fn json_is_understood_as_uwsgi_does() {
    if !is_here() {
        return;
    }
    for text in [
        r#"{"other": {"qq": "n"}, "uwsgi": {"qa": true, "qb": false, "qc": null, "qd": -12, "qe": 5000000000}}"#,
        r#"{"uwsgi": {"qa": 1.50, "qb": 1e3, "qc": ["a", 1, true, null, 2.5, {"q": 1}, ["z"]], "qd": {"k": "v"}}}"#,
        r#"{"uwsgi": {"qa": "1", "qb": "x", "qa": "2", "q\u00e4": "\u00e4 \" \\ /"}, "uwsgi": {"qz": "1"}}"#,
        "\n{ \"uwsgi\" :\n{ \"qa\"\t: \" v \" ,\"q b\":\"x\"}\n}\n\n",
    ] {
        compare("json", "", text);
    }
    compare("json", ":other", r#"{"uwsgi": {"qa": "1"}, "other": {"qb": "2"}}"#);
}

#[test]
fn yaml_is_understood_as_uwsgi_does() {
    if !is_here() {
        return;
    }
    for text in [
        "# c\nother:\n  qx: n\nuwsgi:\n  qa: ~\n  qb: true\n  qc: 0x10 # c\n  qd: \"x # y\"\n  qe: 'it''s'\n",
        "uwsgi:\n  ql:\n    - a\n    - b c\n  qf: [1, 2]\n  qm: {qk: v}\n  qz: 1\nafter:\n  qq: 1\n",
        "uwsgi:\n  ql:\n  - a\n  - b\n  qa: 1\n  qa: 2\n  ? qc\n  : cv\n  qn:\n  qo: x\n",
        "---\nuwsgi:\n  qa: 1\n---\nuwsgi:\n  qb: 2\n",
        "uwsgi:\n  qa: 1\nother:\n  qb: 1\nuwsgi:\n  qc: 3\n",
        "uwsgi:\n  qa:\n    qb:\n      qc: d\n    qg: h\n  qe: f\n",
        "uwsgi: [a, b]\n",
        "uwsgi: x\n",
        "qx: 1\n",
    ] {
        compare("yaml", "", text);
    }
    compare("yaml", ":other", "uwsgi:\n  qa: 1\nother:\n  qb: 2\n");
}

#[test]
fn xml_is_understood_as_uwsgi_does() {
    if !is_here() {
        return;
    }
    for text in [
        "<?xml version=\"1.0\"?><!-- c --><uwsgi><qa/><qb>  a b </qb><qc>a &amp; b &lt;</qc><ql>1</ql><ql>2</ql></uwsgi>",
        "<uwsgi>\n  <qa>x</qa>\n  <qb><![CDATA[raw <x>]]></qb>\n</uwsgi>\n",
        "<uwsgi><qa>one<b>two</b>three</qa><qb>x</qb></uwsgi>",
        "<uwsgi><qa id=\"q\">x</qa></uwsgi>",
    ] {
        compare("xml", "", text);
    }
    let many = "<all><uwsgi id=\"one\"><qa>1</qa></uwsgi><uwsgi id=\"two\"><qa>2</qa><qb id=\"two\">x</qb><qc id=\"one\">y</qc></uwsgi><uwsgi><qa>3</qa></uwsgi></all>";
    for section in ["", ":one", ":two", ":none"] {
        compare("xml", section, many);
    }
}
