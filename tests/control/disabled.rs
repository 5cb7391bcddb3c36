//! What is disabled stays so, whoever is Emperor.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

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

/// The next Emperor of the same configs.
fn after(first: &Emperor) -> Child {
    let mut next = Command::new(super::common::LIEGE);
    next.arg("--emperor").arg(first.tree.vassals()).args(start(&first.tree));
    next.arg("--emperor-stats").arg(first.stats_socket());
    next.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn end(mut next: Child) {
    kill_process(Pid::from_child(&next), Signal::TERM).unwrap();
    assert!(next.wait().unwrap().success());
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
    let again = after(&first);
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
    end(again);
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

/// Row C4: a tenant has no word in what is not his any more.
#[test]
fn what_a_tenant_has_disabled_runs_for_whoever_owns_it_next() {
    let emperor = emperor(tree());
    emperor.vassal("alice.ini");
    assert_eq!(said_by(ALICE, &emperor, &["disable", "alice"]), is("alice.ini: disabled", 0));
    let mark = emperor.lines.mark();
    emperor.tree.vassal_of(BOB, "alice.ini", IDLE);
    emperor.vassal_since(mark, "alice.ini");
    assert_eq!(std::fs::read_dir(emperor.tree.path("state/disabled")).unwrap().count(), 0);
    // What root has disabled stays so, whoever owns it.
    assert_eq!(said(&emperor, &["disable", "alice"]), is("alice.ini: disabled", 0));
    emperor.tree.vassal_of(ALICE, "alice.ini", IDLE);
    emperor.wait_stats("alice.ini", |one| one["uid"] == ALICE);
    assert_eq!(emperor.stats_of("alice.ini").unwrap()["state"], "disabled");
}

/// Row C4: all of an owner's is disabled by root, whatever he calls it, under the next Emperor too; he has no word in it.
#[test]
fn an_owner_whom_root_has_disabled_starts_nothing_by_any_name() {
    let tree = tree();
    tree.vassal_of(ALICE, "second.ini", IDLE);
    let mut first = emperor(tree);
    ["alice.ini", "second.ini", "bob.ini"].iter().for_each(|name| _ = first.vassal(name));
    let uid = format!("uid={ALICE}");
    for (by, whom) in [(ALICE, &uid), (BOB, &uid), (ALICE, &format!("uid={BOB}"))] {
        for verb in ["disable", "enable"] {
            let (text, status) = said_by(by, &first, &[verb, whom]);
            assert!(status == 1 && text.contains("only root may disable and enable owners"), "{text}");
        }
    }
    let (text, status) = said(&first, &["disable", &uid]);
    let lines: BTreeSet<&str> = text.lines().collect();
    let told = ["alice.ini: disabled".into(), "second.ini: disabled".into(), format!("{uid}: disabled")];
    assert_eq!((lines, status), (told.iter().map(String::as_str).collect(), 0));
    assert_eq!(said(&first, &["disable", &uid, "bob"]).1, 1, "owners and vassals apart");
    // Another name, a new config, every verb there is.
    let vassals = first.tree.vassals();
    std::fs::rename(vassals.join("alice.ini"), vassals.join("else.ini")).unwrap();
    first.tree.vassal_of(ALICE, "new.ini", IDLE);
    for name in ["else.ini", "new.ini"] {
        first.wait_stats(name, |one| one["state"] == "disabled");
    }
    for verb in ["start", "restart", "enable"] {
        for (by, name) in [(ALICE, "else"), (ALICE, "second"), (0, "new")] {
            let (text, status) = said_by(by, &first, &[verb, name]);
            assert!(status == 1 && text.contains("its owner is disabled: root enables him"), "{text}");
        }
    }
    let (why, _) = said(&first, &["why", "else"]);
    let owner = format!("its owner, uid {ALICE}, was disabled");
    assert!(why.contains(&owner) && why.contains(&format!("`liege enable {uid}`")), "{why}");
    assert_eq!(first.stats_of("bob.ini").unwrap()["state"], "running");
    // The next Emperor knows it, and a vassal of the owner that he has never seen.
    first.kill();
    first.wait_deserted();
    first.tree.vassal_of(ALICE, "third.ini", IDLE);
    let next = after(&first);
    first.wait_stats("bob.ini", |one| one["state"] == "running");
    for name in ["else.ini", "new.ini", "second.ini", "third.ini"] {
        let one = first.wait_stats(name, |one| one["state"] == "disabled");
        assert_eq!((&one["starts"], &one["pid"]), (&0.into(), &(-1).into()), "{name}");
    }
    let (text, status) = said(&first, &["enable", &uid]);
    assert!(
        status == 0 && text.contains("third.ini: enabled") && text.contains(&format!("{uid}: enabled")),
        "{text}"
    );
    assert_eq!(said(&first, &["enable", &uid]).1, 0);
    assert_eq!(std::fs::read_dir(first.tree.path("state/disabled")).unwrap().count(), 0);
    end(next);
}

fn marks(emperor: &Emperor) -> usize {
    std::fs::read_dir(emperor.tree.path("state/disabled")).unwrap().count()
}

/// Its config goes, and with it the vassal.
fn take_away(emperor: &Emperor, name: &str) {
    std::fs::remove_file(emperor.tree.vassals().join(name)).unwrap();
    super::common::eventually("its end", || emperor.stats_of(name).is_none().then_some(()));
}

const FORGOTTEN: &str = "alice.ini: enabled: it has no config now, and that it was disabled is forgotten";

#[test]
fn what_is_disabled_and_has_no_config_is_taken_back_by_its_name_or_a_pattern() {
    let mut first = emperor(tree());
    ["alice.ini", "bob.ini"].iter().for_each(|name| _ = first.vassal(name));
    for word in ["alice", "alice.ini", "[a]*"] {
        assert_eq!(said(&first, &["disable", "alice"]), is("alice.ini: disabled", 0));
        take_away(&first, "alice.ini");
        // All are those that are there, and only `enable` knows the others.
        assert_eq!(said(&first, &["enable", "all"]), is("bob.ini: already enabled", 0));
        for verb in ["start", "disable"] {
            assert_eq!(said(&first, &[verb, word]).1, 1);
        }
        assert_eq!(marks(&first), 1);
        assert_eq!(said(&first, &["enable", word]), is(FORGOTTEN, 0));
        assert_eq!(marks(&first), 0);
        assert_eq!(said(&first, &["enable", word]).1, 1, "there is nothing to take back any more");
        let mark = first.lines.mark();
        first.tree.vassal_of(ALICE, "alice.ini", IDLE);
        first.vassal_since(mark, "alice.ini");
    }
    // One that cannot be taken away stays.
    assert_eq!(said(&first, &["disable", "alice"]).1, 0);
    take_away(&first, "alice.ini");
    let link = std::fs::read_dir(first.tree.path("state/disabled")).unwrap().next().unwrap().unwrap().path();
    let target = std::fs::read_link(&link).unwrap();
    std::fs::remove_file(&link).unwrap();
    std::fs::create_dir(&link).unwrap();
    let (text, status) = said(&first, &["enable", "alice"]);
    assert!(status == 1 && text.contains("alice.ini: ERROR (cannot forget that it is disabled"), "{text}");
    std::fs::remove_dir(&link).unwrap();
    std::os::unix::fs::symlink(target, &link).unwrap();
    // The next Emperor has it in his memory, and forgets it too.
    first.kill();
    first.wait_deserted();
    let next = after(&first);
    first.wait_stats("bob.ini", |one| one["state"] == "running");
    assert_eq!(said(&first, &["enable", "alice", "--json"]).1, 0);
    first.tree.vassal_of(ALICE, "alice.ini", IDLE);
    first.wait_stats("alice.ini", |one| one["state"] == "running");
    end(next);
}

/// Row C4: of what others have disabled a tenant is told what he is told of nobody, and takes nothing of it back.
#[test]
fn a_tenant_takes_back_only_what_he_himself_has_disabled() {
    let tree = tree();
    tree.vassal_of(ALICE, "roots.ini", IDLE);
    let emperor = emperor(tree);
    ["alice.ini", "bob.ini", "roots.ini"].iter().for_each(|name| _ = emperor.vassal(name));
    assert_eq!(said_by(ALICE, &emperor, &["disable", "alice"]).1, 0);
    assert_eq!(said_by(BOB, &emperor, &["disable", "bob"]).1, 0);
    assert_eq!(said(&emperor, &["disable", "roots"]).1, 0);
    ["alice.ini", "bob.ini", "roots.ini"].iter().for_each(|name| take_away(&emperor, name));
    for name in ["bob", "bob.ini", "b*", "roots", "roots.ini", "[br]*", "nobody", "all", "b/*"] {
        let (text, status) = said_by(ALICE, &emperor, &["enable", name]);
        let absent = format!("liege: there is no vassal `{name}`, or it is not yours");
        assert_eq!((text, status), is(&absent, 1));
    }
    assert_eq!(said_by(65_534, &emperor, &["enable", "*"]).1, 1);
    assert_eq!(marks(&emperor), 3);
    let (text, status) = said_by(ALICE, &emperor, &["enable", "*", "bob", "nobody"]);
    let told: BTreeSet<&str> = text.lines().collect();
    assert_eq!(
        (told, status),
        (BTreeSet::from([FORGOTTEN, "bob: ERROR (no such vassal)", "nobody: ERROR (no such vassal)"]), 1)
    );
    assert_eq!(said_by(ALICE, &emperor, &["enable", "*"]).1, 1);
    assert_eq!(marks(&emperor), 2);
    emperor.tree.vassal_of(ALICE, "roots.ini", IDLE);
    emperor.tree.vassal_of(BOB, "bob.ini", IDLE);
    for name in ["roots.ini", "bob.ini"] {
        emperor.wait_stats(name, |one| one["state"] == "disabled");
    }
    // Root takes back what anybody has.
    take_away(&emperor, "bob.ini");
    assert_eq!(said(&emperor, &["enable", "bob"]).1, 0);
    assert_eq!(marks(&emperor), 1);
    emperor.stop();
}

#[test]
fn what_was_stopped_itself_stays_so_when_its_owner_is_enabled() {
    let emperor = emperor(tree());
    emperor.vassal("alice.ini");
    assert_eq!(said(&emperor, &["stop", "alice"]).1, 0);
    let uid = format!("uid={ALICE}");
    assert_eq!(said(&emperor, &["disable", &uid]).1, 0);
    let (text, status) = said(&emperor, &["enable", &uid]);
    assert!(text.contains("alice.ini: enabled, and waits for `liege start`\n"), "{text}");
    assert!(status == 0 && text.contains(&format!("{uid}: enabled\n")), "{text}");
    assert_eq!(emperor.stats_of("alice.ini").unwrap()["state"], "suspended");
    assert_eq!(said(&emperor, &["start", "alice"]), is("alice.ini: started", 0));
    emperor.stop();
}

#[test]
fn of_several_owners_each_has_his_own_outcome() {
    let emperor = emperor(tree());
    ["alice.ini", "bob.ini"].iter().for_each(|name| _ = emperor.vassal(name));
    let both = [format!("uid={ALICE}"), format!("uid={BOB}")];
    let say = |verb: &str| {
        let (text, status) = said(&emperor, &[verb, &both[0], &both[1]]);
        (text.lines().map(str::to_owned).collect::<BTreeSet<String>>(), status)
    };
    assert_eq!(say("disable").1, 0);
    // That of one cannot be taken away.
    let links = emperor.tree.path("state/disabled");
    let mut links = std::fs::read_dir(links).unwrap().map(|one| one.unwrap().path());
    let of_alice = links.find(|link| std::fs::read_link(link).unwrap().ends_with(format!("owner {ALICE}")));
    let of_alice = of_alice.unwrap();
    std::fs::remove_file(&of_alice).unwrap();
    std::fs::create_dir(&of_alice).unwrap();
    let (lines, status) = say("enable");
    let begin = |begin: &str| lines.iter().any(|line| line.starts_with(begin));
    let cannot = "ERROR (cannot forget that it is disabled";
    assert!(begin(&format!("alice.ini: {cannot}")) && begin(&format!("{}: {cannot}", both[0])), "{lines:?}");
    assert!(begin("bob.ini: enabled") && begin(&format!("{}: enabled", both[1])), "{lines:?}");
    assert_eq!(status, 1);
    assert_eq!(emperor.stats_of("alice.ini").unwrap()["state"], "disabled");
    std::fs::remove_dir(&of_alice).unwrap();
    assert!(say("enable").0.contains("alice.ini: enabled"));
    emperor.stop();
}

#[test]
fn an_owner_is_named_by_his_user_too_and_needs_no_vassal() {
    let emperor = emperor(tree());
    emperor.vassal("alice.ini");
    assert_eq!(said(&emperor, &["disable", "user=daemon"]), is("uid=1: disabled", 0));
    assert_eq!(said(&emperor, &["disable", "uid=1"]), is("uid=1: already disabled", 0));
    assert_eq!(said(&emperor, &["enable", "user=daemon"]), is("uid=1: enabled", 0));
    let (text, status) = said(&emperor, &["disable", "user=nobody-is-called-so"]);
    assert!(status == 1 && text.contains("there is no user `nobody-is-called-so`"), "{text}");
    emperor.stop();
}

#[test]
fn without_a_place_to_remember_it_nobody_is_disabled() {
    let emperor = Emperor::start(tree(), &["--emperor-tyrant"]);
    emperor.vassal("alice.ini");
    let (text, status) = said(&emperor, &["disable", "alice"]);
    assert!(status == 1 && text.contains("emperor-state-directory"), "{text}");
    let (text, status) = said(&emperor, &["disable", &format!("uid={ALICE}")]);
    assert!(status == 1 && text.contains("alice.ini: ERROR (nothing would remember it"), "{text}");
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
