//! The life of a daemon that stays in the foreground.

use std::io::Write;

use rustix::process::Signal;

use super::emperor::Place;
use super::told::{Court, kill, lives, until, wait_dead, with_word};

/// A number of seconds that nobody else sleeps: by it the processes of one test are known.
fn mark() -> String {
    format!("{}", 7_000_000 + std::process::id() * 100 + u32::from(rand()))
}

fn rand() -> u8 {
    static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 100
}

fn argv(pid: i32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    text.trim_end_matches('\0').replace('\0', " ")
}

#[test]
fn a_daemon_runs_beside_the_command_without_a_shell_in_between_and_ends_with_it() {
    let mark = mark();
    let mut court = Court::of(&format!("command = sleep 1000\nattach-daemon = sleep {mark}"));
    let pid = court.wait("sleep", "running", 1);
    assert_eq!(argv(pid), format!("sleep {mark}"));
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(
        (fields[2], fields[3]),
        (&*pid.to_string(), &*pid.to_string()),
        "it leads a group and a session"
    );
    let outcome = court.stop();
    assert!(!lives(pid), "{}", outcome.errors);
    assert!(with_word(&mark).is_empty());
}

#[test]
fn a_vassal_may_have_nothing_but_daemons() {
    let mut court = Court::of("attach-daemon = sleep 1000\nattach-daemon = sleep 2000");
    let (first, second) = (court.wait("sleep", "running", 1), court.wait("sleep-2", "running", 1));
    let outcome = court.stop();
    assert_eq!(outcome.code(), 0, "{}", outcome.errors);
    assert!(!lives(first) && !lives(second));
}

#[test]
fn one_that_is_killed_is_started_again() {
    let mut court = Court::of("attach-daemon = sleep 1000");
    let pid = court.wait("sleep", "running", 1);
    kill(pid);
    let next = court.wait("sleep", "running", 2);
    assert!(next != pid && lives(next) && !lives(pid));
    let outcome = court.stop();
    assert!(
        outcome.errors.contains("daemon sleep was killed by signal 9; it is started again in "),
        "{}",
        outcome.errors
    );
}

/// What leaves the group of a daemon, and even its session, ends with it all the same.
#[test]
fn nothing_of_a_daemon_outlives_it() {
    let mark = mark();
    let script = format!("setsid sleep {mark} & (trap '' TERM; sleep {mark}) & exec sleep {mark}");
    let mut court = Court::of(&format!("attach-daemon2 = name=many,grace=1,cmd={script}"));
    let pid = court.wait("many", "running", 1);
    until("all of it", || (with_word(&format!("^sleep {mark}")).len() == 3).then_some(()));
    court.forget();
    court.steer("stop many");
    court.wait("many", "stopped", 1);
    assert_eq!(with_word(&mark), Vec::<i32>::new());
    court.steer("start many");
    let next = court.wait("many", "running", 2);
    assert_ne!(next, pid);
    court.stop();
    assert_eq!(with_word(&mark), Vec::<i32>::new());
}

/// Told to end, it says so, and ends when it may.
const WORKER: &str = r#"
import os, signal, time
here = os.path.dirname(__file__)
def end(*_):
    open(here + "/told", "w").close()
    while not os.path.exists(here + "/go"):
        time.sleep(0.01)
    open(here + "/done", "w").close()
    os._exit(0)
signal.signal(signal.SIGTERM, end)
open(here + "/ready", "w").close()
while True:
    signal.pause()
"#;

/// A place with the worker, of this config.
fn with_worker(config: &str) -> Place {
    let place = Place::new(config);
    std::fs::write(place.path("w.py"), WORKER).unwrap();
    place
}

fn made(court: &Court, name: &str) {
    until(name, || court.place.path(name).exists().then_some(()));
}

/// Whoever leads the group ends at once by the same signal.
#[test]
fn a_worker_behind_a_shell_has_the_whole_grace() {
    let place =
        with_worker("attach-daemon2 = name=s,cmd=cd DIR && /usr/bin/python3 DIR/w.py; true,grace=1000");
    let mut court = Court::at(place);
    let shell = court.wait("s", "running", 1);
    made(&court, "ready");
    court.steer("stop s");
    made(&court, "told");
    wait_dead(shell);
    court.wait_for(|line| line.starts_with("s stopping ").then_some(()));
    std::fs::write(court.place.path("go"), "").unwrap();
    court.wait("s", "stopped", 1);
    made(&court, "done");
    court.stop();
}

#[test]
fn a_worker_behind_a_shell_that_does_not_end_is_killed_after_its_grace() {
    let place = with_worker("attach-daemon2 = name=s,cmd=/usr/bin/python3 DIR/w.py; true,grace=1");
    let mut court = Court::at(place);
    court.wait("s", "running", 1);
    made(&court, "ready");
    let worker = with_word(court.place.path("w.py").to_str().unwrap());
    court.steer("stop s");
    court.wait("s", "stopped", 1);
    assert!(worker.iter().all(|pid| !lives(*pid)) && !court.place.path("done").exists());
    court.stop();
}

#[test]
fn a_shell_that_dies_unasked_takes_its_worker_along_at_once() {
    let place = with_worker("attach-daemon2 = name=s,cmd=/usr/bin/python3 DIR/w.py; true,grace=1000");
    let mut court = Court::at(place);
    let shell = court.wait("s", "running", 1);
    made(&court, "ready");
    let worker = with_word(&format!("^/usr/bin/python3 {}", court.place.path("w.py").display()));
    assert_eq!(worker.len(), 1);
    kill(shell);
    court.wait("s", "running", 2);
    wait_dead(worker[0]);
    std::fs::write(court.place.path("go"), "").unwrap();
    court.stop();
}

/// As a daemon, so the command: by a word of the Emperor, or by a signal.
#[test]
fn a_worker_behind_the_shell_of_the_command_may_end_too() {
    let ways: [fn(&mut Court); 3] = [
        |court| court.vassal.control.as_mut().unwrap().write_all(&[0]).unwrap(),
        |court| court.vassal.signal(Signal::TERM),
        |court| {
            let config = court.place.read("v.ini");
            std::fs::write(court.place.path("v.ini"), format!("{config}\nenv = NEW=1\n")).unwrap();
            court.vassal.control.as_mut().unwrap().write_all(&[1]).unwrap();
        },
    ];
    for end in ways {
        let place = with_worker(r#"command = /bin/sh -c "/usr/bin/python3 DIR/w.py; true""#);
        let mut court = Court::at(place);
        made(&court, "ready");
        end(&mut court);
        made(&court, "told");
        assert!(!court.place.path("done").exists());
        std::fs::write(court.place.path("go"), "").unwrap();
        court.vassal.end();
        assert!(court.place.path("done").exists());
    }
}

/// Of the master nothing is left that could tidy up: whoever keeps a daemon does.
#[test]
fn nothing_outlives_a_master_that_is_killed() {
    let mark = mark();
    let script = format!("setsid sleep {mark} & sleep {mark}");
    let mut court = Court::of(&format!("attach-daemon2 = name=many,cmd={script}"));
    let pid = court.wait("many", "running", 1);
    until("all of it", || (with_word(&format!("^sleep {mark}")).len() == 2).then_some(()));
    court.vassal.signal(Signal::KILL);
    court.vassal.end();
    wait_dead(pid);
    until("the end of all of it", || with_word(&mark).is_empty().then_some(()));
}

#[test]
fn a_control_daemon_takes_the_vassal_with_it() {
    let mut court = Court::of("command = sleep 1000\nattach-control-daemon = sleep 2000");
    kill(court.wait("sleep", "running", 1));
    assert_eq!(court.vassal.end().code(), 0);
}

#[test]
fn one_that_does_not_stop_is_killed_after_its_grace_and_others_do_not_wait_for_it() {
    let stubborn = "attach-daemon2 = name=a,grace=1,cmd=trap '' TERM; while :; do sleep 1; done";
    let mut court =
        Court::of(&format!("{stubborn}\n{}\nattach-daemon = sleep 1000", stubborn.replace("=a,", "=b,")));
    let pids =
        [court.wait("a", "running", 1), court.wait("b", "running", 1), court.wait("sleep", "running", 1)];
    let begin = std::time::Instant::now();
    let outcome = court.stop();
    assert!(begin.elapsed() < super::emperor::PATIENCE);
    assert!(pids.iter().all(|pid| !lives(*pid)), "{}", outcome.errors);
}

#[test]
fn one_that_cannot_run_is_told_with_its_cause_and_tried_again() {
    let mut court = Court::of("attach-daemon = /no/such/program");
    court.wait("program", "throttled", 2);
    let outcome = court.stop();
    assert!(outcome.errors.contains("daemon program: cannot run `/no/such/program`"), "{}", outcome.errors);
    assert!(
        outcome.errors.contains("daemon program ended with status 127; it is started again in "),
        "{}",
        outcome.errors
    );
}

#[test]
fn signals_reach_it_by_its_name() {
    let config = "attach-daemon2 = name=a,cmd=trap 'echo got >> DIR/got' USR1; while :; do sleep 0.01; done";
    let mut court = Court::of(config);
    court.wait("a", "running", 1);
    until("a trap", || {
        court.steer("signal a 10");
        (!court.place.read("got").is_empty()).then_some(())
    });
    court.stop();
}

#[test]
fn a_touched_file_begins_it_anew_also_when_it_is_made_or_removed() {
    let place = super::emperor::Place::new("attach-daemon2 = name=a,cmd=sleep 1000,touch=DIR/one;DIR/two");
    std::fs::write(place.path("one"), "").unwrap();
    let mut court = Court::at(place);
    court.wait("a", "running", 1);
    std::fs::write(court.place.path("one"), "changed").unwrap();
    court.wait("a", "running", 2);
    std::fs::write(court.place.path("two"), "").unwrap();
    court.wait("a", "running", 3);
    std::fs::remove_file(court.place.path("one")).unwrap();
    court.wait("a", "running", 4);
    court.stop();
}

/// Whoever is the tenant can kill what minds his daemon: that ends with it, and is started again.
#[test]
fn a_keeper_that_is_killed_takes_its_daemon_along() {
    let mut court = Court::of("attach-daemon = sleep 1000");
    let pid = court.wait("sleep", "running", 1);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let keeper = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    kill(keeper);
    let next = court.wait("sleep", "running", 2);
    wait_dead(pid);
    court.stop();
    assert!(!lives(next));
}

/// Row C7: what a daemon says is not taken for words of the command, also when it was started again.
#[test]
fn a_daemon_gets_no_notify_socket_of_the_command() {
    let script = "echo \"<$NOTIFY_SOCKET>\" >> DIR/got; exec sleep 1000";
    let mut court =
        Court::of(&format!("command = sleep 2000\nnotify = true\nattach-daemon2 = name=a,cmd={script}"));
    let first = court.wait("a", "running", 1);
    until("a start", || (court.place.read("got") == "<>\n").then_some(()));
    kill(first);
    court.wait("a", "running", 2);
    until("two starts", || (court.place.read("got") == "<>\n<>\n").then_some(()));
    court.stop();
}
