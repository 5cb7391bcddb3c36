use std::collections::BTreeSet;

use super::*;

#[test]
fn no_name_is_given_twice() {
    let mut seen = BTreeSet::new();
    for (_, option) in options() {
        for name in std::iter::once(&option.name).chain(option.aliases) {
            assert!(seen.insert(*name), "{name} stands twice in the table");
        }
    }
}

#[test]
fn the_table_of_uwsgi_is_sorted_and_every_line_is_understood() {
    let lines: Vec<&str> = include_str!("uwsgi.txt").lines().collect();
    assert!(lines.len() > 1200);
    for pair in lines.windows(2) {
        let name = |line: &'static str| line.split(' ').next().unwrap_or_default();
        assert!(name(pair[0]) < name(pair[1]), "{} is not before {}", pair[0], pair[1]);
    }
    for line in lines {
        let words: Vec<&str> = line.splitn(5, ' ').collect();
        assert!(words.len() >= 4, "{line}");
        assert!(matches!(words[1], "none" | "optional" | "required"), "{line}");
        assert!(Part::named(words[2]).is_some(), "{line}");
        assert!(matches!(words[3], "same" | "changed" | "ignored" | "unsafe" | "refused"), "{line}");
        assert_eq!(words.len() == 5, words[3] != "same", "what is not the same has a reason: {line}");
    }
}

#[test]
fn both_tables_agree_on_what_takes_a_value() {
    for option in all() {
        let Some((_, ours)) = find(option.name) else { continue };
        match option.argument {
            Argument::None => assert!(!ours.kind.takes_value(), "{}", option.name),
            Argument::Required => assert!(ours.kind.takes_value(), "{}", option.name),
            Argument::Optional => {}
        }
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
    assert!(matches!(standing("emperor-apparmor"), Standing::Uwsgi(option) if option.fate == Fate::Refused));
    assert!(matches!(standing("wsgi-file"), Standing::Uwsgi(option) if option.is_app_servers()));
    assert!(matches!(standing("master"), Standing::Uwsgi(option) if option.is_ignored()));
    assert!(matches!(standing("emperor-tyrnt"), Standing::Unknown));
    assert!(matches!(standing(""), Standing::Unknown));
}

#[test]
fn every_listed_name_is_found() {
    for option in all() {
        assert_eq!(uwsgi(option.name), Some(option));
        assert_eq!(uwsgi(&format!("{}~", option.name)), None);
    }
    assert_eq!(uwsgi("~"), None);
    assert_eq!(uwsgi(""), None);
}

#[test]
fn the_nearest_name_is_proposed() {
    let table = [
        ("emperor-tyrnt", Some("emperor-tyrant")),
        ("emperor_tyrant", Some("emperor-tyrant")),
        ("Emperor-Freq", Some("emperor-freq")),
        ("--uid", Some("uid")),
        ("exec as root", Some("exec-as-root")),
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
