//! A changed config: the good one replaces what runs, the bad one does not.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{ALICE, BOB, Emperor, Process, Tree};

#[test]
fn a_changed_command_replaces_the_old_one() {
    let tree = Tree::new();
    tree.vassal("a.ini", "command = sleep 1000001\n");
    let emperor = Emperor::start(tree, &[]);
    let old = emperor.vassal("a.ini");
    let mark = emperor.lines.mark();
    emperor.tree.vassal("a.ini", "command = sleep 1000002\n");
    let new = emperor.vassal_since(mark, "a.ini");
    old.wait_gone();
    assert_eq!(new.child().command_line(), ["sleep", "1000002"]);
    assert_eq!(emperor.told("a.ini", "died"), 0);
    emperor.stop();
}

#[test]
fn a_bad_config_is_told_with_its_place_and_the_last_good_one_runs_on() {
    let tree = Tree::new();
    tree.vassal("a.ini", "command = sleep 1000001\n");
    let emperor = Emperor::start(tree, &[]);
    let master = emperor.vassal("a.ini");
    let command = master.child();
    let mark = emperor.lines.mark();
    emperor.tree.vassal("a.ini", "comand = sleep 1000002\n");
    emperor.lines.wait_since(mark, |line| line.contains("a.ini:2:1"));
    emperor.lines.wait_since(mark, |line| line.contains("command"));
    emperor.lines.wait_since(mark, |line| line.contains("is ready to accept requests"));
    assert!(master.is_alive() && command.is_alive());
    emperor.tree.vassal("a.ini", "command = sleep 1000003\n");
    master.wait_gone();
    emperor.wait_for_programs("sleep", 1);
    let new = emperor.wait_stats("a.ini", |one| one["pid"] != master.pid && one["ready"] == 1);
    let new = Process::of(new["pid"].as_i64().unwrap().try_into().unwrap());
    assert_eq!(new.child().command_line(), ["sleep", "1000003"]);
    emperor.stop();
}

#[test]
fn a_config_that_was_never_good_disturbs_nobody_and_starts_once_it_is_mended() {
    let tree = Tree::new();
    tree.vassal("bad.ini", "command = sleep 1000001\nuid = 0\n");
    tree.vassal("good.ini", "command = sleep 1000002\n");
    let emperor = Emperor::start(tree, &["--emperor-throttle", "600000", "--emperor-max-throttle", "600000"]);
    let good = emperor.vassal("good.ini");
    emperor.wait_for_line(|line| line.contains("bad.ini:3:"));
    emperor.wait_for("bad.ini", "not started again");
    let mark = emperor.lines.mark();
    emperor.tree.vassal("bad.ini", "command = sleep 1000001\n");
    emperor.vassal_since(mark, "bad.ini");
    assert!(good.is_alive());
    emperor.stop();
}

#[test]
fn a_vassal_whose_file_changes_hands_is_started_as_the_new_owner() {
    let tree = Tree::new();
    let path = tree.vassal_of(ALICE, "a.ini", "command = sleep infinity\n");
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--emperor-use-clone", "fs,pid,ipc,net,uts"]);
    let old = emperor.vassal("a.ini");
    let mark = emperor.lines.mark();
    std::os::unix::fs::chown(&path, Some(BOB), Some(BOB)).unwrap();
    emperor.wait_since(mark, "a.ini", "permissions of file a.ini changed. stopping the instance...");
    let new = emperor.vassal_since(mark, "a.ini");
    old.wait_gone();
    assert_eq!(new.status("Uid"), "61002 61002 61002 61002");
    let mark = emperor.lines.mark();
    std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
    emperor.wait_since(mark, "a.ini", "refused");
    new.wait_gone();
    emperor.wait_stats("a.ini", |one| one["pid"] == -1);
    emperor.stop();
}

#[test]
fn programs_at_the_end_run_once_with_the_vassals_ids() {
    let tree = Tree::new();
    let log = tree.dir_of(ALICE, "seen").join("log");
    let atexit = format!("exec-as-user-atexit = id -u >> {}\ncommand = sleep infinity\n", log.display());
    let path = tree.vassal_of(ALICE, "a.ini", &atexit);
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--emperor-use-clone", "fs,pid"]);
    emperor.vassal("a.ini");
    std::fs::remove_file(path).unwrap();
    emperor.wait_for("a.ini", "removed uwsgi instance");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "61001\n");
    emperor.stop();
}

#[test]
fn a_log_file_is_opened_with_the_vassals_ids_and_never_through_a_link() {
    let tree = Tree::new();
    let directory = tree.dir_of(ALICE, "seen");
    let (good, link) = (directory.join("good"), directory.join("link"));
    tree.place(&tree.path("precious"), 0, "precious\n");
    std::os::unix::fs::symlink(tree.path("precious"), &link).unwrap();
    let body = |file: &std::path::Path| {
        format!("logto = {}\ncommand = sh -c 'echo heard; exec sleep infinity'\n", file.display())
    };
    tree.vassal_of(ALICE, "good.ini", &body(&good));
    tree.vassal_of(ALICE, "link.ini", &body(&link));
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    emperor.vassal("good.ini");
    assert_eq!(emperor.tree.text("seen/good"), "heard\n");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&good).unwrap()), ALICE);
    emperor.wait_for_line(|line| line.contains("link.ini") && line.contains("log"));
    emperor.wait_for("link.ini", "died");
    assert_eq!(emperor.tree.text("precious"), "precious\n");
    emperor.stop();
}

#[test]
fn a_socket_is_handed_on_and_gone_in_the_end() {
    let tree = Tree::new();
    let socket = tree.dir_of(ALICE, "sockets").join("a.sock");
    let out = tree.dir_of(ALICE, "seen").join("out");
    let look = format!(
        "echo $LISTEN_FDS $LISTEN_PID $$ > {}; ls -l /proc/self/fd/3 > /dev/null && exec sleep infinity",
        out.display()
    );
    let body = format!("socket = {}\nchmod-socket = 600\ncommand = sh -c '{look}'\n", socket.display());
    let path = tree.vassal_of(ALICE, "a.ini", &body);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    let command = emperor.vassal("a.ini").child();
    let numbers = command.status("NSpid");
    let inside = numbers.split(' ').next_back().unwrap();
    assert_eq!(emperor.tree.text("seen/out"), format!("1 {inside} {inside}\n"));
    let meta = std::fs::symlink_metadata(&socket).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!((meta.mode() & 0o7777, meta.uid(), meta.gid()), (0o600, ALICE, ALICE));
    std::fs::remove_file(path).unwrap();
    emperor.wait_for("a.ini", "removed uwsgi instance");
    assert!(!socket.exists());
    emperor.stop();
}

/// A root of busybox with `/etc/hosts`, and in front of it what the vassal includes, which cannot be seen from there.
fn with_another_root(tree: &Tree, included: &str) -> String {
    tree.dir("root");
    tree.dir("root/bin");
    common::copy_program("/bin/busybox", tree.path("root/bin/busybox"));
    std::fs::set_permissions(tree.path("root/bin/busybox"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("busybox", tree.path("root/bin/sleep")).unwrap();
    include(tree, included);
    format!("chroot = {}\nuid = {ALICE}\ngid = {ALICE}\n", tree.path("root").display())
}

fn include(tree: &Tree, lines: &str) {
    std::fs::write(tree.path("defaults.ini"), format!("[uwsgi]\n{lines}")).unwrap();
}

/// What is included names another command, and the config is written again: the process that runs that.
fn reloads(emperor: &Emperor, lines: &str) -> Process {
    let old = emperor.vassal("a.ini");
    let mark = emperor.lines.mark();
    include(&emperor.tree, "command = sleep 1000002\n");
    emperor.tree.vassal("a.ini", lines);
    let new = emperor.vassal_since(mark, "a.ini");
    old.wait_gone();
    assert_eq!(new.child().command_line(), ["sleep", "1000002"]);
    new
}

#[test]
fn a_vassal_with_another_root_reloads_with_the_files_that_it_includes() {
    for included_by_emperor in [false, true] {
        let tree = Tree::new();
        let root = with_another_root(&tree, "command = sleep 1000001\n");
        let defaults = tree.path("defaults.ini").display().to_string();
        let (option, lines) = match included_by_emperor {
            true => (vec!["--vassals-include", &defaults], root),
            false => (vec![], format!("{root}include = {defaults}\n")),
        };
        tree.vassal("a.ini", &lines);
        let emperor = Emperor::start(tree, &option);
        assert_eq!(emperor.vassal("a.ini").child().command_line(), ["sleep", "1000001"]);
        reloads(&emperor, &lines);
        assert_eq!(emperor.told("a.ini", "cannot read"), 0);
        assert_eq!(emperor.told("a.ini", "died"), 0);
        emperor.stop();
    }
}

#[test]
fn nothing_in_another_root_passes_for_a_file_that_is_included() {
    let tree = Tree::new();
    let root = with_another_root(&tree, "command = sleep 1000001\n");
    let lines = format!("{root}include = {}\n", tree.path("defaults.ini").display());
    // By the same name, in the root: it would make the config a bad one.
    let inside = tree.path("root").join(tree.path("defaults.ini").strip_prefix("/").unwrap());
    std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
    std::fs::write(&inside, "[uwsgi]\ncomand = sleep 1000009\n").unwrap();
    tree.vassal("a.ini", &lines);
    let emperor = Emperor::start(tree, &[]);
    reloads(&emperor, &lines);
    assert_eq!(emperor.told("a.ini", "comand"), 0);
    emperor.stop();
}

#[test]
fn a_bad_config_without_other_files_leaves_a_vassal_with_another_root_alone() {
    let tree = Tree::new();
    let root = with_another_root(&tree, "");
    tree.vassal("a.ini", &format!("{root}command = sleep 1000001\n"));
    let emperor = Emperor::start(tree, &[]);
    let master = emperor.vassal("a.ini");
    let command = master.child();
    let mark = emperor.lines.mark();
    emperor.tree.vassal("a.ini", &format!("{root}comand = sleep 1000002\n"));
    emperor.lines.wait_since(mark, |line| line.contains("a.ini:5:1"));
    emperor.lines.wait_since(mark, |line| line.contains("is ready to accept requests"));
    assert!(master.is_alive() && command.is_alive());
    emperor.stop();
}

#[test]
fn a_vassal_that_gave_up_root_reloads_with_an_included_file_of_root_alone() {
    let tree = Tree::new();
    include(&tree, "command = sleep 1000001\n");
    let defaults = tree.path("defaults.ini");
    std::fs::set_permissions(&defaults, std::fs::Permissions::from_mode(0o600)).unwrap();
    let lines = format!("uid = {ALICE}\ngid = {ALICE}\ninclude = {}\n", defaults.display());
    tree.vassal("a.ini", &lines);
    let emperor = Emperor::start(tree, &[]);
    let new = reloads(&emperor, &lines);
    assert_eq!(new.status("Uid"), "61001 61001 61001 61001");
    emperor.stop();
}
