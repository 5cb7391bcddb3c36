//! Where lines go.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use super::common::{ALICE, Emperor, PATIENCE, Tree, eventually};
use super::{keeper, writes};

#[test]
fn each_vassal_has_a_file_that_is_put_aside_and_opened_anew() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(
        ALICE,
        "a.ini",
        &writes(&tree, "a", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done"),
    );
    let directory = tree.path("logs");
    let place = format!("dir:{}", directory.display());
    let options = [
        "--emperor-tyrant",
        "--vassals-log",
        &place,
        "--vassals-log-maxsize",
        "200",
        "--vassals-log-keep",
        "2",
        "--vassals-log-compress",
    ];
    let emperor = Emperor::start(tree, &options);
    let there = |name: &str| eventually(name, || std::fs::metadata(directory.join(name)).ok());
    let file = there("a.ini.log");
    assert_eq!(file.permissions().mode() & 0o777, 0o640);
    let owner: u32 = keeper(&emperor, None).status("Uid").split(' ').next().unwrap().parse().unwrap();
    assert_eq!((file.uid(), std::fs::metadata(&directory).unwrap().uid()), (owner, owner));
    assert!(owner != 0 && owner != ALICE);
    there("a.ini.log.2.gz");
    let moved = directory.join("moved");
    std::fs::rename(directory.join("a.ini.log"), &moved).unwrap();
    emperor.signal(Signal::USR2);
    there("a.ini.log");
    let names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("a.ini.log."))
        .collect();
    assert!(names.len() <= 3, "two are kept, and one is being compressed: {names:?}");
    emperor.stop();
}

/// The keeper is nobody, and in no group: its files have the group of their directory all the same.
#[test]
fn the_group_of_the_directory_decides_who_reads() {
    const READERS: u32 = 64_123;
    let tree = Tree::new();
    tree.liege();
    let script = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done";
    tree.vassal("a.ini", &writes(&tree, "a", script));
    let directory = tree.path("logs");
    let place = format!("dir:{}", directory.display());
    let options = ["--vassals-log", &place, "--vassals-log-maxsize", "200", "--vassals-log-compress"];
    let emperor = Emperor::start(tree, &options);
    let group = |name: &str| std::fs::metadata(directory.join(name)).ok().map(|found| found.gid());
    eventually("a file", || group("a.ini.log"));
    std::os::unix::fs::chown(&directory, None, Some(READERS)).unwrap();
    emperor.signal(Signal::USR2);
    for name in ["a.ini.log", "a.ini.log.2.gz"] {
        eventually(name, || group(name).filter(|group| *group == READERS));
    }
    let file = std::fs::metadata(directory.join("a.ini.log")).unwrap();
    assert_eq!(file.permissions().mode() & 0o7777, 0o640);
    let made = std::fs::metadata(&directory).unwrap();
    assert_eq!(made.permissions().mode() & 0o7777, 0o2750, "nobody may more");
    emperor.stop();
}

/// Row L3: what lies behind a link is not changed.
#[test]
fn a_link_in_the_place_of_the_directory_is_not_followed() {
    let tree = Tree::new();
    tree.liege();
    let target = tree.dir("target");
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(&target, tree.path("logs")).unwrap();
    let place = format!("dir:{}", tree.path("logs").display());
    let mut emperor = Emperor::start(tree, &["--vassals-log", &place]);
    emperor.expect_no_tidy_end();
    assert!(!emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("vassals-log:") && line.contains("cannot be opened"));
    let found = std::fs::metadata(&target).unwrap();
    assert_eq!((found.permissions().mode() & 0o7777, found.uid()), (0o755, 0));
}

/// Row L3: what is in use by somebody is not given away.
#[test]
fn a_directory_with_files_of_others_is_refused() {
    let tree = Tree::new();
    tree.liege();
    let directory = tree.dir("logs");
    std::fs::write(directory.join("shadow"), "").unwrap();
    let place = format!("dir:{}", directory.display());
    let mut emperor = Emperor::start(tree, &["--vassals-log", &place]);
    emperor.expect_no_tidy_end();
    assert!(!emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("vassals-log:") && line.contains("is in use"));
    assert_eq!(std::fs::metadata(&directory).unwrap().uid(), 0);
}

/// Row L3.
#[test]
fn a_directory_below_one_of_a_tenants_is_refused() {
    let tree = Tree::new();
    tree.liege();
    let directory = tree.dir_of(ALICE, "hers");
    let place = format!("dir:{}/logs", directory.display());
    let mut emperor = Emperor::start(tree, &["--vassals-log", &place]);
    emperor.expect_no_tidy_end();
    assert!(!emperor.wait().success());
    emperor.wait_for_line(|line| line.contains("vassals-log:") && line.contains("belongs to uid"));
    assert!(!directory.join("logs").exists());
}

/// Row L1.
#[test]
fn syslog_gets_a_datagram_for_each_line() {
    let tree = Tree::new();
    tree.liege();
    let socket = tree.path("syslog");
    let syslog = UnixDatagram::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    syslog.set_read_timeout(Some(PATIENCE)).unwrap();
    tree.vassal("a.ini", &writes(&tree, "a", "printf 'one\\n\\033[2Jtwo\\n'; exec sleep 1000000"));
    let mut emperor = Emperor::start(tree, &["--vassals-log", &format!("syslog:{}", socket.display())]);
    let heard = || {
        let mut buffer = [0; 1000];
        let length = syslog.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    assert_eq!(heard(), "<30>a.ini: one");
    assert_eq!(heard(), "<30>a.ini: \\x1b[2Jtwo");
    emperor.signal(Signal::TERM);
    assert!(emperor.wait().success());
    drop(syslog);
    std::fs::remove_file(socket).unwrap();
    emperor.stop();
}

#[test]
fn that_nobody_takes_lines_is_told_once_and_whoever_comes_gets_them() {
    let tree = Tree::new();
    tree.liege();
    let socket = tree.path("syslog");
    tree.vassal("a.ini", &writes(&tree, "a", "while :; do echo a line; sleep 0.02; done"));
    let emperor = Emperor::start(tree, &["--vassals-log", &format!("syslog:{}", socket.display())]);
    let is_told = |line: &str| {
        line.contains("about=\"log keeper\"")
            && line.contains(&format!("nobody takes what vassals write at {} (ENOENT)", socket.display()))
            && line.contains("vassals-log = syslog:/PATH")
    };
    emperor.wait_for_line(is_told);
    // He comes, goes, and comes again.
    for _ in 0..2 {
        let syslog = UnixDatagram::bind(&socket).unwrap();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
        syslog.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 1000];
        let length = syslog.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"<30>a.ini: a line");
        drop(syslog);
        std::fs::remove_file(&socket).unwrap();
    }
    assert_eq!(emperor.lines.count(is_told), 1);
    emperor.stop();
}
