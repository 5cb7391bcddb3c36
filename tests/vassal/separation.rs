//! Namespaces besides `unshare`, clocks, and forks on the way. The real uWSGI is asked too where it can do the same.

use std::fs::read_link;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use super::emperor::{Outcome, Place, wait_until_gone};

fn ours(kind: &str) -> String {
    read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string()
}

/// Runs a config by the real uWSGI, which a program of its config ends.
pub fn uwsgi(place: &Place, config: &str) -> String {
    let path = place.write("real.ini", config);
    let output = Command::new("timeout")
        .args(["20", "uwsgi", "--ini"])
        .arg(path)
        .current_dir(place.path(""))
        .stdin(Stdio::null())
        .output()
        .expect("uwsgi is installed (apt install uwsgi-core)");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn later_namespaces_come_after_the_post_jail_phase_as_in_uwsgi() {
    let body = |log: &str| {
        format!(
            "jailed = true\nunshare2 = uts\nunshare2 = ipc,net\nuid = 54321\ngid = 54322\n\
             exec-post-jail = readlink /proc/self/ns/uts /proc/self/ns/ipc /proc/self/ns/net > DIR/{log}.before\n\
             exec-as-root = readlink /proc/self/ns/uts /proc/self/ns/ipc /proc/self/ns/net > DIR/{log}.after\n"
        )
    };
    let place = Place::new(&(body("own") + "command = true"));
    let outcome = place.run();
    assert_eq!((outcome.errors.as_str(), outcome.code()), ("", 0));
    uwsgi(&place, &(body("real") + "exec-as-user = false"));
    let host = ["uts", "ipc", "net"].map(ours);
    for log in ["own", "real"] {
        let lines =
            |when: &str| place.read(&format!("{log}.{when}")).lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines("before"), host, "{log}");
        let after = lines("after");
        assert_eq!(after.len(), 3, "{log}");
        assert!(after.iter().zip(&host).all(|(inside, outside)| inside != outside), "{log}: {after:?}");
    }
}

#[test]
fn a_host_name_is_set_in_the_later_namespace() {
    let outcome = Place::new("unshare2 = uts\nhostname = box\ncommand = uname -n").run();
    assert_eq!((outcome.output.as_str(), outcome.errors.as_str()), ("box\n", ""));
}

#[test]
fn a_later_pid_namespace_makes_the_vassal_its_first_process() {
    let outcome = Place::new("unshare2 = pid\ncommand = sh -c 'echo $$ below $PPID; exit 7'").run();
    assert_eq!((outcome.output.as_str(), outcome.code()), ("2 below 1\n", 7), "{}", outcome.errors);
}

#[test]
fn the_post_jail_phase_takes_place_where_nothing_is_jailed() {
    let config = "exec-post-jail = echo post\ncommand = echo command";
    assert_eq!(Place::new(config).run().output, "command\n");
    assert_eq!(Place::new(&format!("jailed = true\n{config}")).run().output, "post\ncommand\n");
}

#[test]
fn a_child_goes_on_and_ends_as_the_vassal_ends() {
    for option in ["refork", "re-fork-as-root", "jailed = true\nrefork-post-jail"] {
        for (command, code) in [("exit 7", 7), ("kill -9 $$", 137), ("exit 0", 0)] {
            let config = format!(
                "{option} = true\nexec-asap = echo $PPID\nexec-pre-app = echo $PPID\ncommand = sh -c '{command}'"
            );
            let outcome = Place::new(&config).run();
            assert_eq!((outcome.errors.as_str(), outcome.code()), ("", code), "{option}: {command}");
            let pids: Vec<&str> = outcome.output.lines().collect();
            assert!(matches!(pids[..], [before, after] if before != after), "{option}: {pids:?}");
        }
    }
    let outcome =
        Place::new("refork-post-jail = true\nexec-asap = echo $PPID\ncommand = sh -c 'echo $PPID'").run();
    let pids: Vec<&str> = outcome.output.lines().collect();
    assert!(matches!(pids[..], [before, after] if before == after), "nothing is jailed: {pids:?}");
}

/// Three forks deep, and with a new pid namespace on the way.
#[test]
fn signals_reach_the_command_through_all_forks() {
    let config = "unshare = pid\nrefork-post-jail = 1\nrefork-as-root = 1\nrefork = 1\nuid = 54321\ngid = 54322\n\
                  command = sh -c 'trap \"echo told; exit 9\" USR1; echo up; while :; do sleep 0.1; done'";
    let place = Place::new(config);
    let mut vassal = place.start();
    assert_eq!(vassal.line(), "up");
    vassal.signal(Signal::USR1);
    assert_eq!(vassal.line(), "told");
    assert_eq!(vassal.end().code(), 9);
}

#[test]
fn the_emperor_is_heard_by_the_child_and_stops_it() {
    let place = Place::new("refork = true\ncommand = sh -c 'echo up; exec sleep 1000'");
    let mut vassal = place.start();
    assert_eq!((vassal.byte(), vassal.byte()), (Some(1), Some(5)));
    assert_eq!(vassal.line(), "up");
    vassal.say(0);
    assert_eq!(vassal.end().code(), 0);
}

#[test]
fn whoever_kills_the_first_process_kills_them_all() {
    let config = "refork-as-root = 1\nrefork = 1\ncommand = sh -c 'echo $$ $PPID; exec sleep 1000'";
    let place = Place::new(config);
    let mut vassal = place.start();
    let line = vassal.line();
    vassal.signal(Signal::KILL);
    assert_eq!(vassal.end().code(), 137);
    line.split(' ').for_each(|pid| wait_until_gone(pid.parse().unwrap()));
}

fn child(pid: i32) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.trim().parse().unwrap()
}

#[test]
fn a_change_of_ids_does_not_free_them_from_that() {
    let ids = "uid = 61001\ngid = 61001\ncommand = sh -c 'echo up; exec sleep 1000'";
    for before in ["unshare = pid", "refork-as-root = 1", "jail = standard"] {
        let place = Place::new(&format!("{before}\n{ids}"));
        let mut vassal = place.start();
        assert_eq!(vassal.line(), "up");
        let first = child(vassal.pid());
        let all = [first, child(first)];
        vassal.signal(Signal::KILL);
        assert_eq!(vassal.end().code(), 137, "{before}");
        all.into_iter().for_each(wait_until_gone);
    }
}

/// Seconds that this machine has been up, as a test may compare them.
fn monotonic() -> i64 {
    clock_gettime(ClockId::Monotonic).tv_sec
}

#[test]
fn a_time_namespace_has_clocks_of_its_own_for_the_command_itself() {
    const DAY: i64 = 86_400;
    for options in ["unshare", "unshare2"] {
        let script = "import time, os; print(os.readlink(\"/proc/self/ns/time\"), \
                      int(time.clock_gettime(time.CLOCK_MONOTONIC)), int(time.clock_gettime(time.CLOCK_BOOTTIME)))";
        let place = Place::new(&format!(
            "{options} = time\ntime-offset = monotonic:-1\ntime-offset = monotonic:{DAY}\n\
             time-offset = boottime:{}\ncommand = python3 -c '{script}'",
            10 * DAY
        ));
        let before = monotonic();
        let outcome = place.run();
        let after = monotonic();
        assert_eq!(outcome.errors, "");
        let words: Vec<&str> = outcome.output.split_whitespace().collect();
        let [namespace, shown, boottime] = words[..] else { panic!("{words:?}") };
        assert_ne!(namespace, ours("time"));
        let shown: i64 = shown.parse().unwrap();
        assert!((before + DAY..=after + DAY).contains(&shown), "{before} {shown} {after}");
        assert!(boottime.parse::<i64>().unwrap() >= before + 10 * DAY, "{boottime}");
    }
}

#[test]
fn a_clock_that_would_begin_before_zero_is_told() {
    let outcome = Place::new("unshare = time\ntime-offset = boottime:-99999999999\ncommand = true").run();
    assert_eq!(outcome.code(), 1);
    assert!(
        outcome.errors.contains("enter a new time namespace") && outcome.errors.contains("ERANGE"),
        "{}",
        outcome.errors
    );
    let outcome = Place::new("time-offset = boottime:1\ncommand = true").run();
    assert!(outcome.errors.contains("add `unshare = time`"), "{}", outcome.errors);
}

#[test]
fn a_tenant_may_fork_and_separate_nothing() {
    let place = Place::new("refork = 1\ncommand = echo ran");
    let as_tenant = |place: &Place| {
        use std::os::unix::process::CommandExt;
        Outcome::of(place.command().uid(54321).gid(54322))
    };
    assert_eq!(as_tenant(&place).output, "ran\n");
    for option in ["unshare2 = uts", "unshare = time", "setns = DIR/x"] {
        let outcome = as_tenant(&Place::new(&format!("{option}\ncommand = echo ran")));
        assert_eq!((outcome.output.as_str(), outcome.code()), ("", 1), "{option}");
        assert!(
            outcome.errors.contains("needs root of the vassal's own user namespace"),
            "{}",
            outcome.errors
        );
    }
}
