use super::{Files, load_text, pairs, sentences};
use crate::config::Loaded;
use crate::config::vassal::{VassalConfig, VassalKind};

fn vassal(loaded: &Loaded) -> VassalConfig {
    match loaded.vassal() {
        Ok(VassalKind::Own(config)) => *config,
        other => panic!("{other:?}"),
    }
}

fn with_directory(text: &str) -> Loaded {
    let files = [("a.ini", &*format!("[uwsgi]\ncommand = a\n{text}")), ("vars.d", "ONE=1\nHOME\nK=dir")];
    Files::of(&files).load("a.ini")
}

#[test]
fn the_lines_behind_a_variable_see_it_and_those_before_do_not() {
    let loaded = load_text(
        "[uwsgi]\nprint = $(K)\nienv = K=1\nprint = $(K)\nienv = K=$(K)%(two)\nprint = $(K)\ntwo = 2\nset = ienv=K=3\nprint = $(K)",
    );
    let said: Vec<&str> = loaded.said.iter().map(|said| said.value.as_str()).collect();
    assert_eq!((said, sentences(&loaded.errors)), (vec!["$(K)", "1", "12", "3"], String::new()));
    assert_eq!(loaded.variables, [("K".to_owned(), Some("3".to_owned()))]);
}

#[test]
fn a_condition_sees_what_was_set_and_what_was_taken_away() {
    let ask = "if-env = HOME\nenv = IS=home\nendif =\nif-env = ONE\nenv = IS=%(_)\nendif =\n";
    let is = |loaded: &Loaded| {
        pairs(loaded)
            .iter()
            .filter(|(key, _)| *key == "env")
            .map(|(_, value)| value.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(is(&with_directory(ask)), ["IS=home"]);
    assert_eq!(is(&with_directory(&format!("early-envdir = vars.d\n{ask}"))), ["IS=1"]);
    assert_eq!(
        is(&with_directory(&format!("base = vars\nearly-envdir = %(base).d\nienv = HOME=x\n{ask}"))).len(),
        2
    );
}

#[test]
fn the_programs_get_them_before_all_that_the_config_says_of_variables() {
    let config = vassal(&with_directory(
        "env = K=late\nunenv = GONE\nienv = K=1\nienv = GONE=1\nearly-envdir = vars.d\n",
    ));
    let set: Vec<String> = config.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(set, ["GONE=1", "K=dir", "ONE=1", "K=late"]);
    assert_eq!(config.surroundings.unset, ["HOME", "GONE"]);
    let config = vassal(&with_directory("early-envdir = vars.d\nenv = HOME=/srv\n"));
    assert!(config.surroundings.unset.is_empty());
}

#[test]
fn a_config_knows_nothing_of_the_variables_of_the_one_before() {
    assert!(!with_directory("early-envdir = vars.d\nienv = K=1\n").variables.is_empty());
    let loaded = load_text("[uwsgi]\nprint = $(K)$(ONE)$(HOME)");
    assert_eq!(loaded.said[0].value, "$(K)$(ONE)/home/shop");
}

#[test]
fn what_is_wrong_with_them_is_told_at_their_place() {
    let told = |text: &str| sentences(&with_directory(text).errors);
    assert!(
        told("ienv = K\n").contains("a.ini:3:8: `ienv`: `K` is not NAME=VALUE"),
        "{}",
        told("ienv = K\n")
    );
    // Whoever only looks at a config may not see what it will see.
    let unread = with_directory("early-envdir = .other.d\n");
    assert!(sentences(&unread.unread).contains(".other.d"), "{}", sentences(&unread.unread));
    let many = "early-envdir = vars.d\n".repeat(300);
    assert!(told(&many).contains("more than 256 files"), "{}", told(&many));
    let large = format!("for-times = 300\nienv = K%(_)={}\nendfor =\n", "x".repeat(60 << 10));
    assert!(told(&large).contains("too much to expand"), "{}", told(&large));
}

#[test]
fn an_emperor_has_none_of_them() {
    for line in ["ienv = K=1", "early-envdir = vars.d"] {
        let loaded = with_directory(&format!("emperor = x\n{line}\n"));
        let told = sentences(&loaded.emperor().expect_err("an option of a vassal"));
        assert!(told.contains("is an option of a vassal, not of the Emperor"), "{told}");
    }
}
