//! A vassal written as in the manual of uWSGI's Emperor works unchanged.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::unix::fs::MetadataExt;

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

/// Everything below `order/d`, with kind, mode, owner and content.
fn listing(tree: &Tree) -> String {
    let look = "cd \"$1\" && find d -printf '%p %y %m %U:%G\\n' -type f -exec cat '{}' ';' | sort";
    let mut command = std::process::Command::new("sh");
    let found = command.args(["-c", look, "sh"]).arg(tree.path("order")).output().unwrap();
    String::from_utf8(found.stdout).unwrap()
}

#[test]
fn hooks_leave_what_those_of_uwsgi_leave_and_in_the_same_order() {
    let tree = Tree::new();
    let top = tree.dir_of(ALICE, "order").display().to_string();
    let handlers = [
        "mkdir:TOP/d",
        "creat:TOP/d/empty",
        "write:TOP/d/text one two",
        "append:TOP/d/text  three",
        "appendn:TOP/d/text four",
        "writen:TOP/d/line words",
        "write:TOP/d/gone x",
        "unlink:TOP/d/gone",
        "chmod:TOP/d/empty 640",
        "chown2:TOP/d/line 61001 61001",
        "chown:TOP/d/text nobody daemon",
        "sticky:TOP/d",
        "cd:TOP/d",
        "putenv:COLOUR=blue",
        "exec:echo $COLOUR $(pwd) >> TOP/log",
        "safeexec:false",
        "print:words",
        "wait_for_dir:TOP/d",
        "wait_for_file:TOP/d/text",
    ];
    let mut body: String = handlers.iter().map(|one| format!("hook-as-root = {one}\n")).collect();
    for phase in ["as-user", "as-root", "in-jail", "pre-jail", "asap"] {
        body += &format!(
            "exec-{phase} = echo exec {phase} >> TOP/log\nhook-{phase} = exec:echo hook {phase} >> TOP/log\n"
        );
    }
    body += &format!("uid = {ALICE}\ngid = {ALICE}\ncommand = sleep infinity\n");
    let body = body.replace("TOP", &top);
    let file = tree.path("hooks.ini");
    tree.place(&file, 0, &format!("[uwsgi]\n{body}"));
    let fresh = || {
        std::fs::write(tree.path("order/log"), "").unwrap();
        std::os::unix::fs::chown(tree.path("order/log"), Some(ALICE), Some(ALICE)).unwrap();
    };
    fresh();
    let log = order_of_uwsgi(&tree, &file);
    let theirs = listing(&tree);
    assert_eq!((log.lines().count(), theirs.lines().count()), (11, 6), "uWSGI: {log}{theirs}");
    std::fs::remove_dir_all(tree.path("order/d")).unwrap();
    fresh();
    tree.vassal("hooks.ini", &body);
    let emperor = Emperor::start(tree, &[]);
    emperor.vassal("hooks.ini");
    assert_eq!(emperor.tree.text("order/log"), log);
    assert_eq!(listing(&emperor.tree), theirs);
    emperor.stop();
}

#[test]
fn a_tenants_hooks_may_do_anything_inside_and_nothing_outside() {
    let tree = Tree::new();
    let seen = tree.dir_of(ALICE, "seen");
    let look = tree.script(
        "look",
        &format!("cd {}\nhostname > name\ncat /mnt/file > file\nls /proc | grep -c '^[0-9]*$' > processes\nexec sleep infinity", seen.display()),
    );
    let inside = "mount-as-root = proc none /proc\nmount-as-root = tmpfs none /mnt nosuid size=64k\nhook-as-root = hostname:inside\n\
                 hook-as-root = ifdown:lo\nhook-as-root = ifup:lo\nhook-as-user = sticky:/mnt/../tmp/../mnt\n";
    let body = format!("{inside}hook-as-user = writen:/mnt/file inside\ncommand = {}\n", look.display());
    tree.vassal_of(ALICE, "inside.ini", &body);
    let victim = tree.dir("etc").join("passwd");
    std::fs::write(&victim, "victim").unwrap();
    let harms = ["chmod:VICTIM 0666", "append:VICTIM x", "chown2:VICTIM 0 0", "unlink:VICTIM"]
        .map(|harm| harm.replace("VICTIM", &victim.display().to_string()));
    for (number, harm) in harms.iter().enumerate() {
        let body = format!("hook-as-root = {harm}\ncommand = sleep infinity\n");
        tree.vassal_of(ALICE, &format!("harm{number}.ini"), &body);
    }
    let emperor =
        Emperor::start(tree, &["--emperor-tyrant", "--emperor-use-clone", "fs,net,ipc,pid,uts,user"]);
    emperor.vassal("inside.ini");
    for (number, harm) in harms.iter().enumerate() {
        emperor.wait_for_line(|line| {
            line.contains(&format!("harm{number}.ini")) && line.contains(harm.as_str())
        });
    }
    common::eventually("what is seen inside", || {
        Some(()).filter(|()| emperor.tree.path("seen/processes").exists())
    });
    assert_eq!(emperor.tree.text("seen/name"), "inside\n");
    assert_eq!(emperor.tree.text("seen/file"), "inside\n");
    let found = std::fs::metadata(&victim).unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "victim");
    assert_eq!((found.mode() & 0o7777, found.uid()), (0o644, 0));
    assert!(!std::path::Path::new("/mnt/file").exists());
    emperor.stop();
}
