//! The log that a vassal's own config names.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::common::{ALICE, Emperor, Process, Tree, eventually};
use super::freeze;

/// Alice's vassal, with a script and these lines, its log at `hers/a.log`.
fn start(script: &str, lines: &str) -> (Emperor, PathBuf) {
    let tree = Tree::new();
    let directory = tree.dir_of(ALICE, "hers");
    let script = tree.script("a", &script.replace("DIR", directory.to_str().unwrap()));
    let config =
        format!("command = {}\nlogto = {}\n{lines}", script.display(), directory.join("a.log").display());
    tree.vassal_of(ALICE, "a.ini", &config.replace("DIR", directory.to_str().unwrap()));
    (Emperor::start(tree, &["--emperor-tyrant", "--jail", "none"]), directory)
}

pub(super) fn there(path: PathBuf) -> std::fs::Metadata {
    eventually(&format!("{}", path.display()), || std::fs::metadata(&path).ok())
}

/// Its lines, once there are so many.
pub(super) fn lines(path: PathBuf, number: usize) -> Vec<String> {
    eventually(&format!("{number} lines in {}", path.display()), || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        (lines.len() >= number).then_some(lines)
    })
}

fn writer(emperor: &Emperor, other_than: i32) -> Process {
    let vassal = emperor.vassal("a.ini");
    eventually("the writer of the log", || {
        let is_one = |one: &Process| {
            one.pid != other_than && one.command_line().first().is_some_and(|name| name.contains("liege"))
        };
        vassal.children().into_iter().find(is_one)
    })
}

#[test]
fn a_long_log_is_put_aside_and_so_many_are_kept() {
    use std::os::unix::fs::MetadataExt;
    let (emperor, directory) = start(
        "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done",
        "log-maxsize = 200\nlog-keep = 2\nlog-compress = true\n",
    );
    there(directory.join("a.log.2.gz"));
    assert_eq!(there(directory.join("a.log")).uid(), ALICE);
    let names =
        std::fs::read_dir(&directory).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name.starts_with("a.log.")).collect();
    assert!(names.len() <= 3, "two, and one that is being compressed: {names:?}");
    emperor.stop();
}

#[test]
fn whoever_touches_a_file_has_the_log_put_aside_or_opened_anew() {
    let (emperor, directory) = start(
        "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done",
        "touch-logrotate = DIR/rotate\ntouch-logreopen = DIR/reopen\nlog-backupname = DIR/before\n",
    );
    lines(directory.join("a.log"), 3);
    std::fs::write(directory.join("rotate"), "").unwrap();
    let before = lines(directory.join("before"), 3);
    assert_eq!(before[0], "line 1");
    let next = lines(directory.join("a.log"), 1);
    assert_eq!(next[0], format!("line {}", before.len() + 1), "no line is lost or cut");
    std::fs::rename(directory.join("a.log"), directory.join("moved")).unwrap();
    std::fs::write(directory.join("reopen"), "").unwrap();
    there(directory.join("a.log"));
    emperor.stop();
}

#[test]
fn last_words_are_in_the_log() {
    let (mut emperor, directory) = start(
        "trap 'seq -f \"last %.0f\" 100; exit 0' TERM INT; echo ready; while :; do sleep 0.05; done",
        "log-maxsize = 1M\n",
    );
    lines(directory.join("a.log"), 1);
    emperor.signal(Signal::TERM);
    assert!(emperor.wait().success());
    assert_eq!(lines(directory.join("a.log"), 101).last().unwrap(), "last 100");
    emperor.stop();
}

#[test]
fn what_is_written_while_nobody_writes_the_log_is_written_by_the_next_one() {
    let (emperor, directory) = start(
        "echo before; until [ -e gate ]; do sleep 0.05; done; seq -f 'line %.0f' 200; echo written > written; exec sleep 1000000",
        "chdir = DIR\nlog-maxsize = 1M\n",
    );
    lines(directory.join("a.log"), 1);
    let first = writer(&emperor, -1);
    freeze(&first);
    std::fs::write(directory.join("gate"), "").unwrap();
    there(directory.join("written"));
    first.signal(Signal::KILL);
    assert_eq!(lines(directory.join("a.log"), 201)[200], "line 200");
    assert_ne!(writer(&emperor, first.pid).pid, first.pid);
    emperor.stop();
}

/// Row L3: a vassal that stays root and logs into a directory of a tenant's.
#[test]
fn a_link_that_is_put_in_the_place_of_a_log_is_not_written_to() {
    let tree = Tree::new();
    let directory = tree.dir_of(ALICE, "hers");
    let victim = tree.path("victim");
    std::fs::write(&victim, "victim").unwrap();
    let log = directory.join("a.log");
    let script = tree.script("a", "while :; do echo owned; sleep 0.02; done");
    let config = format!(
        "command = {}\nlogto = {}\nlog-maxsize = 50\ntouch-logreopen = {}\n",
        script.display(),
        log.display(),
        tree.path("reopen").display()
    );
    tree.vassal("a.ini", &config);
    let emperor = Emperor::start(tree, &[]);
    there(directory.join("a.log.2"));
    for place in [&log, &directory.join("a.log.1"), &directory.join("a.log.2")] {
        let link = directory.join("link");
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        std::fs::rename(&link, place).unwrap();
        std::fs::write(emperor.tree.path("reopen"), "").unwrap();
    }
    emperor.wait_for_line(|line| line.contains("lines are lost"));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "victim");
    emperor.stop();
}

/// As uWSGI does it: what was there before stands under the other name, and the log goes on under its own.
#[test]
fn the_name_of_a_log_that_was_put_aside_is_uwsgis() {
    let (emperor, directory) = start(
        "while :; do echo a line; sleep 0.02; done",
        "log-maxsize = 100\nlog-backupname = DIR/before\n",
    );
    there(directory.join("before"));
    there(directory.join("a.log"));
    let place = tempfile::tempdir().unwrap();
    let (log, before) = (place.path().join("a.log"), place.path().join("before"));
    // Whatever becomes of this test, it ends.
    let mut uwsgi = Command::new("timeout")
        .args(["60", "uwsgi", "--master", "--log-master", "--socket"])
        .arg(place.path().join("socket"))
        .arg("--logto")
        .arg(&log)
        .args(["--log-maxsize", "100", "--log-backupname"])
        .arg(&before)
        .args(["--die-on-term"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    there(before);
    there(log);
    Process::of(uwsgi.id().cast_signed()).signal(Signal::TERM);
    uwsgi.wait().unwrap();
    for name in ["before", "a.log"] {
        assert!(!there(directory.join(name)).is_dir());
    }
    emperor.stop();
}

/// Those that `liege` runs beside the command.
fn companions(emperor: &Emperor, name: &str) -> usize {
    let of = |one: &Process| one.read("comm").trim_end() == name;
    emperor.vassal("a.ini").children().into_iter().filter(of).count()
}

#[test]
fn a_log_has_one_writer_over_reloads_that_a_daemon_survives() {
    let (emperor, directory) = start(
        "echo begun; exec sleep 1000",
        "log-maxsize = 1M\nattach-daemon2 = name=smart,pidfile=DIR/pid,daemonize,cmd=sleep 2000\n",
    );
    lines(directory.join("a.log"), 1);
    let smart = eventually("a daemon", || std::fs::read_to_string(directory.join("pid")).ok());
    let writers = || {
        let path = directory.join("a.log").display().to_string();
        let all = emperor.vassal("a.ini").children();
        all.iter().filter(|one| one.descriptors().values().any(|what| *what == path)).count()
    };
    let before = (writers(), companions(&emperor, "liege"));
    for begun in 2..=3 {
        let config =
            std::fs::File::options().append(true).open(emperor.tree.vassals().join("a.ini")).unwrap();
        config.set_modified(std::time::SystemTime::now()).unwrap();
        assert_eq!(lines(directory.join("a.log"), begun).len(), begun, "each once");
        assert_eq!(std::fs::read_to_string(directory.join("pid")).unwrap(), smart);
        assert_eq!((writers(), companions(&emperor, "liege")), before);
    }
    emperor.stop();
}

#[test]
fn a_reload_that_keeps_the_writer_of_a_log_opens_it_anew() {
    let (emperor, directory) = start(
        "echo begun; exec sleep 1000",
        "log-master = true\nattach-daemon2 = name=smart,pidfile=DIR/pid,daemonize,cmd=sleep 2000\n",
    );
    lines(directory.join("a.log"), 1);
    there(directory.join("pid"));
    std::fs::rename(directory.join("a.log"), directory.join("moved")).unwrap();
    let config = std::fs::File::options().append(true).open(emperor.tree.vassals().join("a.ini")).unwrap();
    config.set_modified(std::time::SystemTime::now()).unwrap();
    assert_eq!(lines(directory.join("a.log"), 1), ["begun"]);
    assert_eq!(lines(directory.join("moved"), 1), ["begun"]);
    emperor.stop();
}

#[test]
fn a_log_that_cannot_be_put_aside_grows_and_that_is_told_once() {
    let (emperor, directory) = start(
        "mkdir -p DIR/a.log.1; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done",
        "log-maxsize = 20\nlog-keep = 1\n",
    );
    let said = lines(directory.join("a.log"), 20);
    let wanted: Vec<String> = (1..=said.len()).map(|number| format!("line {number}")).collect();
    assert_eq!(said, wanted, "no line is lost");
    let told = |line: &str| line.contains("or it cannot be put aside");
    emperor.wait_for_line(told);
    lines(directory.join("a.log"), 30);
    assert_eq!(emperor.lines.count(told), 1);
    emperor.stop();
}

#[test]
fn a_log_that_may_not_become_longer_ends_no_writer_and_that_is_told_once() {
    let (emperor, directory) = start(
        "seq 1 3000; until [ -e DIR/gate ]; do sleep 0.02; done; seq 1 3000; exec sleep 1000000",
        "rlimit-fsize = 4096\nrlimit-core = 0\nlog-maxsize = 1000000\n",
    );
    emperor
        .wait_for_line(|line| line.contains("cannot write a.log, lines are lost") && line.contains("EFBIG"));
    let first = writer(&emperor, 0);
    std::fs::write(directory.join("gate"), "").unwrap();
    emperor.vassal("a.ini").child_named("sleep");
    assert!(first.is_alive() && there(directory.join("a.log")).len() == 4096);
    emperor.stop();
}
