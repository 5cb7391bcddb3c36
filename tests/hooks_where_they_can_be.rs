//! Hooks that change what a whole jail has, in every kind of jail and phase: each is done, or refused with its place before
//! anything runs.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::{ALICE, Emperor, Start, Tree, liege};

/// A hook, and how a program sees that it was done.
struct Change {
    letter: char,
    /// Done before it, by the same side.
    before: Option<&'static str>,
    hook: &'static str,
    seen: &'static str,
}

const CHANGES: [Change; 6] = [
    Change {
        letter: 'm',
        before: None,
        hook: "mount:tmpfs none /mnt",
        seen: "grep -q ' /mnt tmpfs ' /proc/self/mounts",
    },
    Change {
        letter: 'b',
        before: None,
        hook: "mount:none /usr /media bind,ro",
        seen: "grep -q ' /media ' /proc/self/mounts",
    },
    Change {
        letter: 'u',
        before: Some("mount:tmpfs none /srv"),
        hook: "umount:/srv",
        seen: "! grep -q ' /srv ' /proc/self/mounts",
    },
    Change { letter: 'h', before: None, hook: "hostname:box", seen: "test $(uname -n) = box" },
    Change { letter: 'd', before: None, hook: "ifdown:lo", seen: "ip link show lo | grep -q 'state DOWN'" },
    Change { letter: 'i', before: Some("ifdown:lo"), hook: "ifup:lo", seen: "ip link show lo | grep -q UP" },
];

/// The Emperor's config, in the tree: errors name lines of it.
fn emperors_config(tree: &Tree, lines: &[String]) -> PathBuf {
    let path = tree.path("emperor.ini");
    let text = format!("[uwsgi]\nemperor = {}\n{}\n", tree.vassals().display(), lines.join("\n"));
    tree.place(&path, 0, &text);
    path
}

fn plan(emperor: &Path, vassal: &Path) -> Output {
    liege(&["plan", "--ini", emperor.to_str().unwrap(), vassal.to_str().unwrap()])
}

/// Its sentence, with place and cure, where it is refused.
fn refusal(output: &Output) -> Option<String> {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (!output.status.success()).then_some(said)
}

fn assert_tells_place_and_cure(said: &str, file: &Path) {
    assert!(said.contains(&format!("{}:", file.display())), "{said}");
    assert!(["add ", "use ", "list ", "let ", "leave "].iter().any(|cure| said.contains(cure)), "{said}");
}

fn of_phase(phase: &str, change: &Change) -> Vec<String> {
    let hooks = change.before.iter().chain([&change.hook]);
    hooks.map(|hook| format!("hook-{phase} = {hook}")).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// An Emperor on a host that is ours to spoil.
fn start(tree: Tree, config: &Path) -> Emperor {
    let start = Start::bare(tree).option("--ini").option(config);
    start.through(&["unshare", "--mount", "--net", "--uts"]).start()
}

/// Runs all that was not refused, and waits until the program behind it runs.
fn assert_done(tree: Tree, config: &Path) {
    let emperor = start(tree, config);
    emperor.wait_for("x.ini", "ready to accept requests");
    let failed = emperor.lines.all().into_iter().find(|line| line.contains("cannot"));
    assert_eq!(failed, None, "{}", config.display());
}

/// Of an administrator's hooks: those that are done (in capitals) and those that are refused.
fn administrators(kind: &str, owner: u32, phase: &str) -> String {
    let tree = Tree::new();
    let vassal = tree.vassal_of(owner, "x.ini", "command = /bin/sleep 1000000\n");
    let mut verdicts = String::new();
    let mut done = lines(kind);
    for change in &CHANGES {
        let config = emperors_config(&tree, &[lines(kind), of_phase(phase, change)].concat());
        match refusal(&plan(&config, &vassal)) {
            Some(said) => {
                assert_tells_place_and_cure(&said, &config);
                verdicts.push(change.letter);
            }
            None => {
                done.extend(of_phase(phase, change));
                done.push(format!("hook-{phase} = exec:{}", change.seen));
                verdicts.push(change.letter.to_ascii_uppercase());
            }
        }
    }
    let config = emperors_config(&tree, &done);
    assert_done(tree, &config);
    verdicts
}

const NONE: &str = "emperor-tyrant = true\njail = none\nemperor-use-clone = fs,net,uts,pid";
const USER: &str = "emperor-tyrant = true\njail = none\nemperor-use-clone = fs,net,uts,pid,user";
const TRUSTED: &str = "emperor-use-clone = fs,net,uts,pid";

#[test]
fn what_an_administrator_has_done_works_or_is_refused_in_each_kind_of_jail() {
    for (kind, owner, before_drop, as_vassal) in [
        ("emperor-tyrant = true", ALICE, "MBUHDI", "MBUHDI"),
        ("emperor-tyrant = true\njail = strict", ALICE, "MBUHDI", "MBUHDI"),
        (NONE, ALICE, "MBUHDI", "mbuhdi"),
        (USER, ALICE, "MBUHDI", "MBUHDI"),
        (&format!("{USER}\nemperor-seccomp = strict"), ALICE, "MBUHDI", "mbuhDI"),
        ("emperor-tyrant = true\nemperor-cap = net_admin,setfcap", ALICE, "MBUHDI", "mbuhDI"),
        ("emperor-tyrant = true\nemperor-cap = net_admin", ALICE, "MBUHDI", "mbuhdi"),
        (TRUSTED, 0, "MBUHDI", "MBUHDI"),
        (TRUSTED, ALICE, "MBUHDI", "mbuhdi"),
        ("jail = standard", 0, "MBUHDI", "MBUHDI"),
        ("jail = standard", ALICE, "MBUHDI", "MBUHDI"),
    ] {
        assert_eq!(
            administrators(kind, owner, "as-vassal-before-drop"),
            before_drop,
            "before the drop: {kind} {owner}"
        );
        assert_eq!(administrators(kind, owner, "as-vassal"), as_vassal, "as vassal: {kind} {owner}");
    }
}

/// What a vassal's config wants in a phase, in the same letters.
fn vassals((kind, owner): (&str, u32), config: &str, phase: &str) -> String {
    let tree = Tree::new();
    let emperor = emperors_config(&tree, &lines(kind));
    let mut verdicts = String::new();
    let mut done = lines(config);
    let program = "command = /bin/sleep 1000000\n";
    for change in &CHANGES {
        let body = [lines(config), of_phase(phase, change)].concat().join("\n");
        let vassal = tree.vassal_of(owner, "x.ini", &format!("{body}\n{program}"));
        match refusal(&plan(&emperor, &vassal)) {
            Some(said) => {
                assert_tells_place_and_cure(&said, &vassal);
                verdicts.push(change.letter);
            }
            None => {
                done.extend(of_phase(phase, change));
                done.push(format!("hook-{phase} = exec:{}", change.seen));
                verdicts.push(change.letter.to_ascii_uppercase());
            }
        }
    }
    tree.vassal_of(owner, "x.ini", &format!("{}\n{program}", done.join("\n")));
    assert_done(tree, &emperor);
    verdicts
}

const LATE: [&str; 3] = ["as-user", "pre-app", "accepting"];

#[test]
fn what_a_vassal_wants_done_works_or_is_refused_in_each_of_its_phases() {
    let (all, none) = ("MBUHDI", "mbuhdi");
    let tyrant = "emperor-tyrant = true";
    let admin = "cap = sys_admin,net_admin";
    let uid = "uid = 61001\ngid = 61001";
    for (kind, owner, config, as_root, late) in [
        (tyrant, ALICE, "", all, none),
        (tyrant, ALICE, admin, all, all),
        (tyrant, ALICE, "cap = net_admin", all, "mbuhDI"),
        ("emperor-tyrant = true\njail = strict", ALICE, "", all, none),
        (NONE, ALICE, "", none, none),
        (USER, ALICE, "", all, all),
        (USER, ALICE, "cap = sys_admin", all, "MBUHdi"),
        (&format!("{USER}\nemperor-seccomp = strict"), ALICE, "", "mbuhDI", "mbuhDI"),
        ("emperor-tyrant = true\nemperor-cap = net_admin,setfcap", ALICE, "", "mbuhDI", none),
        (TRUSTED, 0, "", all, all),
        (TRUSTED, 0, uid, all, none),
        (TRUSTED, 0, &format!("{uid}\n{admin}"), all, "mbuHDI"),
        (TRUSTED, 0, &format!("{uid}\n{admin}\nno-new-privs = false"), all, all),
        ("jail = standard", 0, "", all, none),
        ("jail = standard", 0, admin, all, all),
        ("jail = standard", 0, uid, all, none),
    ] {
        assert_eq!(vassals((kind, owner), config, "as-root"), as_root, "as root: {kind} {owner} {config}");
        for phase in LATE {
            assert_eq!(vassals((kind, owner), config, phase), late, "{phase}: {kind} {owner} {config}");
        }
    }
}

#[test]
fn what_is_refused_to_all_vassals_ends_the_emperor_and_else_the_vassal() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "x.ini", "command = /bin/sleep 1000000\n");
    let hook = "mount-as-vassal = tmpfs none /mnt";
    let config = emperors_config(&tree, &lines(&format!("{NONE}\n{hook}")));
    let output = liege(&["--ini", config.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(
            ":6:19: mount-as-vassal `tmpfs none /mnt` is for root of the vassal's own user namespace"
        ),
        "{said}"
    );

    let config = emperors_config(&tree, &lines(&format!("{TRUSTED}\n{hook}")));
    tree.vassal("roots.ini", "command = /bin/sleep 1000000\n");
    let emperor = start(tree, &config);
    emperor.wait_for("roots.ini", "ready to accept requests");
    let line = emperor.wait_for("x.ini", "is for root of the vassal's own user namespace");
    assert!(line.contains("emperor.ini:4:19: mount-as-vassal `tmpfs none /mnt`"), "{line}");
    assert!(!emperor.lines.has(|line| line.contains("x.ini") && line.contains("spawned")));
}
