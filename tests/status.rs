//! What people are told of vassals: status, why, events; and no reader, however slow or odd, holds anybody up.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, Output, Stdio};

use common::{ALICE, BOB, Emperor, Tree};
use serde_json::Value;

const SLEEP: &str = "command = sleep infinity\n";

fn said(emperor: &Emperor, verb: &str, words: &[&str]) -> Output {
    let socket = emperor.stats_socket();
    let mut command = Command::new(env!("CARGO_BIN_EXE_liege"));
    command.arg(verb).arg(socket).args(words).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What is printed of vassals that are not up.
fn of_the_down(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn events(emperor: &Emperor) -> BufReader<UnixStream> {
    let mut path = emperor.stats_socket().into_os_string();
    path.push(".events");
    BufReader::new(UnixStream::connect(path).unwrap())
}

fn next(reader: &mut impl BufRead) -> Value {
    let mut line = String::new();
    assert!(reader.read_line(&mut line).unwrap() > 0, "the end");
    serde_json::from_str(&line).unwrap()
}

fn next_of(reader: &mut impl BufRead, event: &str) -> Value {
    loop {
        let line = next(reader);
        if line["event"] == event {
            return line;
        }
    }
}

#[test]
fn a_crash_loop_is_explained() {
    let tree = Tree::new();
    tree.vassal("crash.ini", "command = sh -c \"exit 7\"\n");
    tree.vassal("fine.ini", SLEEP);
    let emperor = Emperor::start(tree, &["--emperor-throttle", "60000", "--emperor-max-throttle", "60000"]);
    let one = emperor.wait_stats("crash.ini", |one| one["state"] == "throttled" && one["deaths"] != 1);
    assert_eq!(one["last_end"]["exit"], "exit:7", "{one}");
    assert!(one["reason"].as_str().unwrap().contains("ended by itself after"), "{one}");
    assert!(one["next"].as_str().unwrap().contains("deaths in a row"), "{one}");
    assert!(one["next_start"].as_u64() > one["since"].as_u64(), "{one}");
    assert_eq!(one["config"], emperor.tree.path("vassals/crash.ini").display().to_string());
    let why = text(&said(&emperor, "why", &["crash"]));
    for part in [
        "crash.ini: throttled since ",
        "exit status 7",
        "what comes next:",
        "what to do:",
        "died (exit status 7)",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let status = text(&said(&emperor, "status", &["f*"]));
    assert!(status.contains("fine.ini") && !status.contains("crash.ini"), "{status}");
    let status: Value =
        serde_json::from_str(&of_the_down(&said(&emperor, "status", &["crash.ini", "--json"]))).unwrap();
    assert_eq!(status["vassals"].as_array().unwrap().len(), 1);
    assert!(!said(&emperor, "why", &["nobody"]).status.success());
    emperor.stop();
}

#[test]
fn a_step_that_failed_is_the_reason() {
    let tree = Tree::new();
    tree.vassal("hook.ini", "hook-as-user = exec:false\ncommand = sleep infinity\n");
    tree.vassal("memory.ini", "rlimit-as = 400M\ncommand = python3 -c \"x = bytearray(1 << 30)\"\n");
    tree.vassal("program.ini", "command = /no/such/program\n");
    let emperor = Emperor::start(tree, &[]);
    for (name, why) in [
        ("hook.ini", &["exit status 1", "hook-as-user", "false", "(step "][..]),
        ("memory.ini", &["exit status"]),
        ("program.ini", &["exit status 1", "/no/such/program", "ENOENT"]),
    ] {
        let one = emperor.wait_stats(name, |one| one["state"] == "throttled");
        let told = text(&said(&emperor, "why", &[name]));
        for part in why {
            assert!(one["reason"].as_str().unwrap().contains(part), "{part}: {one}");
            assert!(told.contains(part) && told.contains("what to do:"), "{part}: {told}");
        }
    }
    emperor.stop();
}

/// Writes what a router writes: one command for one vassal.
fn tell_to(emperor: &Emperor, command: &str, vassal: &str) {
    let mut bytes = vec![0; 4];
    for part in ["cmd", command, "vassal", vassal] {
        bytes.extend(u16::try_from(part.len()).unwrap().to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    let socket = emperor.tree.path("run/commands.sock");
    UnixDatagram::unbound().unwrap().send_to(&bytes, socket).unwrap();
}

/// Waits until it rests for the `times`th time.
fn wait_for_rest(emperor: &Emperor, name: &str, times: usize) {
    common::eventually(name, || (emperor.told(name, "not started again: ") >= times).then_some(()));
    assert_eq!(emperor.stats_of(name).unwrap()["starts"], times);
}

#[test]
fn a_config_that_is_wrong_by_its_text_is_told_once_and_rests_until_it_changes_or_somebody_wants_it() {
    let tree = Tree::new();
    let path = tree.vassal_of(ALICE, "typo.ini", "comand = sleep infinity\n");
    let commands = tree.path("run/commands.sock").display().to_string();
    let options = ["--emperor-tyrant", "--emperor-throttle", "1", "--emperor-max-throttle", "1"];
    let options = [&options[..], &["--emperor-command-socket", &commands]].concat();
    let emperor = Emperor::start(tree, &options);
    wait_for_rest(&emperor, "typo.ini", 1);
    // Whoever is tried again and again is, many times, while this one is started and stops.
    emperor.tree.vassal_of(ALICE, "later.ini", "chdir = /no/such/directory\ncommand = sleep infinity\n");
    emperor.wait_stats("later.ini", |one| one["starts"].as_u64() > Some(5));
    let one = emperor.stats_of("typo.ini").unwrap();
    assert_eq!((&one["state"], &one["starts"], &one["deaths"]), (&"refused".into(), &1.into(), &0.into()));
    assert!(one["note"].as_str().unwrap().starts_with("typo.ini:2:1: unknown option `comand`"), "{one}");
    assert_eq!(emperor.told("typo.ini", "unknown option"), 1);
    let status = of_the_down(&said(&emperor, "status", &["typo*"]));
    assert!(status.contains("refused") && status.contains("typo.ini:2:1: "), "{status}");
    let why = text(&said(&emperor, "why", &["typo"]));
    for part in
        ["its config is wrong: typo.ini:2:1: ", "it rests until the file changes", "did you mean `command`"]
    {
        assert!(why.contains(part), "{part}: {why}");
    }
    tell_to(&emperor, "spawn", "typo.ini");
    wait_for_rest(&emperor, "typo.ini", 2);
    emperor.signal(rustix::process::Signal::HUP);
    wait_for_rest(&emperor, "typo.ini", 3);
    let touched = std::fs::File::options().write(true).open(&path).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    wait_for_rest(&emperor, "typo.ini", 4);
    emperor.tree.vassal_of(ALICE, "typo.ini", SLEEP);
    emperor.wait_stats("typo.ini", |one| one["ready"] == 1 && one["starts"] == 5);
    emperor.stop();
}

#[test]
fn only_what_its_text_alone_decides_is_given_up() {
    let tree = Tree::new();
    let common = tree.path("common.ini");
    std::fs::write(&common, "[uwsgi]\nenv = A=1\n").unwrap();
    let broken = tree.path("broken.ini");
    std::fs::write(&broken, "[uwsgi]\ncomand = x\n").unwrap();
    let include = |path: &std::path::Path| format!("include = {}\n", path.display());
    let rest = [
        ("value.ini", "chmod-socket = 9\ncommand = x\n".to_owned()),
        ("syntax.ini", "[uwsgi\n".to_owned()),
        ("nothing.ini", "env = A=1\n".to_owned()),
        ("own-line.ini", format!("{}comand = x\n", include(&common))),
        ("scheme.ini", "include = https://x/y.ini\ncommand = x\n".to_owned()),
    ];
    let again = [
        ("missing.ini", include(&tree.path("to-come.ini")) + "comand = x\n"),
        ("elsewhere.ini", format!("{}command = sleep infinity\n", include(&broken))),
        ("whole.ini", include(&common)),
        ("user.ini", "uid = no-such-user\ncommand = x\n".to_owned()),
        ("condition.ini", "if-exists = /no/such/file\nendif =\ncomand = x\n".to_owned()),
        ("program.ini", "ini = exec://echo [uwsgi]\ncomand = x\n".to_owned()),
        ("text.ini", "env = A=@(/no/such/file)\ncomand = x\n".to_owned()),
    ];
    rest.iter().chain(&again).for_each(|(name, body)| drop(tree.vassal(name, body)));
    let emperor = Emperor::start(tree, &["--emperor-throttle", "1", "--emperor-max-throttle", "1"]);
    for (name, _) in &again {
        emperor.wait_stats(name, |one| one["starts"].as_u64() > Some(3));
    }
    for (name, _) in &rest {
        let one = emperor.wait_stats(name, |one| one["state"] == "refused");
        assert_eq!(one["starts"], 1, "{one}");
    }
    emperor.stop();
}

#[test]
fn a_config_of_the_pipe_that_is_wrong_rests_and_one_with_a_fallback_does_not() {
    let tree = Tree::new();
    tree.vassal("typo.ini", "comand = sleep infinity\n");
    tree.vassal("second.ini", "fallback-config = %d/no/such/file.ini\ncomand = sleep infinity\n");
    let options = ["--emperor-config-pipe", "--emperor-throttle", "1", "--emperor-max-throttle", "1"];
    let emperor = Emperor::start(tree, &options);
    emperor.wait_stats("second.ini", |one| one["starts"].as_u64() > Some(3));
    let one = emperor.wait_stats("typo.ini", |one| one["state"] == "refused");
    assert_eq!(one["starts"], 1, "{one}");
    emperor.stop();
}

#[test]
fn a_new_config_that_is_refused_is_shown_while_the_old_one_is_used() {
    let tree = Tree::new();
    let socket = tree.path("run/shop.socket");
    let good = format!("socket = {}\n{SLEEP}", socket.display());
    tree.vassal("shop.ini", &good);
    let emperor = Emperor::start(tree, &[]);
    let before = emperor.wait_stats("shop.ini", |one| one["ready"] == 1);
    assert_eq!((&before["uses"], &before["reason"]), (&before["fingerprint"], &"".into()));
    emperor.tree.vassal("shop.ini", "comand = sleep infinity\n");
    let one = emperor.wait_stats("shop.ini", |one| {
        one["reason"].as_str().unwrap().contains("not used") && one["state"] == "running"
    });
    assert!(one["reason"].as_str().unwrap().contains("shop.ini:2:1: "), "{one}");
    assert_eq!((&one["state"], &one["pid"]), (&"running".into(), &before["pid"]));
    assert_eq!(one["uses"], before["uses"]);
    assert_ne!(one["fingerprint"], before["fingerprint"]);
    let past = text(&said(&emperor, "events", &["--json"]));
    assert!(past.lines().any(|line| line.contains("\"kept\"") && line.contains("shop.ini:2:1")), "{past}");
    let why = text(&said(&emperor, "why", &["shop"]));
    for part in ["what happened:    its new config is not used", "it uses:", "listens:", "shop.socket"] {
        assert!(why.contains(part), "{part}: {why}");
    }
    let status = text(&said(&emperor, "status", &[]));
    assert!(status.contains("SINCE") && status.contains("its new config is not used"), "{status}");
    emperor.tree.vassal("shop.ini", &good);
    let one = emperor.wait_stats("shop.ini", |one| one["pid"] != before["pid"] && one["ready"] == 1);
    assert_eq!((&one["uses"], &one["starts"]), (&one["fingerprint"], &2.into()));
    emperor.stop();
}

#[test]
fn a_stop_is_told_with_whoever_wanted_it() {
    let tree = Tree::new();
    let path = tree.vassal("shop.ini", SLEEP);
    let emperor = Emperor::start(tree, &[]);
    emperor.wait_stats("shop.ini", |one| one["ready"] == 1);
    let mut reader = events(&emperor);
    next_of(&mut reader, "now");
    std::fs::write(&path, format!("[uwsgi]\nenv = A=1\n{SLEEP}")).unwrap();
    let one = emperor.wait_stats("shop.ini", |one| one["last_end"]["reload"] == true && one["ready"] == 1);
    assert!(one["reason"].as_str().unwrap().contains("in order to reload"), "{one}");
    assert_eq!(next_of(&mut reader, "reloading")["vassal"], "shop.ini");
    std::fs::remove_file(path).unwrap();
    assert!(next_of(&mut reader, "stopping")["text"].as_str().unwrap().contains("its config is gone"));
    next_of(&mut reader, "removed");
    emperor.stop();
}

#[test]
fn events_are_the_past_then_what_happens() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a b.ini", SLEEP);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    emperor.wait_stats("a b.ini", |one| one["ready"] == 1);
    let past = text(&said(&emperor, "events", &[]));
    assert!(past.contains("started with pid") && !past.contains('\u{1b}'), "{past:?}");
    let mut follower = Command::new(env!("CARGO_BIN_EXE_liege"))
        .args(["events", "--json", "--follow"])
        .arg(emperor.stats_socket())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(follower.stdout.take().unwrap());
    next_of(&mut reader, "ready");
    emperor.tree.vassal_of(ALICE, "b.ini", SLEEP);
    let started = next_of(&mut reader, "started");
    assert_eq!((&started["vassal"], started["pid"].is_i64()), (&"b.ini".into(), true));
    emperor.stop();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(follower.wait().unwrap().code(), Some(1), "the Emperor ended, and so does who follows");
}

/// Row C6: slow clients, many connections, a huge request.
#[test]
fn a_thousand_who_want_events_and_read_nothing_hold_nobody_up() {
    let emperor = Emperor::start(Tree::new(), &[]);
    emperor.stats();
    let mut path = emperor.stats_socket().into_os_string();
    path.push(".events");
    let mut odd: Vec<UnixStream> = Vec::new();
    for _ in 0..1_000 {
        // Beyond its queue the kernel refuses at once whoever does not want to wait.
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::NONBLOCK | rustix::net::SocketFlags::CLOEXEC,
            None,
        );
        let socket = socket.unwrap();
        let address = rustix::net::SocketAddrUnix::new(std::path::Path::new(&path)).unwrap();
        if rustix::net::connect(&socket, &address).is_ok() {
            odd.push(socket.into());
        }
    }
    assert!(odd.len() >= 16);
    let huge = vec![b'x'; 1 << 20];
    odd.iter_mut().for_each(|one| _ = one.write(&huge));
    emperor.tree.vassal("late.ini", SLEEP);
    emperor.wait_stats("late.ini", |one| one["ready"] == 1);
    drop(odd);
    let mut reader = events(&emperor);
    assert_eq!(next_of(&mut reader, "started")["vassal"], "late.ini");
    emperor.stop();
}

/// What this user is told.
fn said_to(user: u32, emperor: &Emperor, words: &[&str]) -> Output {
    let mut command = as_user(user, &emperor.tree.liege().display().to_string());
    command.args(words).arg(emperor.stats_socket()).output().unwrap()
}

fn as_user(user: u32, program: &str) -> Command {
    let user = user.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups", program]);
    command
}

fn names(status: &str) -> Vec<String> {
    let status: Value = serde_json::from_str(status).unwrap();
    let vassals = status["vassals"].as_array().unwrap().iter();
    vassals.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

fn two_tenants(options: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "hers.ini", SLEEP);
    tree.vassal_of(BOB, "his.ini", SLEEP);
    let emperor = Emperor::start(tree, &[&["--emperor-tyrant"], options].concat());
    for name in ["hers.ini", "his.ini"] {
        emperor.wait_stats(name, |one| one["ready"] == 1);
    }
    emperor
}

/// Neither where the Emperor is and has its configs from, nor which process it is.
fn assert_is_of_his_own(emperor: &Emperor, text: &str) {
    let tree = emperor.tree.path("").display().to_string();
    assert!(!text.contains(tree.trim_end_matches('/')), "{text}");
    for key in ["cwd", "emperor", "pid", "uid", "jail", "spawner_capabilities", "log_lines_dropped"] {
        let whole = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        assert!(whole.get(key).is_none(), "{key} in {text}");
    }
}

/// Row C6: a tenant is told of his own vassals and of nobody else's.
#[test]
fn a_tenant_sees_his_own_vassals_and_no_other_where_tenants_may_ask() {
    let emperor = two_tenants(&["--emperor-stats-for-tenants"]);
    for (user, own, other) in [(ALICE, "hers", "his"), (BOB, "his", "hers")] {
        let status = text(&said_to(user, &emperor, &["status", "--json"]));
        assert_eq!(names(&status), [format!("{own}.ini")]);
        let whole: Value = serde_json::from_str(&status).unwrap();
        assert_eq!(
            (&whole["vassals"][0]["jail"]["kind"], &whole["vassals"][0]["jail"]["cgroup"]),
            (&"standard".into(), &"".into())
        );
        assert_is_of_his_own(&emperor, &status);
        let events = text(&said_to(user, &emperor, &["events", "--json"]));
        assert!(
            events.contains(&format!("{own}.ini")) && !events.contains(&format!("{other}.ini")),
            "{events}"
        );
        assert_is_of_his_own(&emperor, &events);
        let table = text(&said_to(user, &emperor, &["status"]));
        assert!(table.contains(&format!("{own}.ini")) && !table.contains("emperor pid"), "{table}");
        assert_is_of_his_own(&emperor, &table);
        let why = as_user(user, &emperor.tree.liege().display().to_string())
            .arg("why")
            .arg(emperor.stats_socket())
            .arg(other)
            .output()
            .unwrap();
        assert!(!why.status.success() && !String::from_utf8_lossy(&why.stderr).contains("pid"), "{why:?}");
    }
    assert_eq!(names(&text(&said_to(61_009, &emperor, &["status", "--json"]))), Vec::<String>::new());
    assert_eq!(names(&emperor.stats_text()), ["hers.ini", "his.ini"], "root sees all");
    let mut follower = as_user(ALICE, &emperor.tree.liege().display().to_string())
        .args(["events", "--json", "--follow"])
        .arg(emperor.stats_socket())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(follower.stdout.take().unwrap());
    next_of(&mut reader, "ready");
    for (owner, name) in [(BOB, "later-his.ini"), (ALICE, "later-hers.ini")] {
        emperor.tree.vassal_of(owner, name, SLEEP);
        emperor.wait_stats(name, |one| one["ready"] == 1);
    }
    let mut line = next(&mut reader);
    while line["vassal"] == "hers.ini" {
        line = next(&mut reader);
    }
    assert_eq!(line["vassal"], "later-hers.ini", "what happened to his before that is not hers to know");
    emperor.stop();
    let _ = follower.wait();
}

#[test]
fn a_tenant_is_told_nothing_where_tenants_may_not_ask() {
    let emperor = two_tenants(&[]);
    for words in [["status", "--json"], ["events", "--json"]] {
        let output = said_to(ALICE, &emperor, &words);
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    }
    emperor.stop();
}

/// Row C6: connects to both sockets as often as he can, and reads nothing.
const HOLDS: &str = "import socket, sys
held = []
for path in (sys.argv[1], sys.argv[1] + '.events'):
    for _ in range(60):
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try:
            one.connect(path)
        except BlockingIOError:
            break
        held.append(one)
print('held', flush=True)
sys.stdin.read()
";

#[test]
fn a_tenant_who_asks_without_end_keeps_nobody_else_from_asking() {
    let emperor = two_tenants(&["--emperor-stats-for-tenants"]);
    let mut holder = as_user(BOB, "/usr/bin/python3");
    holder.args(["-c", HOLDS]).arg(emperor.stats_socket()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    assert_eq!(names(&emperor.stats_text()), ["hers.ini", "his.ini"]);
    assert_eq!(names(&text(&said_to(ALICE, &emperor, &["status", "--json"]))), ["hers.ini"]);
    assert_eq!(next_of(&mut events(&emperor), "started")["event"], "started");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    emperor.stop();
}
