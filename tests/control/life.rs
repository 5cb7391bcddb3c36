//! What is said comes true, in every state.

use super::common::callers::{ask, server_tree, serving};
use super::common::{ALICE, Emperor, Process, Tree};
use super::{IDLE, command, is, said};
use rustix::process::Signal;

fn emperor(vassals: &[(&str, &str)], options: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.liege();
    vassals.iter().for_each(|(name, body)| _ = tree.vassal(name, body));
    Emperor::start(tree, options)
}

fn pid(emperor: &Emperor, vassal: &str) -> Option<i64> {
    emperor.stats_of(vassal).and_then(|one| one["pid"].as_i64()).filter(|pid| *pid > 0)
}

#[test]
fn a_vassal_is_stopped_started_restarted_and_reloaded() {
    let emperor = emperor(&[("shop.ini", IDLE)], &[]);
    let first = emperor.vassal("shop.ini");
    assert_eq!(said(&emperor, &["start", "shop"]), is("shop.ini: already started", 0));
    assert_eq!(said(&emperor, &["stop", "shop"]), is("shop.ini: stopped", 0));
    assert!(!first.is_alive(), "it is over when that is said");
    assert_eq!(said(&emperor, &["stop", "shop.ini"]), is("shop.ini: not running", 0));
    assert_eq!(said(&emperor, &["status", "shop"]).1, 3);
    assert_eq!((said(&emperor, &["status"]).1, said(&emperor, &["status", "nobody"]).1), (0, 4));
    assert_eq!(said(&emperor, &["reload", "all"]), is("shop.ini: not running", 0));
    let (told, _) = said(&emperor, &["why", "shop"]);
    assert!(
        told.contains("it was stopped (`liege stop`") && told.contains("`liege start shop.ini`"),
        "{told}"
    );
    assert_eq!(said(&emperor, &["start", "shop"]), is("shop.ini: started", 0));
    let second = pid(&emperor, "shop.ini").expect("it runs when that is said");
    assert_eq!(said(&emperor, &["restart", "shop"]), is("shop.ini: restarted", 0));
    let third = pid(&emperor, "shop.ini").expect("it runs when that is said");
    assert_ne!(second, third);
    let child = Process::of(i32::try_from(third).unwrap()).child_named("sleep");
    assert_eq!(said(&emperor, &["reload", "shop"]), is("shop.ini: reloaded", 0));
    assert!(!child.is_alive(), "the program of before has ended");
    // Whoever was stopped stays so over a change of his config, and over a reload of all.
    said(&emperor, &["stop", "shop"]);
    let mark = emperor.lines.mark();
    emperor.tree.vassal("shop.ini", "env = A=B\ncommand = /bin/sleep 1000000\n");
    emperor.tree.vassal("other.ini", IDLE);
    emperor.signal(Signal::HUP);
    emperor.vassal_since(mark, "other.ini");
    assert_eq!(emperor.stats_of("shop.ini").unwrap()["state"], "suspended");
}

#[test]
fn several_are_meant_by_names_patterns_and_all_and_each_is_told_of() {
    let emperor = emperor(&[("a1.ini", IDLE), ("a2.ini", IDLE), ("b.ini", IDLE)], &[]);
    ["a1.ini", "a2.ini", "b.ini"].iter().for_each(|name| _ = emperor.vassal(name));
    let sorted = |words: &[&str]| {
        let (text, status) = said(&emperor, words);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        (lines, status)
    };
    let (lines, status) = sorted(&["stop", "a*", "nobody"]);
    assert_eq!(lines, ["a1.ini: stopped", "a2.ini: stopped", "nobody: ERROR (no such vassal)"]);
    assert_eq!(status, 1);
    assert_eq!(sorted(&["restart", "all"]).0, ["a1.ini: restarted", "a2.ini: restarted", "b.ini: restarted"]);
    let (text, status) = said(&emperor, &["stop", "b", "b.ini", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["outcome"], "stopped", "{text}");
    assert_eq!(status, 0);
    let (text, status) = said(&emperor, &["start", "nobody"]);
    assert!(status == 1 && text.contains("there is no vassal `nobody`"), "{text}");
    let (text, status) = said(&emperor, &["start"]);
    assert!(status == 2 && text.contains("write: liege start [ADDRESS] NAME..."), "{text}");
}

#[test]
fn who_is_held_back_refused_or_cursed_is_told_of_and_stopped() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("crash.ini", "ready = lived:5\ncommand = sh -c \"exit 7\"\n");
    tree.vassal("typo.ini", "comand = x\n");
    tree.vassal(
        "deaf.ini",
        "stop-signal = USR1\nreload-mercy = 100000\ncommand = sh -c \"trap '' USR1; sleep 1000000\"\n",
    );
    let options =
        ["--emperor-throttle", "60000", "--emperor-max-throttle", "60000", "--emperor-curse-tolerance", "1"];
    let emperor = Emperor::start(tree, &options);
    emperor.wait_stats("crash.ini", |one| one["state"] == "throttled" && one["deaths"] != 1);
    emperor.wait_stats("typo.ini", |one| one["state"] == "refused");
    let deaf = emperor.vassal("deaf.ini");
    let (text, status) = said(&emperor, &["start", "crash"]);
    assert!(status == 7 && text.starts_with("crash.ini: ERROR (throttled: "), "{text}");
    assert_eq!(said(&emperor, &["stop", "crash"]), is("crash.ini: stopped", 0));
    let (text, status) = said(&emperor, &["start", "typo"]);
    assert!(status == 7 && text.contains("unknown option"), "{text}");
    // Told not to wait it is on its way only.
    assert_eq!(said(&emperor, &["stop", "deaf", "--no-wait"]), is("deaf.ini: told", 0));
    // While it ends, and then when it is killed.
    let (text, status) = said(&emperor, &["stop", "deaf"]);
    assert!(status == 0 && text.starts_with("deaf.ini: "), "{text}");
    deaf.wait_gone();
}

#[test]
fn one_on_demand_is_started_stopped_and_waits_again() {
    let tree = server_tree();
    tree.liege();
    let sockets = tree.path("sockets");
    tree.vassal_of(ALICE, "web.ini", &serving("1000"));
    let options = ["--emperor-tyrant", "--emperor-on-demand-directory"];
    let start = super::common::Start::in_tree(tree).options(&options).option(sockets);
    let emperor = start.start();
    let socket = emperor.tree.path("sockets/web.socket");
    emperor.wait_stats("web.ini", |one| one["state"] == "on-demand");
    assert_eq!(said(&emperor, &["stop", "web"]), is("web.ini: stopped", 0));
    let (told, status) = said(&emperor, &["status", "web"]);
    let waits = format!("whoever connects to {socket} waits for `liege start`", socket = socket.display());
    assert!(status == 3 && told.contains("suspended") && told.contains(&waits), "{told}");
    let (told, status) = said(&emperor, &["exec", "web", "--", "true"]);
    assert!(status != 0 && told.contains("does not run now (suspended)"), "{told}");
    let answered = std::thread::spawn(move || ask(&socket, "hello").unwrap());
    assert_eq!(said(&emperor, &["start", "web"]), is("web.ini: started", 0));
    assert!(!answered.join().unwrap().is_empty(), "who connected meanwhile is answered");
    assert_eq!(said(&emperor, &["stop", "web"]), is("web.ini: stopped", 0));
    assert_eq!(said(&emperor, &["start", "web"]), is("web.ini: started", 0));
    for _ in 0..2 {
        let before = pid(&emperor, "web.ini").expect("it runs when that is said");
        assert_eq!(said(&emperor, &["restart", "web"]), is("web.ini: restarted", 0));
        assert!(pid(&emperor, "web.ini").is_some_and(|pid| pid != before));
    }
}

/// Each time, whether the Emperor has told it of the edit before or does so now, and though the note is the one of before.
#[test]
fn a_reload_with_a_wrong_config_is_an_error_each_time() {
    let emperor = emperor(&[("shop.ini", IDLE)], &[]);
    let shop = emperor.vassal("shop.ini");
    emperor.tree.vassal("shop.ini", "comand = /bin/sleep 1\n");
    for _ in 0..5 {
        let (told, status) = said(&emperor, &["reload", "shop"]);
        let error = "shop.ini: ERROR (its new config is not used: shop.ini:2:1: unknown option `comand`";
        assert!(status == 1 && told.starts_with(error), "{told}");
    }
    assert!(shop.is_alive());
    emperor.tree.vassal("shop.ini", IDLE);
    assert_eq!(said(&emperor, &["reload", "shop"]), is("shop.ini: reloaded", 0));
}

/// Two workers of which a supervisor that knows only the first process would leave one.
#[test]
fn nothing_of_a_vassal_lives_after_its_stop() {
    let workers = "command = sh -c \"setsid sleep 7654321 & sleep 7654321 & sleep 7654321\"\n";
    for jail in ["none", "standard"] {
        let emperor = emperor(&[("two.ini", workers)], &["--jail", jail]);
        emperor.vassal("two.ini");
        let living = || emperor.wait_for_programs("sleep", 3);
        living();
        assert_eq!(said(&emperor, &["stop", "two"]), is("two.ini: stopped", 0));
        emperor.wait_for_programs("sleep", 0);
        assert_eq!(said(&emperor, &["start", "two"]), is("two.ini: started", 0));
        living();
        emperor.stop();
    }
}

#[test]
fn who_waits_learns_that_the_emperor_has_ended() {
    let mut emperor = emperor(
        &[("slow.ini", "command = sh -c \"trap '' TERM; echo armed; sleep 1000000\"\n")],
        &["--emperor-curse-tolerance", "1000", "--reload-mercy", "1"],
    );
    emperor.vassal("slow.ini");
    emperor.wait_for_line(|line| line.contains("armed"));
    let mut stop = command(&emperor, 0, &["stop", "slow"]);
    let stop = stop.stdout(std::process::Stdio::piped()).spawn().unwrap();
    emperor.wait_for("slow.ini", "stop the uwsgi instance");
    emperor.signal(Signal::TERM);
    emperor.wait();
    let output = stop.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("stopped") || text.contains("the Emperor has ended"), "{text}");
}

#[test]
fn a_pattern_fits_a_name_without_its_suffix_too() {
    let names = ["web.ini", "wed.ini", "shop-1.ini", "mail-worker.ini"];
    let emperor = emperor(&names.map(|name| (name, IDLE)), &[]);
    names.iter().for_each(|name| _ = emperor.vassal(name));
    for (pattern, meant) in [
        ("we?", &["web.ini", "wed.ini"][..]),
        ("shop-?", &["shop-1.ini"]),
        ("*-worker", &["mail-worker.ini"]),
        ("web*", &["web.ini"]),
        ("we?.ini", &["web.ini", "wed.ini"]),
    ] {
        // In the order in which they are done.
        let has_done = |verb: &str, done: &str| {
            let (text, status) = said(&emperor, &[verb, pattern]);
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            let all: Vec<_> = meant.iter().map(|name| format!("{name}: {done}")).collect();
            assert_eq!((lines, status), (all.iter().map(String::as_str).collect(), 0), "{pattern}");
        };
        has_done("stop", "stopped");
        let (table, _) = said(&emperor, &["status", pattern]);
        assert!(names.iter().all(|name| table.contains(name) == meant.contains(name)), "{pattern}: {table}");
        has_done("start", "started");
    }
    let (text, status) = said(&emperor, &["stop", "we"]);
    assert!(status != 0 && text.contains("we"), "{text}");
}

/// Whoever says when it is ready is waited for until then, and its end before that is told, each time.
#[test]
fn a_start_is_over_when_the_vassal_is_ready_and_not_before() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("late.ini", "ready = lived:3\ncommand = sh -c \"sleep 2; exit 7\"\n");
    tree.vassal("crash.ini", "command = sh -c \"exit 7\"\n");
    tree.vassal("web.ini", IDLE);
    tree.vassal("slow.ini", "ready = lived:2\ncommand = sleep 1000001\n");
    let throttle = ["--emperor-throttle", "60000", "--emperor-max-throttle", "60000"];
    let emperor = Emperor::start(tree, &throttle);
    ["web.ini", "slow.ini"].iter().for_each(|name| _ = emperor.vassal(name));
    emperor.wait_stats("crash.ini", |one| one["state"] == "throttled");
    emperor.wait_stats("late.ini", |one| one["state"] == "throttled");
    let (told, status) = said(&emperor, &["restart", "late"]);
    assert!(status == 7 && told.starts_with("late.ini: ERROR (throttled: last end: exit status 7"), "{told}");
    let began = std::time::Instant::now();
    assert_eq!(said(&emperor, &["restart", "slow"]), is("slow.ini: restarted", 0));
    assert!(began.elapsed() >= std::time::Duration::from_secs(2), "it has lived for that long");
    for round in 0..6 {
        said(&emperor, &["stop", "crash"]);
        let (told, status) = said(&emperor, &["start", "crash"]);
        assert!(status == 7 && told.contains("ERROR (throttled: last end: exit status 7"), "{round}: {told}");
    }
    let (told, status) = said(&emperor, &["restart", "web", "crash", "--json"]);
    let lines = told.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut fates: Vec<_> = lines.map(|one| (one["vassal"].to_string(), one["ok"].clone())).collect();
    fates.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(
        fates,
        [("\"crash.ini\"".into(), false.into()), ("\"web.ini\"".into(), true.into())],
        "{told}"
    );
    assert_eq!(status, 7);
}

/// It is not asked for more than whether it waits.
#[test]
fn a_program_that_never_says_that_it_is_ready_is_waited_for() {
    let emperor = emperor(&[("mute.ini", "ready = notify\ncommand = sleep 1000001\n")], &[]);
    emperor.wait_stats("mute.ini", |one| one["state"] == "running");
    let mut waits =
        command(&emperor, 0, &["restart", "mute"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let first = pid(&emperor, "mute.ini");
    emperor.wait_stats("mute.ini", |one| one["pid"].as_i64() != first && one["state"] == "running");
    let loyal = std::time::Instant::now() + std::time::Duration::from_millis(1_500);
    super::common::eventually("a while", || (std::time::Instant::now() > loyal).then_some(()));
    assert!(waits.try_wait().unwrap().is_none(), "it was not told that this has started");
    assert_eq!(said(&emperor, &["stop", "mute"]), is("mute.ini: stopped", 0));
    let told = waits.wait_with_output().unwrap();
    assert_eq!(
        (told.status.code(), String::from_utf8_lossy(&told.stdout).contains("ERROR (suspended")),
        (Some(7), true)
    );
}
