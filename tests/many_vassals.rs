//! As many vassals as a large host has: they start, cost nothing while nothing happens, and stop.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Emperor, Process, Tree, eventually};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process};

/// As many as the benches have.
const VASSALS: usize = 10_000;
/// More than are buried in a few turns.
const CROWD: usize = 400;
/// Descriptors that an Emperor has for other matters than a vassal, at most.
const FURTHER_MAX: usize = 100;
/// Nothing happens for this long: longer than what is done "soon" and every usual pause between two looks.
const SILENCE: Duration = Duration::from_secs(4);
/// Small and static: ends with the first byte that it is told, or with the Emperor.
const WAITS: &str = r#"exec /bin/busybox head -c 1 <&"$UWSGI_EMPEROR_FD" >/dev/null"#;

/// Descriptors that an Emperor may have here.
fn descriptors() -> usize {
    getrlimit(Resource::Nofile).maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap())
}

/// As many as may be held here, where a vassal takes one descriptor of the Emperor's at least: a pipe besides while there are many.
fn number() -> usize {
    VASSALS.min(descriptors().saturating_sub(FURTHER_MAX))
}

/// Each whole thousand has its own patience.
fn wait_started(emperor: &Emperor, number: usize) {
    for so_far in (1_000..number).step_by(1_000).chain([number]) {
        eventually(&format!("{so_far} that run"), || {
            let started = emperor.lines.count(|line| line.contains("started with pid"));
            (started >= so_far).then_some(())
        });
    }
}

/// How often these processes have gone to sleep, or were made to: the same number twice means no system call that waits, no
/// signal and no time slice in between.
fn turns(processes: &[&Process]) -> Vec<String> {
    let both = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
    processes.iter().flat_map(|process| both.map(|field| process.status(field))).collect()
}

#[test]
fn ten_thousand_vassals_take_two_descriptors_each_and_no_time_while_nothing_happens() {
    let (tree, number) = (Tree::new(), number());
    let program = waits(&tree).display().to_string();
    (0..number).for_each(|one| plant(&tree.vassals(), one));
    let emperor = Emperor::start(tree, &["--binary-path", &program]);
    wait_started(&emperor, number);
    let spawner = emperor.process.child_named("liege: spawner");
    let keeper = emperor.process.child_named("liege log-keeper");
    // Of what an Emperor may have, a quarter is not for pipes.
    let most = [(2 * number).min(number / 2 + descriptors() / 4 * 3), number, number];
    let all = [&emperor.process, &spawner, &keeper];
    for (process, most) in all.into_iter().zip(most) {
        let open = process.descriptors().len();
        assert!(open <= most + FURTHER_MAX, "{open} descriptors");
    }
    eventually("a time in which the Emperor does nothing at all", || {
        let before = turns(&all);
        std::thread::park_timeout(SILENCE);
        (turns(&all) == before).then_some(())
    });
    assert_eq!(emperor.lines.count(|line| line.contains("died (")), 0);
    emperor.stop();
}

/// Whoever asks was there first: he is told how they were while some are still to be buried.
#[test]
fn who_asks_does_not_wait_until_all_who_have_died_at_once_are_buried() {
    let tree = Tree::new();
    let program = waits(&tree).display().to_string();
    (0..CROWD).for_each(|one| plant(&tree.vassals(), one));
    let emperor = Emperor::start(tree, &["--binary-path", &program, "--emperor-no-blacklist"]);
    wait_started(&emperor, CROWD);
    let pids = pids(&emperor.stats());
    assert_eq!(pids.len(), CROWD);
    emperor.signal(Signal::STOP);
    eventually("an Emperor that is stopped", || emperor.process.status("State").contains('T').then_some(()));
    let mut asker = UnixStream::connect(emperor.stats_socket()).unwrap();
    pids.iter().for_each(|pid| kill_process(*pid, Signal::KILL).unwrap());
    eventually("all of them dead", || pids.iter().all(is_dead).then_some(()));
    emperor.signal(Signal::CONT);
    let mut text = String::new();
    asker.read_to_string(&mut text).unwrap();
    let told = self::pids(&serde_json::from_str(&text).unwrap());
    assert!(told.iter().any(|pid| pids.contains(pid)), "all were buried before");
    eventually("all of them buried", || {
        (self::pids(&emperor.stats()).iter().all(|pid| !pids.contains(pid))).then_some(())
    });
    emperor.stop();
}

/// Not reaped yet.
fn is_dead(pid: &Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    stat.rsplit(')').next().unwrap().starts_with(" Z")
}

fn pids(stats: &serde_json::Value) -> Vec<Pid> {
    let pids = stats["vassals"].as_array().unwrap().iter().filter_map(|one| one["pid"].as_i64());
    pids.filter_map(|pid| Pid::from_raw(i32::try_from(pid).unwrap().max(0))).collect()
}

/// The program of all.
fn waits(tree: &Tree) -> PathBuf {
    let program = tree.path("waits");
    std::fs::write(&program, format!("#!/bin/busybox sh\n{WAITS}\n")).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    program
}

fn plant(vassals: &Path, number: usize) {
    std::fs::write(vassals.join(format!("v{number}.ini")), "[uwsgi]\n").unwrap();
}
