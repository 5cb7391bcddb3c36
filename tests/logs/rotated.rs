//! Logs that are put aside because somebody touches a file: once for each touch, and nothing that was put aside is lost for nothing.

use std::fs::{read_dir, read_to_string, write};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::common::{ALICE, Emperor, Process, Tree, eventually};
use super::own::{lines, there};

const COUNTS: &str = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done";
/// A line, and another one when it is let.
const TWO: &str = "echo one; until [ -e DIR/gate ]; do sleep 0.02; done; echo two; exec sleep 1000000";

/// Alice's vassal with this script, whose output goes to `hers/a.log`: as its command, or as its daemon.
fn start(script: &str, lines: &str, is_daemon: bool) -> (Emperor, PathBuf) {
    let tree = Tree::new();
    let directory = tree.dir_of(ALICE, "hers");
    let here = |text: &str| text.replace("DIR", directory.to_str().unwrap());
    let script = tree.script("d", &here(script)).display().to_string();
    let what = match is_daemon {
        true => format!("command = sleep 3000\nattach-daemon2 = name=d,log=DIR/a.log,cmd={script}\n"),
        false => format!("command = {script}\nlogto = DIR/a.log\n"),
    };
    let lines = format!("{what}touch-logrotate = DIR/rotate\n{lines}");
    tree.vassal_of(ALICE, "a.ini", &here(&lines));
    (Emperor::start(tree, &["--emperor-tyrant", "--jail", "none"]), directory)
}

/// As `touch` does it.
fn touch(directory: &Path) {
    assert!(Command::new("touch").arg(directory.join("rotate")).status().unwrap().success());
}

/// Everybody has ended, and the files are there still.
fn end(emperor: &mut Emperor) {
    emperor.signal(Signal::TERM);
    assert!(emperor.wait().success());
}

/// The numbers that there are, the newest first.
fn numbers(directory: &Path) -> Vec<u32> {
    let names = read_dir(directory).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
    let number = |name: String| name.strip_prefix("a.log.")?.trim_end_matches(".gz").parse().ok();
    let mut numbers: Vec<u32> = names.filter_map(number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// All that was written, whatever it is called now; once nobody writes any more.
fn all(directory: &Path) -> Vec<String> {
    let mut text = String::new();
    for number in numbers(directory).into_iter().rev() {
        let plain = directory.join(format!("a.log.{number}"));
        let path = if plain.exists() { plain } else { directory.join(format!("a.log.{number}.gz")) };
        let read = Command::new("zcat").arg("-f").arg(path).output().unwrap();
        text.push_str(&String::from_utf8(read.stdout).unwrap());
    }
    text.push_str(&read_to_string(directory.join("a.log")).unwrap_or_default());
    text.lines().map(str::to_owned).collect()
}

/// Who writes the log.
fn writer(emperor: &Emperor) -> Process {
    let touched = |one: &Process| one.descriptors().values().any(|what| what.contains("inotify"));
    eventually("the writer of the log", || emperor.vassal("a.ini").children().into_iter().find(touched))
}

fn quiet(is_daemon: bool) {
    let (emperor, directory) = start(TWO, "log-age = 1d\nlog-keep = 3\n", is_daemon);
    lines(directory.join("a.log"), 1);
    touch(&directory);
    assert_eq!(lines(directory.join("a.log.1"), 1), ["one"]);
    let writer = writer(&emperor);
    let woken = || writer.status("voluntary_ctxt_switches").parse::<u64>().unwrap();
    for _ in 0..3 {
        let before = woken();
        touch(&directory);
        // By the touch, and once nothing has followed it; or it was put aside again.
        let is_heeded = || woken() >= before + 2 || !directory.join("a.log.1").exists();
        eventually("nothing to do", || is_heeded().then_some(()));
    }
    assert_eq!(numbers(&directory), [1], "nothing was written");
    write(directory.join("gate"), "").unwrap();
    assert_eq!(lines(directory.join("a.log"), 1), ["two"]);
    touch(&directory);
    assert_eq!(lines(directory.join("a.log.2"), 1), ["one"]);
    assert_eq!((lines(directory.join("a.log.1"), 1), numbers(&directory)), (vec!["two".into()], vec![1, 2]));
    emperor.stop();
}

#[test]
fn whoever_writes_nothing_keeps_what_was_put_aside() {
    quiet(false);
}

#[test]
fn a_daemon_that_writes_nothing_keeps_what_was_put_aside() {
    quiet(true);
}

fn busy(is_daemon: bool) {
    let (mut emperor, directory) = start(COUNTS, "log-keep = 50\n", is_daemon);
    lines(directory.join("a.log"), 3);
    for round in 1..=4 {
        touch(&directory);
        there(directory.join(format!("a.log.{round}")));
        lines(directory.join("a.log"), 3);
        assert_eq!(numbers(&directory), (1..=round).collect::<Vec<_>>(), "one touch, one file");
    }
    // One after the other, between two lines: each gives another time.
    for time in ["@1", "@2", "@3"] {
        let mut touch = Command::new("touch");
        assert!(touch.args(["-d", time]).arg(directory.join("rotate")).status().unwrap().success());
    }
    there(directory.join("a.log.5"));
    lines(directory.join("a.log"), 3);
    end(&mut emperor);
    let found = numbers(&directory);
    assert_eq!(found, (1..=u32::try_from(found.len()).unwrap()).collect::<Vec<_>>(), "no number is left out");
    let said = all(&directory);
    assert_eq!(said, (1..=said.len()).map(|number| format!("line {number}")).collect::<Vec<_>>());
}

#[test]
fn whoever_writes_much_has_one_file_for_each_touch() {
    busy(false);
}

#[test]
fn a_daemon_that_writes_much_has_one_file_for_each_touch() {
    busy(true);
}

#[test]
fn no_line_and_no_number_is_lost_by_size_age_and_touch_together() {
    let words = "log-maxsize = 200\nlog-age = 1\nlog-keep = 100\nlog-compress = true\n";
    for is_daemon in [false, true] {
        let (mut emperor, directory) = start(COUNTS, words, is_daemon);
        for number in [1, 4, 7] {
            there_or_compressed(&directory, number);
            touch(&directory);
        }
        there_or_compressed(&directory, 10);
        end(&mut emperor);
        let found = numbers(&directory);
        assert_eq!(found, (1..=u32::try_from(found.len()).unwrap()).collect::<Vec<_>>());
        let said = all(&directory);
        assert_eq!(said, (1..=said.len()).map(|number| format!("line {number}")).collect::<Vec<_>>());
    }
}

fn there_or_compressed(directory: &Path, number: u32) {
    let is_there = || numbers(directory).contains(&number);
    eventually(&format!("{number} files"), || is_there().then_some(()));
}

#[test]
fn a_log_is_put_aside_behind_a_whole_line() {
    let script =
        "echo one; printf tw; until [ -e DIR/gate ]; do sleep 0.02; done; echo o; exec sleep 1000000";
    let (emperor, directory) = start(script, "", false);
    eventually("half a line", || {
        read_to_string(directory.join("a.log")).ok().filter(|text| text == "one\ntw")
    });
    write(directory.join("rotate"), "").unwrap();
    write(directory.join("gate"), "").unwrap();
    assert_eq!(lines(directory.join("a.log.1"), 2), ["one", "two"]);
    emperor.stop();
}
