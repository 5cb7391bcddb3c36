//! `liege exec`: a command with the descriptors of whoever runs it.

use std::io::Write;
use std::process::Stdio;

use rustix::process::{Signal, kill_process};

use super::common::{ALICE, BOB, Emperor, Process, Tree, eventually};
use super::{IDLE, jailed, liege, run, text};

#[test]
fn the_exit_status_is_that_of_the_command() {
    let emperor = jailed();
    for (command, status) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["no-such-program"], 127),
        (&["/etc/passwd"], 126),
    ] {
        let output = run(&emperor, ALICE, &[&["exec", "alice", "--"], command].concat());
        assert_eq!(output.status.code(), Some(status), "{command:?}: {}", text(&output.stderr));
    }
    emperor.stop();
}

#[test]
fn what_it_reads_and_writes_stays_apart() {
    let emperor = jailed();
    let mut client = liege(&emperor, ALICE, &["exec", "alice.ini", "--", "sh", "-c", "cat; echo wrong >&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(b"a\0\x04\xffb").unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!((output.stdout.as_slice(), text(&output.stderr).as_str()), (&b"a\0\x04\xffb"[..], "wrong\n"));
    assert!(output.status.success());
    emperor.stop();
}

#[test]
fn signals_of_the_client_are_those_of_the_command() {
    let emperor = jailed();
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let script = format!("trap 'echo {name}; exit 3' {name}; echo ready; while :; do read x; done <&1");
        let client = liege(&emperor, ALICE, &["exec", "alice", "--", "sh", "-c", &script]);
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut client =
            { client }.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null()).spawn().unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(&mut reader, &mut line).unwrap();
        assert_eq!(&line, b"ready\n");
        let pid = rustix::process::Pid::from_raw(client.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        assert_eq!(client.wait().unwrap().code(), Some(3), "{name}");
        emperor.lines.mark();
    }
    emperor.stop();
}

/// Row C4: what is somebody else's is not even known; root may all, and whoever may is told of in the log.
#[test]
fn a_tenant_enters_what_is_his_and_nothing_else() {
    let emperor = jailed();
    let refused = run(&emperor, BOB, &["exec", "alice", "--", "id"]);
    assert_eq!(text(&refused.stderr), "liege: there is no vassal `alice`, or it is not yours\n");
    assert_eq!(refused.status.code(), Some(1));
    let unknown = run(&emperor, BOB, &["exec", "nobody", "--", "id"]);
    assert_eq!(text(&unknown.stderr), "liege: there is no vassal `nobody`, or it is not yours\n");
    emperor.wait_for_line(|line| line.contains(&format!("an ask of uid {BOB} is refused")));
    for uid in [0, ALICE] {
        let output = run(&emperor, uid, &["exec", "alice", "--", "id", "-u"]);
        assert_eq!(text(&output.stdout), format!("{ALICE}\n"), "{}", text(&output.stderr));
        emperor.wait_for("alice.ini", &format!("uid {uid} runs `id -u`"));
    }
    emperor.wait_for("alice.ini", "is over after");
    emperor.stop();
}

/// Row T2.
#[test]
fn a_command_has_its_standard_descriptors_and_none_of_another_session() {
    let emperor = jailed();
    let mut other = liege(&emperor, ALICE, &["attach", "alice", "--", "sh", "-c", "echo ready; sleep 1000"]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (input, keep) = std::io::pipe().unwrap();
    let mut other = other.stdin(input).stdout(writer).spawn().unwrap();
    std::io::Read::read_exact(&mut reader, &mut [0; 5]).unwrap();
    for verb in ["exec", "attach"] {
        let output = run(&emperor, ALICE, &[verb, "alice", "--", "ls", "/proc/self/fd"]);
        // The last one is the directory.
        let numbers: String = text(&output.stdout).chars().filter(char::is_ascii_digit).collect();
        assert_eq!(numbers, "0123", "{verb}: {}", text(&output.stderr));
    }
    drop(keep);
    other.kill().unwrap();
    other.wait().unwrap();
    emperor.stop();
}

#[test]
fn what_waits_for_a_connection_cannot_be_entered() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "demand.ini", IDLE);
    let directory = format!("--emperor-on-demand-directory={}", tree.dir("sockets").display());
    let emperor = Emperor::start(tree, &["--emperor-tyrant", &directory]);
    emperor.wait_stats("demand.ini", |one| one["state"] == "on-demand");
    let told = text(&run(&emperor, ALICE, &["exec", "demand", "--", "id"]).stderr);
    assert!(told.contains("runs on demand and waits for a connection"), "{told}");
    emperor.stop();
}

#[test]
fn what_does_not_run_cannot_be_entered_and_why_is_told() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "curse.ini", "command = /bin/false\n");
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    let curse = || Some(text(&run(&emperor, ALICE, &["exec", "curse", "--", "id"]).stderr));
    let told = eventually("a refusal", || curse().filter(|told| told.contains("does not run now")));
    assert!(told.contains("liege why curse.ini"), "{told}");
    emperor.stop();
}

/// Row T7: whatever it has begun ends with the client.
#[test]
fn a_client_that_is_killed_leaves_nobody_behind() {
    let emperor = jailed();
    let script = "trap '' HUP TERM; nohup sleep 7777010 >/dev/null 2>&1 & sleep 7777010 & echo ready; wait";
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut client = liege(&emperor, ALICE, &["exec", "alice", "--", "sh", "-c", script])
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(&mut reader, &mut [0; 6]).unwrap();
    let sleeps = emperor.wait_for_programs("sleep", 2);
    client.kill().unwrap();
    client.wait().unwrap();
    sleeps.iter().for_each(Process::wait_gone);
    emperor.wait_for("alice.ini", "is over after");
    emperor.stop();
}

fn open_descriptors(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Row T7: many sessions, one after another and at once.
#[test]
fn many_sessions_leave_no_zombie_and_no_descriptor() {
    let emperor = jailed();
    run(&emperor, ALICE, &["exec", "alice", "--", "true"]);
    let spawner = emperor.process.child_named("liege: spawner").pid;
    let count = || [emperor.process.pid, spawner].map(open_descriptors);
    eventually("the end of the first", || (emperor.told("alice.ini", "is over after") == 1).then_some(()));
    let before = count();
    const AT_ONCE: usize = 20;
    const ROUNDS: usize = 10;
    for _ in 0..ROUNDS {
        let words = |number: usize| if number.is_multiple_of(2) { "exec" } else { "attach" };
        let clients: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let mut client =
                    liege(&emperor, ALICE, &[words(number), "alice", "--", "sh", "-c", "exit 3"]);
                client.stdout(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut client in clients {
            assert_eq!(client.wait().unwrap().code(), Some(3));
        }
    }
    eventually("the end of all", || {
        (emperor.told("alice.ini", "is over after") == 1 + AT_ONCE * ROUNDS).then_some(())
    });
    eventually(&format!("no more than {before:?} descriptors, not {:?}", count()), || {
        (count() <= before).then_some(())
    });
    // The Emperor, its spawner, the log keeper, two masters and their commands.
    eventually("nobody but vassals", || (emperor.cgroup.pids().len() == 7).then_some(()));
    emperor.stop();
}

#[test]
fn the_real_uwsgi_can_be_entered() {
    let uwsgi = std::path::Path::new("/usr/bin/uwsgi");
    assert!(uwsgi.exists(), "this test needs uwsgi");
    let tree = Tree::new();
    tree.liege();
    let socket = tree.dir_of(ALICE, "alice").join("socket");
    tree.vassal_of(ALICE, "a.ini", &format!("master = true\nvacuum = true\nsocket = {}\n", socket.display()));
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--binary-path", "/usr/bin/uwsgi"]);
    let pid = emperor.wait_stats("a.ini", |one| one["accepting"] == 1 || one["ready"] == 1)["pid"]
        .as_i64()
        .unwrap();
    let command = Process::of(i32::try_from(pid).unwrap());
    let output = run(&emperor, ALICE, &["exec", "a", "--", "sh", "-c", "id -u; readlink /proc/self/ns/mnt"]);
    let expected = format!("{ALICE}\n{}\n", command.namespace("mnt"));
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    emperor.stop();
}
