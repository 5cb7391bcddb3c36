//! Ids that must not be given: by what a config says, by who owns it, by what is left over. Rows I5, P1 and P2.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{ALICE, Emperor, Tree, eventually, liege};
use crate::neighbour::{IDLE, JAILS, alices, assert_refused, jailed, rule, serve};

/// Root under any other name, nobody at all, and what is no id.
const NO_IDS: [&str; 9] =
    ["0", "00", "-1", "4294967295", "4294967296", "18446744073709551616", "", "no-such-name", "0x0"];

/// An Emperor that is no tyrant, over root's own configs, and Bob.
fn lenient(jail: &str, prepare: impl FnOnce(&Tree)) -> (Emperor, crate::neighbour::Neighbour) {
    let tree = Tree::new();
    prepare(&tree);
    serve(tree, |start| start.options(&[jailed(jail), jail]))
}

/// Row I5: what a config of root's says.
#[test]
fn a_uid_or_gid_that_is_none_never_falls_back_to_root() {
    for jail in JAILS {
        let (emperor, neighbour) = lenient(jail, |_| {});
        let ran = emperor.tree.script("ran", "echo somebody ran as $(id); exec sleep 1000000");
        for (number, value) in NO_IDS.iter().enumerate() {
            for (name, ids) in [
                (format!("uid{number}.ini"), format!("uid = {value}\ngid = {ALICE}\n")),
                (format!("gid{number}.ini"), format!("uid = {ALICE}\ngid = {value}\n")),
            ] {
                emperor.tree.vassal(&name, &format!("{ids}command = {}\n", ran.display()));
                emperor.wait_for(&name, "(exit status 1)");
                let kind = &name[..3];
                emperor.wait_for_line(|line| line.contains(&name) && says_why(line, kind));
                std::fs::remove_file(emperor.tree.vassals().join(name)).unwrap();
            }
        }
        assert!(!emperor.lines.has(|line| line.contains("somebody ran")), "one of them ran");
        neighbour.assert_served();
    }
}

/// At its place in the file, or once the name was looked up.
fn says_why(line: &str, key: &str) -> bool {
    let unknown = if key == "uid" { "there is no user" } else { "there is no group" };
    line.contains(&format!("`{key}`")) || line.contains(unknown)
}

/// Row I5: who owns it.
#[test]
fn a_config_of_roots_or_nobodys_never_runs_under_a_tyrant() {
    for jail in JAILS {
        let (emperor, neighbour) = rule(Tree::new(), jail, &[]);
        for (name, uid, gid, reason) in [
            ("root.ini", 0, 0, "nothing runs as root"),
            ("user.ini", 0, ALICE, "nothing runs as root"),
            ("group.ini", ALICE, 0, "nothing runs as root"),
            ("nobody.ini", 65_534, 65_534, "which is nobody here"),
            ("nogroup.ini", ALICE, 65_534, "which is nobody here"),
        ] {
            let fresh = emperor.tree.vassal("fresh", IDLE);
            chown(&fresh, Some(uid), Some(gid)).unwrap();
            std::fs::rename(fresh, emperor.tree.vassals().join(name)).unwrap();
            assert_refused(&emperor, name, reason);
        }
        neighbour.assert_served();
    }
}

/// Row I5: the Emperor's own ids.
#[test]
fn an_emperor_whose_ids_are_none_does_not_start() {
    let tree = Tree::new();
    let vassals = tree.vassals().display().to_string();
    for value in NO_IDS {
        for option in ["--uid", "--gid"] {
            let other = if option == "--uid" { "--gid=61003" } else { "--uid=61003" };
            let output = liege(&["--emperor", &vassals, other, &format!("{option}={value}")]);
            assert!(matches!(output.status.code(), Some(1 | 2)), "{option}={value}: {:?}", output.status);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains(&option[2..]), "{option}={value}: {said}");
        }
    }
}

/// Row P1.
#[test]
fn no_group_of_the_emperors_reaches_a_vassal_or_a_hook() {
    for jail in JAILS {
        let tree = Tree::new();
        tree.dir_of(ALICE, "alice");
        let groups = tree.script("groups", "echo groups of $1: $(id -G)");
        alices(&tree, "x.ini", &format!("exec-as-user = {} as-user\n{IDLE}", groups.display()));
        let hook = format!("{} as-vassal", groups.display());
        let (emperor, neighbour) = serve(tree, |start| {
            let start = start.through(&["setpriv", "--groups", "0,4,27,42"]);
            start.options(&["--emperor-tyrant", jailed(jail), jail, "--exec-as-vassal", &hook])
        });
        let hers = emperor.vassal("x.ini");
        for process in [&hers, &hers.child(), &neighbour.process, &neighbour.process.child()] {
            assert_eq!(process.status("Groups"), "", "{}", process.command_line().join(" "));
        }
        let roots = jail.contains("user");
        // In the default jail its phases of root are over then.
        let [user, vassal] =
            [roots, roots || jail == "standard"].map(|root| if root { "0" } else { "61001" });
        for (hook, inside) in [("as-user", user), ("as-vassal", vassal)] {
            let wanted = format!("groups of {hook}: {inside}");
            emperor.wait_for_line(|line| line == wanted);
        }
        assert!(!emperor.lines.has(|line| line.contains("groups of") && line.contains("42")));
        neighbour.assert_served();
    }
}

/// Row P2: half a pair of ids is completed by who the user is, or it is an error; it is never root's half.
#[test]
fn half_a_pair_of_ids_never_leaves_the_other_half_roots() {
    let (emperor, neighbour) = lenient(JAILS[0], |_| {});
    emperor.tree.vassal("user.ini", &format!("uid = nobody\n{IDLE}"));
    let nobody = emperor.vassal("user.ini").child();
    assert_eq!(nobody.status("Uid"), "65534 65534 65534 65534");
    assert_eq!(nobody.status("Gid"), "65534 65534 65534 65534");
    for (name, ids) in [("number.ini", format!("uid = {ALICE}\n")), ("group.ini", format!("gid = {ALICE}\n"))]
    {
        emperor.tree.vassal(name, &format!("{ids}command = /bin/sh -c 'echo somebody ran'\n"));
        emperor.wait_for(name, "(exit status 1)");
    }
    assert!(!emperor.lines.has(|line| line.contains("somebody ran")));
    neighbour.assert_served();
}

/// Row P2: a limit that keeps a user from having one more process ends the start, not the change of ids. (In a user
/// namespace the kernel counts anew.)
#[test]
fn a_tenant_at_the_limit_of_processes_gets_none_and_above_all_none_of_roots() {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    let crowd = Crowd::of(ALICE, 7);
    let (emperor, neighbour) = serve(tree, |start| {
        let start = start.through(&["prlimit", "--nproc=6:6"]);
        start.options(&["--emperor-tyrant", "--emperor-use-clone", JAILS[0]])
    });
    alices(&emperor.tree, "x.ini", IDLE);
    emperor.wait_for_line(|line| {
        line.contains(" vassal=x.ini ") && (line.contains("cannot be started") || line.contains("died"))
    });
    // Whoever is on the way to an identity is still root's, for a moment.
    eventually("nobody but the Emperor and its spawner to be root's", || {
        let roots = emperor.cgroup.pids().into_iter().filter(|pid| is_roots(*pid));
        (roots.count() == 2).then_some(())
    });
    neighbour.assert_served();
    drop(crowd);
    emperor.vassal("x.ini");
}

fn is_roots(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    ids.split_whitespace().any(|uid| uid == "0")
}

/// Processes of one user, up to the limit.
struct Crowd(Vec<std::process::Child>);

impl Crowd {
    fn of(uid: u32, size: usize) -> Self {
        let one = |_| Command::new("/bin/sleep").arg("1000000").uid(uid).gid(uid).spawn().unwrap();
        Self((0..size).map(one).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
