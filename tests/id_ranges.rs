//! Ranges of ids: several users in a tenant's user namespace, and nothing of them that is anybody's outside. The lists
//! are those of an `/etc` that only the Emperor under test sees.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use common::{ALICE, BOB, Emperor, Process, Start, Tree, eventually};

/// First ids of the two ranges, of 65536 ids each.
const ALICES: u32 = 700_000;
const BOBS: u32 = 800_000;
/// What both tenants have, in either file.
const RANGES: &str = "alice:700000:65536\n61002:800000:65536\n";
const JAILS: [&str; 2] = ["user", "fs,net,ipc,pid,uts,user"];
const IDLE: &str = "command = sleep infinity\n";

/// Puts a directory in the place of `/etc` before all else.
const INSTEAD: &str = r#"mount --bind "$0" /etc && exec "$@""#;

/// An `/etc` with these ranges.
fn etc(tree: &Tree, ranges: &str) {
    let etc = tree.dir("etc");
    let alice = "root:x:0:0::/root:/bin/sh\nalice:x:61001:61001::/:/bin/sh\n";
    for (name, text) in [
        ("passwd", format!("{alice}nobody:x:65534:65534::/:/bin/sh\n")),
        ("group", "root:x:0:\nalice:x:61001:\n".to_owned()),
        ("nsswitch.conf", "passwd: files\ngroup: files\n".to_owned()),
        ("subuid", ranges.to_owned()),
        ("subgid", ranges.to_owned()),
    ] {
        std::fs::write(etc.join(name), text).unwrap();
        std::fs::set_permissions(etc.join(name), PermissionsExt::from_mode(0o644)).unwrap();
    }
}

fn tyrant(tree: Tree, options: &[&str]) -> Emperor {
    let etc = tree.path("etc").display().to_string();
    let start = Start::in_tree(tree).options(&["--emperor-tyrant"]).options(options);
    start.through(&["unshare", "--mount", "--propagation", "private", "sh", "-c", INSTEAD, &etc]).start()
}

fn map(process: &Process, kind: &str) -> Vec<String> {
    let text = process.read(&format!("{kind}_map"));
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn owner(path: &Path) -> (u32, u32) {
    let seen = std::fs::symlink_metadata(path).unwrap();
    (seen.uid(), seen.gid())
}

/// A script of root's as the command of this tenant's vassal.
fn runs(tree: &Tree, owner: u32, name: &str, body: &str) {
    let script = tree.script(&format!("{name}.sh"), body);
    tree.vassal_of(owner, &format!("{name}.ini"), &format!("command = {}\n", script.display()));
}

#[test]
fn a_tenant_has_several_users_and_what_they_make_is_of_his_range_outside() {
    for jail in JAILS {
        let tree = Tree::new();
        etc(&tree, RANGES);
        let home = tree.dir_of(ALICE, "alice");
        let body = format!(
            "cd {} && touch given && chown 33:5 given && mkdir www && chown 33:33 www && \
             setpriv --reuid 33 --regid 33 --groups 33,44 sh -c 'id -u; id -G; touch www/made' && echo done; \
             exec sleep infinity",
            home.display()
        );
        runs(&tree, ALICE, "alice", &body);
        let emperor = tyrant(tree, &["--emperor-use-clone", jail]);
        emperor.wait_for_line(|line| line == "done");
        assert!(emperor.lines.has(|line| line == "33") && emperor.lines.has(|line| line == "33 44"));
        assert_eq!(owner(&home.join("given")), (ALICES + 32, ALICES + 4));
        assert_eq!(owner(&home.join("www/made")), (ALICES + 32, ALICES + 32));
        emperor.stop();
    }
}

#[test]
fn a_vassal_becomes_another_user_by_its_config() {
    let tree = Tree::new();
    etc(&tree, RANGES);
    tree.vassal_of(ALICE, "alice.ini", &format!("uid = 33\ngid = 34\nadd-gid = 44\n{IDLE}"));
    let emperor = tyrant(tree, &["--emperor-use-clone", JAILS[1]]);
    let command = emperor.vassal("alice.ini").child();
    let ids = |id: u32| [id; 4].map(|id| id.to_string()).join(" ");
    assert_eq!(command.status("Uid"), ids(ALICES + 32));
    assert_eq!(command.status("Gid"), ids(ALICES + 33));
    assert_eq!(command.status("Groups"), format!("{} {}", ALICES + 33, ALICES + 43));
    assert_eq!(command.status("CapBnd"), "0000000000000000");
    emperor.stop();
}

/// One tenant is named in the files, the other numbered.
#[test]
fn two_tenants_never_share_an_id_outside() {
    for jail in JAILS {
        let tree = Tree::new();
        etc(&tree, RANGES);
        tree.vassal_of(ALICE, "alice.ini", IDLE);
        tree.vassal_of(BOB, "bob.ini", IDLE);
        let emperor = tyrant(tree, &["--emperor-use-clone", jail]);
        for (name, id, first) in [("alice.ini", ALICE, ALICES), ("bob.ini", BOB, BOBS)] {
            let master = emperor.vassal(name);
            let lines = [format!("0 {id} 1"), format!("1 {first} 65536")];
            assert_eq!((map(&master, "uid"), map(&master, "gid")), (lines.to_vec(), lines.to_vec()));
        }
        emperor.stop();
    }
}

/// A tenant who may write into a directory of everybody finds there what is not his.
#[test]
fn ids_beyond_the_range_have_no_number() {
    let tree = Tree::new();
    etc(&tree, RANGES);
    let open = tree.dir("open");
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    tree.place(&open.join("bobs"), BOBS + 10, "secret\n");
    std::fs::set_permissions(open.join("bobs"), PermissionsExt::from_mode(0o600)).unwrap();
    let body = format!(
        "cd {}; stat -c 'owner %u %g' bobs; cat bobs; chown 0 bobs; chmod 777 bobs; touch mine; \
         for id in 65537 800010 4294967294; do chown $id mine && echo gave $id; \
         setpriv --reuid $id --clear-groups true && echo became $id; \
         setpriv --regid $id --clear-groups true && echo entered $id; done; \
         unshare --user --map-users 0,800000,1 true && echo mapped; echo done; exec sleep infinity",
        open.display()
    );
    runs(&tree, ALICE, "alice", &body);
    let emperor = tyrant(tree, &["--emperor-use-clone", "user"]);
    emperor.wait_for_line(|line| line == "done");
    emperor.wait_for_line(|line| line == "owner 65534 65534");
    for word in ["secret", "gave", "became", "entered", "mapped"] {
        assert!(!emperor.lines.has(|line| line.starts_with(word)), "{word}");
    }
    assert_eq!(owner(&open.join("bobs")), (BOBS + 10, BOBS + 10));
    assert_eq!(owner(&open.join("mine")), (ALICE, ALICE));
    emperor.stop();
}

#[test]
fn processes_of_every_id_are_counted_to_the_vassal_and_die_with_it() {
    for jail in JAILS {
        let tree = Tree::new();
        etc(&tree, RANGES);
        let body = "for id in 33 65536; do setsid setpriv --reuid $id --regid $id --clear-groups \
                    sh -c 'trap \"\" TERM HUP; while :; do sleep 1000; done' & done; echo done; exec sleep infinity";
        runs(&tree, ALICE, "alice", body);
        let emperor = tyrant(tree, &["--emperor-use-clone", jail]);
        let master = emperor.vassal("alice.ini");
        let others = eventually("two of other ids", || {
            let uids = [ALICES + 32, ALICES + 65_535].map(|id| id.to_string());
            let is_other = |pid: &i32| {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
                let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
                uids.iter().any(|id| uid.split_whitespace().next() == Some(id))
            };
            let found: Vec<i32> = emperor.cgroup.pids().into_iter().filter(is_other).collect();
            (found.len() >= 4).then_some(found)
        });
        for other in others {
            assert_eq!(Process::of(other).read("cgroup"), master.read("cgroup"));
        }
        std::fs::remove_file(emperor.tree.vassals().join("alice.ini")).unwrap();
        emperor.wait_for("alice.ini", "removed");
        eventually("only the Emperor, its spawner and the log keeper", || {
            (emperor.cgroup.pids().len() == 3).then_some(())
        });
        emperor.stop();
    }
}

/// Root, a user, another owner, no id, and what is not a line: told, and the neighbour runs.
#[test]
fn a_range_of_somebody_else_is_refused_until_the_file_is_corrected() {
    for (range, reason) in [
        ("alice:0:65536", "covers 0, which is `root`"),
        ("alice:61000:10", "covers 61001, which is `alice`"),
        ("alice:4294967294:2", "is no line of OWNER:FIRST:COUNT"),
        ("alice:many", "is no line of OWNER:FIRST:COUNT"),
        ("alice:700000:10\nldap:700009:10", "overlap"),
    ] {
        let tree = Tree::new();
        etc(&tree, &format!("{range}\n61002:800000:65536\n"));
        tree.vassal_of(ALICE, "alice.ini", IDLE);
        tree.vassal_of(BOB, "bob.ini", IDLE);
        let emperor = tyrant(tree, &["--emperor-use-clone", JAILS[1], "--emperor-throttle", "10"]);
        emperor.wait_for("alice.ini", reason);
        emperor.wait_for("alice.ini", "emperor-id-range = none");
        assert_eq!(map(&emperor.vassal("bob.ini"), "uid").len(), 2, "{range}");
        assert_eq!(emperor.told("alice.ini", "has been spawned"), 0, "{range}");
        for file in ["etc/subuid", "etc/subgid"] {
            emperor.tree.place(&emperor.tree.path(file), 0, RANGES);
        }
        assert_eq!(map(&emperor.vassal("alice.ini"), "uid").len(), 2, "{range}");
        emperor.stop();
    }
}

/// Who has no name, but an id of somebody's range, would be that tenant's to become.
#[test]
fn a_tenant_whose_own_id_is_in_a_range_is_not_run() {
    let tree = Tree::new();
    etc(&tree, RANGES);
    tree.vassal_of(ALICES + 7, "x.ini", IDLE);
    let emperor = tyrant(tree, &["--emperor-use-clone", "user"]);
    emperor.wait_for("x.ini", "uid 700007 is in the range of `alice`");
    assert_eq!(emperor.told("x.ini", "has been spawned"), 0);
    emperor.stop();
}

#[test]
fn lists_that_others_may_write_give_nothing() {
    for (mode, uid) in [(0o664, 0), (0o646, 0), (0o644, BOB)] {
        let tree = Tree::new();
        etc(&tree, RANGES);
        let list = tree.path("etc/subuid");
        std::fs::set_permissions(&list, PermissionsExt::from_mode(mode)).unwrap();
        std::os::unix::fs::chown(&list, Some(uid), Some(0)).unwrap();
        tree.vassal_of(ALICE, "alice.ini", IDLE);
        let emperor = tyrant(tree, &["--emperor-use-clone", "user"]);
        emperor.wait_for("alice.ini", "cannot trust /etc/subuid");
        assert_eq!(emperor.told("alice.ini", "has been spawned"), 0);
        emperor.stop();
    }
}

#[test]
fn without_a_range_or_with_none_a_tenant_has_one_id() {
    for (ranges, options) in [
        ("", &["--emperor-use-clone", "user"][..]),
        (RANGES, &["--emperor-use-clone", "user", "--emperor-id-range", "none"]),
    ] {
        let tree = Tree::new();
        etc(&tree, ranges);
        tree.vassal_of(ALICE, "alice.ini", IDLE);
        let emperor = tyrant(tree, options);
        assert_eq!(map(&emperor.vassal("alice.ini"), "uid"), [format!("0 {ALICE} 1")]);
        emperor.stop();
    }
}

#[test]
fn terminals_are_of_their_group_where_it_has_a_number() {
    for (ranges, wanted) in [(RANGES, true), ("", false)] {
        let tree = Tree::new();
        etc(&tree, ranges);
        let script =
            tree.script("alice.sh", "grep ' /dev/pts ' /proc/mounts; echo done; exec sleep infinity");
        tree.vassal_of(ALICE, "alice.ini", &format!("dev = minimal\ncommand = {}\n", script.display()));
        let emperor = tyrant(tree, &["--emperor-use-clone", JAILS[1]]);
        emperor.wait_for_line(|line| line == "done");
        let told = emperor.wait_for_line(|line| line.starts_with("none /dev/pts "));
        assert_eq!(told.contains("gid=700004,"), wanted, "{told}");
        emperor.stop();
    }
}

#[test]
fn a_plan_shows_the_range() {
    let tree = Tree::new();
    etc(&tree, RANGES);
    let config = tree.vassal_of(ALICE, "alice.ini", IDLE);
    let etc = tree.path("etc");
    let output = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", INSTEAD])
        .arg(etc)
        .args([common::LIEGE, "plan", "--emperor-tyrant", "--emperor-use-clone", "user"])
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("65536 from uid 1 on are 700000 on"), "{said}{output:?}");
}

/// By a rule: 65536 ids for each of ten tenants, Alice first and Bob next.
const RULE: [&str; 2] = ["--emperor-id-range", "61001-61010 700000 65536"];
const BOBS_BY_RULE: u32 = ALICES + 65_536;

fn lines_of(owner: u32, first: u32) -> Vec<String> {
    vec![format!("0 {owner} 1"), format!("1 {first} 65536")]
}

/// Whatever `/etc/subuid` says of them.
#[test]
fn a_rule_of_the_emperor_gives_each_tenant_ids_of_its_own() {
    for jail in JAILS {
        let tree = Tree::new();
        etc(&tree, "alice:600000:10\n");
        let home = tree.dir_of(BOB, "bob");
        let body = format!(
            "cd {} && touch given && chown 33:5 given && echo done; exec sleep infinity",
            home.display()
        );
        tree.vassal_of(ALICE, "alice.ini", IDLE);
        runs(&tree, BOB, "bob", &body);
        tree.vassal_of(61_011, "carol.ini", IDLE);
        let emperor = tyrant(tree, &[&["--emperor-use-clone", jail][..], &RULE].concat());
        for (name, owner, first) in [("alice.ini", ALICE, ALICES), ("bob.ini", BOB, BOBS_BY_RULE)] {
            let (master, lines) = (emperor.vassal(name), lines_of(owner, first));
            assert_eq!((map(&master, "uid"), map(&master, "gid")), (lines.clone(), lines));
        }
        assert_eq!(map(&emperor.vassal("carol.ini"), "uid"), ["0 61011 1"], "no rule is for her");
        emperor.wait_for_line(|line| line == "done");
        assert_eq!(owner(&home.join("given")), (BOBS_BY_RULE + 32, BOBS_BY_RULE + 4));
        emperor.stop();
    }
}

#[test]
fn what_a_rule_gives_is_nobodys_else_on_this_host() {
    for (file, line, reason) in [
        ("etc/passwd", "zoe:x:700005:700005::/:/bin/sh\n", "700005 is `zoe`"),
        ("etc/group", "staff:x:765535:\n", "765535 is `staff`"),
        ("etc/subuid", "ldap:765535:1\n", "/etc/subuid:1 gives some of them to `ldap`"),
        ("etc/subgid", "61002:690000:10001\n", "/etc/subgid:1 gives some of them to `61002`"),
    ] {
        let tree = Tree::new();
        etc(&tree, "");
        let path = tree.path(file);
        let before = std::fs::read_to_string(&path).unwrap();
        tree.place(&path, 0, &(before.clone() + line));
        tree.vassal_of(ALICE, "alice.ini", IDLE);
        tree.vassal_of(BOB, "bob.ini", IDLE);
        let options = ["--emperor-use-clone", "user", "--emperor-throttle", "10"];
        let emperor = tyrant(tree, &[&options[..], &RULE].concat());
        let told = emperor.wait_for("alice.ini", reason);
        assert!(
            told.contains("of `61001-61010 700000 65536`") && told.contains("emperor-id-range"),
            "{told}"
        );
        assert_eq!(map(&emperor.vassal("bob.ini"), "uid"), lines_of(BOB, BOBS_BY_RULE), "{line}");
        assert_eq!(emperor.told("alice.ini", "has been spawned"), 0, "{line}");
        emperor.tree.place(&path, 0, &before);
        assert_eq!(map(&emperor.vassal("alice.ini"), "uid"), lines_of(ALICE, ALICES), "{line}");
        emperor.stop();
    }
}

/// As whom would a process of Alice's run that takes the 8th of her ids? In the default jail, too.
#[test]
fn a_tenant_whose_own_id_a_rule_gives_away_is_not_run() {
    for jail in [&["--emperor-use-clone", "user"][..], &[]] {
        let tree = Tree::new();
        etc(&tree, "");
        tree.vassal_of(ALICES + 7, "x.ini", IDLE);
        let emperor = tyrant(tree, &[jail, &RULE].concat());
        emperor.wait_for("x.ini", "uid 700007 is given by `61001-61010 700000 65536`");
        assert_eq!(emperor.told("x.ini", "has been spawned"), 0);
        emperor.stop();
    }
}

#[test]
fn an_emperor_whose_rules_share_ids_does_not_start() {
    let tree = Tree::new();
    etc(&tree, "");
    let mut emperor = tyrant(tree, &[&RULE[..], &["--emperor-id-range", "61099 765536 1"]].concat());
    assert!(!emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("id 765536 is given already, by `61001-61010 700000 65536`"));
    emperor.stop();
}

#[test]
fn only_root_has_ids_to_give_by_a_rule() {
    let mut emperor = Start::owned(Tree::new(), ALICE).options(&RULE).by_user(ALICE).start();
    assert_eq!(emperor.wait().code(), Some(1));
    emperor.wait_for_line(|line| line.contains("emperor-id-range") && line.contains("start liege as root"));
    emperor.stop();
}

/// Row N10: in his config, by a namespace that his config makes, by a program of his.
#[test]
fn nobody_gets_ids_of_another_tenants_range() {
    for jail in JAILS {
        let tree = Tree::new();
        etc(&tree, "");
        let bobs = BOBS_BY_RULE + 10;
        let tries = format!(
            "for id in {bobs} 65537; do setpriv --reuid $id --clear-groups true && echo became $id; \
             setpriv --regid $id --clear-groups true && echo entered $id; done; \
             unshare --user --map-users 0,{bobs},1 true && echo mapped; \
             unshare --user sh -c 'echo 0 {bobs} 1 > /proc/self/uid_map' && echo mapped; echo tried; exec sleep infinity"
        );
        runs(&tree, ALICE, "tries", &tries);
        tree.vassal_of(
            ALICE,
            "asks.ini",
            &format!("emperor-id-range = {ALICE} {BOBS_BY_RULE} 65536\n{IDLE}"),
        );
        let mapped =
            |id| format!("unshare = user\nunshare-id-map = 0 0 1\nunshare-id-map = 1 {id} 5\n{IDLE}");
        tree.vassal_of(ALICE, "maps.ini", &mapped(bobs));
        tree.vassal_of(ALICE, "owns.ini", &mapped(11));
        tree.vassal_of(BOB, "bob.ini", IDLE);
        let emperor = tyrant(tree, &[&["--emperor-use-clone", jail][..], &RULE].concat());
        emperor.wait_for_line(|line| line == "tried");
        emperor.wait_for_line(|line| line.contains("`emperor-id-range` is an option of the Emperor"));
        emperor.wait_for("maps.ini", "cannot enter a new user namespace: EPERM: the map of ids");
        emperor.vassal("owns.ini");
        for name in ["asks.ini", "maps.ini"] {
            assert_eq!(emperor.told(name, "has been spawned"), 0, "{jail}: {name}");
        }
        for word in ["became", "entered", "mapped"] {
            assert!(!emperor.lines.has(|line| line.starts_with(word)), "{jail}: {word}");
        }
        assert_eq!(map(&emperor.vassal("bob.ini"), "uid"), lines_of(BOB, BOBS_BY_RULE));
        emperor.stop();
    }
}

#[test]
fn a_plan_shows_the_range_of_a_rule() {
    let tree = Tree::new();
    etc(&tree, "");
    let config = tree.vassal_of(BOB, "bob.ini", IDLE);
    let output = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", INSTEAD])
        .arg(tree.path("etc"))
        .args([common::LIEGE, "plan", "--emperor-tyrant", "--emperor-use-clone", "user"])
        .args(RULE)
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("65536 from uid 1 on are 765536 on"), "{said}{output:?}");
}
