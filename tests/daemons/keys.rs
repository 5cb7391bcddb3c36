//! Keys of `attach-daemon2`, each by what it does.

use super::emperor::{Outcome, Place};
use super::told::{Court, until};

#[test]
fn where_it_runs_with_which_variables_and_where_its_output_goes() {
    let script = "pwd; echo $ONE $TWO; cat; exec sleep 1000";
    let config = format!("attach-daemon2 = name=a,chdir=DIR/d,env=ONE=1;TWO=two,log=DIR/d/log,cmd={script}");
    let place = Place::new(&config);
    let directory = place.directory("d", 0, 0o755).display().to_string();
    std::fs::write(place.path("d/log"), "before\n").unwrap();
    let mut court = Court::at(place);
    court.wait("a", "running", 1);
    let wanted = format!("before\n{directory}\n1 two\n");
    until("its output", || (court.place.read("d/log") == wanted).then_some(()));
    court.stop();
}

/// Row F2: a link or a FIFO in the place of its log is neither followed nor waited for.
#[test]
fn a_log_that_is_no_file_is_refused_and_told() {
    let place = Place::new("uid = 54321\ngid = 54321\nattach-daemon2 = name=a,log=DIR/d/log,cmd=sleep 1000");
    let directory = place.directory("d", 54321, 0o755);
    std::fs::write(place.path("victim"), "").unwrap();
    std::os::unix::fs::symlink(place.path("victim"), directory.join("log")).unwrap();
    let mut court = Court::at(place);
    court.wait("a", "throttled", 1);
    std::fs::remove_file(directory.join("log")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, directory.join("log"), fifo, mode, 0).unwrap();
    court.forget();
    court.wait("a", "throttled", 3);
    std::fs::remove_file(directory.join("log")).unwrap();
    until("a log", || directory.join("log").is_file().then_some(()));
    assert_eq!(court.place.read("victim"), "");
    let outcome = court.stop();
    assert!(outcome.errors.contains("daemon a: cannot log to "), "{}", outcome.errors);
}

#[test]
fn one_is_ready_when_it_has_lived_and_stops_by_its_own_signal() {
    let script = "trap 'echo quit > DIR/quit; exit' QUIT; while :; do sleep 0.01; done";
    let mut court =
        Court::of(&format!("attach-daemon2 = name=a,ready=lived:1,stopsignal=SIGQUIT,cmd={script}"));
    court.wait("a", "starting", 1);
    court.wait("a", "running", 1);
    court.stop();
    // The pauses never become longer than this.
    let mut court = Court::of("attach-daemon2 = name=a,max_throttle=1,cmd=false");
    court.wait("a", "throttled", 6);
    let outcome: Outcome = court.stop();
    assert!(!outcome.errors.contains("in 1599 ms"), "{}", outcome.errors);
}

#[test]
fn what_is_wrong_with_a_key_is_told_with_its_place_and_a_cure() {
    for (keys, wanted) in [
        ("name=a", "no `cmd`"),
        ("cmd=a,exec=b", "`cmd` and `exec` are the same"),
        ("cmd=a,daemonize", "add pidfile=PATH"),
        ("cmd=a,gid=33", "`gid` without `uid`"),
        ("cmd=a,uid=0", "root is nobody to become"),
        ("cmd=a,stopsignal=STOP", "is no signal to be told by"),
        ("cmd=a,control,pidfile=/x", "leave out one of the two"),
        ("cmd=a,control=maybe", "`maybe` is neither true nor false"),
        ("cmd=a,legion=x", "there is no legion here"),
        ("cmd=a,touch=x", "is no absolute path"),
        ("cmd=a,name=../x", "is no name"),
        ("cmd=a,pidfle=/x", "did you mean `pidfile`?"),
    ] {
        let outcome = Place::new(&format!("attach-daemon2 = {keys}")).run();
        assert_ne!(outcome.code(), 0, "{keys}");
        assert!(outcome.errors.contains(wanted), "{keys}: {}", outcome.errors);
        assert!(outcome.errors.contains("v.ini:2:"), "{keys}: {}", outcome.errors);
    }
    let twice = Place::new("attach-daemon2 = name=a,cmd=x\nattach-daemon2 = name=a,cmd=y").run();
    assert!(twice.errors.contains("two daemons are called `a`"), "{}", twice.errors);
    let alone = Place::new("smart-attach-daemon = /run/x.pid").run();
    assert!(alone.errors.contains("has no command behind the pid file"), "{}", alone.errors);
}
