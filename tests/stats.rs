//! The stats: JSON as uWSGI's, valid whatever the names, and no reader holds anybody up.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;

use common::{ALICE, BOB, Emperor, Start, Tree};
use rustix::process::Signal;
use serde_json::Value;

const SLEEP: &str = "command = sleep infinity\n";
/// Keys of uWSGI's document (numbers, then texts, then lists).
const NUMBERS: [&str; 5] = ["pid", "uid", "gid", "emperor_tyrant", "throttle_level"];
const VASSAL_NUMBERS: [&str; 19] = [
    "pid",
    "born",
    "last_mod",
    "last_heartbeat",
    "loyal",
    "ready",
    "accepting",
    "last_loyal",
    "last_ready",
    "last_accepting",
    "first_run",
    "last_run",
    "cursed",
    "zerg",
    "suspended",
    "adopted",
    "uid",
    "gid",
    "respawns",
];

/// Whoever owns the config.
#[test]
fn vassals_are_shown_with_the_ids_that_they_run_with() {
    let tree = Tree::new();
    tree.vassal("roots.ini", SLEEP);
    tree.vassal_of(ALICE, "hers.ini", SLEEP);
    let bob = BOB.to_string();
    let start = Start::in_tree(tree).serving_as(BOB).options(&["--uid", &bob, "--gid", &bob]);
    let emperor = start.start();
    for (name, uid) in [("roots.ini", BOB), ("hers.ini", ALICE)] {
        let process = emperor.vassal(name);
        assert_eq!(process.status("Uid"), [uid; 4].map(|id| id.to_string()).join(" "), "{name}");
        let row = emperor.stats_of(name).unwrap();
        assert_eq!((&row["uid"], &row["gid"]), (&uid.into(), &uid.into()), "{name}");
        emperor.wait_for(name, &format!("for {uid}:{uid} "));
    }
}

#[test]
fn every_field_of_uwsgis_stats_is_there_with_its_type() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    let vassal = emperor.vassal("a.ini");
    let stats = emperor.stats();
    NUMBERS.iter().for_each(|key| assert!(stats[key].is_i64(), "{key}: {stats}"));
    assert_eq!(stats["pid"], emperor.process.pid);
    assert_eq!(stats["emperor_tyrant"], 1);
    assert!(stats["version"].is_string() && stats["cwd"].is_string());
    assert_eq!(stats["blacklist"], Value::Array(Vec::new()));
    assert_eq!(stats["emperor"][0], emperor.tree.vassals().display().to_string());
    let one = emperor.stats_of("a.ini").unwrap();
    VASSAL_NUMBERS.iter().for_each(|key| assert!(one[key].is_i64(), "{key}: {one}"));
    assert!(one["attrs"].is_object() && one["on_demand"] == "");
    assert_eq!(one["monitor"], stats["emperor"][0]);
    assert_eq!((&one["pid"], &one["uid"], &one["gid"]), (&vassal.pid.into(), &ALICE.into(), &ALICE.into()));
    assert_eq!(
        (&one["ready"], &one["zerg"], &one["cursed"], &one["respawns"]),
        (&1.into(), &0.into(), &0.into(), &0.into())
    );
    let modified = std::fs::metadata(emperor.tree.path("vassals/a.ini")).unwrap();
    assert_eq!(one["last_mod"], std::os::unix::fs::MetadataExt::mtime(&modified));
    emperor.stop();
}

#[test]
fn names_cannot_break_the_document() {
    let tree = Tree::new();
    let names = [
        "with space.ini",
        "quo\"te.ini",
        "<b>.ini",
        "{}[],:.ini",
        "größe.ini",
        "a=b.ini",
        "$(x).ini",
        "100%n.ini",
        "'q'.ini",
    ];
    for name in names {
        tree.vassal(name, SLEEP);
    }
    let emperor = Emperor::start(tree, &[]);
    for name in names {
        emperor.wait_stats(name, |one| one["ready"] == 1);
    }
    let stats = emperor.stats();
    assert_eq!(stats["vassals"].as_array().unwrap().len(), names.len());
    emperor.stop();
}

#[test]
fn a_refused_config_is_shown_with_its_reason() {
    let tree = Tree::new();
    let path = tree.vassal_of(BOB, "open.ini", SLEEP);
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    emperor.wait_for("open.ini", "refused");
    let one = emperor.stats_of("open.ini").unwrap();
    assert_eq!(one["pid"], -1);
    assert!(one["note"].as_str().unwrap().contains("writ"), "{one}");
    emperor.stop();
}

#[test]
fn a_vassal_that_is_down_is_shown_with_its_last_misfortune() {
    let tree = Tree::new();
    tree.vassal("dies.ini", "command = /bin/sh -c \"exit 7\"\n");
    let emperor = Emperor::start(tree, &[]);
    let note = |one: &Value| one["note"].as_str().unwrap().to_owned();
    let one = emperor.wait_stats("dies.ini", |one| note(one).contains("next start in"));
    assert!(note(&one).starts_with("last end: exit status 7; next start in "), "{one}");
    let status = common::liege(&["status", &emperor.stats_socket().display().to_string()]);
    let table = String::from_utf8(status.stdout).unwrap();
    assert!(table.contains("last end: exit status 7"), "{table}");
    emperor.stop();
}

#[test]
fn readers_who_do_not_read_hold_nobody_up() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "good.ini", SLEEP);
    // Enough for a document that fits into no socket buffer.
    for number in 0..800 {
        let path = tree.vassal_of(BOB, &format!("refused-{number:0>200}.ini"), SLEEP);
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    }
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    let mut vassal = emperor.vassal("good.ini");
    common::eventually("a long document", || (emperor.stats_text().len() > 400_000).then_some(()));
    let readers: Vec<UnixStream> =
        (0..100).map(|_| UnixStream::connect(emperor.stats_socket()).unwrap()).collect();
    for _ in 0..3 {
        let mark = emperor.lines.mark();
        vassal.signal(Signal::KILL);
        vassal.wait_gone();
        // Not one of the readers has taken a byte.
        vassal = emperor.vassal_since(mark, "good.ini");
    }
    drop(readers);
    assert!(emperor.stats()["vassals"].is_array());
    emperor.stop();
}

#[test]
fn stats_are_served_on_tcp_too() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let start = Start::without_stats(tree).options(&["--emperor", "vassals", "--emperor-stats", &address]);
    let emperor = start.start();
    emperor.vassal("a.ini");
    let text = common::eventually("stats on TCP", || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::net::TcpStream::connect(&address).ok()?, &mut text).ok()?;
        Some(text)
    });
    let stats: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(stats["vassals"][0]["id"], "a.ini");
    let status = common::liege(&["status", &address]);
    assert!(String::from_utf8(status.stdout).unwrap().contains("a.ini"));
    emperor.stop();
}

#[test]
fn status_is_a_table_for_people_and_json_for_machines() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let emperor = Emperor::start(tree, &["--emperor-use-clone", "pid,fs"]);
    let vassal = emperor.vassal("a.ini");
    let address = emperor.stats_socket().display().to_string();
    let table = common::liege(&["status", &address]);
    assert_eq!(table.status.code(), Some(0));
    let table = String::from_utf8(table.stdout).unwrap();
    let row = table.lines().find(|line| line.contains("a.ini")).unwrap_or_else(|| panic!("{table}"));
    assert!(
        row.contains("running") && row.contains(&vassal.pid.to_string()) && row.contains("0:0"),
        "{table}"
    );
    assert!(table.contains("spawner capabilities") && table.contains("jail fs,pid"), "{table}");
    let json = common::liege(&["status", &address, "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["vassals"][0]["pid"], vassal.pid);
    emperor.stop();
}

#[test]
fn status_without_an_emperor_says_so_and_fails() {
    let tree = Tree::new();
    let nowhere = tree.path("nowhere.sock").display().to_string();
    let output = common::liege(&["status", &nowhere]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&nowhere));
}

#[test]
fn a_pidfile_is_there_while_the_emperor_is() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let pidfile = tree.path("emperor.pid");
    let mut emperor = Start::in_tree(tree).option("--emperor-pidfile").option(&pidfile).start();
    emperor.vassal("a.ini");
    assert_eq!(std::fs::read_to_string(&pidfile).unwrap(), format!("{}\n", emperor.process.pid));
    emperor.signal(Signal::TERM);
    emperor.wait();
    assert!(!pidfile.exists());
    emperor.stop();
}

/// Row F3: a number in a file is nobody's name. What stands there is overwritten unread, and in the end nothing of
/// somebody else's is taken away.
#[test]
fn a_pidfile_is_never_believed() {
    let mut neighbour = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    for content in ["1", "-1", "0", &neighbour.id().to_string(), "4294967297", "no number"] {
        let tree = Tree::new();
        tree.vassal("a.ini", SLEEP);
        let pidfile = tree.path("emperor.pid");
        std::fs::write(&pidfile, content).unwrap();
        let mut emperor = Start::in_tree(tree).option("--emperor-pidfile").option(&pidfile).start();
        emperor.vassal("a.ini");
        assert_eq!(
            std::fs::read_to_string(&pidfile).unwrap(),
            format!("{}\n", emperor.process.pid),
            "{content}"
        );
        std::fs::remove_file(&pidfile).unwrap();
        std::fs::write(&pidfile, content).unwrap();
        emperor.signal(Signal::TERM);
        emperor.wait();
        assert_eq!(std::fs::read_to_string(&pidfile).unwrap(), content, "it was somebody else's by then");
        emperor.stop();
    }
    assert!(neighbour.try_wait().unwrap().is_none(), "the neighbour was signalled");
    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
}

/// The vassal's namespaces that are not ours, by the names of the option.
fn own_namespaces(pid: i64) -> Vec<&'static str> {
    let names = [
        ("fs", "mnt"),
        ("net", "net"),
        ("ipc", "ipc"),
        ("pid", "pid"),
        ("uts", "uts"),
        ("user", "user"),
        ("cgroup", "cgroup"),
        ("time", "time"),
    ];
    let of = |who: &str, file: &str| std::fs::read_link(format!("/proc/{who}/ns/{file}")).unwrap();
    let differs = |file: &str| of(&pid.to_string(), file) != of("self", file);
    names.into_iter().filter(|(_, file)| differs(file)).map(|(name, _)| name).collect()
}

#[test]
fn the_jail_of_each_vassal_is_shown_as_it_is() {
    for (kind, options) in [
        ("none", &["--jail", "none"][..]),
        ("none", &["--jail", "none", "--emperor-use-clone", "pid,uts"]),
        ("standard", &["--jail", "standard"]),
        ("strict", &["--jail", "strict"]),
    ] {
        let tree = Tree::new();
        tree.vassal_of(ALICE, "hers.ini", SLEEP);
        let emperor = Emperor::start(tree, &[&["--emperor-tyrant"], options].concat());
        let one = emperor.wait_stats("hers.ini", |one| one["ready"] == 1);
        let jail = &one["jail"];
        assert_eq!(jail["kind"], kind, "{one}");
        let pid = one["pid"].as_i64().unwrap();
        let mut told: Vec<&str> = jail["namespaces"].as_str().unwrap().split(',').collect();
        told.retain(|name| *name != "none");
        told.sort();
        let mut own = own_namespaces(pid);
        own.sort();
        assert_eq!(told, own, "{one}");
        assert_eq!(jail["user"] == "host", !own.contains(&"user"), "{one}");
        assert_eq!(jail["root"], if kind == "none" { "host" } else { "jail" }, "{one}");
        let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let leaf = jail["cgroup"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        assert!(cgroup.contains(&leaf), "{jail} {cgroup}");
        let table = Command::new(env!("CARGO_BIN_EXE_liege"))
            .arg("status")
            .arg(emperor.stats_socket())
            .arg("hers*")
            .output()
            .unwrap();
        let table = String::from_utf8(table.stdout).unwrap();
        assert!(table.contains(&format!("jail of hers.ini: {kind}; namespaces ")), "{table}");
        std::fs::remove_file(emperor.tree.vassals().join("hers.ini")).unwrap();
        emperor.wait_for("hers.ini", "removed uwsgi instance");
        emperor.stop();
    }
}

#[test]
fn a_vassal_without_a_process_is_in_no_jail() {
    let tree = Tree::new();
    tree.vassal("typo.ini", "comand = x\n");
    let emperor = Emperor::start(tree, &[]);
    let one = emperor.wait_stats("typo.ini", |one| one["state"] == "refused");
    assert_eq!(one["jail"], Value::Null, "{one}");
    emperor.stop();
}

const UWSGI: &str = "/usr/bin/uwsgi";
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What is served to somebody who says this first.
fn served(path: &Path, request: &[u8]) -> String {
    let mut socket = common::eventually("a socket", || UnixStream::connect(path).ok());
    socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
    socket.write_all(request).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

/// Status line and headers, sorted, and what follows them.
fn parted(text: &str) -> (Vec<String>, Value) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut head: Vec<String> = head.split("\r\n").map(str::to_owned).collect();
    head[1..].sort();
    (head, serde_json::from_str(body).unwrap())
}

/// Both send the same header, but ours lets no page of another origin read it.
#[test]
fn over_http_the_document_has_uwsgis_header() {
    let [ours, theirs] = [common::LIEGE, UWSGI].map(|program| {
        let mut emperor = Start::in_tree(Tree::new()).program(&[program]).option("--stats-http").start();
        emperor.expect_no_tidy_end();
        let served = parted(&served(&emperor.stats_socket(), REQUEST));
        if program == UWSGI {
            emperor.cgroup.kill();
            emperor.wait();
        }
        emperor.stop();
        served
    });
    assert!(ours.1["vassals"].is_array() && theirs.1["vassals"].is_array());
    let theirs: Vec<&String> =
        theirs.0.iter().filter(|line| !line.starts_with("Access-Control-Allow-Origin")).collect();
    assert_eq!(ours.0.iter().collect::<Vec<_>>(), theirs);
}

#[test]
fn over_http_who_says_half_a_word_is_waited_for_and_who_says_none_gets_the_document_alone() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let emperor = Emperor::start(tree, &["--stats-http"]);
    let path = emperor.stats_socket();
    emperor.vassal("a.ini");
    let mut slow = UnixStream::connect(&path).unwrap();
    slow.set_read_timeout(Some(common::PATIENCE)).unwrap();
    slow.write_all(&REQUEST[..9]).unwrap();
    // Others are served meanwhile; then so is this one.
    assert!(parted(&served(&path, REQUEST)).1["vassals"][0]["id"] == "a.ini");
    slow.write_all(&REQUEST[9..]).unwrap();
    let mut text = String::new();
    slow.read_to_string(&mut text).unwrap();
    assert!(parted(&text).1["vassals"][0]["id"] == "a.ini");
    let status = common::liege(&["status", path.to_str().unwrap()]);
    let shown = String::from_utf8(status.stdout).unwrap();
    assert!(status.status.success() && shown.contains("a.ini"), "{shown}");
    emperor.stop();
}

#[test]
fn configs_and_directories_are_shown_by_their_whole_paths_wherever_the_emperor_was_started() {
    let tree = Tree::new();
    for name in ["near", "found", "alone"] {
        let directory = tree.dir(name);
        std::fs::write(directory.join(format!("{name}.ini")), format!("[uwsgi]\n{SLEEP}")).unwrap();
    }
    let (top, start) = (tree.path(""), Start::in_tree(tree));
    let sources = ["--emperor", "./near", "--emperor", "found/*.ini", "--emperor", "alone/alone.ini"];
    let emperor = start.directory(top.clone()).options(&sources).start();
    for (id, path) in [
        ("near.ini", "near/near.ini"),
        ("found/found.ini", "found/found.ini"),
        ("alone/alone.ini", "alone/alone.ini"),
    ] {
        let one = emperor.wait_stats(id, |one| one["ready"] == 1);
        assert_eq!(one["config"], top.join(path).display().to_string(), "{one}");
    }
    let sources = emperor.stats()["emperor"].clone();
    assert!(
        sources.as_array().unwrap().contains(&top.join("near").display().to_string().into()),
        "{sources}"
    );
    emperor.stop();
}

#[test]
fn stats_is_another_place_for_the_same_document() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let other = tree.path("run/other.sock");
    let start = Start::in_tree(tree).option("--stats-server").option(&other).option("--stats-minified");
    let mut emperor = start.start();
    emperor.wait_stats("a.ini", |one| one["ready"] == 1);
    let text = served(&other, b"");
    assert_eq!(text.lines().count(), 1, "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["vassals"][0]["pid"], emperor.stats_of("a.ini").unwrap()["pid"]);
    emperor.signal(Signal::TERM);
    assert!(emperor.wait().success());
    assert!(!other.exists());
    emperor.stop();
}

#[test]
fn stats_alone_is_the_place() {
    let tree = Tree::new();
    let place = tree.path("run/stats.sock");
    let source = tree.vassals();
    let start = Start::without_stats(tree).option("--emperor").option(source).option("--stats").option(place);
    let emperor = start.start();
    assert_eq!(emperor.stats()["pid"], emperor.process.pid);
    emperor.stop();
}
