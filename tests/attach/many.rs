//! Many sessions, at once and one after another.

use std::process::{Child, Command, Stdio};

use super::common::{ALICE, Emperor, Process, eventually};
use super::{jailed, liege, run, tenants, text};

/// Most of one user.
const SHARE_MAX: usize = 256;

/// So many of these clients, each before a terminal of its own or none; all begin at once.
const CROWD: &str = r#"
import os, pty, select, sys
count, argv = int(sys.argv[1]), sys.argv[2:]
seats = {}
for number in range(count):
    pid, fd = pty.fork()
    if pid == 0: os.execvp(argv[0], argv)
    seats[fd] = [pid, b""]
for fd in seats: os.write(fd, b"echo t$((40 + 2))t\r")
waiting, codes = set(seats), []
while waiting:
    ready, _, _ = select.select(waiting, [], [], 60)
    if not ready: sys.exit("%d say nothing, such as %r" % (len(waiting), seats[next(iter(waiting))][1]))
    for fd in ready:
        try: piece = os.read(fd, 65536)
        except OSError: piece = b""
        if not piece: sys.exit("one ended before: %r" % seats[fd][1])
        seats[fd][1] += piece
        if b"t42t" in seats[fd][1]: waiting.discard(fd)
print("all", flush=True)
sys.stdin.read()
for fd in seats: os.write(fd, b"exit 3\r")
waiting = set(seats)
while waiting:
    ready, _, _ = select.select(waiting, [], [], 60)
    if not ready: sys.exit("%d do not end" % len(waiting))
    for fd in ready:
        try: piece = os.read(fd, 65536)
        except OSError: piece = b""
        if not piece: waiting.discard(fd)
codes = {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in seats.values()}
print(sorted(codes), flush=True)
"#;

fn crowd(count: usize, client: &Command) -> Child {
    let mut command = Command::new("python3");
    command.args(["-c", CROWD, &count.to_string()]).arg(client.get_program()).args(client.get_args());
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("TERM", "xterm")
        .env("LANG", "C.UTF-8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn wait_for_all(crowd: &mut Child) {
    let mut all = [0; 4];
    std::io::Read::read_exact(crowd.stdout.as_mut().unwrap(), &mut all).unwrap();
}

fn descriptors(emperor: &Emperor) -> [usize; 3] {
    let spawner = emperor.process.child_named("liege: spawner").pid;
    let master = emperor.vassal("alice.ini").pid;
    [emperor.process.pid, spawner, master]
        .map(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count())
}

fn wait_for_ends(emperor: &Emperor, count: usize) {
    eventually("the end of all", || (emperor.told("alice.ini", "is over after") == count).then_some(()));
}

/// Row T7.
#[test]
fn two_hundred_terminals_at_once_are_those_of_their_clients() {
    const AT_ONCE: usize = 200;
    let emperor = jailed();
    assert!(run(&emperor, ALICE, &["exec", "alice", "--", "true"]).status.success());
    wait_for_ends(&emperor, 1);
    let before = descriptors(&emperor);
    let mut crowd = crowd(AT_ONCE, &liege(&emperor, ALICE, &["attach", "alice", "--", "sh", "-i"]));
    wait_for_all(&mut crowd);
    let terminals = run(&emperor, ALICE, &["exec", "alice", "--", "ls", "/dev/pts"]);
    assert_eq!(text(&terminals.stdout).lines().count(), AT_ONCE + 1);
    drop(crowd.stdin.take());
    let output = crowd.wait_with_output().unwrap();
    assert_eq!((text(&output.stdout).as_str(), output.status.success()), ("[3]\n", true));
    wait_for_ends(&emperor, AT_ONCE + 2);
    eventually("no descriptor too many", || (descriptors(&emperor) <= before).then_some(()));
    let terminals = run(&emperor, ALICE, &["exec", "alice", "--", "ls", "/dev/pts"]);
    assert_eq!(text(&terminals.stdout), "ptmx\n");
    emperor.stop();
}

/// Row T7: and then nothing is left of any.
#[test]
fn a_thousand_sessions_one_after_another_leave_nothing() {
    const ROUNDS: usize = 500;
    let emperor = jailed();
    assert!(run(&emperor, ALICE, &["exec", "alice", "--", "true"]).status.success());
    wait_for_ends(&emperor, 1);
    let (before, cgroups) = (descriptors(&emperor), emperor.cgroup.pids().len());
    for _ in 0..ROUNDS {
        for verb in ["exec", "attach"] {
            let output = run(&emperor, ALICE, &[verb, "alice", "--", "sh", "-c", "exit 3"]);
            assert_eq!(output.status.code(), Some(3), "{verb}: {}", text(&output.stderr));
        }
    }
    wait_for_ends(&emperor, 1 + 2 * ROUNDS);
    eventually("no descriptor too many", || (descriptors(&emperor) <= before).then_some(()));
    eventually("nobody but vassals", || (emperor.cgroup.pids().len() == cgroups).then_some(()));
    let zombies = || {
        super::common::processes()
            .into_iter()
            .filter(|pid| {
                Process::if_there(*pid).is_ok_and(|one| {
                    one.read("stat").contains(") Z ") && one.status("PPid") == emperor.process.pid.to_string()
                })
            })
            .count()
    };
    eventually("no zombie", || (zombies() == 0).then_some(()));
    let terminals = run(&emperor, ALICE, &["exec", "alice", "--", "ls", "/dev/pts"]);
    assert_eq!(text(&terminals.stdout), "ptmx\n");
    emperor.stop();
}

/// Row C6: of one user there is a bound, which says so and keeps nobody else out.
#[test]
fn the_bound_of_one_user_is_told_and_is_nobody_elses() {
    let emperor = jailed();
    let mut crowd = crowd(SHARE_MAX, &liege(&emperor, ALICE, &["attach", "alice", "--", "sh", "-i"]));
    wait_for_all(&mut crowd);
    let refused = run(&emperor, ALICE, &["exec", "alice", "--", "true"]);
    assert_eq!(text(&refused.stderr), "liege: too many sessions are open: end one\n");
    assert_eq!(refused.status.code(), Some(1));
    assert!(run(&emperor, super::BOB, &["exec", "bob", "--", "true"]).status.success());
    assert!(run(&emperor, 0, &["exec", "alice", "--", "true"]).status.success());
    drop(crowd.stdin.take());
    assert!(crowd.wait().unwrap().success());
    eventually("room again", || {
        run(&emperor, ALICE, &["exec", "alice", "--", "true"]).status.success().then_some(())
    });
    emperor.stop();
}

/// Row N7: somebody of the jail may stop who minds his session, as any process of his user; that is his own loss.
#[test]
fn whoever_stops_who_minds_his_session_keeps_nobody_else_waiting() {
    // In a jail its number would be nobody's.
    let emperor = tenants(&["--emperor-tyrant", "--jail", "none"]);
    let mut client = liege(&emperor, ALICE, &["exec", "alice", "--", "sleep", "7777302"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let minder = emperor.wait_for_programs("liege: session", 1).remove(0);
    emperor.wait_for_programs("sleep", 1);
    let ids = minder.status("NSpid");
    let inside = ids.split_whitespace().last().unwrap();
    let attack = format!(
        "kill -STOP {inside}; strace -p {inside} 2>&1 | grep attached; cat /proc/{inside}/mem; echo over"
    );
    let output = run(&emperor, ALICE, &["exec", "alice", "--", "sh", "-c", &attack]);
    assert_eq!(text(&output.stdout), "over\n");
    eventually("a stop", || minder.read("stat").contains(") T ").then_some(()));
    for (uid, name) in [(ALICE, "alice"), (super::BOB, "bob")] {
        assert!(run(&emperor, uid, &["exec", name, "--", "true"]).status.success());
    }
    std::fs::remove_file(emperor.tree.vassals().join("alice.ini")).unwrap();
    minder.wait_gone();
    assert!([Some(255), Some(137)].contains(&client.wait().unwrap().code()));
    emperor.stop();
}
