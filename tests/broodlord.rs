//! Zergs: a vassal that has too much to do asks for them, and they live on its sockets.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::Read;
use std::os::unix::net::UnixStream;

use common::router::request;
use common::{ALICE, BOB, Emperor, LIEGE, Process, Start, Tree, eventually};

const UWSGI: &str = "/usr/bin/uwsgi";
/// A request that asks for it is answered when there is a file `go`; an answer says which zerg gave it, if one did.
const APP: &str = "import os, time
def application(environ, start_response):
    while environ['PATH_INFO'] == '/wait' and not os.path.exists(os.environ['GO']):
        time.sleep(0.02)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [os.environ.get('UWSGI_BROODLORD_NUM', 'vassal').encode()]
";

/// Alice has an application of one worker, which asks for help when that is busy; her zergs leave when they are idle.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "sockets");
    tree.place(&tree.path("app.py"), 0, APP);
    let path = |name: &str| tree.path(name).display().to_string();
    let common = format!(
        "plugins = python3\nmaster = true\nprocesses = 1\nwsgi-file = {}\nenv = GO={}\n",
        path("app.py"),
        path("go")
    );
    let (socket, server) = (path("sockets/app"), path("sockets/zerg"));
    let text = format!(
        "[uwsgi]\n{common}socket = {socket}\nzerg-server = {server}\nvassal-sos = 1\nvacuum = true\n\
         [zerg]\n{common}zerg = {server}\nidle = 1\ndie-on-idle = true\n"
    );
    tree.place(&tree.vassals().join("app.ini"), ALICE, &text);
    tree
}

/// Who answered.
fn answer(mut stream: UnixStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.rsplit("\r\n\r\n").next().unwrap().to_owned()
}

/// The processes of the zergs in the stats, once there are so many that accept.
fn zergs(emperor: &Emperor, count: usize) -> Vec<Process> {
    eventually(&format!("{count} zergs"), || {
        let stats = emperor.stats();
        let rows = stats["vassals"].as_array().unwrap().iter().filter(|row| row["zerg"] == 1);
        let ready = |row: &&serde_json::Value| row["accepting"] == 1;
        let pids: Vec<i32> =
            rows.filter(ready).filter_map(|row| row["pid"].as_i64()?.try_into().ok()).collect();
        (pids.len() == count).then(|| pids.into_iter().map(Process::of).collect())
    })
}

/// What makes a zerg of a process.
fn marks(zerg: &Process) -> (Vec<String>, Vec<String>, String) {
    let marked = |one: &String| one.starts_with("UWSGI_BROODLORD");
    let environment = zerg.environment().into_iter().filter(marked).collect();
    (zerg.command_line()[1..].to_vec(), environment, zerg.status("Uid"))
}

/// A busy vassal is helped by a zerg, which leaves when nobody needs it. What the zerg was made with.
fn helped(program: &str) -> (Vec<String>, Vec<String>, String) {
    let start = Start::in_tree(tree()).program(&[program]);
    let mut emperor = start.options(&["--emperor-tyrant", "--emperor-broodlord", "1"]).start();
    let vassal = emperor.wait_stats("app.ini", |row| row["accepting"] == 1)["pid"].as_i64().unwrap();
    let socket = emperor.tree.path("sockets/app");
    let waiting = [request(&socket, "/wait"), request(&socket, "/wait")];
    let zerg = zergs(&emperor, 1).remove(0);
    let marks = marks(&zerg);
    std::fs::write(emperor.tree.path("go"), "").unwrap();
    let mut answered = waiting.map(answer);
    answered.sort_unstable();
    assert_eq!(answered, ["1", "vassal"], "each has answered one of two requests on the same socket");
    zerg.wait_gone();
    emperor.wait_for_line(|line| line.contains("removed uwsgi instance app.ini:zerg"));
    assert_eq!(emperor.stats_of("app.ini").unwrap()["pid"].as_i64(), Some(vassal));
    emperor.kill();
    marks
}

#[test]
fn a_busy_uwsgi_vassal_gets_a_zerg_on_its_socket_as_under_uwsgi_itself() {
    let (ours, theirs) = (helped(LIEGE), helped(UWSGI));
    assert_eq!(ours, theirs);
    assert_eq!(ours.0, ["--ini", "app.ini:zerg"]);
    assert_eq!(ours.1, ["UWSGI_BROODLORD_NUM=1"]);
    assert_eq!(ours.2, "61001 61001 61001 61001");
}

#[test]
fn zergs_end_when_the_config_of_their_vassal_goes() {
    let mut emperor = Emperor::start(tree(), &["--emperor-tyrant", "--emperor-broodlord", "2"]);
    // The socket of a zerg server of uWSGI stays.
    emperor.expect_no_tidy_end();
    emperor.wait_stats("app.ini", |row| row["accepting"] == 1);
    let socket = emperor.tree.path("sockets/app");
    let busy: Vec<UnixStream> = (0..3).map(|_| request(&socket, "/wait")).collect();
    let zergs = zergs(&emperor, 2);
    std::fs::remove_file(emperor.tree.vassals().join("app.ini")).unwrap();
    zergs.iter().for_each(Process::wait_gone);
    drop(busy);
    eventually("no vassal", || emperor.stats()["vassals"].as_array().unwrap().is_empty().then_some(()));
}

/// Asks again and again, as whoever is busy does.
const ASKING: &str = "unprivileged-binary-patch-arg = \
    while printf '\\036' >&\"$UWSGI_EMPEROR_FD\"; do sleep 0.2; done\n[zerg]\ncommand = /bin/sleep 2000000\n";

#[test]
fn our_own_vassals_have_zergs_under_either_emperor() {
    for program in [LIEGE, UWSGI] {
        let tree = Tree::new();
        tree.vassal("x.ini", ASKING);
        let start = Start::in_tree(tree).program(&[program]).options(&["--binary-path", LIEGE]);
        let mut emperor = start.options(&["--emperor-broodlord", "1"]).start();
        let zerg = zergs(&emperor, 1).remove(0);
        assert_eq!(zerg.child().command_line(), ["/bin/sleep", "2000000"], "{program}");
        emperor.kill();
        zerg.wait_gone();
    }
}

/// It has nobody who would ask: its master counts those who wait. No zerg comes before they are too many.
#[test]
fn a_program_at_whose_socket_too_many_wait_gets_a_zerg_under_either_emperor() {
    for program in [LIEGE, UWSGI] {
        let tree = Tree::new();
        let (unix, port) = (tree.path("run/x"), common::callers::free_port());
        let options =
            format!("socket = {}\nsocket = 127.0.0.1:{port}\nvassal-sos-backlog = 3\n", unix.display());
        let sleep = "command = /bin/sleep 2000000\n";
        tree.vassal("x.ini", &format!("{options}{sleep}[zerg]\n{sleep}"));
        let start = Start::in_tree(tree).program(&[program]).options(&["--binary-path", LIEGE]);
        let mut emperor = start.options(&["--emperor-broodlord", "1"]).start();
        let connect = || std::net::TcpStream::connect(("127.0.0.1", port)).ok();
        let _first = (eventually("a socket", connect), connect(), UnixStream::connect(&unix).unwrap());
        let none = emperor.stats()["vassals"].as_array().unwrap().iter().all(|row| row["zerg"] != 1);
        assert!(none, "{program}: two wait at one socket and one at the other");
        let _third = connect();
        let zerg = zergs(&emperor, 1).remove(0);
        emperor.kill();
        zerg.wait_gone();
    }
}

/// Whoever is called greedy asks as fast as it can, and so do its zergs; everybody else just lives.
const GREEDY: &str = r#"case "$*" in
*greedy*) while printf '\036\036\036\036' >&"$UWSGI_EMPEROR_FD"; do :; done ;;
esac
exec sleep 1000000"#;

fn emperor_of_greed(jail: &[&str]) -> Emperor {
    let tree = Tree::new();
    let wrapper = tree.script("wrapper", GREEDY);
    tree.vassal_of(ALICE, "greedy.ini", "");
    tree.vassal_of(BOB, "modest.ini", "");
    let start = Start::in_tree(tree).option("--emperor-wrapper").option(wrapper);
    // They do not listen, so they are killed in the end.
    let start =
        start.options(&["--emperor-tyrant", "--emperor-broodlord", "2", "--emperor-curse-tolerance", "1"]);
    start.options(jail).start()
}

/// Row C8 of the attacks: what a vassal says on its descriptor is felt by nobody but itself.
#[test]
fn who_asks_without_end_gets_what_it_may_have_with_its_own_rights_and_nobody_else_feels_it() {
    for jail in [&[][..], &["--jail", "standard"]] {
        let emperor = emperor_of_greed(jail);
        let modest = running(&emperor, "modest.ini");
        emperor.wait_for("greedy.ini", "launching zergs for greedy.ini (number 2)");
        let rows = eventually("two zergs", || {
            let rows = rows(&emperor);
            let up = rows.iter().filter(|row| row["zerg"] == 1 && row["pid"].as_i64() > Some(0));
            (up.count() == 2).then_some(rows)
        });
        assert_eq!(rows.len(), 4, "no zerg of a zerg, and none of the neighbour");
        for row in rows.iter().filter(|row| row["zerg"] == 1) {
            assert_eq!(
                (row["id"].as_str(), row["uid"].as_u64()),
                (Some("greedy.ini:zerg"), Some(ALICE.into()))
            );
            let (zerg, vassal) = (process(row), running(&emperor, "greedy.ini"));
            // Its rights are what they are once its program runs.
            let runs = || zerg.command_line().first().is_some_and(|program| program == "/bin/sh");
            eventually("its program", || runs().then_some(()));
            for field in ["Uid", "Gid", "Groups", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"] {
                assert_eq!(zerg.status(field), vassal.status(field), "{field}");
            }
            if !jail.is_empty() {
                for namespace in ["mnt", "pid", "net", "user"] {
                    assert_ne!(
                        zerg.namespace(namespace),
                        emperor.process.namespace(namespace),
                        "{namespace}"
                    );
                }
            }
        }
        // A new vassal is started in the midst of it, and the old one was not touched.
        emperor.tree.vassal_of(BOB, "late.ini", "");
        running(&emperor, "late.ini");
        assert!(modest.is_alive() && emperor.told("modest.ini", "zerg") == 0);
    }
}

fn rows(emperor: &Emperor) -> Vec<serde_json::Value> {
    emperor.stats()["vassals"].as_array().unwrap().clone()
}

fn process(row: &serde_json::Value) -> Process {
    Process::of(i32::try_from(row["pid"].as_i64().unwrap()).unwrap())
}

fn running(emperor: &Emperor, name: &str) -> Process {
    process(&emperor.wait_stats(name, |row| row["pid"].as_i64() > Some(0)))
}

#[test]
fn without_broodlord_nobody_is_sent() {
    let tree = Tree::new();
    let wrapper = tree.script("wrapper", "printf '\\036\\021' >&\"$UWSGI_EMPEROR_FD\"\nexec sleep 1000000");
    tree.vassal("greedy.ini", "");
    let emperor = Start::in_tree(tree).option("--emperor-wrapper").option(wrapper).start();
    // What came after it was heard.
    emperor.wait_for("greedy.ini", "is now loyal");
    assert_eq!(rows(&emperor).len(), 1);
}
