//! Real uWSGI vassals under liege: from every format that uWSGI reads, through a whole life.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{ALICE, Emperor, PATIENCE, Process, Tree, eventually};
use rustix::process::Signal;

const JAILS: [&str; 3] = ["", "fs,ipc,pid,uts,net", "fs,ipc,pid,uts,net,user"];
/// Those who ask all the time, one request after another.
const CLIENTS: usize = 3;
/// An answer takes a moment, so that a reload finds a request under way, and hardly ever one that was just accepted.
const APP: &str = "import time
def application(environ, start_response):
    time.sleep(0.02)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'served']
";

/// The options of a vassal whose socket is `sockets/NAME.socket`.
fn options(tree: &Tree, name: &str) -> Vec<(&'static str, String)> {
    let path = |name: &str| tree.path(name).display().to_string();
    vec![
        ("plugins", "python3".into()),
        ("wsgi-file", path("app.py")),
        ("socket", path(&format!("sockets/{name}.socket"))),
        ("vacuum", "true".into()),
        ("master", "true".into()),
        ("processes", "1".into()),
        ("heartbeat", "1".into()),
        ("disable-logging", "true".into()),
    ]
}

fn as_ini(options: &[(&str, String)]) -> String {
    let lines = options.iter().map(|(key, value)| format!("{key} = {value}\n"));
    format!("[uwsgi]\n{}", lines.collect::<String>())
}

fn as_xml(options: &[(&str, String)]) -> String {
    let lines = options.iter().map(|(key, value)| format!("<{key}>{value}</{key}>\n"));
    format!("<uwsgi>\n{}</uwsgi>\n", lines.collect::<String>())
}

fn as_yaml(options: &[(&str, String)]) -> String {
    let lines = options.iter().map(|(key, value)| format!("  {key}: {value}\n"));
    format!("uwsgi:\n{}", lines.collect::<String>())
}

fn as_json(options: &[(&str, String)]) -> String {
    let object: serde_json::Map<String, serde_json::Value> =
        options.iter().map(|(key, value)| ((*key).to_owned(), value.clone().into())).collect();
    serde_json::json!({ "uwsgi": object }).to_string()
}

/// Alice has an application, and a directory for its sockets.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "sockets");
    tree.place(&tree.path("app.py"), 0, APP);
    tree
}

fn emperor(tree: Tree, jail: &str, further: &[&str]) -> Emperor {
    let mut options = vec!["--emperor-tyrant"];
    if !jail.is_empty() {
        options.extend(["--emperor-use-clone", jail]);
    }
    options.extend(further);
    Emperor::start(tree, &options)
}

/// One vassal `app.ini`, and where it listens.
fn app(tree: &Tree) -> PathBuf {
    let text = as_ini(&options(tree, "app"));
    tree.place(&tree.vassals().join("app.ini"), ALICE, &text);
    tree.path("sockets/app.socket")
}

/// A request in the uwsgi protocol; the whole answer.
fn request(socket: &Path) -> std::io::Result<String> {
    let variables = [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/"), ("SERVER_PROTOCOL", "HTTP/1.1")];
    let mut body = Vec::new();
    for word in variables.iter().flat_map(|(name, value)| [name, value]) {
        body.extend(u16::try_from(word.len()).unwrap().to_le_bytes());
        body.extend(word.as_bytes());
    }
    let size = u16::try_from(body.len()).unwrap().to_le_bytes();
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[&[0, size[0], size[1], 0], body.as_slice()].concat())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn is_served(socket: &Path) -> bool {
    request(socket).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.ends_with("served"))
}

#[test]
fn every_format_that_uwsgi_reads_makes_a_vassal_that_is_seen_to_live() {
    type Writer = fn(&[(&str, String)]) -> String;
    let formats: [(&str, Writer); 4] =
        [("ini", as_ini), ("xml", as_xml), ("yml", as_yaml), ("json", as_json)];
    for jail in JAILS {
        let tree = tree();
        for (suffix, write) in formats {
            let text = write(&options(&tree, suffix));
            tree.place(&tree.vassals().join(format!("app.{suffix}")), ALICE, &text);
        }
        let emperor = emperor(tree, jail, &[]);
        for (suffix, _) in formats {
            assert_lives(
                &emperor,
                &format!("app.{suffix}"),
                &emperor.tree.path(&format!("sockets/{suffix}.socket")),
            );
        }
    }
}

fn assert_lives(emperor: &Emperor, name: &str, socket: &Path) {
    emperor.wait_for(name, &format!("[emperor] vassal {name} has been spawned"));
    emperor.wait_for(name, &format!("[emperor] vassal {name} is ready to accept requests"));
    assert!(is_served(socket), "{name}");
    emperor.wait_for(name, &format!("[emperor] vassal {name} is now loyal"));
    let row = emperor.wait_stats(name, |row| row["last_heartbeat"].as_u64() > Some(0));
    for flag in ["ready", "accepting", "loyal"] {
        assert_eq!(row[flag], 1, "{flag} of {name}");
    }
    assert_eq!((row["uid"].as_u64(), row["gid"].as_u64()), (Some(ALICE.into()), Some(ALICE.into())));
    let master = Process::of(i32::try_from(row["pid"].as_i64().unwrap()).unwrap());
    assert_eq!(master.status("Uid"), "61001 61001 61001 61001");
}

/// Twenty reloads in the jail that tenants have by default, some in the others; there is always somebody who waits to be
/// served.
#[test]
fn no_request_is_lost_while_it_is_reloaded_again_and_again() {
    for (jail, reloads) in JAILS.into_iter().zip([20, 4, 4]) {
        let tree = tree();
        let socket = app(&tree);
        let emperor = emperor(tree, jail, &[]);
        emperor.wait_for("app.ini", "is ready to accept requests");
        let before = emperor.stats_of("app.ini").unwrap();
        let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
        let dropped = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let _over = Over(&over);
            for _ in 0..CLIENTS {
                scope.spawn(|| hammer(&socket, &over, (&answered, &dropped)));
            }
            for reload in 1..=reloads {
                touch_and_wait(&emperor, reload);
                let so_far = answered.load(Ordering::Relaxed);
                eventually("further answers", || (answered.load(Ordering::Relaxed) > so_far).then_some(()));
            }
        });
        // Had anybody closed the socket, all who waited there would have been, each time.
        let dropped = dropped.into_inner() as u64;
        assert!(dropped * 4 <= reloads, "{dropped} in {reloads} reloads");
        assert_eq!(emperor.stats_of("app.ini").unwrap()["pid"], before["pid"], "it reloads in its place");
        std::fs::remove_file(emperor.tree.vassals().join("app.ini")).unwrap();
        emperor.wait_for("app.ini", "removed uwsgi instance");
        // Once it was reloaded, uWSGI takes its socket for somebody else's and leaves it.
        let _ = std::fs::remove_file(&socket);
    }
}

/// Ends the hammering, also when a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A worker of uWSGI that has accepted a connection and not yet begun to read drops it when it is told to reload. Its front
/// ends ask again then, and so do we.
///
/// # Panics
/// At the first request without an answer.
fn hammer(socket: &Path, over: &AtomicBool, (answered, dropped): (&AtomicUsize, &AtomicUsize)) {
    while !over.load(Ordering::Relaxed) {
        let answer = request(socket).or_else(|error| match error.kind() {
            ErrorKind::ConnectionReset => {
                dropped.fetch_add(1, Ordering::Relaxed);
                request(socket)
            }
            _ => Err(error),
        });
        let answer = answer.expect("a request is answered");
        assert!(answer.ends_with("served"), "{answer:?}");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

fn touch_and_wait(emperor: &Emperor, reload: u64) {
    let mark = emperor.lines.mark();
    touch(emperor);
    emperor.wait_since(mark, "app.ini", "[emperor] reload the uwsgi instance app.ini");
    emperor.wait_since(mark, "app.ini", "is ready to accept requests");
    let row = emperor.wait_stats("app.ini", |row| row["respawns"] == reload);
    assert_eq!((&row["accepting"], &row["ready"], &row["uses"]), (&1.into(), &1.into(), &row["fingerprint"]));
}

fn touch(emperor: &Emperor) {
    let status = Command::new("/usr/bin/touch").arg(emperor.tree.vassals().join("app.ini")).status().unwrap();
    assert!(status.success());
}

/// Its master would pass a reload on to workers that are not listening yet, and wait a minute for them.
#[test]
fn a_touch_while_its_workers_start_is_not_lost() {
    let tree = tree();
    let socket = app(&tree);
    let emperor = emperor(tree, JAILS[1], &[]);
    emperor.wait_for("app.ini", "started with pid");
    for reload in 1..=2 {
        let mark = emperor.lines.mark();
        touch(&emperor);
        emperor.wait_since(mark, "app.ini", "[emperor] reload the uwsgi instance app.ini");
        assert!(emperor.told("app.ini", "is ready to accept requests") >= reload, "it was told too early");
        // The next touch comes in the very moment in which it is there again.
        let answers = reload + 1;
        eventually("the end of the reload", || {
            (emperor.told("app.ini", "is ready to accept requests") == answers).then_some(())
        });
    }
    assert!(is_served(&socket));
    std::fs::remove_file(emperor.tree.vassals().join("app.ini")).unwrap();
    emperor.wait_for("app.ini", "removed uwsgi instance");
    // As above.
    let _ = std::fs::remove_file(&socket);
}

/// Answers once somebody has made the file `go`.
const PATIENT_APP: &str = "import os, time
def application(environ, start_response):
    open('SOCKETS/begun', 'w').close()
    while not os.path.exists('SOCKETS/go'):
        time.sleep(0.01)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'served']
";

#[test]
fn a_request_is_answered_though_the_config_goes_where_vassals_may_finish_their_work() {
    let tree = tree();
    let socket = app(&tree);
    let sockets = tree.path("sockets");
    tree.place(&tree.path("app.py"), 0, &PATIENT_APP.replace("SOCKETS", &sockets.display().to_string()));
    let emperor = emperor(tree, JAILS[1], &["--emperor-graceful-shutdown"]);
    emperor.wait_for("app.ini", "is ready to accept requests");
    let answer = std::thread::scope(|scope| {
        let asked = scope.spawn(|| request(&socket));
        eventually("the beginning of the request", || sockets.join("begun").exists().then_some(()));
        std::fs::remove_file(emperor.tree.vassals().join("app.ini")).unwrap();
        emperor.wait_for_line(|line| line.contains("received message 2 from emperor"));
        std::fs::write(sockets.join("go"), "").unwrap();
        asked.join().unwrap()
    });
    assert!(answer.is_ok_and(|answer| answer.ends_with("served")));
    emperor.wait_for("app.ini", "[emperor] removed uwsgi instance app.ini");
}

#[test]
fn it_stops_when_its_config_goes() {
    for jail in JAILS {
        let tree = tree();
        let socket = app(&tree);
        let emperor = emperor(tree, jail, &[]);
        let master = emperor.vassal("app.ini");
        emperor.wait_for("app.ini", "is ready to accept requests");
        let workers = master.children();
        std::fs::remove_file(emperor.tree.vassals().join("app.ini")).unwrap();
        emperor.wait_for("app.ini", "[emperor] removed uwsgi instance app.ini");
        master.wait_gone();
        workers.iter().for_each(Process::wait_gone);
        assert_eq!(emperor.told("app.ini", "killed with everything"), 0, "it went when it was asked to");
        assert!(!socket.exists(), "it has tidied up");
    }
}

#[test]
fn it_comes_back_after_it_was_killed_and_none_of_its_workers_outlives_it() {
    for jail in JAILS {
        let tree = tree();
        let socket = app(&tree);
        let emperor = emperor(tree, jail, &[]);
        let master = emperor.vassal("app.ini");
        emperor.wait_for("app.ini", "is ready to accept requests");
        assert!(is_served(&socket));
        let workers = master.children();
        assert!(!workers.is_empty());
        let mark = emperor.lines.mark();
        master.signal(Signal::KILL);
        emperor.wait_since(mark, "app.ini", "died (signal 9)");
        workers.iter().for_each(Process::wait_gone);
        emperor.wait_since(mark, "app.ini", "is ready to accept requests");
        assert!(is_served(&socket));
    }
}

#[test]
fn one_whose_heart_stops_is_killed_and_started_anew() {
    let tree = tree();
    let socket = app(&tree);
    let emperor = emperor(tree, JAILS[1], &["--emperor-required-heartbeat", "3"]);
    let master = emperor.vassal("app.ini");
    emperor.wait_stats("app.ini", |row| row["last_heartbeat"].as_u64() > Some(0));
    let mark = emperor.lines.mark();
    master.children().iter().for_each(|worker| worker.signal(Signal::STOP));
    emperor.wait_since(mark, "app.ini", "heartbeat");
    // Its first heartbeat may have come before it was told to be ready: that line is not meant.
    let mark = emperor.lines.mark();
    emperor.wait_since(mark, "app.ini", "is ready to accept requests");
    assert!(is_served(&socket));
    master.wait_gone();
}

#[test]
fn a_bad_config_of_one_leaves_the_other_alone() {
    let tree = tree();
    let socket = app(&tree);
    let emperor = emperor(tree, JAILS[1], &[]);
    let master = emperor.vassal("app.ini");
    emperor.wait_for("app.ini", "is ready to accept requests");
    let broken = format!(
        "{}strict = true\nno-such-option-anywhere = true\n",
        as_ini(&options(&emperor.tree, "broken"))
    );
    emperor.tree.place(&emperor.tree.vassals().join("broken.ini"), ALICE, &broken);
    emperor.wait_for("broken.ini", "died (exit status 1)");
    emperor.wait_for("broken.ini", "throttling it");
    assert!(is_served(&socket) && master.is_alive());
}
