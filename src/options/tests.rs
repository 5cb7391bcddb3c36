use std::collections::BTreeSet;

use super::*;

fn list(text: &'static str) -> Vec<&'static str> {
    text.lines().collect()
}

#[test]
fn no_name_is_given_twice() {
    let mut seen = BTreeSet::new();
    for (_, option) in options() {
        for name in std::iter::once(&option.name).chain(option.aliases) {
            assert!(seen.insert(*name), "{name} stands twice in the table");
        }
    }
    for name in list(include_str!("later.txt")).into_iter().chain(list(include_str!("app-server.txt"))) {
        assert!(seen.insert(name), "{name} stands twice");
    }
}

#[test]
fn the_lists_of_names_are_sorted() {
    for names in [list(include_str!("later.txt")), list(include_str!("app-server.txt"))] {
        assert!(names.is_sorted());
        assert!(names.len() > 200);
    }
}

#[test]
fn every_option_is_described_in_a_sentence() {
    for (_, option) in options() {
        assert!(option.help.ends_with('.'), "{}", option.name);
        assert!(option.help.len() > 15, "{}", option.name);
        if let Kind::Int(unit) = option.kind {
            let unit = unit.to_ascii_lowercase();
            assert!(
                option.help.to_ascii_lowercase().contains(&unit),
                "{} does not say its unit",
                option.name
            );
        }
    }
}

#[test]
fn a_name_is_recognised() {
    assert!(
        matches!(standing("emperor-tyrant"), Standing::Ours(_, option) if option.name == "emperor-tyrant")
    );
    assert!(matches!(standing("vassals-cap"), Standing::Ours(_, option) if option.name == "emperor-cap"));
    assert!(matches!(standing("emperor-broodlord"), Standing::Later));
    assert!(matches!(standing("wsgi-file"), Standing::AppServer));
    assert!(matches!(standing("emperor-tyrnt"), Standing::Unknown));
    assert!(matches!(standing(""), Standing::Unknown));
}

#[test]
fn every_listed_name_is_found() {
    for name in list(include_str!("later.txt")) {
        assert!(matches!(standing(name), Standing::Later), "{name}");
        assert!(matches!(standing(&format!("{name}~")), Standing::Unknown), "{name}~");
    }
    for name in list(include_str!("app-server.txt")) {
        assert!(matches!(standing(name), Standing::AppServer), "{name}");
    }
    assert!(matches!(standing("~"), Standing::Unknown));
}

#[test]
fn the_nearest_name_is_proposed() {
    let table = [
        ("emperor-tyrnt", Some("emperor-tyrant")),
        ("emperor_tyrant", Some("emperor-tyrant")),
        ("Emperor-Freq", Some("emperor-freq")),
        ("comand", Some("command")),
        ("exec-as-rot", Some("exec-as-root")),
        ("wsgi-fle", Some("wsgi-file")),
        ("gdi", Some("gid")),
        ("qqqqqqqqqq", None),
        ("", None),
    ];
    for (typed, meant) in table {
        assert_eq!(nearest(typed), meant, "{typed}");
    }
}
