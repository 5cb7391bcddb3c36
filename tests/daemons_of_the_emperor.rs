//! Daemons of the Emperor itself: how they live beside its vassals, who may steer them, and what is left when somebody is killed.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::process::{Command, Stdio};

use common::{ALICE, BOB, Emperor, Process, Start, Tree, eventually};
use rustix::process::Signal;
use serde_json::Value;

const IDLE: &str = "command = sleep 1000000\n";

/// An Emperor of one vassal of root's, with these daemons.
fn start(daemons: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.liege();
    tree.vassal("shop.ini", IDLE);
    begin(tree, daemons).start()
}

fn begin(tree: Tree, daemons: &[&str]) -> Start {
    let options: Vec<&str> = daemons.iter().flat_map(|daemon| ["--attach-daemon2", daemon]).collect();
    Start::in_tree(tree).options(&options)
}

/// One of its daemons in the stats, once it is as wanted.
fn wait(emperor: &Emperor, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("the daemon {name}"), || {
        let stats = emperor.stats();
        stats["daemons"].as_array()?.iter().find(|one| one["name"] == name && wanted(one)).cloned()
    })
}

/// Its process, once it runs for the `starts`th time.
fn running(emperor: &Emperor, name: &str, starts: u64) -> Process {
    let is = |one: &Value| one["state"] == "running" && one["starts"] == starts && one["pid"] != -1;
    Process::of(i32::try_from(wait(emperor, name, is)["pid"].as_i64().unwrap()).unwrap())
}

/// Whoever minds them.
fn household(emperor: &Emperor) -> Process {
    emperor.process.child_named("liege daemons")
}

/// `liege VERB ADDRESS WORDS...`, by this user: what it says, and its exit status.
fn said_by(uid: u32, emperor: &Emperor, words: &[&str]) -> (String, i32) {
    let id = uid.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(emperor.tree.path("liege"));
    command.arg(words[0]).arg(emperor.stats_socket()).args(&words[1..]);
    let output = command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (text, output.status.code().unwrap())
}

fn said(emperor: &Emperor, words: &[&str]) -> (String, i32) {
    said_by(0, emperor, words)
}

#[test]
fn the_lines_of_one_are_read_alone_by_root_and_nobody_else() {
    let emperor = start(&[
        "name=one,cmd=echo of one; exec sleep 1000000",
        "name=two,cmd=echo of two; exec sleep 1000000",
    ]);
    let tail = |uid, name: &str| {
        let id = u32::to_string(&uid);
        let mut command = Command::new("setpriv");
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(emperor.tree.path("liege"));
        command.arg("tail").arg(emperor.tree.path("run/stats.sock.control")).arg(name);
        String::from_utf8(command.stdin(Stdio::null()).output().unwrap().stdout).unwrap()
    };
    eventually("a line of each", || {
        let is = |name: &str| tail(0, &format!("emperor/{name}")) == format!("of {name}\n");
        (is("one") && is("two")).then_some(())
    });
    assert_eq!(tail(0, "emperor").lines().count(), 2);
    assert_eq!(tail(ALICE, "emperor/one"), "");
    let (why, _) = said(&emperor, &["why", "emperor/one"]);
    assert!(
        why.starts_with("emperor/one: running since") && why.ends_with("it wrote last:\n    | of one\n"),
        "{why}"
    );
    emperor.stop();
}

/// Rows D1 and P8: three descriptors, a clean environment, nothing of the Emperor's own.
#[test]
fn one_has_three_descriptors_and_the_environment_of_the_administrator() {
    let tree = Tree::new();
    let line = "name=tell,env=OWN=1,cmd=echo fds $(ls /proc/self/fd | wc -l); env > tell.new; mv tell.new tell; exec sleep 1000000";
    let emperor = begin(tree, &[line])
        .options(&["--env", "GIVEN=2"])
        .variable("SECRET", "s")
        .variable("NOTIFY_SOCKET", "/nowhere")
        .start();
    running(&emperor, "tell", 1);
    // `ls` itself has the directory open.
    emperor.wait_for_line(|line| line == "fds 4");
    let environment =
        eventually("its environment", || Some(emperor.tree.text("tell")).filter(|text| !text.is_empty()));
    let names: Vec<&str> =
        environment.lines().filter_map(|line| line.split_once('=')).map(|one| one.0).collect();
    for name in ["OWN", "GIVEN", "PATH", "HOME", "USER"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for name in ["SECRET", "NOTIFY_SOCKET", "UWSGI_EMPEROR_FD"] {
        assert!(!names.contains(&name), "{names:?}");
    }
    emperor.stop();
}

#[test]
fn they_end_after_the_last_vassal_and_one_that_does_not_is_killed() {
    let tree = Tree::new();
    let gone = tree.path("gone");
    let vassal = tree.script(
        "vassal",
        &format!("trap 'touch {}; exit' TERM; echo minds; while :; do sleep 0.01; done", gone.display()),
    );
    tree.vassal("shop.ini", &format!("command = {}\n", vassal.display()));
    let script = format!(
        "trap '[ -e {} ] && echo after the vassal; exit' TERM; echo polite minds; while :; do sleep 0.01; done",
        gone.display()
    );
    let daemons = [
        &*format!("name=polite,cmd={}", script.replace(',', "\\,")),
        "name=stubborn,grace=1,cmd=trap '' TERM; echo stubborn minds; setsid sleep 1000000 & while :; do sleep 0.01; done",
    ];
    let emperor = begin(tree, &daemons).start();
    let (polite, stubborn) = (running(&emperor, "polite", 1), running(&emperor, "stubborn", 1));
    emperor.vassal("shop.ini");
    for minds in ["minds", "polite minds", "stubborn minds"] {
        emperor.wait_for_line(|line| line == minds);
    }
    emperor.signal(Signal::TERM);
    emperor.wait_for_line(|line| line == "after the vassal");
    stubborn.wait_gone();
    polite.wait_gone();
    emperor.stop();
}

#[test]
fn at_a_reload_the_smart_ones_stay_and_hear_of_it_and_the_others_begin_anew() {
    let daemons = [
        "name=dumb,cmd=sleep 1000000",
        "name=smart,pidfile=smart.pid,daemonize,cmd=sleep 1000000",
        "name=noted,pidfile=noted.pid,daemonize,notifypid,cmd=trap 'echo the word of a reload' HUP; echo traps; while :; do sleep 0.01; done",
    ];
    let emperor = start(&daemons);
    let (dumb, smart) = (running(&emperor, "dumb", 1), running(&emperor, "smart", 1));
    let noted = running(&emperor, "noted", 1);
    assert_eq!(emperor.tree.text("smart.pid").trim(), smart.pid.to_string());
    emperor.wait_for_line(|line| line == "traps");
    emperor.signal(Signal::HUP);
    emperor.wait_for_line(|line| line == "the word of a reload");
    dumb.wait_gone();
    let is_new = |one: &Value| one["state"] == "running" && one["pid"] != -1 && one["pid"] != dumb.pid;
    wait(&emperor, "dumb", is_new);
    assert_eq!(
        (running(&emperor, "smart", 1).pid, running(&emperor, "noted", 1).pid),
        (smart.pid, noted.pid)
    );
    emperor.stop();
}

#[test]
fn nothing_is_left_of_whoever_minds_them_when_he_is_killed_and_no_vassal_is_disturbed() {
    let emperor =
        start(&["name=many,cmd=setsid sleep 1000001 & (trap '' TERM; sleep 1000002) & exec sleep 1000003"]);
    let vassal = emperor.vassal("shop.ini");
    running(&emperor, "many", 1);
    let before = emperor.wait_for_programs("sleep", 4);
    let before: Vec<&Process> = before.iter().filter(|one| one.command_line()[1] != "1000000").collect();
    assert_eq!(before.len(), 3);
    household(&emperor).signal(Signal::KILL);
    before.iter().for_each(|one| one.wait_gone());
    emperor.wait_for_line(|line| line.contains("whoever minds them ended (signal:9)"));
    running(&emperor, "many", 1);
    emperor.wait_for_programs("sleep", 4);
    assert_eq!(emperor.vassal("shop.ini").pid, vassal.pid);
    // A signal that means everybody is nothing to him: the Emperor says when they end.
    let (minds, daemon) = (household(&emperor), running(&emperor, "many", 1));
    minds.signal(Signal::TERM);
    minds.signal(Signal::HUP);
    assert_eq!(said_once(&emperor, "many"), daemon.pid);
    assert!(minds.is_alive());
    emperor.stop();
}

/// After whatever was said before: he answers in turn.
fn said_once(emperor: &Emperor, name: &str) -> i32 {
    assert_eq!(said(emperor, &["start", &format!("emperor/{name}")]).1, 0);
    running(emperor, name, 1).pid
}

#[test]
fn nothing_of_them_outlives_an_emperor_that_is_killed() {
    let daemons = [
        "name=dumb,cmd=setsid sleep 1000001 & exec sleep 1000002",
        "name=smart,pidfile=smart.pid,daemonize,cmd=sleep 1000003",
    ];
    let mut emperor = start(&daemons);
    running(&emperor, "smart", 1);
    running(&emperor, "dumb", 1);
    emperor.kill();
    emperor.wait_deserted();
}

#[test]
fn one_that_crashes_is_paced_and_one_with_control_ends_the_emperor() {
    let mut emperor = start(&["name=crash,cmd=exit 3", "name=control,control,cmd=sleep 1000001"]);
    let vassal = emperor.vassal("shop.ini");
    wait(&emperor, "crash", |one| one["state"] == "throttled" && one["starts"].as_u64() > Some(2));
    assert!(
        vassal.is_alive()
            && emperor
                .lines
                .has(|line| line.contains("daemon crash ended with status 3; it is started again in "))
    );
    running(&emperor, "control", 1).signal(Signal::KILL);
    assert_eq!(emperor.wait().code(), Some(0));
    emperor.wait_for_line(|line| line.contains("one with `control` has ended"));
    emperor.stop();
}

#[test]
fn they_are_steered_and_shown_by_the_name_of_the_emperor() {
    let emperor = start(&["name=cache,cmd=sleep 1000001", "name=jobs,cmd=sleep 1000002"]);
    let cache = running(&emperor, "cache", 1);
    running(&emperor, "jobs", 1);
    assert_eq!(said(&emperor, &["start", "emperor/cache"]), ("emperor/cache: already started\n".into(), 0));
    assert_eq!(said(&emperor, &["restart", "emperor/cache"]), ("emperor/cache: restarted\n".into(), 0));
    assert!(!cache.is_alive());
    assert_eq!(said(&emperor, &["stop", "*/cache"]), ("emperor/cache: stopped\n".into(), 0));
    let (text, status) = said(&emperor, &["status", "emperor/cache"]);
    assert!(
        text.contains("daemon emperor/cache stopped pid -  starts 2\n") && !text.contains("jobs"),
        "{text}"
    );
    assert_eq!((status, said(&emperor, &["status", "emperor/jobs"]).1), (3, 0));
    assert_eq!(said(&emperor, &["status", "emperor/nobody"]).1, 4);
    let (text, status) = said(&emperor, &["why", "emperor/jobs"]);
    assert!(status == 0 && text.starts_with("emperor/jobs: running since "), "{text}");
    assert_eq!(said(&emperor, &["signal", "KILL", "emperor/jobs"]), ("emperor/jobs: signalled\n".into(), 0));
    running(&emperor, "jobs", 2);
    let (text, status) = said(&emperor, &["stop", "emperor/nobody"]);
    assert!(status == 1 && text.contains("there is no vassal `emperor/nobody`"), "{text}");
    emperor.stop();
}

/// Row C4: to a tenant they are not there, by no name or pattern; a vassal of his that is called alike is his own.
#[test]
fn a_tenant_neither_sees_nor_steers_them() {
    let tree = Tree::new();
    tree.liege();
    tree.vassal_of(ALICE, "emperor.ini", "attach-daemon2 = name=cache,cmd=sleep 1000001\n");
    let options = ["--emperor-tyrant", "--emperor-stats-for-tenants"];
    let emperor =
        begin(tree, &["name=cache,cmd=sleep 1000002", "name=jobs,cmd=echo of-jobs; exec sleep 1000003"])
            .options(&options)
            .start();
    let (cache, jobs) = (running(&emperor, "cache", 1), running(&emperor, "jobs", 1));
    emperor.wait_stats("emperor.ini", |one| one["daemons"][0]["state"] == "running");
    for word in ["emperor/jobs", "*/jobs", "emperor/j*"] {
        for verb in ["stop", "restart", "start", "reload"] {
            let (text, status) = said_by(ALICE, &emperor, &[verb, word]);
            assert!(status == 1 && text.contains("or it is not yours"), "{text}");
            assert_eq!(said_by(BOB, &emperor, &[verb, word]).1, 1);
        }
    }
    assert_eq!(said_by(ALICE, &emperor, &["restart", "emperor/*"]).0, "emperor.ini/cache: restarted\n");
    let (text, _) = said_by(ALICE, &emperor, &["status", "--json"]);
    assert!(!text.contains("jobs"), "{text}");
    // That is her own.
    let (text, status) = said_by(ALICE, &emperor, &["tail", "emperor"]);
    assert!(status == 0 && !text.contains("of-jobs"), "{text}");
    assert_eq!(said_by(BOB, &emperor, &["tail", "emperor"]).1, 1);
    eventually("what they write", || {
        said(&emperor, &["tail", "emperor"]).0.contains("of-jobs").then_some(())
    });
    assert_eq!(said(&emperor, &["restart", "emperor/cache"]), ("emperor/cache: restarted\n".into(), 0));
    let his = emperor.stats_of("emperor.ini").unwrap();
    assert_eq!(his["daemons"][0]["starts"], 2, "root's word was not about his");
    assert_eq!(said(&emperor, &["restart", "emperor.ini/cache"]).0, "emperor.ini/cache: restarted\n");
    assert!(jobs.is_alive() && !cache.is_alive());
    emperor.stop();
}

/// Row F3: whoever stands in its pid file is not taken for it, and gets no signal.
#[test]
fn a_pid_file_that_lies_harms_nobody() {
    let mut stranger = Command::new("sleep").arg("1000000").spawn().unwrap();
    let script = format!(
        "name=liar,pidfile=liar.pid,freq=0,cmd=echo {} > liar.pid; setsid sleep 1000001 & exit 0",
        stranger.id()
    );
    let emperor = start(&[&script]);
    wait(&emperor, "liar", |one| one["state"] == "throttled");
    emperor.wait_for_line(|line| line.contains("its pid file names no process of its own"));
    emperor.stop();
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

/// Rows P1 and P2: exactly the ids that are written, whoever the Emperor is.
#[test]
fn each_is_who_it_is_to_be() {
    let line = "name=other,uid=33,gid=33,cmd=exec sleep 1000001";
    let emperor = start(&[line]);
    let other = running(&emperor, "other", 1);
    for field in ["Uid", "Gid"] {
        eventually("its ids", || (other.status(field) == "33 33 33 33").then_some(()));
    }
    assert_eq!((other.status("Groups"), other.status("NoNewPrivs")), ("33".into(), "1".into()));
    assert_eq!(other.status("CapEff"), "0000000000000000");
    emperor.stop();

    let tree = Tree::new();
    let id = ALICE.to_string();
    let emperor = begin(tree, &["name=own,cmd=exec sleep 1000001"])
        .serving_as(ALICE)
        .options(&["--uid", &id, "--gid", &id])
        .start();
    let own = running(&emperor, "own", 1);
    assert_eq!(own.status("Uid"), format!("{ALICE} {ALICE} {ALICE} {ALICE}"));
    assert_eq!((own.status("Groups"), own.status("CapBnd")), (String::new(), "0000000000000000".into()));
    emperor.stop();
}

#[test]
fn the_emperor_of_an_ordinary_user_has_them_too() {
    let tree = Tree::new();
    let daemons = ["--attach-daemon2", "name=own,cmd=exec sleep 1000001"];
    let emperor = Start::owned(tree, ALICE).options(&daemons).by_user(ALICE).start();
    let own = running(&emperor, "own", 1);
    assert_eq!(own.status("Uid"), format!("{ALICE} {ALICE} {ALICE} {ALICE}"));
    own.signal(Signal::KILL);
    running(&emperor, "own", 2);
    emperor.stop();
}

#[test]
fn what_they_write_is_kept_as_what_vassals_write() {
    let tree = Tree::new();
    tree.liege();
    let emperor = begin(tree, &["name=talks,cmd=echo it talks; exec sleep 1000001"])
        .options(&["--vassals-log", "none"])
        .start();
    eventually("its line", || said(&emperor, &["tail", "emperor"]).0.contains("it talks\n").then_some(()));
    emperor.stop();
}

#[test]
fn what_they_cannot_have_is_refused_with_its_line() {
    for (line, wanted) in [
        ("attach-daemon2 = cmd=cat,stdin", "no standard input to keep"),
        ("ssh = 2201", "is an option of a vassal, not of the Emperor"),
        ("attach-daemon2 = cmd=cat,uid=root", "root is nobody to become"),
    ] {
        let tree = Tree::new();
        let config = tree.path("emperor.ini");
        std::fs::write(&config, format!("[uwsgi]\nemperor = {}\n{line}\n", tree.vassals().display()))
            .unwrap();
        // Whoever is not refused would govern.
        let mut command = Command::new("timeout");
        command.args(["20", common::LIEGE, "--ini"]).arg(&config).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(
            output.status.code() == Some(1) && text.contains(wanted) && text.contains("emperor.ini:3:"),
            "{text}"
        );
    }
}
