use super::*;

const MANY: &str = "<all>\n <uwsgi id=\"one\"><a>1</a></uwsgi>\n <uwsgi id=\"two\"><a>2</a><b id=\"two\">x</b><c id=\"one\">y</c></uwsgi>\n <uwsgi><a>3</a></uwsgi>\n</all>";

fn asked(id: &str) -> Vec<(String, String)> {
    let section = format::parse(Format::Xml, &"f".into(), MANY, Some(id));
    assert!(section.found.is_some() && section.sections == ["one", "two"]);
    section.lines.into_iter().map(|one| (one.key, one.value)).collect()
}

#[test]
fn the_text_of_an_element_is_its_value() {
    let text = "<?xml version=\"1.0\"?>\n<uwsgi>\n <chdir> /a &amp; b </chdir>\n <ä/><l>1</l><l>2</l>\n <c><![CDATA[<x>]]></c>\n</uwsgi>";
    let wanted = expect(&[
        ("chdir", " /a & b ", "3:3", "3:9"),
        ("ä", "1", "4:3", "4:3"),
        ("l", "1", "4:8", "4:10"),
        ("l", "2", "4:16", "4:18"),
        ("c", "<x>", "5:3", "5:5"),
    ]);
    assert_eq!(rows(Format::Xml, text), wanted);
}

#[test]
fn an_id_chooses_among_several() {
    assert_eq!(pairs(Format::Xml, MANY), owned(&[("a", "1")]));
    assert_eq!(asked("two"), owned(&[("a", "2"), ("b", "x")]));
    assert_eq!(asked("none"), owned(&[("a", "3")]), "an element without an id belongs to all");
    let lacks = format::parse(Format::Xml, &"f".into(), "<all><uwsgi id='x'/></all>", Some("y"));
    assert!(lacks.found.is_none());
}

#[test]
fn entities_of_the_file_are_refused_with_all_that_could_multiply() {
    let mut bomb = "<!DOCTYPE u [<!ENTITY a0 \"ha\">".to_owned();
    (1..20).for_each(|n| bomb.push_str(&format!("<!ENTITY a{n} \"&a{m};&a{m};&a{m};\">", m = n - 1)));
    bomb.push_str("]>\n<uwsgi><a>&a19;</a></uwsgi>");
    let section = section(Format::Xml, &bomb);
    assert!(section.lines.is_empty());
    assert!(section.errors[0].cause.contains("<!DOCTYPE>"), "{:?}", section.errors);
}

#[test]
fn what_is_no_xml_or_no_value_is_told() {
    let broken = [
        "<uwsgi>\n <a>1</b>\n</uwsgi>",
        "<uwsgi><a>&nbsp;</a></uwsgi>",
        "<uwsgi>\n <a><b>1</b></a><c>d<e/></c>\n</uwsgi>",
        "uwsgi",
    ];
    let all: String = broken.map(|text| told(text, &section(Format::Xml, text))).concat();
    insta::assert_snapshot!(all, @r"
    f:2:6: not valid XML: expected 'a' tag, not 'b'
       <a>1</b>
           ^
      an option is <name>VALUE</name>, all of them in <uwsgi> … </uwsgi>; & is written &amp; and < is &lt;
    f:1:11: not valid XML: unknown entity reference 'nbsp'
      <uwsgi><a>&nbsp;</a></uwsgi>
                ^
      an option is <name>VALUE</name>, all of them in <uwsgi> … </uwsgi>; & is written &amp; and < is &lt;
    f:2:3: <a> has elements in it: they are not read
       <a><b>1</b></a><c>d<e/></c>
        ^
      write one element for each option, side by side
    f:2:18: <c> has elements in it: they are not read
       <a><b>1</b></a><c>d<e/></c>
                       ^
      write one element for each option, side by side
    f:1:1: not valid XML: unknown token
      uwsgi
      ^
      an option is <name>VALUE</name>, all of them in <uwsgi> … </uwsgi>; & is written &amp; and < is &lt;
    ");
}

#[test]
fn attributes_that_would_all_be_compared_with_each_other_are_refused() {
    let many: String = (0..90_000).map(|n| format!(" x{n}='>'")).collect();
    let section = section(Format::Xml, &format!("<uwsgi><a{many}/></uwsgi>"));
    assert!(section.errors[0].cause.contains("more than 2000 quotes"), "{:?}", section.errors);
}
