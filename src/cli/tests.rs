use std::ffi::OsString;

use super::*;
use crate::config::place::ConfigError;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn parsed(arguments: &[&str], environment: Variables<'_>) -> Result<Invocation, Vec<ConfigError>> {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let environment: Vec<(OsString, OsString)> =
        environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    parse(&arguments, &environment)
}

fn pairs(arguments: &[&str], environment: Variables<'_>) -> Vec<(String, String)> {
    let invocation = parsed(arguments, environment).expect("understood");
    invocation.entries.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

fn refused(arguments: &[&str]) -> String {
    let errors = parsed(arguments, &[]).expect_err("refused");
    assert_eq!(exit_code(&errors), 2);
    errors.iter().map(|error| format!("{error}\n")).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn an_option_is_written_in_two_ways() {
    let wanted =
        owned(&[("emperor", "/v"), ("emperor-freq", "5"), ("emperor-tyrant", ""), ("include", "x.ini")]);
    assert_eq!(pairs(&["--emperor", "/v", "--emperor-freq=5", "--emperor-tyrant", "x.ini"], &[]), wanted);
    assert_eq!(
        pairs(&["run", "--emperor=/v", "--emperor-freq", "5", "--emperor-tyrant", "--", "x.ini"], &[]),
        wanted
    );
    assert_eq!(pairs(&["-S", "a=b", "-Sc=d"], &[]), owned(&[("set", "a=b"), ("set", "c=d")]));
    assert_eq!(pairs(&["--emperor", "-odd"], &[]), owned(&[("emperor", "-odd")]));
}

#[test]
fn places_count_arguments() {
    let invocation = parsed(&["--emperor", "/v", "--emperor-freq=5"], &[]).expect("understood");
    let places: Vec<String> = invocation
        .entries
        .iter()
        .flat_map(|entry| [entry.place.to_string(), entry.value_place.to_string()])
        .collect();
    assert_eq!(places, ["command line:1:1", "command line:2:1", "command line:3:1", "command line:3:16"]);
}

#[test]
fn variables_come_before_arguments() {
    let environment =
        [("PATH", "/bin"), ("UWSGI_EMPEROR_FREQ", "5"), ("UWSGI_VASSAL_SET", "a=b"), ("UWSGI_RELOADS", "0")];
    assert_eq!(pairs(&["--emperor", "/v"], &environment), owned(&[("emperor-freq", "5"), ("emperor", "/v")]));
    assert_eq!(pairs(&["vassal"], &[("UWSGI_EMPEROR_FD", "3"), ("UWSGI_UID", "5")]), owned(&[("uid", "5")]));
    assert_eq!(pairs(&["check", "x"], &environment), []);
}

#[test]
fn verbs() {
    let table: [(&[&str], Verb, usize); 16] = [
        (&[], Verb::Run, 0),
        (&["x.ini"], Verb::Run, 0),
        (&["vassal", "--ini", "x.ini"], Verb::Vassal, 0),
        (&["check", "a", "b"], Verb::Check, 2),
        (&["check", "--json", "a"], Verb::Check, 1),
        (&["show-config", "a", "--json", "--set", "x=y"], Verb::ShowConfig, 1),
        (&["plan", "a", "--uid", "5"], Verb::Plan, 1),
        (&["status", "--json", "/run/s"], Verb::Status, 1),
        (&["why", "/run/s", "shop.ini"], Verb::Why, 2),
        (&["events", "-f", "--json"], Verb::Events, 0),
        (&["net", "rules", "emperor0", "replace", "-", "--json"], Verb::Net, 4),
        (&["doctor", "--json"], Verb::Doctor, 0),
        (&["completions", "bash"], Verb::Completions, 1),
        (&["man"], Verb::Man, 0),
        (&["--emperor", "/v", "--help", "--nonsense"], Verb::Help, 0),
        (&["--version"], Verb::Version, 0),
    ];
    for (arguments, verb, operands) in table {
        let invocation = parsed(arguments, &[]).expect("understood");
        assert_eq!((invocation.verb, invocation.operands.len()), (verb, operands), "{arguments:?}");
        assert_eq!(invocation.json, arguments.contains(&"--json"));
    }
}

#[test]
fn who_has_an_emperor_is_a_vassal_unless_it_is_one_itself() {
    let emperor = [("UWSGI_EMPEROR_FD", "3"), ("UWSGI_VASSAL_SET", "a=b")];
    assert_eq!(parsed(&["--ini", "x.ini"], &emperor).expect("understood").verb, Verb::Vassal);
    let governs = parsed(&["--emperor", "/v"], &emperor).expect("understood");
    assert_eq!((governs.verb, governs.entries.len()), (Verb::Run, 1));
}

#[test]
fn what_is_not_understood_is_told() {
    insta::assert_snapshot!(refused(&["--emperor-tyrnt", "--emperor-freq=5", "-q", "--uid"]), @r"
    command line:1:1: unknown option `--emperor-tyrnt`
      --emperor-tyrnt
      ^
      did you mean `--emperor-tyrant`?
    command line:3:1: unknown option `-q`
      -q
      ^
      see `liege --help`
    command line:4:1: `--uid` needs a value
      --uid
      ^
      write: --uid USER
    ");
    insta::assert_snapshot!(refused(&["--emperor-use-clone", "--emperor", "a"]), @r"
    command line:1:1: `--emperor-use-clone` needs a value
      --emperor-use-clone
      ^
      write: --emperor-use-clone NAMESPACES
    ");
    insta::assert_snapshot!(refused(&["stauts"]), @r"
    command line:1:1: unknown verb `stauts`
      stauts
      ^
      did you mean `status`? A file is written with its directory: ./stauts
    ");
    insta::assert_snapshot!(refused(&["plan", "a", "b"]), @r"
    command line:3:1: `plan` does not take `b`
      b
      ^
    ");
    insta::assert_snapshot!(refused(&["status", "a", "--emperor", "c"]), @r"
    command line:3:1: `status` does not take this option
      --emperor
      ^
      `liege help status` lists those that it takes
    ");
    insta::assert_snapshot!(refused(&["frob", "x", "--y"]), @r"
    command line:1:1: unknown verb `frob`
      frob
      ^
      `liege help` lists them; a file is written with its directory: ./frob
    ");
    insta::assert_snapshot!(refused(&["pid", "plain"]), @r"
    command line:1:1: unknown verb `pid`
      pid
      ^
      `liege status NAME` shows it
    ");
    insta::assert_snapshot!(refused(&["help", "stpo"]), @r"
    command line:2:1: unknown verb `stpo`
      stpo
      ^
      did you mean `stop`? A file is written with its directory: ./stpo
    ");
    insta::assert_snapshot!(refused(&["why", "shop", "--json"]), @r"
    command line:3:1: `why` does not take this option
      --json
      ^
      `liege status NAME --json` has these sentences: reason, next, advice
    ");
    insta::assert_snapshot!(refused(&["check"]), @r"
    `check` needs more words
      write: liege check FILE|DIR... [--json]
    ");
}

#[test]
fn each_verb_has_a_help_of_its_own() {
    for arguments in [&["stop", "-h"][..], &["stop", "shop", "--help"], &["help", "stop"]] {
        let invocation = parsed(arguments, &[]).expect("understood");
        let about: Vec<&str> = invocation.operands.iter().map(|one| one.value.as_str()).collect();
        assert_eq!((invocation.verb, &about[..]), (Verb::Help, &["stop"][..]), "{arguments:?}");
    }
    assert!(parsed(&["run", "-h"], &[]).expect("understood").operands.is_empty());
    for spec in VerbSpec::shown() {
        let text = help_of(spec);
        assert!(text.lines().count() < 20 && text.lines().all(|line| line.chars().count() <= 130), "{text}");
        assert!(text.contains(&format!("Usage: liege {}", spec.name)) && text.contains("Exit status: "));
        assert!(spec.verb.flags().iter().all(|(flag, _)| text.contains(&format!("--{flag}"))), "{text}");
    }
    assert!(help_of(Verb::Tail.spec()).contains("-n, --lines"));
}

#[test]
fn an_option_for_later_keeps_its_value_from_being_a_file() {
    let wanted = owned(&[("emperor-broodlord", "3"), ("emperor-nofollow", ""), ("include", "x.ini")]);
    assert_eq!(pairs(&["--emperor-broodlord", "3", "--emperor-nofollow", "x.ini"], &[]), wanted);
}

#[test]
fn the_reference_is_up_to_date() {
    let committed = include_str!("../../docs/options.md");
    assert!(committed == markdown(), "docs/options.md is stale: run `liege options > docs/options.md`");
}

#[test]
fn every_option_is_in_help_man_page_and_completions() {
    let mut page = Vec::new();
    man(&mut page).expect("a Vec takes every byte");
    let synopsis = "liege\\fR [\\fIVERB\\fR] [\\fIOPTION\\fR...] [\\fIFILE\\fR...]\n";
    assert!(String::from_utf8_lossy(&page).contains(synopsis));
    let page = String::from_utf8(page).expect("text");
    for (_, option) in crate::options::options() {
        assert!(help().contains(&format!("--{}", option.name)), "{}", option.name);
        assert!(page.contains(&option.name.replace('-', "\\-")), "{}", option.name);
    }
    for shell in ["bash", "zsh", "fish"] {
        let mut script = Vec::new();
        completions(shell, &mut script).expect("a Vec takes every byte");
        assert!(String::from_utf8(script).expect("text").contains("emperor-required-heartbeat"), "{shell}");
    }
    assert!(completions("sh", &mut Vec::new()).is_err());
}

#[test]
fn lines_of_the_help_fit_a_terminal() {
    for line in help().lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn the_world_reads_regular_files_by_their_own_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("skeleton.ini");
    std::fs::write(&file, "[uwsgi]\n").expect("written");
    let link = directory.path().join("shop.ini");
    std::os::unix::fs::symlink(&file, &link).expect("linked");
    let origin = world::read(link.to_str().expect("text")).expect("read");
    assert_eq!((origin.text.as_slice(), origin.path.as_deref()), (&b"[uwsgi]\n"[..], link.to_str()));
    assert!(world::read(directory.path().to_str().expect("text")).is_err());
    assert_eq!(world::host().uid, rustix::process::getuid().as_raw());
}
