//! Into a running jail: whoever joins it is held by what holds its own command, whatever the tenant has prepared for him.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;
mod neighbour;

use std::path::{Path, PathBuf};

use common::{ALICE, Emperor, NAMESPACES, Process, RIGHTS, Start, Tree, eventually, processes};
use neighbour::{IDLE, JAILS, Neighbour, alices, jailed, serve};
use rustix::fs::{FileType, Mode, mknodat};

/// With a user namespace: in all others a hook has the administrator's rights and runs nothing of the tenant's.
const JOINED: [&str; 2] = [JAILS[1], "standard"];
const FILES: [&str; 4] = ["cgroup", "limits", "uid_map", "oom_score_adj"];

/// All that holds a process.
fn held_by(process: &Process) -> Vec<String> {
    let status = RIGHTS.map(|field| format!("{field} {}", process.status(field)));
    let namespaces = NAMESPACES.map(|name| process.namespace(name));
    let files = FILES.map(|name| format!("{name} {}", process.read(name)));
    status.into_iter().chain(namespaces).chain(files).collect()
}

/// Of Alice's; hooks in her jail wait for the FIFO until her own command runs.
fn tree() -> (Tree, PathBuf) {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    let fifo = tree.path("fifo");
    mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    (tree, fifo)
}

/// With groups that nobody is to have, and hooks that enter the jail of `x.ini` once her command runs.
fn prepare(start: Start, fifo: &Path, jail: &str, hooks: &[String]) -> Start {
    let wait = format!("exec:case $UWSGI_VASSAL_CONFIG in *x.ini) cat {};; esac", fifo.display());
    let start = start.options(&["--emperor-tyrant", jailed(jail), jail, "--hook-as-emperor", &wait]);
    let hooks = hooks.iter().flat_map(|hook| ["--hook-as-emperor-setns", hook]);
    start.options(&hooks.collect::<Vec<_>>()).through(&["setpriv", "--groups", "0,4,27,42"])
}

/// Her command, once it runs; the hooks go on.
fn command(emperor: &Emperor, fifo: &Path) -> Process {
    let command = emperor.vassal("x.ini").child_named("sleep");
    // Opens when the hook reads.
    drop(std::fs::OpenOptions::new().write(true).open(fifo).unwrap());
    command
}

fn entering(tree: Tree, fifo: &Path, jail: &str, hooks: &[String]) -> (Emperor, Neighbour, Process) {
    let (emperor, neighbour) = serve(tree, |start| prepare(start, fifo, jail, hooks));
    let command = command(&emperor, fifo);
    (emperor, neighbour, command)
}

/// A sleep that nobody else sleeps, and the process that does.
fn sleep() -> (String, impl Fn(&Process) -> Process) {
    let seconds = (u64::from(std::process::id()) << 20 | u64::from(ALICE)).to_string();
    let words = vec!["sleep".to_owned(), seconds.clone()];
    let find = move |command: &Process| {
        let known = |pid: i32| Process::if_there(pid).ok().filter(|one| one.command_line() == words);
        let inside = |one: &Process| one.link("ns/pid") == command.link("ns/pid");
        eventually("somebody who joined", || processes().into_iter().filter_map(known).find(inside))
    };
    (format!("exec:exec sleep {seconds}"), find)
}

/// Row N7: ids, groups, all five sets, `no_new_privs`, filters, cgroup, limits and every namespace.
#[test]
fn whoever_joins_a_jail_is_held_by_all_that_holds_its_command() {
    for jail in JOINED {
        let (tree, fifo) = tree();
        alices(&tree, "x.ini", IDLE);
        let (hook, joiner) = sleep();
        // `user` alone: who has the tenant's rights is in all of his jail, not in the host's network.
        let (_emperor, neighbour, command) = entering(tree, &fifo, jail, &[format!("user {hook}")]);
        assert_eq!(held_by(&joiner(&command)), held_by(&command), "{jail}");
        assert_eq!(command.status("NoNewPrivs"), "1");
        assert_eq!(command.status("Seccomp"), "2");
        neighbour.assert_served();
    }
}

/// Row N7: under the strict filter and its scopes too, where a neighbour could not listen in his directory.
#[test]
fn whoever_joins_a_strict_jail_is_held_by_all_that_holds_its_command() {
    let (tree, fifo) = tree();
    alices(&tree, "x.ini", IDLE);
    let (hook, joiner) = sleep();
    let alice = tree.path("alice");
    let start = Start::in_tree(tree).option("--emperor").option(alice);
    let emperor = prepare(start, &fifo, "strict", &[format!("user,ipc {hook}")]).start();
    let command = command(&emperor, &fifo);
    assert_eq!(held_by(&joiner(&command)), held_by(&command));
    assert_eq!(command.status("Seccomp_filters"), "3");
}

/// Row N6: root of the jail hides every file from which limits could be read, and says in `/proc` that all is allowed.
#[test]
fn a_forged_proc_and_emptied_files_change_nothing_for_whoever_joins() {
    let forge = "set -e; mount -t tmpfs none /etc; mount -t tmpfs none /run; mount -t tmpfs none /proc; \
                 mkdir -p /proc/self/ns /proc/self/attr; echo 0 0 4294967295 > /proc/self/uid_map; \
                 echo 0 0 4294967295 > /proc/self/gid_map; echo allow > /proc/self/setgroups; \
                 printf 'NoNewPrivs: 0\\nSeccomp: 0\\n' > /proc/self/status; echo forged";
    for jail in [JAILS[1], "standard"] {
        let (tree, fifo) = tree();
        let forge = tree.script("forge", forge);
        alices(&tree, "x.ini", &format!("exec-as-root = {}\n{IDLE}", forge.display()));
        let (hook, joiner) = sleep();
        let (emperor, neighbour, command) = entering(tree, &fifo, jail, &[format!("fs,user,pid {hook}")]);
        emperor.wait_for_line(|line| line == "forged");
        assert_eq!(held_by(&joiner(&command)), held_by(&command), "{jail}");
        neighbour.assert_served();
    }
}

/// What no command of a tenant's may do.
const TRIES: &str = r#"
unshare -Ur true 2>/dev/null && echo escaped by a user namespace
mount -t tmpfs none /mnt 2>/dev/null && echo escaped by a mount
python3 -c 'import socket; socket.socket(40, 1)' 2>/dev/null && echo escaped by AF_VSOCK
python3 -c 'import socket; socket.socket(38, 5)' 2>/dev/null && echo escaped by AF_ALG
su -c true 2>/dev/null </dev/null && test "$(id -u)" != 0 && echo escaped by su
cat /etc/shadow >/dev/null 2>&1 && echo escaped to the shadow file
test -e /proc/$1/root && echo escaped to the Emperor
echo tried"#;

/// Row N7: a program in the tenant's mounts, which he could have written himself.
#[test]
fn a_program_that_joins_a_jail_gets_no_further_than_the_tenant() {
    for jail in JOINED {
        let (tree, fifo) = tree();
        alices(&tree, "x.ini", IDLE);
        let tries = tree.script("tries", TRIES);
        let hooks = ["fs,user", "user,net", "fs,user,pid,net,ipc,uts"]
            .map(|namespaces| format!("{namespaces} exec:{} {}", tries.display(), std::process::id()));
        let (emperor, neighbour, _command) = entering(tree, &fifo, jail, &hooks);
        // In the neighbour's jail as well.
        let all = 2 * hooks.len();
        eventually("all attempts", || (emperor.lines.count(|line| line == "tried") == all).then_some(()));
        assert!(!emperor.lines.has(|line| line.starts_with("escaped")), "{jail}");
        neighbour.assert_served();
    }
}

/// Row N7: a hook that keeps the administrator's rights is limited, and ends, together with the vassal.
#[test]
fn whoever_joins_with_rights_is_in_the_cgroup_of_the_vassal_and_gains_none() {
    let (tree, fifo) = tree();
    let config = alices(&tree, "x.ini", IDLE);
    let (hook, joiner) = sleep();
    let (emperor, neighbour, command) = entering(tree, &fifo, "standard", &[format!("net,pid {hook}")]);
    let joined = joiner(&command);
    assert_eq!((joined.status("Uid"), joined.status("NoNewPrivs")), ("0 0 0 0".into(), "1".into()));
    assert_eq!(joined.read("cgroup"), command.read("cgroup"));
    assert_eq!(joined.read("limits"), command.read("limits"));
    assert_ne!(joined.namespace("mnt"), command.namespace("mnt"), "it runs the host's programs");
    std::fs::remove_file(config).unwrap();
    joined.wait_gone();
    emperor.wait_for("x.ini", "removed uwsgi instance");
    neighbour.assert_served();
}

/// Row N7: `setns` of a vassal takes namespaces along and no right: what it was born with holds.
#[test]
fn a_vassal_that_joins_another_one_keeps_its_own_limits() {
    let tree = Tree::new();
    let socket = tree.path("run/ns").display().to_string();
    tree.vassal(
        "server.ini",
        &format!("unshare = uts,net,ipc\nhostname = served\nsetns-socket = {socket}\n{IDLE}"),
    );
    tree.vassal("joiner.ini", &format!("setns = {socket}\nuid = {ALICE}\ngid = {ALICE}\n{IDLE}"));
    let emperor = Emperor::start(tree, &[]);
    let server = emperor.vassal("server.ini").child_named("sleep");
    let joiner = emperor.vassal("joiner.ini").child_named("sleep");
    for kind in ["uts", "net", "ipc"] {
        assert_eq!(joiner.namespace(kind), server.namespace(kind));
    }
    assert_ne!(joiner.read("cgroup"), server.read("cgroup"), "it stays in its own");
    let none = "0000000000000000";
    for (field, expected) in [
        ("Uid", format!("{ALICE} {ALICE} {ALICE} {ALICE}")),
        ("Groups", ALICE.to_string()),
        ("CapInh", none.into()),
        ("CapPrm", none.into()),
        ("CapBnd", none.into()),
        ("CapAmb", none.into()),
        ("NoNewPrivs", "1".into()),
        ("Seccomp", "2".into()),
    ] {
        assert_eq!(joiner.status(field), expected, "{field}");
    }
    emperor.stop();
}
