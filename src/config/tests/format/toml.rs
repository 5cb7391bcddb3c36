use super::*;

#[test]
fn keys_are_taken_in_the_order_of_the_text() {
    let text = "x = 1\n[uwsgi]\nz = \"a b\"\na = [1, 'two',\n  true]\nm = 0x10\nf = 1.50\n[other]\nq = 1\n";
    let wanted = expect(&[
        ("z", "a b", "3:1", "3:5"),
        ("a", "1", "4:1", "4:6"),
        ("a", "two", "4:1", "4:9"),
        ("a", "true", "4:1", "5:3"),
        ("m", "16", "6:1", "6:5"),
        ("f", "1.50", "7:1", "7:5"),
    ]);
    assert_eq!(rows(Format::Toml, text), wanted);
}

#[test]
fn what_is_no_toml_or_no_value_is_told() {
    let broken = ["[uwsgi]\na = 1\na = 2\n", "[uwsgi]\na = b\n", "[uwsgi]\na = {b = 1}\nd = 2026-01-01\n"];
    let all: String = broken.map(|text| told(text, &section(Format::Toml, text))).concat();
    insta::assert_snapshot!(all, @r#"
    f:3:1: not valid TOML: duplicate key
      a = 2
      ^
      a line is NAME = "TEXT", NAME = NUMBER or NAME = ["TEXT", …], below [uwsgi]
    f:2:5: not valid TOML: string values must be quoted, expected literal string
      a = b
          ^
      a line is NAME = "TEXT", NAME = NUMBER or NAME = ["TEXT", …], below [uwsgi]
    f:2:5: `a` is given a value of type table: it is not read
      a = {b = 1}
          ^
      an option's value is a string, a number, true, false, or an array of these
    f:3:5: `d` is given a value of type datetime: it is not read
      d = 2026-01-01
          ^
      an option's value is a string, a number, true, false, or an array of these
    "#);
}
