use proptest::prelude::*;

use super::{Files, load_text, pairs, sentences, typed};
use crate::config::expand::{Expander, VALUE_MAX};
use crate::config::magic::{FileVariables, Magic};
use crate::config::source::{Host, Origin};

#[test]
fn magic_variables_of_a_file() {
    let origin = Origin { path: Some("/srv/shops/app.test.ini".into()), inode: Some(7), ..Origin::default() };
    let file = FileVariables::new("app.test.ini:zerg", Some("zerg"), &origin);
    let (host, names) = (super::host(), Files::of(&[]));
    let magic = Magic { file: &file, first: Some(&file), host: &host, names: &names };
    let table = [
        ("%n|%s|%e", "app.test|app.test.ini|ini"),
        ("%p|%d|%c", "/srv/shops/app.test.ini|/srv/shops/|shops"),
        ("%o|%x|%i", "app.test.ini:zerg|zerg|7"),
        ("%0|%1|%2", "srv|shops|%2"),
        ("%N|%S", "app.test|app.test.ini"),
        ("%v %V %h %k", "/srv/vassals 1.2.3 node7 4"),
        ("%u %U %g %G %b", "1001 shop 1002 shops /usr/bin/liege"),
        ("%t %T", "1700000000 1700000000123456"),
        ("%%n 100% %z %(n) %[", "%n 100% %z %(n) \u{1b}"),
        ("%j %J", "93AEC537 93AEC537"),
        ("%ä%", "%ä%"),
    ];
    for (text, wanted) in table {
        assert_eq!(magic.replace(text), wanted, "{text}");
    }
}

#[test]
fn a_text_without_a_path_keeps_its_path_variables() {
    let file = FileVariables::new("x", None, &Origin::default());
    let (host, names) = (Host::default(), Files::of(&[]));
    let magic = Magic { file: &file, first: None, host: &host, names: &names };
    assert_eq!(magic.replace("%o %n %p %N %x."), "x %n %p %N .");
}

#[test]
fn a_config_from_a_database_or_a_server_is_called_by_its_name() {
    let table = [
        (
            "emperor://shop.test.ini",
            None,
            "shop.test|shop.test.ini|ini|/srv/vassals/shop.test.ini|/srv/vassals/|vassals|srv",
        ),
        ("emperor://shop:zerg", Some("zerg"), "shop|shop||/srv/vassals/shop|/srv/vassals/|vassals|srv"),
        (
            "http://host/configs/shop.ini?x=1",
            None,
            "shop|shop.ini|ini|/srv/vassals/shop.ini|/srv/vassals/|vassals|srv",
        ),
        ("http://host", None, "%n|%s|%e|%p|%d|%c|%0"),
        ("exec:///bin/make-config shop.ini", None, "%n|%s|%e|%p|%d|%c|%0"),
        ("fd://3", None, "%n|%s|%e|%p|%d|%c|%0"),
    ];
    let (host, names) = (super::host(), Files::of(&[]));
    for (argument, section, wanted) in table {
        let file = FileVariables::new(argument, section, &Origin::default());
        let magic = Magic { file: &file, first: None, host: &host, names: &names };
        assert_eq!(magic.replace("%n|%s|%e|%p|%d|%c|%0"), wanted, "{argument}");
        assert_eq!(magic.replace("%o|%i"), format!("{argument}|%i"));
    }
}

#[test]
fn names_in_parentheses_are_replaced() {
    let table = [
        ("$(HOME)/x", "/home/shop/x"),
        ("$(NONE)", "$(NONE)"),
        ("$(NONE-a) $(NONE:-my-host:90) $(NONE:a) $(NONE-) $(HOME-x)", "a my-host:90 a  /home/shop"),
        ("$(NONE:-$(HOME))", "/home/shop"),
        ("echo $(cat /a-b) $((1+2)) $(", "echo $(cat /a-b) $((1+2)) $("),
        ("%(base)/%(nothing)", "/srv/shop/%(nothing)"),
        ("%(later)", "2"),
        ("%(first)", "one"),
    ];
    for (text, wanted) in table {
        let loaded = load_text(&format!(
            "[uwsgi]\nname = shop\nbase = /srv/%(name)\nfirst=one\nfirst=two\ncommand = {text}\nlater=2\n"
        ));
        assert!(loaded.errors.is_empty(), "{}", sentences(&loaded.errors));
        assert!(pairs(&loaded).contains(&("command", wanted)), "{text}: {:?}", pairs(&loaded));
    }
}

#[test]
fn what_is_not_supported_yet_or_endless_is_told() {
    let loaded = load_text(
        "[uwsgi]\ncommand = @(x.txt)\nworld = $(LOOP)\nme = a%(me)\nx-n = %(me + 1)\nx-i = %(me++)\nlogto = @(exec://id)\n",
    );
    let noted = sentences(&loaded.texts.explain(loaded.unread));
    assert!(noted.starts_with("a.ini:7:9: `exec://id`: "), "{noted}");
    insta::assert_snapshot!(sentences(&loaded.texts.explain(loaded.errors)), @r"
    a.ini:2:11: cannot read `x.txt`: entity not found
      command = @(x.txt)
                ^
      is the name right? A relative one counts from the start directory (%v)
    a.ini:3:9: expands more than 16 times: does it contain itself?
      world = $(LOOP)
              ^
      give one of the names in it a value without the others
    a.ini:4:6: expands more than 16 times: does it contain itself?
      me = a%(me)
           ^
      give one of the names in it a value without the others
    a.ini:5:7: expands more than 16 times: does it contain itself?
      x-n = %(me + 1)
            ^
      give one of the names in it a value without the others
    ");
}

#[test]
fn a_config_cannot_make_work_without_bounds() {
    let wide = "%(b)".repeat(10_000);
    let deep: String = (b'b'..b'p')
        .map(|one| format!("{} = {}\n", one as char, format!("%({})", (one + 1) as char).repeat(10)))
        .collect();
    let loaded = load_text(&format!("[uwsgi]\nx-a = {wide}\n{deep}p = \n"));
    assert!(sentences(&loaded.errors).contains("too much to expand"));
    let big = "y".repeat(60_000);
    let loaded = load_text(&format!("[uwsgi]\nx-big = {big}\nx-two = %(x-big)%(x-big)\n"));
    assert!(sentences(&loaded.errors).contains("expands to more than"));
}

#[test]
fn values_of_the_command_line_are_expanded_too() {
    let world = Files::of(&[("a.ini", "[uwsgi]\ncommand = %(name)\n")]);
    let loaded = world.load_entries(vec![
        typed(1, "set", "name=shop"),
        typed(2, "ini", "a.ini"),
        typed(3, "logto", "$(HOME)/log"),
    ]);
    assert_eq!(pairs(&loaded), [("command", "shop"), ("logto", "/home/shop/log")]);
}

proptest! {
    #[test]
    fn the_expander_bears_every_value(values in prop::collection::vec("([$%@(){}\\-:a-c ]|\\PC){0,60}", 1..6)) {
        let world = Files::of(&[]);
        let mut expander = Expander::new(&world);
        for (name, value) in ["a", "b", "c"].iter().zip(&values) {
            expander.define(name, value);
        }
        for value in &values {
            let once = expander.environment(value);
            if let Ok(text) = once.and_then(|text| expander.options(&text)) {
                prop_assert!(text.len() <= VALUE_MAX + value.len());
            }
        }
    }
}
