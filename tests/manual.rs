//! A vassal written as in the manual of uWSGI's Emperor works unchanged.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, Emperor, Process, Tree};

/// The vassal of the manual's chapter on namespaces, with a command that says what it sees.
fn as_in_the_manual(tree: &Tree) -> String {
    let (seen, socket) = (tree.dir_of(ALICE, "seen"), tree.dir_of(ALICE, "sockets").join("foobar.socket"));
    let look = tree.script(
        "look",
        &format!(
            "cd {}\nhostname > hostname\nls /proc | grep ^[0-9] | sort -n | tr '\\n' ' ' > processes; echo >> processes\n\
             id -u > uid\nid -g >> uid\necho $LISTEN_FDS > sockets\nexec sleep infinity",
            seen.display()
        ),
    );
    format!(
        "; set the hostname\nexec-as-root = hostname foobar\n\
         ; umount /proc and remount it to see only the processes of this vassal\n\
         exec-as-root = umount /proc\nexec-as-root = mount -t proc none /proc\n\
         ; drop privileges\nuid = {ALICE}\ngid = {ALICE}\n\
         ; bind to the socket\nsocket = {}\ncommand = {}\n",
        socket.display(),
        look.display()
    )
}

#[test]
fn inside_the_hostname_says_foobar_and_only_the_vassal_is_seen() {
    let tree = Tree::new();
    let body = as_in_the_manual(&tree);
    tree.vassal("foobar.ini", &body);
    let emperor = Emperor::start(tree, &["--emperor-use-clone", "fs,ipc,pid,uts"]);
    let vassal = emperor.vassal("foobar.ini");
    assert_eq!(emperor.tree.text("seen/sockets"), "1\n");
    assert_eq!(emperor.tree.text("seen/hostname"), "foobar\n");
    assert_eq!(emperor.tree.text("seen/uid"), format!("{ALICE}\n{ALICE}\n"));
    assert_eq!(emperor.tree.text("seen/processes").split(' ').next(), Some("1"));
    let visible = emperor.tree.text("seen/processes").split_whitespace().count();
    // The vassal master, the script, the three of its pipe and what the last of them may still be.
    assert!((2..=6).contains(&visible), "{visible} processes are visible inside");
    assert_eq!(vassal.namespace("net"), Process::of_this_test().namespace("net"));
    std::os::unix::net::UnixStream::connect(emperor.tree.path("sockets/foobar.socket")).unwrap();
    emperor.stop();
}

#[test]
fn outside_nothing_has_changed() {
    let tree = Tree::new();
    let body = as_in_the_manual(&tree);
    tree.vassal("foobar.ini", &body);
    let emperor = Emperor::start(tree, &["--emperor-use-clone", "fs,ipc,pid,uts"]);
    let vassal = emperor.vassal("foobar.ini");
    assert_ne!(std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), "foobar\n");
    let ours = Process::of_this_test();
    for name in ["mnt", "ipc", "pid", "uts"] {
        assert_ne!(vassal.namespace(name), ours.namespace(name));
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(mounts.lines().any(|line| line.split(' ').nth(4) == Some("/proc")), "/proc is gone");
    emperor.stop();
}

#[test]
fn a_failing_hook_ends_the_vassal_with_one_sentence_and_leaves_nothing() {
    let tree = Tree::new();
    let directory = tree.dir_of(ALICE, "sockets");
    let socket = directory.join("late.socket");
    let body = format!(
        "socket = {}\nuid = {ALICE}\ngid = {ALICE}\nexec-as-user = exit 3\ncommand = sleep infinity\n",
        socket.display()
    );
    tree.vassal("late.ini", &body);
    let emperor = Emperor::start(tree, &["--emperor-throttle", "60000"]);
    let line = emperor.wait_for_line(|line| line.contains("exit 3") && line.contains("status 3"));
    assert!(line.contains("exec-as-user"), "{line}");
    emperor.wait_for("late.ini", "throttling it");
    assert!(!socket.exists(), "its socket is still there");
    emperor.stop();
}

/// What real uWSGI, given this file, wrote into the log.
fn order_of_uwsgi(tree: &Tree, file: &std::path::Path) -> String {
    std::fs::write(tree.path("order/log"), "").unwrap();
    let mut command = std::process::Command::new("uwsgi");
    // Without a socket and an application it ends by itself, after all phases.
    command.arg("--ini").arg(file).stdin(std::process::Stdio::null());
    command.output().expect("uwsgi is installed (apt install uwsgi-core)");
    std::fs::read_to_string(tree.path("order/log")).unwrap()
}

#[test]
fn every_phase_runs_once_and_in_uwsgis_order() {
    let tree = Tree::new();
    let log = tree.dir_of(ALICE, "order").join("log");
    let phases = ["exec-as-user", "exec-as-root", "exec-in-jail", "exec-post-jail", "exec-pre-jail"];
    let line = |phase: &&str| format!("{phase} = echo {phase} $(id -u) >> {}\n", log.display());
    let mut body: String = phases.iter().map(line).collect();
    body += &format!("unshare = uts\nuid = {ALICE}\ngid = {ALICE}\ncommand = sleep infinity\n");
    let file = tree.path("order.ini");
    tree.place(&file, 0, &format!("[uwsgi]\n{body}"));
    std::fs::write(&log, "").unwrap();
    std::os::unix::fs::chown(&log, Some(ALICE), Some(ALICE)).unwrap();
    let theirs = order_of_uwsgi(&tree, &file);
    assert_eq!(theirs.lines().count(), phases.len(), "uWSGI: {theirs}");
    std::fs::write(&log, "").unwrap();
    tree.vassal("order.ini", &body);
    let emperor = Emperor::start(tree, &[]);
    emperor.vassal("order.ini");
    assert_eq!(emperor.tree.text("order/log"), theirs);
    emperor.stop();
}

#[test]
fn without_a_uid_each_phase_still_runs_once() {
    let tree = Tree::new();
    let log = tree.dir("order").join("log");
    let phases = ["exec-pre-jail", "exec-in-jail", "exec-as-root", "exec-as-user"];
    let line = |phase: &&str| format!("{phase} = echo {phase} >> {}\n", log.display());
    let body: String = phases.iter().map(line).collect();
    tree.vassal("root.ini", &format!("{body}command = sleep infinity\n"));
    let emperor = Emperor::start(tree, &[]);
    emperor.vassal("root.ini");
    assert_eq!(emperor.tree.text("order/log"), "exec-pre-jail\nexec-in-jail\nexec-as-root\nexec-as-user\n");
    emperor.stop();
}
