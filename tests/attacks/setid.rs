//! Programs that would make somebody root, and files that would make somebody a tenant. Rows P4 and P5.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{ALICE, BOB, Emperor, Process, Start, Tree, copy_program};
use crate::neighbour::{IDLE, JAILS, alices, jailed, rule, serve};

const PYTHON: &str = "/usr/bin/python3";
/// Tries every way to make a file with such a bit below the directory that it is given; see there.
const PLANT: &str = include_str!("../programs/plant.py");
/// Runs what is there to become root by, and tells what came of it.
const GAIN: &str = include_str!("../programs/gain.py");
const SETID: u32 = 0o6000;

/// A tree in which Alice has a directory, with the programs of the attack.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    tree.place(&tree.path("plant.py"), 0, PLANT);
    tree.place(&tree.path("gain.py"), 0, GAIN);
    let archive = tree.path("setid.tar");
    let packed = tree.dir("packed");
    copy("/usr/bin/id", &packed.join("from-archive"), 0o6755);
    let tar = Command::new("/usr/bin/tar")
        .arg("cf")
        .arg(archive)
        .arg("-C")
        .arg(&packed)
        .arg("from-archive")
        .status();
    assert!(tar.unwrap().success());
    tree
}

fn copy(program: &str, path: &Path, mode: u32) {
    copy_program(program, path);
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Way of the attack, and what came of it: `made`, or the error.
type Outcomes = BTreeMap<String, String>;

/// `plant WAY OUTCOME` in lines.
fn outcomes<'a>(verb: &str, lines: impl Iterator<Item = &'a str>) -> Outcomes {
    let words = lines.filter_map(|line| line.strip_prefix(verb)?.strip_prefix(' ')?.split_once(' '));
    words.map(|(way, outcome)| (way.to_owned(), outcome.to_owned())).collect()
}

/// The same program by the same user without us.
fn unhindered(tree: &Tree, verb: &str, program: &str, directory: &Path) -> Outcomes {
    let mut python = Command::new(PYTHON);
    python.arg(tree.path(program)).arg(tree.path("")).arg(directory).uid(ALICE).gid(ALICE);
    let said = python.output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{text}{}", String::from_utf8_lossy(&said.stderr));
    outcomes(verb, text.lines())
}

/// Lines of this program's, once it has said that it is done.
fn said(emperor: &Emperor, verb: &str) -> Outcomes {
    let done = format!("{verb} done");
    emperor.wait_for_line(|line| line.starts_with(&done));
    let lines = emperor.lines.all();
    outcomes(verb, lines.iter().map(String::as_str))
}

/// Files and directories below with one of the bits.
fn setid_below(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for path in entries {
        let file = std::fs::symlink_metadata(&path).unwrap();
        if file.mode() & SETID != 0 {
            found.push(path.clone());
        }
        if file.is_dir() {
            found.extend(setid_below(&path));
        }
    }
    found
}

fn program(tree: &Tree, name: &str) -> String {
    let (script, top) = (tree.path(name), tree.path(""));
    format!(
        "command = {PYTHON} {} {} {} wait\n",
        script.display(),
        top.display(),
        tree.path("alice").display()
    )
}

/// Row P5: whoever runs such a file outside becomes who made it; so nobody makes one.
#[test]
fn a_tenant_makes_no_setuid_file_in_any_way_that_works_without_us() {
    for jail in ["", JAILS[0], JAILS[1]] {
        let tree = tree();
        alices(&tree, "x.ini", &program(&tree, "plant.py"));
        let free = tree.dir_of(ALICE, "free");
        let (emperor, neighbour) = serve(tree, |start| clone_into(start.option("--emperor-tyrant"), jail));
        assert_nothing_planted(&emperor, &free);
        neighbour.assert_served();
    }
}

fn clone_into(start: Start, jail: &str) -> Start {
    if jail.is_empty() { start } else { start.options(&[jailed(jail), jail]) }
}

/// Row P5: the same where our vassal master drops the ids, or the Emperor does.
#[test]
fn whoever_was_given_other_ids_makes_no_setuid_file() {
    let (uid, gid) = (format!("uid = {ALICE}\n"), format!("gid = {ALICE}\n"));
    let tree = tree();
    tree.vassal("x.ini", &(uid + &gid + &program(&tree, "plant.py")));
    let free = tree.dir_of(ALICE, "free");
    let emperor = Start::in_tree(tree).start();
    assert_nothing_planted(&emperor, &free);
    drop(emperor);

    let tree = self::tree();
    tree.vassal("x.ini", &program(&tree, "plant.py"));
    let free = tree.dir_of(ALICE, "free");
    let alice = ALICE.to_string();
    let start = Start::in_tree(tree).serving_as(ALICE).options(&["--uid", &alice, "--gid", &alice]);
    assert_nothing_planted(&start.start(), &free);
}

fn assert_nothing_planted(emperor: &Emperor, free: &Path) {
    let tries = said(emperor, "plant");
    let control = unhindered(&emperor.tree, "plant", "plant.py", free);
    let made: Vec<&String> = control.iter().filter(|(_, came)| *came == "made").map(|(way, _)| way).collect();
    assert!(made.len() > 12, "the attack is none: {control:?}");
    assert!(setid_below(free).len() > 8, "{:?}", setid_below(free));
    for way in made {
        let came = &tries[way];
        let closed = ["EPERM", "ENOSYS", "SIGSYS", "without"].contains(&came.as_str());
        assert!(closed, "{way}: {came}");
    }
    assert_eq!(setid_below(&emperor.tree.path("alice")), Vec::<PathBuf>::new());
}

/// Row P5: one that is there already (of before, or from outside) makes nobody anything inside.
#[test]
fn two_tenants_gain_nothing_by_a_setuid_file_of_one_of_them() {
    for jail in JAILS {
        let tree = tree();
        let planted = tree.path("alice/planted");
        copy("/usr/bin/id", &planted, 0o755);
        std::os::unix::fs::chown(&planted, Some(ALICE), Some(ALICE)).unwrap();
        std::fs::set_permissions(&planted, PermissionsExt::from_mode(0o6755)).unwrap();
        let run = tree.script("become", &format!("echo became $({})\nexec sleep 1000000", planted.display()));
        tree.vassal_of(BOB, "run.ini", &format!("command = {}\n", run.display()));
        let mut outside = Command::new(&planted);
        let outside = outside.uid(BOB).gid(BOB).output().unwrap().stdout;
        assert!(String::from_utf8_lossy(&outside).contains(&format!("euid={ALICE}")), "the file is harmless");
        let (emperor, neighbour) = rule(tree, jail, &[]);
        let line = emperor.wait_for_line(|line| line.contains("became uid="));
        assert!(!line.contains("euid=") && !line.contains("egid=") && !line.contains("61001"), "{line}");
        neighbour.assert_served();
    }
}

/// Row P4: read back from the kernel, mount by mount.
#[test]
fn no_mount_of_a_jail_honours_setuid_bits() {
    for jail in JAILS {
        let tree = tree();
        alices(&tree, "x.ini", IDLE);
        let (emperor, neighbour) = rule(tree, jail, &[]);
        let mounts = emperor.vassal("x.ini").read("mountinfo");
        assert!(mounts.lines().count() > 1);
        assert_eq!(honouring(&mounts), Vec::<&str>::new());
        let ours = Process::of_this_test().read("mountinfo");
        assert!(!honouring(&ours).is_empty(), "every mount of this host has nosuid already");
        neighbour.assert_served();
    }
}

/// Mount points without `nosuid` (`proc_pid_mountinfo(5)`).
fn honouring(mountinfo: &str) -> Vec<&str> {
    let fields = mountinfo.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let without = fields.filter(|fields| !fields[5].split(',').any(|option| option == "nosuid"));
    without.map(|fields| fields[4]).collect()
}

/// Row P4: also by way of a mount of her own that honours the bits again, which root of a user namespace may make.
#[test]
fn programs_that_make_a_user_root_make_a_tenant_nothing() {
    for jail in JAILS {
        let tree = tree();
        copy("/usr/bin/id", &tree.path("setuid-id"), 0o6755);
        copy("/bin/cat", &tree.path("capable-cat"), 0o755);
        give_capability(&tree.path("capable-cat"));
        let control = unhindered(&tree, "gain", "gain.py", &tree.path("alice"));
        let hook = format!(
            "mkdir {0}/again && mount --bind {1} {0}/again && mount -o remount,bind,suid {0}/again && echo mounted again",
            tree.path("alice").display(),
            tree.path("").display()
        );
        let user = jail.contains("user");
        let mount = if user { format!("exec-as-root = {hook}\n") } else { String::new() };
        alices(&tree, "x.ini", &(mount + &program(&tree, "gain.py")));
        let (emperor, neighbour) = rule(tree, jail, &[]);
        let gained = said(&emperor, "gain");
        let same = |way: &str, wanted: &str| assert_eq!(control[way], wanted, "{way} is harmless without us");
        same("setuid-id", "root");
        same("capable-cat", "capable");
        same("su", "root");
        same("sudo", "root");
        for (way, outcome) in &gained {
            assert_eq!(outcome, "nothing", "{way} in {jail}");
        }
        assert_eq!(gained.len(), if user { 5 } else { 4 }, "{gained:?}");
        assert_eq!(emperor.lines.has(|line| line == "mounted again"), user);
        neighbour.assert_served();
    }
}

/// `chown`, permitted and effective (`capabilities(7)`, file capabilities, version 2).
fn give_capability(path: &Path) {
    let words: [u32; 5] = [0x0200_0001, 1, 0, 0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    rustix::fs::setxattr(path, "security.capability", &bytes, rustix::fs::XattrFlags::empty()).unwrap();
}
