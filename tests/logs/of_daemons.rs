//! `liege tail shop/redis`: the lines of a daemon alone.

use std::fs::{self, read_to_string};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};

use super::common::{ALICE, BOB, Emperor, Tree, eventually};
use super::{ON_STDERR, command, keeper, run, tail, writes};

/// Alice's vassal `a`, which writes a line, with one daemon for each of these names, keys and scripts.
fn start(daemons: &[(&str, &str, &str)], more: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.liege();
    let here = tree.dir_of(ALICE, "hers");
    let mut config = writes(&tree, "a", "echo of the command; exec sleep 1000000");
    for (name, keys, script) in daemons {
        let keys = keys.replace("DIR", here.to_str().unwrap());
        let script = tree.script(name, &script.replace("DIR", here.to_str().unwrap()));
        config += &format!("attach-daemon2 = name={name},cmd={}{keys}\n", script.display());
    }
    tree.vassal_of(ALICE, "a.ini", &config);
    Emperor::start(tree, &[&ON_STDERR[..], &["--emperor-tyrant"], more].concat())
}

fn comes(emperor: &Emperor, name: &str, text: &str) {
    eventually("its lines", || (tail(emperor, &[name]) == text).then_some(()));
}

#[test]
fn the_lines_of_a_daemon_are_its_vassals_and_its_own() {
    let (one, two) =
        ("echo of one; exec sleep 3002", "printf 'of two\\nand more'; sleep 0.2; echo; exec sleep 3002");
    let emperor = start(&[("one", "", one), ("two", "", two)], &[]);
    comes(&emperor, "a/one", "of one\n");
    comes(&emperor, "a.ini/two", "of two\nand more\n");
    let all = tail(&emperor, &["a"]);
    let lines = ["of the command", "of one", "of two", "and more"];
    assert!(
        lines.iter().all(|line| all.lines().any(|one| one == *line)) && all.lines().count() == 4,
        "{all}"
    );
    for line in lines {
        emperor.wait_for_line(|told| told == format!("[a.ini] {line}"));
    }
    assert_eq!(tail(&emperor, &["a/two", "-n", "1"]), "and more\n");
    let refused = run(&emperor, ALICE, &["tail", "a/three"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("it has no daemon of that name; it has: one, two"), "{told}");
    let stats = emperor.stats_socket();
    let why = super::common::liege(&["why", stats.to_str().unwrap(), "a/one"]);
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(why.starts_with("a.ini/one: running since"), "{why}");
    assert!(why.ends_with("it wrote last:\n    | of one\n"), "{why}");
    emperor.stop();
}

#[test]
fn one_with_a_log_has_its_lines_there_and_nowhere_else() {
    let emperor = start(&[("plain", ",log=DIR/plain.log", "echo hers; exec sleep 3002")], &[]);
    let log = emperor.tree.path("hers/plain.log");
    eventually("its line", || (read_to_string(&log).ok()? == "hers\n").then_some(()));
    comes(&emperor, "a", "of the command\n");
    let none = run(&emperor, ALICE, &["tail", "a/plain"]);
    let told = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(
        none.stdout.is_empty() && told.contains("what a daemon with a `log` writes is in that"),
        "{told}"
    );
    assert!(!emperor.lines.has(|line| line.contains("] hers")));
    // Another name of it is as good, as in a backup.
    fs::hard_link(&log, emperor.tree.path("hers/backup")).unwrap();
    assert!(
        super::common::liege(&["restart", emperor.stats_socket().to_str().unwrap(), "a/plain"])
            .status
            .success()
    );
    eventually("its next line", || (read_to_string(&log).ok()? == "hers\nhers\n").then_some(()));
    emperor.stop();
}

/// A command of which a buffer ends anywhere, and lines longer than any buffer.
#[test]
fn lines_of_command_and_daemon_are_whole_whatever_the_pieces_are() {
    let command = r#"exec python3 -c "
import os, time
for n in range(300):
    os.write(1, b'the comm'); time.sleep(0.001); os.write(1, b'and %d\n' % n)
time.sleep(1000)
""#;
    let tree = Tree::new();
    tree.liege();
    let long = "for n in $(seq 300); do echo line $n; done; printf '%09999d\\n' 0; exec sleep 3002";
    let daemon = format!("attach-daemon2 = name=one,cmd={}\n", tree.script("one", long).display());
    tree.vassal_of(ALICE, "a.ini", &(writes(&tree, "a", command) + &daemon));
    let emperor = Emperor::start(tree, &[&ON_STDERR[..], &["--emperor-tyrant"]].concat());
    let of = |name: &str| tail(&emperor, &[name, "-n", "10000"]);
    eventually("the last ones", || {
        (of("a").contains("the command 299\n") && of("a/one").ends_with("00\n")).then_some(())
    });
    let all = of("a");
    (0..300)
        .for_each(|n| assert!(all.lines().any(|line| line == format!("the command {n}")), "{n} of {all}"));
    let his = of("a/one");
    (1..=300).for_each(|n| assert!(his.lines().any(|line| line == format!("line {n}")), "{n}"));
    let zeros: usize = his.lines().filter(|line| line.starts_with("00")).map(str::len).sum();
    assert_eq!(zeros, 9_999);
    emperor.stop();
}

#[test]
fn whoever_follows_a_daemon_hears_no_other() {
    let say = "until [ -e DIR/gate ]; do sleep 0.05; done; echo NAME goes on; exec sleep 3002";
    let (one, two) = (say.replace("NAME", "one"), say.replace("NAME", "two"));
    let emperor = start(&[("one", "", &one), ("two", "", &two)], &[]);
    comes(&emperor, "a", "of the command\n");
    let follow =
        |name: &str| command(&emperor, ALICE, &["tail", name, "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut followers = ["a/one", "a/two"].map(follow);
    eventually("both", || {
        let sockets = keeper(&emperor, None).descriptors();
        (sockets.values().filter(|what| what.starts_with("socket:")).count() == 3).then_some(())
    });
    fs::write(emperor.tree.path("hers/gate"), "").unwrap();
    for (follower, line) in followers.iter_mut().zip(["one goes on", "two goes on"]) {
        let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), line);
    }
    emperor.stop();
    followers.iter_mut().for_each(|follower| drop(follower.wait()));
}

#[test]
fn what_a_daemon_said_last_is_there_when_it_has_ended() {
    let emperor = start(&[("one", "", "seq 3000; echo -n its end; exit 3")], &[]);
    emperor.wait_for_line(|line| line.contains("daemon one ended with status 3"));
    comes(
        &emperor,
        "a/one",
        &(2992..=3000).map(|n| format!("{n}\n")).chain(["its end\n".into()]).collect::<String>(),
    );
    emperor.stop();
}

/// Row L5: nobody's daemons are read by another, by whatever name.
#[test]
fn nobody_reads_the_daemons_of_another() {
    let emperor = start(&[("one", "", "echo secret; exec sleep 3002")], &[]);
    comes(&emperor, "a/one", "secret\n");
    let told = |name: &str| String::from_utf8(run(&emperor, BOB, &["tail", name]).stderr).unwrap();
    for name in ["a/one", "a.ini/one", "a/none"] {
        assert_eq!(told(name).replace(name, "X"), told("nobody").replace("nobody", "X"), "{name}");
    }
    assert!(run(&emperor, BOB, &["tail", "emperor/one"]).stdout.is_empty());
    emperor.stop();
}

/// Rows L1 and L2: marks of his own, in his command and beyond any number of names.
#[test]
fn whoever_writes_marks_of_his_own_reaches_nobody_else_and_fills_no_memory() {
    let forge = r#"exec python3 -c "
import sys, time
write = sys.stdout.buffer.write
write(b'\x1eone\x1fforged\n\x1e[bob.ini] forged\n\x1eone\x1fwithout an end')
sys.stdout.flush()
for n in range(200000):
    write(b'\x1ed%d\x1f' % n + b'x' * 100 + b'\n')
write(b'the end\n')
sys.stdout.flush()
time.sleep(1000)
""#;
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "alice.ini", &writes(&tree, "a", forge));
    let daemon = tree.script("one", "echo his; exec sleep 3002");
    let daemon = format!("attach-daemon2 = name=one,cmd={}\n", daemon.display());
    tree.vassal_of(BOB, "bob.ini", &(writes(&tree, "b", "exec sleep 1000000") + &daemon));
    let emperor = Emperor::start(tree, &[&ON_STDERR[..], &["--emperor-tyrant"]].concat());
    emperor.wait_for_line(|line| line == "[alice.ini] forged");
    emperor.wait_for_line(|line| line == "[alice.ini] \\x1e[bob.ini] forged");
    comes(&emperor, "bob/one", "his\n");
    eventually("all of it", || (tail(&emperor, &["alice", "-n", "1"]) == "the end\n").then_some(()));
    let memory = keeper(&emperor, None).status("VmRSS");
    let kib: u64 = memory.trim_end_matches(" kB").trim().parse().unwrap();
    assert!(kib < 24 << 10, "{memory}");
    emperor.stop();
}

/// Row L2: what a root file system of its own has in the place of `/proc` is not even opened.
#[test]
fn where_proc_is_not_the_kernels_own_no_name_below_it_is_opened() {
    let tree = Tree::new();
    tree.liege();
    let places = ["root", "root/bin", "root/proc", "root/proc/self", "root/proc/self/fd"];
    places.iter().for_each(|place| drop(tree.dir(place)));
    super::common::copy_program("/bin/busybox", tree.path("root/bin/busybox"));
    fs::set_permissions(tree.path("root/bin/busybox"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("busybox", tree.path("root/bin/sh")).unwrap();
    let trap = tree.path("root/proc/self/fd/1");
    mknodat(CWD, &trap, FileType::Fifo, Mode::empty(), 0).unwrap();
    fs::set_permissions(&trap, PermissionsExt::from_mode(0o666)).unwrap();
    let reader = open(&trap, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let root = tree.path("root").display().to_string();
    let daemon =
        "attach-daemon2 = name=one,cmd=/bin/busybox sh -c \"echo of one; exec busybox sleep 3002\"\n";
    let command = "command = /bin/busybox sleep 1000000\n";
    tree.vassal("a.ini", &format!("rootfs = {root} ro\nuid = {ALICE}\ngid = {ALICE}\n{daemon}{command}"));
    let emperor =
        Emperor::start(tree, &[&ON_STDERR[..], &["--emperor-use-clone", "fs,pid,ipc,uts,net"]].concat());
    comes(&emperor, "a", "of one\n");
    assert_eq!(tail(&emperor, &["a/one"]), "", "it is the vassal's alone");
    // Who opened it to write, and closed it again, would have left this behind.
    let mut seen = [PollFd::new(&reader, PollFlags::IN)];
    assert_eq!(poll(&mut seen, Some(&Timespec::default())).unwrap(), 0, "it was opened");
    emperor.stop();
}
