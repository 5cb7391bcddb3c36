use super::*;

#[test]
fn scalars_are_values_as_they_are_written() {
    let text = "# c\nother:\n  x: n\nuwsgi:\n  ä: ~ # c\n  q: \"a # b\"\n  s: 'it''s'\n  l:\n  - 0x10\n  - [ö, yes]\n  m: {k: v}\n  q: 2\nafter:\n  z: 1\n";
    let wanted = expect(&[
        ("ä", "~", "5:3", "5:7"),
        ("q", "a # b", "6:3", "6:6"),
        ("s", "it's", "7:3", "7:6"),
        ("l", "0x10", "8:3", "9:5"),
        ("l", "ö", "8:3", "10:6"),
        ("l", "yes", "8:3", "10:10"),
        ("k", "v", "11:7", "11:10"),
        ("q", "2", "12:3", "12:6"),
    ]);
    assert_eq!(rows(Format::Yaml, text), wanted);
}

#[test]
fn text_of_several_lines_keeps_its_line_ends() {
    let text = "uwsgi:\n  a: |\n    x\n    y\n  b: >-\n    x\n    y\n";
    assert_eq!(pairs(Format::Yaml, text), owned(&[("a", "x\ny\n"), ("b", "x y")]));
}

#[test]
fn only_a_mapping_at_the_top_of_the_file_is_a_section() {
    let found = ["x: 1", "a:\n  uwsgi:\n    b: 1", "- uwsgi:\n    b: 1", "uwsgi: x", "uwsgi:", ""];
    for text in found {
        let section = section(Format::Yaml, text);
        assert!(section.found.is_none() && section.lines.is_empty(), "{text:?}");
    }
    let twice = "uwsgi:\n  a: 1\nuwsgi:\n  b: 2\n";
    assert_eq!(pairs(Format::Yaml, twice), owned(&[("a", "1")]), "reading ends with the section");
    let list = "uwsgi:\n  - a: 1\n  - b: 2\n";
    assert_eq!(pairs(Format::Yaml, list), owned(&[("a", "1"), ("b", "2")]));
}

#[test]
fn anchors_tags_and_what_has_no_value_are_told() {
    let broken = [
        "uwsgi:\n  a: &x 1\n  b: *x\n",
        "uwsgi:\n  a: !!str 1\n",
        "uwsgi:\n  a:\n  b: 1\n",
        "uwsgi:\n\ta: 1\n",
        "uwsgi:\n  - alone\n",
        "uwsgi:\n  [a]: b\n",
    ];
    let all: String = broken.map(|text| told(text, &section(Format::Yaml, text))).concat();
    insta::assert_snapshot!(all, @r#"
    f:2:6: an anchor (&name) or a tag (!name) is not read in a config
        a: &x 1
           ^
      write the value itself, or use a placeholder: %(name)
    f:2:6: an anchor (&name) or a tag (!name) is not read in a config
        a: !!str 1
           ^
      write the value itself, or use a placeholder: %(name)
    f:2:3: `a` has no value: it is not read
        a:
        ^
      write: a: true
    f:2:2: not valid YAML: tabs disallowed within this context (block indentation)
       a: 1
       ^
      a line is NAME: VALUE, indented with spaces below `uwsgi:`; a value with : or # stands in "…"
    f:2:5: `alone` has no name: it is not read
        - alone
          ^
      write: name: value
    f:2:3: a key must be a word, not a mapping or a list
        [a]: b
        ^
      write: name: value
    "#);
}

#[test]
fn aliases_cannot_multiply() {
    let mut bomb = "uwsgi:\n  a0: &a0 [ha, ha]\n".to_owned();
    (1..30).for_each(|n| bomb.push_str(&format!("  a{n}: &a{n} [*a{m}, *a{m}]\n", m = n - 1)));
    let section = section(Format::Yaml, &bomb);
    assert!(section.lines.is_empty() && section.errors.len() == 1);
}
