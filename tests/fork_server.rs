//! Vassals that a fork server makes, honest ones and others, and what configs say of their vassals.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{ALICE, BOB, Emperor, PATIENCE, Process, Start, Tree, eventually, liege};
use rustix::process::Signal;

const SERVER: &str = include_str!("programs/fork_server.py");

/// A config whose vassal is a fork server of these kinds, each at its socket in `doors`.
fn base(tree: &Tree, owner: u32, kinds: &str) {
    let (program, doors) = (tree.path("server.py"), tree.path("doors"));
    let lines = format!(
        "env = VICTIM={}\nunprivileged-binary-patch-arg = exec /usr/bin/python3 {} {} {kinds}\n",
        std::process::id(),
        program.display(),
        doors.display()
    );
    tree.vassal_of(owner, "base.ini", &lines);
}

fn tree_of(owner: u32, kinds: &str) -> Tree {
    let tree = Tree::new();
    tree.place(&tree.path("server.py"), 0, SERVER);
    tree.dir_of(owner, "doors");
    base(&tree, owner, kinds);
    tree
}

fn door(tree: &Tree, kind: &str) -> String {
    tree.path("doors").join(kind).display().to_string()
}

/// Tenants whose vassals come from the honest server of Alice's.
fn governed(tree: Tree, options: &[&str]) -> Emperor {
    let server = door(&tree, "honest");
    let start = Start::in_tree(tree).options(&["--emperor-tyrant", "--jail", "none"]);
    let start = start.options(&["--emperor-use-fork-server", &server, "--vassal-fork-base", "base.ini"]);
    let emperor = start.options(options).start();
    emperor.wait_stats("base.ini", |row| row["accepting"] == 1);
    emperor
}

/// Each vassal names its own server.
fn by_attribute(tree: Tree, options: &[&str]) -> Emperor {
    let start = Start::in_tree(tree).options(&["--emperor-tyrant", "--jail", "none"]);
    let emperor = start.options(&["--emperor-fork-server-attr", "server"]).options(options).start();
    emperor.wait_stats("base.ini", |row| row["accepting"] == 1);
    emperor
}

fn asks_for(tree: &Tree, (owner, name): (u32, &str), door: &str) {
    tree.place(
        &tree.vassals().join(name),
        owner,
        &format!("[emperor]\nserver = {door}\n[uwsgi]\nmark = 1\n"),
    );
}

fn adopted(emperor: &Emperor, name: &str) -> Process {
    let row = emperor.wait_stats(name, |row| row["accepting"] == 1);
    Process::of(row["pid"].as_i64().unwrap().try_into().unwrap())
}

#[test]
fn a_vassal_of_a_fork_server_is_one_as_any_other() {
    let mut emperor = governed(tree_of(ALICE, "honest"), &[]);
    emperor.tree.vassal_of(ALICE, "a.ini", "mark = 1\n");
    let vassal = adopted(&emperor, "a.ini");
    assert_eq!(vassal.status("PPid"), emperor.process.pid.to_string(), "it is the Emperor's child");
    assert_eq!(vassal.status("Uid"), "61001 61001 61001 61001");
    assert_eq!(
        (vassal.status("CapEff"), vassal.status("NoNewPrivs")),
        ("0000000000000000".into(), "1".into())
    );
    let base = emperor.vassal("base.ini");
    assert_ne!(vassal.read("cgroup"), base.read("cgroup"), "it has a cgroup of its own");
    let config = emperor.tree.vassals().join("a.ini").display().to_string();
    emperor.wait_for_line(|line| line.contains("adopted") && line.contains(&format!("--ini {config}")));
    let mark = emperor.lines.mark();
    std::fs::write(emperor.tree.vassals().join("a.ini"), "[uwsgi]\nmark = 2\n").unwrap();
    vassal.wait_gone();
    emperor.wait_since(mark, "a.ini", "exit status 7");
    let again = eventually("another process", || {
        let row = emperor.stats_of("a.ini").filter(|row| row["accepting"] == 1)?;
        Process::if_there(row["pid"].as_i64()?.try_into().ok()?).ok().filter(|one| one.pid != vassal.pid)
    });
    // What a fork server has made does not end with it.
    base.signal(Signal::KILL);
    emperor.wait_for("base.ini", "signal 9");
    assert!(again.is_alive());
    emperor.kill();
    again.wait_gone();
    emperor.wait_deserted();
}

#[test]
fn what_a_vassal_has_forked_before_it_is_taken_in_goes_along_and_ends_with_it() {
    let emperor = by_attribute(tree_of(ALICE, "family"), &[]);
    asks_for(&emperor.tree, (ALICE, "a.ini"), &door(&emperor.tree, "family"));
    let vassal = adopted(&emperor, "a.ini");
    let line = emperor.wait_for_line(|line| line.contains("along ("));
    let pids = line.split_once("along (").unwrap().1.trim_end().trim_end_matches(')').split(", ");
    let family: Vec<Process> = pids.map(|pid| Process::of(pid.parse().unwrap())).collect();
    assert!(family.len() == 2 && family.iter().all(|one| one.read("cgroup") == vassal.read("cgroup")));
    vassal.signal(Signal::KILL);
    family.iter().for_each(Process::wait_gone);
}

#[test]
fn the_config_pipe_and_the_listener_go_along() {
    let tree = tree_of(ALICE, "honest");
    tree.dir("listeners");
    let listeners = tree.path("listeners").display().to_string();
    let options = ["--emperor-config-pipe", "--emperor-on-demand-directory", &listeners];
    let server = door(&tree, "honest");
    let start =
        Start::in_tree(tree).options(&["--emperor-tyrant", "--jail", "none", "--emperor-use-fork-server"]);
    let emperor = start.options(&[&server, "--vassal-fork-base", "base.ini"]).options(&options).start();
    let connected = |name: &str| {
        let path = emperor.tree.path("listeners").join(name);
        let stream = eventually("a listener", || UnixStream::connect(&path).ok());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let _caller = connected("base.socket");
    emperor.wait_stats("base.ini", |row| row["accepting"] == 1);
    emperor.tree.vassal_of(ALICE, "a.ini", "mark = piped\n");
    let mut text = String::new();
    connected("a.socket").read_to_string(&mut text).unwrap();
    assert_eq!(text, "served\n");
    emperor.wait_for_line(|line| line.contains("--ini emperor://a.ini [uwsgi];mark = piped;"));
}

/// Row N9. Row C8.
#[test]
fn what_a_fork_server_says_proves_nothing() {
    let lies = [
        ("minus", "no pid of a process"),
        ("zero", "no pid of a process"),
        ("init", "no pid of a process"),
        ("garbage", "another protocol"),
        ("cut", "hung up"),
        ("foreign", "a vassal already"),
        ("old", "a vassal already"),
        ("itself", "a vassal already"),
        ("once", "no orphan of a vassal"),
    ];
    let kinds: Vec<&str> = lies.iter().map(|(kind, _)| *kind).collect();
    let tree = tree_of(ALICE, &kinds.join(" "));
    let mut victim = stranger();
    let emperor = by_attribute(tree, &[]);
    for (kind, _) in lies {
        asks_for(&emperor.tree, (ALICE, &format!("{kind}.ini")), &door(&emperor.tree, kind));
    }
    for (kind, reason) in lies {
        emperor.wait_for(&format!("{kind}.ini"), reason);
    }
    let base = emperor.vassal("base.ini");
    assert!(base.is_alive() && emperor.told("base.ini", "exit") == 0, "nobody was signalled");
    assert!(victim.try_wait().unwrap().is_none());
    victim.kill().unwrap();
    victim.wait().unwrap();
}

/// Somebody who has nothing to do with any of it.
fn stranger() -> Child {
    Command::new("/bin/sleep").arg("1000000").stdin(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_fork_server_that_says_nothing_holds_up_nobody_else() {
    let tree = tree_of(ALICE, "silent");
    let emperor = by_attribute(tree, &[]);
    // One after the other they would be waited for longer than anything is here.
    for number in 0..20 {
        asks_for(&emperor.tree, (ALICE, &format!("silent-{number}.ini")), &door(&emperor.tree, "silent"));
    }
    emperor.wait_stats("silent-19.ini", |row| row["state"] == "starting");
    emperor.tree.vassal_of(BOB, "plain.ini", "command = /bin/sleep 1000000\n");
    emperor.vassal("plain.ini");
    emperor.wait_for("silent-0.ini", "did not answer within 4000 ms");
}

/// Row F4. Row I5.
#[test]
fn a_fork_server_of_somebody_else_gets_nothing() {
    let tree = tree_of(ALICE, "honest");
    let emperor = by_attribute(tree, &[]);
    asks_for(&emperor.tree, (BOB, "bob.ini"), &door(&emperor.tree, "honest"));
    // A path that only root can use is not used with root's rights.
    emperor.wait_for("bob.ini", "Permission denied");
    let open = emperor.tree.path("doors/honest");
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    asks_for(&emperor.tree, (BOB, "again.ini"), &door(&emperor.tree, "honest"));
    emperor.wait_for("again.ini", "belongs to uid 61001");
    assert_eq!(emperor.lines.count(|line| line.contains("adopted")), 0);
}

/// Row I5. Row P2.
#[test]
fn a_process_with_other_ids_than_the_config_is_not_the_vassal() {
    let tree = tree_of(0, "honest");
    let server = door(&tree, "honest");
    let start = Start::in_tree(tree).options(&["--jail", "none", "--vassal-fork-base", "base.ini"]);
    let emperor = start.options(&["--emperor-use-fork-server", &server]).start();
    emperor.wait_stats("base.ini", |row| row["accepting"] == 1);
    let open = Path::new(&server);
    std::fs::set_permissions(open, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::set_permissions(emperor.tree.path("doors"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    emperor.tree.vassal_of(ALICE, "alice.ini", "mark = 1\n");
    emperor.wait_for("alice.ini", "with uids [0, 0, 0, 0]");
    emperor.tree.vassal("root.ini", "mark = 1\n");
    assert_eq!(adopted(&emperor, "root.ini").status("Uid"), "0 0 0 0");
    assert_eq!(emperor.told("alice.ini", "signal"), 0);
}

#[test]
fn what_a_vassal_would_be_without_is_not_left_out_in_silence() {
    let tree = Tree::new();
    let source = tree.vassals().display().to_string();
    for (option, value) in
        [("--jail", "standard"), ("--emperor-use-clone", "pid"), ("--exec-as-vassal", "true")]
    {
        let options = ["--emperor", &source, option, value, "--emperor-use-fork-server", "@x"];
        let output = liege(&options);
        assert!(!output.status.success(), "{option}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("emperor-use-fork-server: a vassal that a fork server makes"),
            "{option}: {said}"
        );
    }
}

/// Says who and where it is, and stays.
const SHOW: &str = "echo \"shown $(id -u) $PWD\"\nexec head -c 1 <&$UWSGI_EMPEROR_FD\n";

#[test]
fn what_a_config_says_to_the_emperor_is_shown_and_done_with_the_rights_of_its_owner() {
    let tree = Tree::new();
    let program = tree.script("show", SHOW).display().to_string();
    let home = tree.dir_of(ALICE, "home").display().to_string();
    let options =
        ["--emperor-collect-attr", "colour", "--emperor-wrapper-attr", "run", "--emperor-chdir-attr", "in"];
    let emperor = Start::in_tree(tree).options(&["--emperor-tyrant"]).options(&options).start();
    let text = format!(
        "[emperor]\ncolour = red\ncolour = blue\nrun = {program}\nin = {home}\nsecret = x\n[uwsgi]\ncommand = /bin/false\n"
    );
    let place = |name: &str, text: &str| {
        emperor.tree.place(&emperor.tree.vassals().join(name), ALICE, text);
    };
    place("a.ini", &text);
    emperor.wait_for_line(|line| line.contains(&format!("shown 61001 {home}")));
    let row = emperor.wait_stats("a.ini", |row| row["attrs"]["colour"].is_array());
    assert_eq!(row["attrs"]["colour"], serde_json::json!(["red", "blue"]));
    assert!(row["attrs"].get("secret").is_none(), "nobody asked for it");
    // What he cannot enter is not entered for him.
    std::fs::create_dir(emperor.tree.path("closed")).unwrap();
    std::fs::set_permissions(
        emperor.tree.path("closed"),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    place("closed.ini", &format!("[emperor]\nin = {}\n[uwsgi]\n", emperor.tree.path("closed").display()));
    emperor.wait_for("closed.ini", "EACCES");
    place("many.ini", &format!("[emperor]\n{}[uwsgi]\n", "colour = x\n".repeat(100)));
    emperor.wait_for("many.ini", "more than 64 attributes");
}
