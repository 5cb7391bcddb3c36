//! Whoever is let into a jail is held by what the vassal's own config puts on its command.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::common::{ALICE, BOB, Cgroup, Emperor, Process, Start, Tree, eventually};
use super::jail::{held_by, leave, visitor};
use super::{IDLE, liege, run, text};

/// What every command needs of a system, behind a fence.
const SYSTEM: &str = "landlock-ro = /usr\nlandlock-ro = /bin\nlandlock-ro = /lib\nlandlock-ro = /lib64\n\
                      landlock-ro = /proc\nlandlock-rw = /dev\n";
/// A little of everything.
const LIMITS: &str = "nice = 7\numask = 027\noom-score-adj = 300\nionice = best-effort:6\ncpus = 0\n\
                      rlimit-nofile = 100:200\nrlimit-fsize = 1m\nlimit-nproc = 300\n";

/// How it is before others, and what is not in its rights.
fn ranked(process: &Process) -> Vec<String> {
    let nice =
        process.read("stat").rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().to_owned();
    let output = Command::new("ionice").args(["-p", &process.pid.to_string()]).output().unwrap();
    let fields = ["Umask", "Cpus_allowed_list"].map(|field| process.status(field));
    [nice, text(&output.stdout)].into_iter().chain(fields).collect()
}

/// A vassal of Alice's with this config.
fn alices(options: &[&str], config: &str) -> Emperor {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "alice.ini", config);
    let emperor = Emperor::start(tree, options);
    emperor.vassal("alice.ini").child();
    emperor
}

fn said(emperor: &Emperor, script: &str) -> String {
    let output = run(emperor, ALICE, &["exec", "alice", "--", "sh", "-c", script]);
    text(&output.stdout) + &text(&output.stderr)
}

/// Rows N6 and N7.
#[test]
fn whoever_enters_has_the_limits_and_priorities_of_the_command() {
    for options in [&["--emperor-tyrant", "--jail", "none"][..], &["--emperor-tyrant"]] {
        let emperor = alices(options, &format!("{LIMITS}seccomp = strict\n{SYSTEM}{IDLE}"));
        let command = emperor.vassal("alice.ini").child_named("sleep");
        let (client, visitor) = visitor(&emperor, "alice", "7777101");
        assert_eq!(held_by(&visitor), held_by(&command), "{options:?}");
        assert_eq!(ranked(&visitor), ranked(&command), "{options:?}");
        assert!(
            ranked(&command)[0] == "7" && ranked(&command)[1].contains("prio 6"),
            "{:?}",
            ranked(&command)
        );
        leave(client, &visitor);
        emperor.stop();
    }
}

/// Rows N6 and N7: of a vassal of root's that comes before others and has become somebody else.
#[test]
fn whoever_enters_a_vassal_of_roots_comes_before_others_as_its_command_does() {
    let tree = Tree::new();
    tree.liege();
    let user = format!("uid = {ALICE}\ngid = {ALICE}\n");
    tree.vassal("a.ini", &format!("{user}rlimit-nofile = 300:400\nnice = -3\nrlimit-core = 0\n{IDLE}"));
    let emperor = Emperor::start(tree, &["--jail", "none"]);
    let command = emperor.vassal("a.ini").child_named("sleep");
    let (client, visitor) = visitor(&emperor, "a", "7777102");
    assert_eq!(held_by(&visitor), held_by(&command));
    assert_eq!(ranked(&visitor), ranked(&command));
    leave(client, &visitor);
    emperor.stop();
}

/// Row N7: a fence of the vassal's is around everybody who enters, with a terminal and without.
#[test]
fn whoever_enters_is_behind_the_fence_of_the_command() {
    let mut options = vec!["--emperor-tyrant"];
    for _ in 0..2 {
        let emperor = alices(&options, &format!("{SYSTEM}{IDLE}"));
        let looks = "cat /etc/passwd >/dev/null 2>&1 && echo READ; cat /bin/true >/dev/null && echo over";
        assert_eq!(said(&emperor, looks), "over\n", "{options:?}");
        let output = run(&emperor, ALICE, &["attach", "alice", "--", "sh", "-c", looks]);
        assert!(!text(&output.stdout).contains("READ"), "{options:?}");
        emperor.stop();
        options.extend(["--jail", "none"]);
    }
}

/// Row N7: a command that its own config holds does not get rid of that by entering its own jail.
#[test]
fn a_command_behind_a_fence_does_not_get_out_by_entering_its_own_jail() {
    let tree = Tree::new();
    tree.liege();
    let program = tree.path("liege").display().to_string();
    let control = tree.path("run/stats.sock.control").display().to_string();
    let inside =
        "cat /etc/passwd >/dev/null 2>&1 && echo alice got out; cat /bin/true >/dev/null && echo alice over";
    let script = tree.script(
        "attack",
        &format!("until {program} exec {control} alice -- sh -c '{inside}' </dev/null; do sleep 0.1; done; exec sleep 100000"),
    );
    let places = [tree.path(""), script.clone()].map(|path| format!("landlock-ro = {}\n", path.display()));
    let config = format!("{SYSTEM}{}command = {}\n", places.concat(), script.display());
    tree.vassal_of(ALICE, "alice.ini", &config);
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--jail", "none"]);
    emperor.wait_for_line(|line| line == "alice over");
    assert!(!emperor.lines.all().iter().any(|line| line == "alice got out"));
    emperor.stop();
}

/// Row N6: neither the config as it lies there nor a file of the jail says what holds; and who says nothing lets nobody in.
#[test]
fn nothing_that_the_tenant_changes_makes_it_less() {
    let emperor = alices(&["--emperor-tyrant"], &format!("{SYSTEM}seccomp = strict\n{IDLE}"));
    let master = emperor.vassal("alice.ini");
    master.signal(Signal::STOP);
    let mut client = liege(&emperor, ALICE, &["exec", "alice", "--", "cat", "/etc/passwd"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    emperor.wait_for("alice.ini", "uid 61001 runs `cat /etc/passwd`");
    // It waits for the master, as nobody of the jail yet that could run anything.
    let minder = emperor.wait_for_programs("liege: session", 1).remove(0);
    assert!(client.try_wait().unwrap().is_none() && minder.is_alive());
    client.kill().unwrap();
    client.wait().unwrap();
    master.signal(Signal::CONT);
    minder.wait_gone();
    assert_eq!(said(&emperor, "cat /etc/passwd >/dev/null 2>&1 && echo READ; echo over"), "over\n");
    emperor.stop();
}

/// Row G8: also the first instruction of whoever enters is one of the vassal's cgroup, and nobody else waits for it.
#[test]
fn whoever_enters_a_cgroup_that_stands_still_is_of_it_and_holds_up_nobody_else() {
    let emperor = super::jailed();
    let cgroup = cgroup_of(&emperor.vassal("alice.ini"));
    let before = members(&cgroup);
    std::fs::write(cgroup.join("cgroup.freeze"), "1").unwrap();
    let clients = [(); 3].map(|()| waits(&emperor));
    eventually("all of them there", || (members(&cgroup) == before + clients.len()).then_some(()));
    let output = run(&emperor, 0, &["exec", "bob", "--", "echo", "over"]);
    assert_eq!(text(&output.stdout), "over\n", "{}", text(&output.stderr));
    emperor.tree.vassal_of(ALICE, "new.ini", IDLE);
    emperor.vassal("new.ini").child_named("sleep");
    std::fs::write(cgroup.join("cgroup.freeze"), "0").unwrap();
    for mut client in clients {
        assert_eq!(client.wait().unwrap().code(), Some(9));
    }
    eventually("nobody of them left", || (members(&cgroup) == before).then_some(()));
    emperor.stop();
}

/// Row G8: the end of the vassal is that of those who wait in it.
#[test]
fn whoever_waits_in_a_cgroup_that_stands_still_ends_with_it() {
    let emperor = super::jailed();
    let master = emperor.vassal("alice.ini");
    let cgroup = cgroup_of(&master);
    let before = members(&cgroup);
    std::fs::write(cgroup.join("cgroup.freeze"), "1").unwrap();
    let mut client = liege(&emperor, ALICE, &["exec", "alice", "--", "true"]);
    let mut client = client.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("somebody there", || (members(&cgroup) > before).then_some(()));
    master.signal(Signal::KILL);
    assert_eq!(client.wait().unwrap().code(), Some(255));
    emperor.stop();
}

/// A client that waits for what has not begun.
fn waits(emperor: &Emperor) -> Child {
    let mut client = liege(emperor, ALICE, &["exec", "alice", "--", "sh", "-c", "exit 9"]);
    client.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Row G8: each that has not begun costs the spawner a descriptor; of one user's there are no more than a few that are late.
#[test]
fn whoever_keeps_those_who_enter_from_running_has_few_of_them() {
    const LATE_MAX: usize = 8;
    let emperor = super::jailed();
    let cgroup = cgroup_of(&emperor.vassal("alice.ini"));
    let before = members(&cgroup);
    std::fs::write(cgroup.join("cgroup.freeze"), "1").unwrap();
    let mut clients: Vec<Child> = (0..LATE_MAX).map(|_| waits(&emperor)).collect();
    eventually("all of them there", || (members(&cgroup) == before + LATE_MAX).then_some(()));
    let late = Instant::now() + Duration::from_millis(3_001);
    eventually("three seconds", || (Instant::now() > late).then_some(()));
    let output = run(&emperor, ALICE, &["exec", "alice", "--", "true"]);
    let refusal = text(&output.stderr);
    assert!(!output.status.success() && refusal.contains("have not begun for three seconds"), "{refusal}");
    assert_eq!(members(&cgroup), before + LATE_MAX);
    for uid in [BOB, 0] {
        assert!(run(&emperor, uid, &["exec", "bob", "--", "true"]).status.success());
    }
    std::fs::write(cgroup.join("cgroup.freeze"), "0").unwrap();
    for client in &mut clients {
        assert_eq!(client.wait().unwrap().code(), Some(9));
    }
    assert!(run(&emperor, ALICE, &["exec", "alice", "--", "true"]).status.success());
    emperor.stop();
}

/// Row G8: before three seconds are over too, nobody has more of them than he leaves to others.
#[test]
fn a_burst_of_those_who_do_not_begin_leaves_descriptors_to_all_others() {
    const LIMIT: usize = 128;
    let tree = super::two_tenants();
    let limit = format!("--nofile={LIMIT}:20000");
    let emperor = Start::in_tree(tree).options(&["--emperor-tyrant"]).through(&["prlimit", &limit]).start();
    emperor.vassal("bob.ini").child_named("sleep");
    let cgroup = cgroup_of(&emperor.vassal("alice.ini"));
    let before = members(&cgroup);
    std::fs::write(cgroup.join("cgroup.freeze"), "1").unwrap();
    let mut clients: Vec<Child> = (0..LIMIT / 2).map(|_| waits(&emperor)).collect();
    let mut refused = 0;
    eventually("an answer to each", || {
        clients.retain_mut(|client| {
            client.try_wait().unwrap().is_none_or(|status| {
                assert_eq!(status.code(), Some(1));
                refused += 1;
                false
            })
        });
        (members(&cgroup) == before + clients.len() && refused >= LIMIT / 4).then_some(())
    });
    for uid in [BOB, 0] {
        assert!(run(&emperor, uid, &["exec", "bob", "--", "true"]).status.success());
    }
    emperor.tree.vassal_of(BOB, "new.ini", IDLE);
    emperor.vassal("new.ini").child_named("sleep");
    std::fs::write(cgroup.join("cgroup.freeze"), "0").unwrap();
    for mut client in clients {
        assert_eq!(client.wait().unwrap().code(), Some(9));
    }
    emperor.stop();
}

fn members(cgroup: &Path) -> usize {
    std::fs::read_to_string(cgroup.join("cgroup.procs")).unwrap().lines().count()
}

/// The directory of its cgroup.
fn cgroup_of(process: &Process) -> PathBuf {
    let own = process.read("cgroup");
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap().to_owned();
    Cgroup::mount().join(own)
}

/// Rows N7 and N9: what has taken the master's place can tell nobody of the fence around it.
#[test]
fn a_program_in_the_masters_place_that_is_held_by_its_config_cannot_be_entered() {
    // It ends when the Emperor says a word.
    let patch = "unprivileged-binary-patch-arg = exec head -c 1 <&$UWSGI_EMPEROR_FD\n";
    for (limits, enters) in [("", true), (SYSTEM, false)] {
        let tree = Tree::new();
        tree.liege();
        tree.vassal_of(ALICE, "alice.ini", &format!("{limits}{patch}"));
        let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
        eventually("the program", || {
            emperor.cgroup.pids().into_iter().find(|pid| {
                Process::if_there(*pid)
                    .is_ok_and(|one| one.command_line().first().is_some_and(|word| word == "head"))
            })
        });
        let output = run(&emperor, ALICE, &["exec", "alice", "--", "true"]);
        assert_eq!(output.status.success(), enters, "{}", text(&output.stderr));
        assert!(enters || text(&output.stderr).contains("has become another program"));
        emperor.stop();
    }
}
