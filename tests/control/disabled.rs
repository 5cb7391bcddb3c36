//! What is disabled stays so, whoever is Emperor.

use super::common::{ALICE, BOB, Emperor, Start, Tree};
use super::{IDLE, is, said, said_by};

fn start(tree: &Tree) -> Vec<String> {
    vec![
        "--emperor-tyrant".into(),
        "--emperor-state-directory".into(),
        tree.path("state").display().to_string(),
    ]
}

fn emperor(tree: Tree) -> Emperor {
    let options = start(&tree);
    Emperor::start(tree, &options.iter().map(String::as_str).collect::<Vec<_>>())
}

fn tree() -> Tree {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "alice.ini", IDLE);
    tree.vassal_of(BOB, "bob.ini", IDLE);
    tree
}

#[test]
fn who_is_disabled_is_not_started_by_the_next_emperor_either() {
    let mut first = emperor(tree());
    first.vassal("alice.ini");
    assert_eq!(said(&first, &["disable", "alice"]), is("alice.ini: disabled", 0));
    assert_eq!(said(&first, &["disable", "alice"]), is("alice.ini: already disabled", 0));
    for verb in ["start", "restart"] {
        let (text, status) = said(&first, &[verb, "alice"]);
        assert!(status == 1 && text.contains("`liege enable` starts it"), "{text}");
    }
    assert_eq!(first.stats_of("alice.ini").unwrap()["state"], "disabled");
    // However it ends.
    first.kill();
    first.wait_deserted();
    let options = start(&first.tree);
    let sources = first.tree.vassals();
    let mut again = std::process::Command::new(super::common::LIEGE);
    again.arg("--emperor").arg(sources).args(options).arg("--emperor-stats").arg(first.stats_socket());
    let mut again =
        again.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let view = |name| first.wait_stats(name, |one| one["state"] == "running" || one["state"] == "disabled");
    assert_eq!(
        (&view("alice.ini")["state"], &view("bob.ini")["state"]),
        (&"disabled".into(), &"running".into())
    );
    // A config that goes and comes, or is touched, is disabled still.
    std::fs::remove_file(first.tree.vassals().join("alice.ini")).unwrap();
    super::common::eventually("its end", || first.stats_of("alice.ini").is_none().then_some(()));
    first.tree.vassal_of(ALICE, "alice.ini", IDLE);
    first.wait_stats("alice.ini", |one| one["state"] == "disabled");
    assert_eq!(said(&first, &["enable", "alice"]), is("alice.ini: enabled", 0));
    assert_eq!(std::fs::read_dir(first.tree.path("state/disabled")).unwrap().count(), 0);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(again.id().cast_signed()).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(again.wait().unwrap().success());
}

/// Row C4: what root has disabled, its owner does not enable, nor start in another way.
#[test]
fn a_tenant_disables_and_enables_his_own_and_undoes_nothing_of_roots() {
    let emperor = emperor(tree());
    ["alice.ini", "bob.ini"].iter().for_each(|name| _ = emperor.vassal(name));
    assert_eq!(said_by(ALICE, &emperor, &["disable", "alice"]), is("alice.ini: disabled", 0));
    assert_eq!(said_by(ALICE, &emperor, &["enable", "alice"]), is("alice.ini: enabled", 0));
    assert_eq!(said(&emperor, &["disable", "alice"]), is("alice.ini: disabled", 0));
    said_by(ALICE, &emperor, &["disable", "alice"]);
    for verb in ["enable", "start", "restart"] {
        let (text, status) = said_by(ALICE, &emperor, &[verb, "alice"]);
        assert!(status == 1 && text.contains("disabled"), "{text}");
    }
    assert_eq!(emperor.stats_of("alice.ini").unwrap()["state"], "disabled");
    let (text, status) = said_by(ALICE, &emperor, &["disable", "bob"]);
    assert!(status == 1 && text.contains("or it is not yours"), "{text}");
    assert_eq!(said(&emperor, &["enable", "alice"]), is("alice.ini: enabled", 0));
}

#[test]
fn without_a_place_to_remember_it_nobody_is_disabled() {
    let emperor = Emperor::start(tree(), &["--emperor-tyrant"]);
    emperor.vassal("alice.ini");
    let (text, status) = said(&emperor, &["disable", "alice"]);
    assert!(status == 1 && text.contains("emperor-state-directory"), "{text}");
    assert_eq!(emperor.stats_of("alice.ini").unwrap()["state"], "running");
}

/// Row F1: a place that others can write to, or that leads elsewhere, is none.
#[test]
fn nobody_else_has_a_hand_in_what_is_remembered() {
    for evil in ["owner", "link", "mode"] {
        let tree = tree();
        let state = tree.path("state");
        match evil {
            "owner" => _ = tree.dir_of(BOB, "state"),
            "mode" => {
                tree.dir("state");
                std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o777))
                    .unwrap();
            }
            _ => {
                let elsewhere = tree.dir_of(BOB, "elsewhere");
                std::os::unix::fs::symlink(elsewhere, &state).unwrap();
            }
        }
        let options = start(&tree);
        let mut start = Start::in_tree(tree);
        for option in options {
            start = start.option(option);
        }
        let mut emperor = start.start();
        emperor.expect_no_tidy_end();
        assert!(!emperor.wait().success(), "{evil}");
        emperor.wait_for_line(|line| line.contains("cannot use emperor-state-directory"));
    }
}
