use super::*;

#[test]
fn members_are_taken_in_order_with_their_places() {
    let text =
        "{\n \"uwsgi\": {\n  \"ä\\u00e4\": \"x\\ny\", \"b\": [1, true,\n   null],\n  \"b\" : 2.50\n }\n}";
    let wanted = expect(&[
        ("ää", "x\ny", "3:3", "3:15"),
        ("b", "1", "3:23", "3:29"),
        ("b", "1", "3:23", "3:32"),
        ("b", "0", "3:23", "4:4"),
        ("b", "2.50", "5:3", "5:9"),
    ]);
    assert_eq!(rows(Format::Json, text), wanted);
}

#[test]
fn what_cannot_be_a_value_is_told() {
    let text = "{\"uwsgi\": {\"a\": {\"b\": 1},\n \"c\": [[1], 2]}}";
    insta::assert_snapshot!(told(text, &section(Format::Json, text)), @r#"
    f:1:17: `a` is given a list or an object: it is not read
      {"uwsgi": {"a": {"b": 1},
                      ^
      an option's value is a string, a number, true, false, or a list of these
    f:2:8: `c` is given a list or an object: it is not read
       "c": [[1], 2]}}
             ^
      an option's value is a string, a number, true, false, or a list of these
    "#);
    assert_eq!(pairs(Format::Json, text), owned(&[("c", "2")]));
}

#[test]
fn what_is_no_json_is_told_where_that_begins() {
    let broken =
        ["{\"uwsgi\":\n {\"a\": 1,}}", "{\"uwsgi\": []}", "{\"uwsgi\": {\"a\": \"\\ud800\"}}", "[]", "{} x"];
    let all: String = broken.map(|text| told(text, &section(Format::Json, text))).concat();
    insta::assert_snapshot!(all, @r#"
    f:2:10: not valid JSON: key must be a string
       {"a": 1,}}
               ^
      names and texts stand in "…", commas between two of them, all of it in {"uwsgi": { … }}
    f:1:11: not valid JSON: invalid type: sequence, expected an object, { … }
      {"uwsgi": []}
                ^
      names and texts stand in "…", commas between two of them, all of it in {"uwsgi": { … }}
    f:1:24: not valid JSON: unexpected end of hex escape
      {"uwsgi": {"a": "\ud800"}}
                             ^
      names and texts stand in "…", commas between two of them, all of it in {"uwsgi": { … }}
    f:1:1: not valid JSON: invalid type: sequence, expected an object, { … }
      []
      ^
      names and texts stand in "…", commas between two of them, all of it in {"uwsgi": { … }}
    f:1:4: not valid JSON: trailing characters
      {} x
         ^
      names and texts stand in "…", commas between two of them, all of it in {"uwsgi": { … }}
    "#);
}
