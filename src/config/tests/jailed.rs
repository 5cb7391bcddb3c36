use super::{load_text, sentences};
use crate::config::confine::Choice;
use crate::config::vassal::VassalKind;
use jail::plan::standard::Strictness;

#[test]
fn a_jail_is_one_of_three_words_in_both_configs() {
    let emperors = |word: &str| {
        let text = format!("[uwsgi]\nemperor = /v\njail = {word}\n");
        load_text(&text).emperor().map(|config| config.jail.expect("given").value)
    };
    assert_eq!(emperors("standard"), Ok(Some(Strictness::Standard)));
    assert_eq!(emperors("strict"), Ok(Some(Strictness::Strict)));
    assert_eq!(emperors("none"), Ok(None));
    let told = sentences(&emperors("tight").expect_err("no word"));
    assert!(told.contains("`standard`, `strict` or `none`"), "{told}");
}

#[test]
fn a_jail_of_freebsd_is_an_error_that_says_so() {
    let text = "[uwsgi]\ncommand = a\njail = /jails/shop shop.example 192.0.2.1\n";
    let told = sentences(&load_text(text).vassal().expect_err("a path"));
    assert!(told.contains("FreeBSD") && told.contains("rootfs = DIRECTORY"), "{told}");
}

#[test]
fn a_strict_jail_has_the_strict_filter_unless_another_is_named() {
    let filter = |lines: &str| match load_text(&format!("[uwsgi]\ncommand = a\n{lines}")).vassal() {
        Ok(VassalKind::Own(config)) => config.confine.seccomp.map(|choice| choice.value),
        other => panic!("{other:?}"),
    };
    assert_eq!(filter("jail = strict\n"), Some(Choice::Strict));
    assert_eq!(filter("seccomp = default\njail = strict\n"), Some(Choice::Default));
    assert_eq!(filter("jail = standard\n"), None);
}
