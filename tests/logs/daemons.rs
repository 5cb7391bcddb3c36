//! The log of a daemon, put aside and opened anew by whoever keeps the daemon.

use std::fs::{File, Metadata, read_dir, read_to_string, rename, write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::process::Signal;

use super::common::{ALICE, Emperor, Process, Tree, eventually};
use super::freeze;
use super::own::{lines, there};

/// Line after line.
const COUNTS: &str = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done";

/// Alice's vassal with such a daemon, its log at `hers/d.log`.
fn start(script: &str, keys: &str, lines: &str) -> (Emperor, PathBuf) {
    let tree = Tree::new();
    let directory = tree.dir_of(ALICE, "hers");
    let here = |text: &str| text.replace("DIR", directory.to_str().unwrap());
    let script = tree.script("d", &here(script));
    let daemon = format!("attach-daemon2 = name=d,log=DIR/d.log,cmd={}{keys}\n", script.display());
    tree.vassal_of(ALICE, "a.ini", &here(&format!("command = sleep 3000\n{daemon}{lines}")));
    (Emperor::start(tree, &["--emperor-tyrant", "--jail", "none"]), directory)
}

fn touch(path: &Path) {
    File::options().append(true).open(path).unwrap().set_modified(SystemTime::now()).unwrap();
}

#[test]
fn a_long_log_is_put_aside_and_so_many_are_kept() {
    let (emperor, directory) = start(COUNTS, "", "log-maxsize = 200\nlog-keep = 2\nlog-compress = true\n");
    let is_hers = |found: Metadata| found.uid() == ALICE;
    assert!(is_hers(there(directory.join("d.log.2.gz"))) && is_hers(there(directory.join("d.log"))));
    let names = read_dir(&directory).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name.starts_with("d.log.")).collect();
    assert!(names.len() <= 3, "two, and one that is being compressed: {names:?}");
    emperor.stop();
}

#[test]
fn whoever_touches_a_file_has_the_log_put_aside_or_opened_anew() {
    // Named from where the vassal runs, not from where the daemon does.
    let lines_of_config = "chdir = DIR\ntouch-logrotate = rotate\ntouch-logreopen = reopen\n";
    let (emperor, directory) = start(COUNTS, ",chdir=/", lines_of_config);
    lines(directory.join("d.log"), 3);
    write(directory.join("rotate"), "").unwrap();
    let before = lines(directory.join("d.log.1"), 3);
    assert_eq!(before[0], "line 1");
    let next = lines(directory.join("d.log"), 1);
    assert_eq!(next[0], format!("line {}", before.len() + 1), "no line is lost or cut");
    rename(directory.join("d.log"), directory.join("moved")).unwrap();
    write(directory.join("reopen"), "").unwrap();
    there(directory.join("d.log"));
    emperor.stop();
}

#[test]
fn last_words_are_in_the_log() {
    // F_SETPIPE_SZ: more fits into the pipe than is read at once.
    let grow = "import fcntl; fcntl.fcntl(1, 1031, 1 << 20)";
    let words = "seq -f \"last %0100.0f\" 2000";
    let script = format!(
        "trap 'python3 -c \"{grow}\"; {words}; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    );
    let (emperor, directory) = start(&script, "", "log-maxsize = 1M\n");
    lines(directory.join("d.log"), 1);
    let is_daemon = |one: &Process| one.command_line().iter().any(|word| word.ends_with("/d"));
    let below = |one: Process| one.children().into_iter().find(is_daemon).map(|daemon| (one, daemon));
    let keepers = || emperor.vassal("a.ini").children().into_iter().find_map(below);
    let (keeper, daemon) = eventually("the keeper of a daemon", keepers);
    // What it finds in the end is an end, and lines that it has not read.
    freeze(&keeper);
    daemon.signal(Signal::TERM);
    eventually("its end", || daemon.status("State").starts_with('Z').then_some(()));
    keeper.signal(Signal::CONT);
    let said = lines(directory.join("d.log"), 2002);
    let last = format!("last {:0100}", 2000);
    assert_eq!((&said[2000], &*said[2001]), (&last, "ready"), "and then it is started again");
    emperor.stop();
}

#[test]
fn the_log_of_one_that_outlives_a_reload_goes_on() {
    let keys = ",pidfile=DIR/pid,daemonize";
    let (emperor, directory) = start(COUNTS, keys, "log-maxsize = 1M\ntouch-logrotate = DIR/rotate\n");
    let smart = eventually("a daemon", || {
        read_to_string(directory.join("pid")).ok().filter(|pid| pid.ends_with('\n'))
    });
    lines(directory.join("d.log"), 1);
    let config = emperor.tree.vassals().join("a.ini");
    let command = || emperor.vassal("a.ini").children().into_iter().find(|one| one.read("comm") == "sleep\n");
    let before = eventually("a command", command).pid;
    touch(&config);
    eventually("another command", || command().filter(|one| one.pid != before));
    write(directory.join("rotate"), "").unwrap();
    assert_eq!(lines(directory.join("d.log.1"), 1)[0], "line 1");
    there(directory.join("d.log"));
    assert_eq!(read_to_string(directory.join("pid")).unwrap(), smart);
    emperor.stop();
}

/// Row L3: the vassal of root has a daemon that logs into a directory of a tenant's.
#[test]
fn a_link_that_is_put_in_the_place_of_a_log_is_not_written_to() {
    let tree = Tree::new();
    let (directory, victim) = (tree.dir_of(ALICE, "hers"), tree.path("victim"));
    write(&victim, "victim").unwrap();
    let (log, reopen) = (directory.join("d.log"), tree.path("reopen"));
    let script = tree.script("d", "while :; do echo owned; sleep 0.02; done");
    let daemon = format!("attach-daemon2 = name=d,log={},cmd={}", log.display(), script.display());
    let words = format!("log-maxsize = 50\ntouch-logreopen = {}", reopen.display());
    tree.vassal("a.ini", &format!("command = sleep 3001\n{daemon}\n{words}\n"));
    let emperor = Emperor::start(tree, &[]);
    there(directory.join("d.log.2"));
    for place in [&log, &directory.join("d.log.1"), &directory.join("d.log.2")] {
        let link = directory.join("link");
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        rename(&link, place).unwrap();
        write(&reopen, "").unwrap();
    }
    emperor.wait_for_line(|line| line.contains("lines are lost"));
    assert_eq!(read_to_string(&victim).unwrap(), "victim");
    emperor.stop();
}
