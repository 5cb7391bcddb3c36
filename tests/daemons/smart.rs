//! Daemons with a pid file: such as leave for the background, and such as stay.

use super::emperor::Place;
use super::told::{Court, kill, lives, until, wait_dead, with_word};

/// Leaves for the background as daemons do: the first process ends with 0, the second one writes its number.
const LEAVES: &str = r#"#!/bin/sh
# $1: pid file, $2: seconds to sleep
setsid sh -c 'echo $$ > "$1.new"; mv "$1.new" "$1"; exec sleep "$2"' sh "$1" "$2" < /dev/null &
exit 0
"#;

fn place(config: &str) -> Place {
    let place = Place::new(config);
    let script = place.path("leaves");
    std::fs::write(&script, LEAVES).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place
}

fn number(place: &Place, file: &str) -> i32 {
    until("a pid file", || place.read(file).trim().parse().ok())
}

#[test]
fn one_that_leaves_for_the_background_is_known_by_its_pid_file_and_minded_there() {
    let mut court = Court::at(place("smart-attach-daemon = DIR/pid,10 DIR/leaves DIR/pid 1000"));
    let pid = number(&court.place, "pid");
    court.wait_pid("leaves", pid);
    kill(pid);
    court.wait("leaves", "running", 2);
    let next = until("another one", || Some(number(&court.place, "pid")).filter(|next| *next != pid));
    assert!(lives(next));
    let outcome = court.stop();
    assert!(!lives(next), "{}", outcome.errors);
}

#[test]
fn the_pid_file_of_one_that_stays_is_written_for_it() {
    let mut court = Court::of("smart-attach-daemon2 = DIR/pid sleep 1000");
    let pid = court.wait("sleep", "running", 1);
    assert_eq!(number(&court.place, "pid"), pid);
    court.stop();
    assert!(!lives(pid));
}

/// Row F3: whatever stands in a pid file, nobody but what the daemon has left behind is taken for it, or ever gets a signal.
#[test]
fn a_pid_file_that_lies_harms_nobody() {
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let strangers = [
        stranger.id().to_string(),
        "1".to_owned(),
        "-1".to_owned(),
        "0".to_owned(),
        std::process::id().to_string(),
        "99999999999999999999".to_owned(),
        "x".to_owned(),
    ];
    for lie in strangers {
        let mark = format!("{}", 6_000_000 + std::process::id());
        // Somebody is left behind, so that there is a daemon to be looked for.
        let script = format!("echo {lie} > DIR/pid; setsid sleep {mark} & exit 0");
        let mut court = Court::of(&format!("attach-daemon2 = name=liar,pidfile=DIR/pid,freq=0,cmd={script}"));
        court.wait("liar", "throttled", 1);
        let outcome = court.stop();
        assert!(
            outcome.errors.contains("its pid file names no process of its own"),
            "{lie}: {}",
            outcome.errors
        );
        assert!(with_word(&mark).is_empty(), "{lie}");
        assert!(lives(stranger.id().cast_signed()), "{lie}");
    }
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// Row F3: a link, a FIFO in its place.
#[test]
fn a_pid_file_that_is_no_file_is_neither_waited_for_nor_followed() {
    let place =
        place("uid = 54321\ngid = 54321\nattach-daemon2 = name=a,pidfile=DIR/d/pid,daemonize,cmd=sleep 1000");
    let directory = place.directory("d", 54321, 0o755);
    let victim = place.path("victim");
    std::fs::write(&victim, "unharmed").unwrap();
    std::os::unix::fs::symlink(&victim, directory.join("pid")).unwrap();
    let mut court = Court::at(place);
    court.wait("a", "throttled", 1);
    assert_eq!(court.place.read("victim"), "unharmed");
    std::fs::remove_file(directory.join("pid")).unwrap();
    nix_fifo(&directory.join("pid"));
    court.forget();
    court.wait("a", "throttled", 3);
    let outcome = court.stop();
    assert!(outcome.errors.contains("daemon a: cannot write "), "{}", outcome.errors);
}

fn nix_fifo(path: &std::path::Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn a_pid_namespace_of_its_own_ends_as_a_whole() {
    let mark = format!("{}", 5_000_000 + std::process::id());
    let script = format!(
        "setsid sleep {mark} & (trap '' TERM; sleep {mark}) & readlink /proc/self/ns/pid > DIR/ns; sleep {mark}; exit"
    );
    let mut court = Court::of(&format!("attach-daemon2 = name=own,ns_pid,grace=1,cmd={script}"));
    let init = court.wait("own", "running", 1);
    until("all of it", || (with_word(&format!("^sleep {mark}")).len() == 3).then_some(()));
    let namespace = std::fs::read_link(format!("/proc/{init}/ns/pid")).unwrap();
    assert_ne!(namespace, std::fs::read_link("/proc/self/ns/pid").unwrap());
    kill(init);
    court.wait("own", "running", 2);
    let outcome = court.stop();
    wait_dead(init);
    assert!(with_word(&mark).is_empty(), "{}", outcome.errors);
}

#[test]
fn the_example_of_the_manual_runs_as_another_user_in_exactly_his_groups() {
    let config =
        "attach-daemon2 = cmd=DIR/my_daemon.sh,pidfile=DIR/my.pid,daemonize,uid=33,gid=33,stopsignal=3";
    let place = Place::new(config);
    let script = place.path("my_daemon.sh");
    let text = format!(
        "#!/bin/sh\ntrap 'echo quit > {0}/d/quit; exit' QUIT\nid -u > {0}/d/id; id -G >> {0}/d/id; grep NoNewPrivs /proc/self/status >> {0}/d/id; mv {0}/d/id {0}/d/ids\nwhile :; do sleep 0.01; done\n",
        place.path("").display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.directory("d", 33, 0o755);
    let mut court = Court::at(place);
    let pid = court.wait("my_daemon.sh", "running", 1);
    until("its ids", || (court.place.read("d/ids") == "33\n33\nNoNewPrivs:\t1\n").then_some(()));
    assert_eq!(number(&court.place, "my.pid"), pid);
    let path = court.place.path("d/quit");
    court.steer("stop my_daemon.sh");
    until("its last word", || path.exists().then_some(()));
    court.stop();
}

/// The config of a vassal that reloads, and its next one.
fn reload(court: &mut Court, config: &str) {
    let path = court.place.write("v.ini", config);
    court.forget();
    court.vassal.hand_over(1, &path);
}

#[test]
fn a_smart_one_survives_a_reload_and_the_others_begin_anew() {
    let smart = "attach-daemon2 = name=smart,pidfile=DIR/pid,daemonize,cmd=sleep 1000";
    let noted = "attach-daemon2 = name=noted,pidfile=DIR/noted.pid,daemonize,notifypid,cmd=trap 'echo told >> DIR/told' HUP; echo > DIR/traps; while :; do sleep 0.01; done";
    let config = format!("command = sleep 2000\nattach-daemon = sleep 3000\n{smart}\n{noted}\n");
    let mut court = Court::at(place(&config));
    let (kept, dumb) = (court.wait("smart", "running", 1), court.wait("sleep", "running", 1));
    let noted_pid = court.wait("noted", "running", 1);
    until("a trap", || court.place.path("traps").exists().then_some(()));
    reload(&mut court, &config.replace("2000", "2001"));
    assert_ne!(court.wait("sleep", "running", 1), dumb);
    assert_eq!((court.wait("smart", "running", 1), court.wait("noted", "running", 1)), (kept, noted_pid));
    assert!(!lives(dumb) && lives(kept));
    until("the word of a reload", || (court.place.read("told") == "told\n").then_some(()));
    until("the new command", || (with_word("^sleep 2001$").len() == 1).then_some(()));
    // One whose own line has changed is another one.
    reload(&mut court, &config.replace("1000", "1001"));
    let next = court.wait("smart", "running", 1);
    assert!(next != kept && !lives(kept));
    assert_eq!(court.wait("noted", "running", 1), noted_pid);
    let outcome = court.stop();
    assert!(!lives(next) && !lives(noted_pid), "{}", outcome.errors);
}

/// A config whose reload takes until what ignores its signal is killed.
const SLOW: &str = "command = sleep COMMAND
attach-daemon2 = name=smart,pidfile=DIR/pid,daemonize,cmd=sleep 1000
attach-daemon2 = name=slow,grace=GRACE,cmd=trap '' TERM; echo > DIR/deaf; while :; do sleep 0.05; done
";

/// The command sleeps for so long, which is how it is known.
fn slow(grace: &str, command: u32) -> (String, Court) {
    let config = SLOW.replace("GRACE", grace).replace("COMMAND", &command.to_string());
    let mut court = Court::at(place(&config));
    court.wait("smart", "running", 1);
    court.wait("slow", "running", 1);
    until("a deaf daemon", || court.place.path("deaf").exists().then_some(()));
    until("the command", || sleeps(command).then_some(()));
    (config, court)
}

fn sleeps(number: u32) -> bool {
    !with_word(&format!("^sleep {number}$")).is_empty()
}

#[test]
fn a_stop_that_comes_while_daemons_leave_for_a_reload_is_a_stop() {
    let (config, mut court) = slow("2", 41_000);
    let smart = court.place.read("pid").trim().parse().unwrap();
    reload(&mut court, &config.replace("41000", "41001"));
    until("the end of the command", || (!sleeps(41_000)).then_some(()));
    let outcome = court.stop();
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.errors);
    assert!(!sleeps(41_001) && !lives(smart));
}

#[test]
fn of_two_reloads_that_come_at_once_the_last_one_counts() {
    let (config, mut court) = slow("1", 42_000);
    let smart = court.place.read("pid");
    reload(&mut court, &config.replace("42000", "42001"));
    until("the end of the command", || (!sleeps(42_000)).then_some(()));
    reload(&mut court, &config.replace("42000", "42002"));
    until("the newest command", || sleeps(42_002).then_some(()));
    assert_eq!(court.place.read("pid"), smart);
    court.stop();
}

#[test]
fn a_reload_whose_command_cannot_run_ends_its_daemons_by_their_signal() {
    let told = "attach-daemon2 = name=told,pidfile=DIR/told.pid,daemonize,cmd=trap 'echo told > DIR/told; exit' TERM; echo > DIR/traps; while :; do sleep 0.01; done\n";
    let config = format!("command = sleep 2000\n{told}");
    let mut court = Court::at(place(&config));
    court.wait("told", "running", 1);
    until("a trap", || court.place.path("traps").exists().then_some(()));
    reload(&mut court, &config.replace("sleep 2000", "/nowhere/program"));
    let Court { vassal, place, .. } = court;
    assert_eq!(vassal.end().status.code(), Some(1));
    assert_eq!(place.read("told"), "told\n");
}

/// As the scripts of Ruby's `daemons` do: it leaves for the background by itself and writes its number in a directory of the
/// application; `start` beside a living one is an error; at its end it takes the file away.
const JOB: &str = r#"#!/usr/bin/python3
import os, signal, sys, time
top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
path = top + "/tmp/pids/delayed_job.pid"
def lives():
    try:
        os.kill(int(open(path).read()), 0)
        return True
    except (OSError, ValueError):
        return False
if sys.argv[1] != "start" or lives():
    sys.exit("ERROR: there is already one or more instance(s) of the program running")
if os.fork():
    sys.exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.chdir("/")
os.umask(0)
def end(*_):
    open(top + "/said", "a").write("put away\n")
    os.unlink(path)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
with open(path, "w") as file:
    file.write("%d\n" % os.getpid())
while True:
    time.sleep(1000)
"#;

#[test]
fn a_script_that_daemonizes_itself_is_minded_over_a_reload_and_a_death_to_its_stop() {
    let config = "command = sleep 2000\nsmart-attach-daemon = DIR/tmp/pids/delayed_job.pid DIR/script/delayed_job start";
    let place = Place::new(config);
    ["script", "tmp", "tmp/pids"].iter().for_each(|name| std::fs::create_dir(place.path(name)).unwrap());
    let script = place.path("script/delayed_job");
    std::fs::write(&script, JOB).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut court = Court::at(place);
    let pid = number(&court.place, "tmp/pids/delayed_job.pid");
    court.wait_pid("delayed_job", pid);
    reload(&mut court, &config.replace("2000", "2001"));
    court.wait_pid("delayed_job", pid);
    // Its file stays behind, and names nobody.
    kill(pid);
    let next = until("another one", || {
        Some(number(&court.place, "tmp/pids/delayed_job.pid")).filter(|next| *next != pid)
    });
    court.wait_pid("delayed_job", next);
    let Court { vassal, place, .. } = court;
    vassal.signal(rustix::process::Signal::TERM);
    let outcome = vassal.end();
    assert!(!lives(next), "{}", outcome.errors);
    assert_eq!(place.read("said"), "put away\n");
    assert!(!place.path("tmp/pids/delayed_job.pid").exists());
}

/// Leaves for the background, and says later who it is there. `$1`: its directory.
const LATE: &str = r#"#!/bin/sh
echo $$ > "$1/first"
setsid sh -c '
trap "echo told > \"$1/told\"" USR1
until [ -e "$1/go" ]; do sleep 0.05; done
echo $$ > "$1/new"
mv "$1/new" "$1/pid"
while :; do sleep 0.05; done' sh "$1" < /dev/null &
exit 0
"#;

/// Its first process has left, and its pid file is still to come: a signal waits for whoever that will name.
#[test]
fn a_signal_for_who_is_still_sought_comes_when_he_is_found() {
    let place = place("attach-daemon2 = name=late,pidfile=DIR/pid,freq=60,cmd=DIR/leaves DIR");
    std::fs::write(place.path("leaves"), LATE).unwrap();
    let mut court = Court::at(place);
    let first = number(&court.place, "first");
    let reaped = || (!std::path::Path::new(&format!("/proc/{first}")).exists()).then_some(());
    until("the end of the first one", reaped);
    court.steer("signal late 10");
    std::fs::write(court.place.path("go"), "").unwrap();
    let pid = number(&court.place, "pid");
    court.wait_pid("late", pid);
    until("the signal", || (court.place.read("told") == "told\n").then_some(()));
    let outcome = court.stop();
    assert!(!lives(pid), "{}", outcome.errors);
}
