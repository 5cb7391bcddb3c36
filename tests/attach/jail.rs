//! Whoever is let into a jail is exactly as its command is.

use std::process::{Child, Stdio};

use super::common::{ALICE, Emperor, NAMESPACES, Process, RIGHTS, Start, Tree, eventually};
use super::{IDLE, jailed, liege, run, tenants, text};

/// Every jail: none at all, namespaces without and with users, and those of one word.
const JAILS: [&[&str]; 5] = [
    &["--jail", "none"],
    &["--jail", "none", "--emperor-use-clone", "fs,net,ipc,pid,uts"],
    &["--jail", "none", "--emperor-use-clone", "fs,net,ipc,pid,uts,user"],
    &["--jail", "standard"],
    &["--jail", "strict"],
];
const FILES: [&str; 5] = ["cgroup", "limits", "uid_map", "gid_map", "oom_score_adj"];

/// All that holds a process.
pub fn held_by(process: &Process) -> Vec<String> {
    let status = RIGHTS.map(|field| format!("{field} {}", process.status(field)));
    let namespaces = NAMESPACES.map(|name| process.namespace(name));
    let files = FILES.map(|name| format!("{name} {}", process.read(name)));
    let root = process.link("root");
    status.into_iter().chain(namespaces).chain(files).chain([root]).collect()
}

/// A sleep of this many seconds below this Emperor.
fn sleeper(emperor: &Emperor, seconds: &str) -> Process {
    let is = |pid: &i32| Process::if_there(*pid).is_ok_and(|one| one.command_line() == ["sleep", seconds]);
    let pid = eventually("a sleep", || emperor.cgroup.pids().into_iter().find(is));
    Process::of(pid)
}

/// A command in the jail of a vassal, and its process.
pub fn visitor(emperor: &Emperor, name: &str, seconds: &str) -> (Child, Process) {
    let client = liege(emperor, 0, &["exec", name, "--", "sleep", seconds]).stderr(Stdio::inherit()).spawn();
    (client.unwrap(), sleeper(emperor, seconds))
}

pub fn leave(mut client: Child, visitor: &Process) {
    visitor.signal(rustix::process::Signal::KILL);
    assert_eq!(client.wait().unwrap().code(), Some(137));
}

/// Rows N6 and N7.
#[test]
fn whoever_enters_is_held_by_all_that_holds_the_command() {
    for jail in JAILS {
        let emperor = tenants(&[&["--emperor-tyrant"], jail].concat());
        let command = emperor.vassal("alice.ini").child_named("sleep");
        let (client, visitor) = visitor(&emperor, "alice", "7777001");
        assert_eq!(held_by(&visitor), held_by(&command), "{jail:?}");
        leave(client, &visitor);
        emperor.stop();
    }
}

/// Row N7.
#[test]
fn whoever_enters_a_vassal_of_roots_is_the_user_of_its_command() {
    // In a namespace of one id there is no other user.
    for jail in [JAILS[0], JAILS[1], JAILS[3], JAILS[4]] {
        let tree = Tree::new();
        tree.liege();
        tree.vassal("a.ini", &format!("uid = nobody\ngid = nogroup\n{IDLE}"));
        let emperor = Emperor::start(tree, jail);
        let command = emperor.vassal("a.ini").child_named("sleep");
        let (client, visitor) = visitor(&emperor, "a", "7777002");
        assert_eq!(held_by(&visitor), held_by(&command), "{jail:?}");
        leave(client, &visitor);
        emperor.stop();
    }
}

#[test]
fn whoever_enters_a_vassal_without_a_jail_is_root_as_its_command_is() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", IDLE);
    let emperor = Emperor::start(tree, &[]);
    let command = emperor.vassal("a.ini").child_named("sleep");
    let (client, visitor) = visitor(&emperor, "a", "7777003");
    assert_eq!(held_by(&visitor), held_by(&command));
    leave(client, &visitor);
    assert!(!run(&emperor, ALICE, &["exec", "a", "--", "true"]).status.success());
    emperor.stop();
}

/// Row N7.
#[test]
fn whoever_enters_a_vassal_of_an_ordinary_user_is_as_its_command_is() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", IDLE);
    let emperor = Start::owned(tree, ALICE).options(&["--jail", "standard"]).by_user(ALICE).start();
    let command = emperor.vassal("a.ini").child_named("sleep");
    let mut client = liege(&emperor, ALICE, &["exec", "a", "--", "sleep", "7777004"]).spawn().unwrap();
    let visitor = sleeper(&emperor, "7777004");
    assert_eq!(held_by(&visitor), held_by(&command));
    visitor.signal(rustix::process::Signal::KILL);
    assert_eq!(client.wait().unwrap().code(), Some(137));
    emperor.stop();
}

/// Row N7: namespaces that its config has made besides those that it was born in.
#[test]
fn whoever_enters_is_in_all_namespaces_of_the_command_whoever_made_them() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("a.ini", &format!("unshare = fs,uts\n{IDLE}"));
    let emperor = Emperor::start(tree, &["--jail", "none", "--emperor-use-clone", "net,ipc"]);
    let command = emperor.vassal("a.ini").child_named("sleep");
    let ours = Process::of(std::process::id().cast_signed());
    let apart = NAMESPACES.into_iter().filter(|name| command.namespace(name) != ours.namespace(name));
    assert_eq!(apart.count(), 4, "{:?}", held_by(&command));
    let (client, visitor) = visitor(&emperor, "a", "7777005");
    assert_eq!(held_by(&visitor), held_by(&command));
    leave(client, &visitor);
    emperor.stop();
}

/// Row N7: another root directory than that of its mounts holds, too.
#[test]
fn whoever_enters_has_the_root_directory_of_the_command() {
    let tree = Tree::new();
    tree.liege();
    let root = tree.dir("root");
    for name in ["bin", "lib", "lib64", "usr"] {
        std::fs::create_dir(root.join(name)).unwrap();
    }
    let body = format!(
        "unshare = fs\nexec-post-jail = for d in bin lib lib64 usr; do mount --rbind /$d {0}/$d; done\nchroot = {0}\n{IDLE}",
        root.display()
    );
    tree.vassal("a.ini", &body);
    let emperor = Emperor::start(tree, &["--jail", "none"]);
    let command = emperor.vassal("a.ini").child_named("sleep");
    let output = run(&emperor, 0, &["exec", "a", "--", "ls", "/"]);
    assert_eq!(text(&output.stdout), "bin\nlib\nlib64\nusr\n", "{}", text(&output.stderr));
    assert!(command.is_alive());
    emperor.stop();
}

/// Row T3: its terminal is of the jail's own devpts, and no other one can be seen.
#[test]
fn a_terminal_is_one_of_the_jails_own() {
    let emperor = jailed();
    let script = "tty; stat -c %d /dev/pts $(tty) | uniq; ls -1 /dev/pts; readlink /proc/self/fd/0";
    let output = run(&emperor, ALICE, &["attach", "alice", "--", "sh", "-c", script]);
    let seen = text(&output.stdout).replace('\r', "");
    let lines: Vec<&str> = seen.lines().filter(|line| !line.starts_with("^D")).collect();
    let [name, device, first, second, open] = lines[..] else { panic!("{seen} {}", text(&output.stderr)) };
    let name = name.trim_start_matches(['^', 'D', '\x08']);
    assert!(name.starts_with("/dev/pts/") && open == name, "{seen}");
    assert_eq!([first, second], [name.rsplit('/').next().unwrap(), "ptmx"]);
    let ours = std::os::linux::fs::MetadataExt::st_dev(&std::fs::metadata("/dev/pts").unwrap());
    assert_ne!(device, ours.to_string());
    emperor.stop();
}

/// The environment is that of the vassal's user, and of the client's only what is about the terminal.
#[test]
fn whoever_enters_has_a_clean_environment() {
    let emperor = jailed();
    let mut command = liege(&emperor, ALICE, &["attach", "alice", "--", "env"]);
    let output =
        command.env("LD_PRELOAD_TEST", "x").env("TERM", "vt100").env("LANG", "a;b").output().unwrap();
    let seen = text(&output.stdout).replace('\r', "");
    let mut lines: Vec<&str> = seen.lines().filter(|line| line.contains('=')).collect();
    lines.sort_unstable();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(lines, [path, "TERM=vt100"], "{seen}");
    emperor.stop();
}
