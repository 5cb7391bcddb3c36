//! What the administrator has done around vassals: when, with which rights, and what a failure does.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;
mod neighbour;

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::{ALICE, Emperor, LIEGE, Start, Tree, eventually, liege, siege};
use neighbour::{IDLE, JAILS, alices, jailed, serve};
use rustix::fs::{FileType, Mode, mknodat};

const UWSGI: &str = "/usr/bin/uwsgi";
/// Is started again and again.
const CRASH: &str = "command = /bin/false\n";

fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    tree
}

/// A file that everybody may write to.
fn log(tree: &Tree) -> PathBuf {
    let path = tree.path("log");
    std::fs::write(&path, "").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    path
}

fn fifo(tree: &Tree) -> PathBuf {
    let path = tree.path("fifo");
    mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    path
}

/// Those that are done in order by one side.
fn of_side<'a>(text: &'a str, side: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.starts_with(side)).collect()
}

/// Every phase writes a line; mounts are seen by the program behind them.
fn options_of_every_phase(top: &Path, log: &Path) -> Vec<String> {
    let (top, log) = (top.display(), log.display());
    let say = |side: &str, what: &str| format!("exec:echo {side} {what} >> {log}");
    vec![
        format!("--hook-emperor-start={}", say("emperor", "start")),
        format!("--hook-as-vassal={}", say("vassal", "hook $(id -u)")),
        format!("--exec-as-vassal=echo vassal exec $(id -u) >> {log}"),
        format!(
            "--exec-as-emperor=echo emperor exec $UWSGI_VASSAL_CONFIG $UWSGI_VASSAL_UID $(grep -c ' {top}/m ' /proc/self/mounts) $(grep -c ' {top}/n ' /proc/self/mounts) >> {log}"
        ),
        format!("--umount-as-emperor={top}/n"),
        format!("--mount-as-emperor=tmpfs none {top}/m"),
        format!("--hook-as-emperor=mount:tmpfs none {top}/n"),
        format!("--hook-as-emperor={}", say("emperor", "hook")),
    ]
}

fn run_every_phase(program: &str, further: &[&str]) -> String {
    let tree = Tree::new();
    let (top, log) = (tree.path(""), log(&tree));
    tree.dir("m");
    tree.dir("n");
    tree.vassal_of(ALICE, "x.ini", IDLE);
    let vassal = tree.liege();
    let options = options_of_every_phase(Path::new(top.to_str().unwrap().trim_end_matches('/')), &log);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let start = Start::in_tree(tree)
        .program(&[program])
        .options(&["--emperor-tyrant"])
        .options(&options)
        .options(further);
    // Its mounts are nobody else's.
    let mut emperor =
        start.options(&["--binary-path", vassal.to_str().unwrap()]).through(&["unshare", "--mount"]).start();
    emperor.expect_no_tidy_end();
    eventually("the last phase of both sides", || {
        let text = std::fs::read_to_string(&log).unwrap();
        (text.contains("emperor exec") && text.contains("vassal exec")).then_some(text)
    })
}

#[test]
fn every_phase_is_done_as_uwsgi_does_it() {
    // Not every uWSGI has it.
    let before = ["--hook-as-emperor-before-vassal", "exec:echo first >> log"];
    let drop = ["--hook-as-vassal-before-drop", "exec:echo vassal before-drop $(id -u) >> log"];
    let before = [&before[..], &drop, &["--jail", "none"]].concat();
    let (theirs, ours) = (run_every_phase(UWSGI, &[]), run_every_phase(LIEGE, &before));
    for side in ["emperor", "vassal"] {
        let shared = |line: &&str| !line.contains("before-drop");
        let shared: Vec<&str> = of_side(&ours, side).into_iter().filter(shared).collect();
        assert_eq!(shared, of_side(&theirs, side));
    }
    assert_eq!(of_side(&ours, "emperor"), ["emperor start", "emperor hook", "emperor exec x.ini 61001 1 0"]);
    assert_eq!(of_side(&ours, "vassal"), ["vassal before-drop 0", "vassal hook 61001", "vassal exec 61001"]);
    assert_eq!(ours.lines().position(|line| line == "first"), Some(1), "{ours}");
}

/// The start ends, is paced, and the sentence names the step; another vassal is not concerned.
fn assert_ends_its_start(option: &str, hook: &str, told: &str) {
    let tree = tree();
    let ran = tree.script("ran", "echo the program of $1 ran; exec sleep 1000000");
    tree.vassal_of(ALICE, "bad.ini", &format!("command = {} bad\n", ran.display()));
    let (emperor, neighbour) = serve(tree, |start| {
        // The hook knows for whom it is done, by its environment or by the file of its directory.
        let start = start.options(&["--emperor-tyrant", "--emperor-use-clone", JAILS[0]]);
        start.option(format!("--{option}")).option(hook)
    });
    let line = emperor.wait_for("bad.ini", told);
    assert!(line.contains(&format!("cannot do {option}")) && line.contains("(step "), "{line}");
    emperor.wait_for("bad.ini", "throttling it");
    assert!(!emperor.lines.has(|line| line.contains("the program of bad ran")));
    neighbour.assert_served();
}

#[test]
fn a_failure_before_a_vassal_ends_that_start_alone() {
    let hook = "exec:test $UWSGI_VASSAL_CONFIG != bad.ini";
    assert_ends_its_start("hook-as-emperor-before-vassal", hook, "ended with status 1 (step ");
}

#[test]
fn a_program_that_was_killed_has_failed() {
    let hook = "exec:test $UWSGI_VASSAL_CONFIG != bad.ini || kill -KILL $$";
    assert_ends_its_start("hook-as-emperor-before-vassal", hook, "was killed by signal 9 (step ");
}

#[test]
fn a_failure_as_vassal_ends_that_start_alone() {
    let hook = format!("exec:test $(id -u) != {ALICE}");
    assert_ends_its_start("hook-as-vassal", &hook, "ended with status 1 (step ");
    assert_ends_its_start("exec-as-vassal", &hook["exec:".len()..], "ended with status 1 (step ");
}

#[test]
fn a_failure_before_the_drop_ends_the_start_with_its_cause() {
    let tree = tree();
    tree.vassal_of(ALICE, "x.ini", IDLE);
    let emperor = Emperor::start(
        tree,
        &["--emperor-use-clone", "fs", "--hook-as-vassal-before-drop", "!mkdir:/proc/nowhere"],
    );
    let line = emperor.wait_for("x.ini", "hook-as-vassal-before-drop");
    assert!(line.contains("cannot do hook-as-vassal-before-drop (hidden): ENOENT (step "), "{line}");
    assert!(!emperor.lines.has(|line| line.contains("nowhere")), "what is hidden was shown");
}

#[test]
fn what_fails_as_emperor_is_told_and_the_rest_is_done() {
    let tree = Tree::new();
    tree.vassal("x.ini", IDLE);
    let nowhere = tree.path("nowhere").display().to_string();
    let emperor = Emperor::start(
        tree,
        &[
            "--hook-as-emperor",
            "exec:kill -KILL $$",
            "--mount-as-emperor",
            &format!("tmpfs none {nowhere}"),
            "--umount-as-emperor",
            &nowhere,
            "--exec-as-emperor",
            "exit 3",
            "--exec-as-emperor",
            "echo the last of $UWSGI_VASSAL_CONFIG",
        ],
    );
    emperor.wait_for_line(|line| line == "the last of x.ini");
    for told in [
        "hook-as-emperor `exec:kill -KILL $$` was killed by signal 9",
        "cannot do mount-as-emperor",
        "cannot do umount-as-emperor",
        "exec-as-emperor `exit 3` ended with status 3",
    ] {
        emperor.wait_for("x.ini", told);
    }
    assert!(emperor.vassal("x.ini").is_alive());
}

/// More of them than starts that may be under way at once.
const SLOW: usize = 20;

#[test]
fn a_hook_that_hangs_keeps_nobody_else_from_starting() {
    for option in ["--hook-as-emperor-before-vassal", "--hook-as-emperor", "--hook-as-vassal"] {
        let tree = Tree::new();
        let fifo = fifo(&tree);
        for number in 0..SLOW {
            tree.vassal(&format!("slow{number}.ini"), IDLE);
        }
        // Of a vassal its directory knows nothing: there its command line does.
        let hook = format!(
            "exec:case $UWSGI_VASSAL_CONFIG$(tr '\\0' ' ' < /proc/$PPID/cmdline) in *slow*) cat {};; esac",
            fifo.display()
        );
        let emperor = Emperor::start(tree, &[option, &hook]);
        emperor.tree.vassal("quick.ini", IDLE);
        emperor.vassal("quick.ini");
        if option != "--hook-as-emperor" {
            assert!(!emperor.lines.has(|line| line.contains("slow") && line.contains("has been spawned")));
        }
        // Who waits hears no stop, and is killed when its time is over: let it go on, and whoever comes later.
        let opened = std::fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        let empty = emperor.tree.path("empty");
        std::fs::write(&empty, "").unwrap();
        std::fs::rename(empty, &fifo).unwrap();
        drop(opened);
        drop(emperor);
    }
}

#[test]
fn a_vassal_waits_for_what_is_done_before_it() {
    let tree = Tree::new();
    let fifo = fifo(&tree);
    let log = log(&tree);
    tree.vassal(
        "x.ini",
        &format!("command = /bin/sh -c \"echo program >> {}; exec sleep 1000000\"\n", log.display()),
    );
    let namespace = "readlink /proc/$UWSGI_VASSAL_PID/ns/net /proc/self/ns/net";
    let hook =
        format!("exec:echo begun; cat {}; {namespace}; echo done >> {}", fifo.display(), log.display());
    let emperor =
        Emperor::start(tree, &["--emperor-use-clone", "net,pid", "--hook-as-emperor-before-vassal", &hook]);
    emperor.wait_for_line(|line| line == "begun");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "");
    std::fs::OpenOptions::new().write(true).open(&fifo).unwrap().write_all(b"go on\n").unwrap();
    let vassal = emperor.vassal("x.ini");
    eventually("the program", || std::fs::read_to_string(&log).ok().filter(|text| text == "done\nprogram\n"));
    // Its network is there already: devices can be moved into it.
    assert!(emperor.lines.has(|line| line == vassal.namespace("net")));
}

fn has_user(jail: &str) -> bool {
    jail == "standard" || jail.contains("user")
}

#[test]
fn hooks_run_where_and_as_whom_they_should() {
    for jail in JAILS {
        let tree = tree();
        let show = |what: &str| format!("exec:echo {what} $(readlink /proc/self/ns/net) $(id -u) $(id -G)");
        alices(&tree, "x.ini", IDLE);
        let setns = format!("net,uts {}", show("setns"));
        let (emperor, neighbour) = serve(tree, |start| {
            let start = start.options(&["--emperor-tyrant", jailed(jail), jail]);
            let start = start.options(&["--hook-as-vassal-before-drop", &show("before-drop")]);
            let start =
                start.options(&["--hook-as-vassal", &show("as-vassal"), "--hook-as-emperor-setns", &setns]);
            // Row P1: groups of whoever started the Emperor.
            start.through(&["setpriv", "--groups", "0,4,27,42"])
        });
        let vassal = emperor.vassal("x.ini");
        let theirs = vassal.namespace("net");
        let root = if has_user(jail) { ("0", "0") } else { (&*format!("{ALICE}"), &*format!("{ALICE}")) };
        emperor.wait_for_line(|line| line == format!("as-vassal {theirs} {} {}", root.0, root.1));
        // Root of the host has no name in a namespace that is not its own.
        let host = if has_user(jail) { "65534" } else { "0" };
        emperor.wait_for_line(|line| line.starts_with(&format!("before-drop {theirs} {host}")));
        emperor.wait_for_line(|line| line.starts_with(&format!("setns {theirs} 0 0")));
        neighbour.assert_served();
    }
}

/// What root of a jail has done before its program is there: every handler. `ROOTS` and `HERS` are directories of root's
/// and of the tenant's, `SOCKET` listens, `FIFO` is read.
const EVERY_HANDLER: [&str; 28] = [
    "mkdir:ROOTS/made",
    "chmod:ROOTS/made 0750",
    "sticky:ROOTS/made",
    "create:ROOTS/created",
    "write:ROOTS/written one",
    "writen:ROOTS/line one",
    "append:ROOTS/written two",
    "appendn:ROOTS/line two",
    "unlink:ROOTS/created",
    "chown:HERS/file 0 0",
    "chown2:HERS/file 0 0",
    "writefifo:ROOTS/quiet nobody reads",
    "spinningfifo:FIFO text",
    "putenv:DONE=1",
    "cd:ROOTS",
    "exec:test \"$DONE\" = 1 && test -e written",
    "safeexec:exit 3",
    "mount:tmpfs none /mnt nosuid size=1m",
    "exec:grep -q \" /mnt tmpfs \" /proc/self/mounts",
    "umount:/mnt",
    "hostname:box",
    "exec:test \"$(uname -n)\" = box && hostname box2",
    "ifdown:lo",
    "ifup:lo",
    "wait_for_dir:ROOTS/made",
    "wait_for_file:ROOTS/line",
    "wait_for_socket:SOCKET",
    "print:every handler is done",
];

/// In the default jail as well, of which nothing is said here.
#[test]
fn every_handler_has_the_power_over_a_jail_before_the_drop() {
    for jail in [&["--emperor-use-clone", JAILS[0]][..], &["--emperor-use-clone", JAILS[1]], &[]] {
        let tree = tree();
        let quiet = tree.dir("roots").join("quiet");
        mknodat(rustix::fs::CWD, &quiet, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        let hers = tree.path("alice/file");
        tree.place(&hers, ALICE, "hers");
        let (fifo, socket) = (fifo(&tree), tree.path("socket"));
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || std::fs::read_to_string(fifo).unwrap()
        });
        alices(&tree, "x.ini", IDLE);
        let named = |hook: &str| {
            let names = [
                ("ROOTS", tree.path("roots")),
                ("HERS", tree.path("alice")),
                ("FIFO", fifo.clone()),
                ("SOCKET", socket.clone()),
            ];
            names
                .iter()
                .fold(hook.to_owned(), |hook, (name, path)| hook.replace(name, path.to_str().unwrap()))
        };
        let hooks = EVERY_HANDLER.map(named);
        let start = Start::in_tree(tree).option("--emperor-tyrant").options(jail);
        let start = start.option("--emperor").option(socket.with_file_name("alice"));
        let options = hooks.iter().flat_map(|hook| ["--hook-as-vassal-before-drop", hook]);
        let emperor = start.options(&options.collect::<Vec<_>>()).start();
        let vassal = emperor.vassal("x.ini");
        emperor.wait_for("x.ini", "every handler is done");
        drop(listener);
        std::fs::remove_file(&socket).unwrap();
        assert_eq!(reader.join().unwrap(), "text");
        let text = |name: &str| std::fs::read_to_string(emperor.tree.path(name)).unwrap();
        assert_eq!((text("roots/written"), text("roots/line")), ("onetwo".into(), "one\ntwo\n".into()));
        assert_eq!(std::fs::metadata(emperor.tree.path("roots/made")).unwrap().mode() & 0o7777, 0o1750);
        let owner = if jail == ["--emperor-use-clone", JAILS[0]] { 0 } else { ALICE };
        assert_eq!(std::fs::metadata(&hers).unwrap().uid(), owner);
        // The power went with the hooks.
        let command = vassal.child_named("sleep");
        assert_eq!((command.status("CapAmb"), command.status("CapInh")), ("0".repeat(16), "0".repeat(16)));
    }
}

/// Outside of its jail it is nobody who may do anything, whatever it holds inside.
#[test]
fn the_power_before_the_drop_ends_at_the_jail() {
    for jail in [JAILS[1], "standard"] {
        let tree = tree();
        let shadow = tree.path("secret");
        tree.place(&shadow, 61_003, "theirs");
        std::fs::set_permissions(&shadow, PermissionsExt::from_mode(0o600)).unwrap();
        alices(&tree, "x.ini", IDLE);
        let tries = tree.script(
            "tries",
            &format!(
                "cat {0} 2>/dev/null && echo escaped: read; chown 61001 {0} 2>/dev/null && echo escaped: chown\n\
                 mknod $0.disk b 7 0 2>/dev/null && echo escaped: mknod\necho tried",
                shadow.display()
            ),
        );
        let hook = format!("exec:{}", tries.display());
        let (emperor, neighbour) = serve(tree, |start| {
            start.options(&["--emperor-tyrant", jailed(jail), jail, "--hook-as-vassal-before-drop", &hook])
        });
        emperor.wait_for_line(|line| line == "tried");
        emperor.vassal("x.ini");
        assert!(!emperor.lines.has(|line| line.starts_with("escaped") || line == "theirs"), "{jail}");
        neighbour.assert_served();
    }
}

/// Without its mounts a tenant's own root could lead us anywhere: there nothing is done with more rights than it has.
#[test]
fn among_the_mounts_of_a_vassal_a_hook_has_its_rights_only() {
    let tree = tree();
    alices(&tree, "x.ini", IDLE);
    let made = tree.path("alice/made").display().to_string();
    let secret = tree.path("secret");
    std::fs::write(&secret, "roots\n").unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let (emperor, neighbour) = serve(tree, |start| {
        let start = start.options(&["--emperor-tyrant", "--emperor-use-clone", JAILS[1]]);
        let start = start.option("--hook-as-emperor-setns").option(format!("fs,user,pid writen:{made} hers"));
        start
            .option("--hook-as-emperor-setns")
            .option(format!("fs,user exec:cat {} || echo groups $(id -G)", secret.display()))
    });
    emperor.wait_for_line(|line| line.contains("secret: Permission denied"));
    emperor.wait_for_line(|line| line == "groups 0");
    assert_eq!(emperor.tree.text("alice/made"), "hers\n");
    let owner = std::fs::metadata(&made).unwrap().uid();
    assert_eq!(owner, ALICE);
    assert!(!emperor.lines.has(|line| line == "roots"));
    neighbour.assert_served();
}

/// Row D5: the process that was made is meant, and none that has its number later.
#[test]
fn nothing_is_done_in_the_namespaces_of_a_vassal_that_has_ended() {
    let tree = Tree::new();
    let fifo = fifo(&tree);
    let config = tree.vassal("x.ini", IDLE);
    let emperor = Emperor::start(
        tree,
        &[
            "--emperor-use-clone",
            "net,pid",
            "--hook-as-emperor",
            &format!("exec:echo begun; cat {}", fifo.display()),
            "--hook-as-emperor-setns",
            "net exec:echo somewhere",
        ],
    );
    emperor.wait_for_line(|line| line == "begun");
    let vassal = emperor.vassal("x.ini");
    std::fs::remove_file(config).unwrap();
    vassal.wait_gone();
    emperor.wait_for("x.ini", "removed uwsgi instance");
    std::fs::OpenOptions::new().write(true).open(&fifo).unwrap().write_all(b"go on\n").unwrap();
    emperor.wait_for("x.ini", "cannot join the namespaces net of the vassal: ESRCH");
    assert!(!emperor.lines.has(|line| line == "somewhere"));
}

#[test]
fn what_is_put_into_the_environment_reaches_hooks_behind_it_and_the_program() {
    let tree = Tree::new();
    let (log, log_of) = (log(&tree), log(&tree).display().to_string());
    tree.vassal(
        "x.ini",
        &format!("command = /bin/sh -c \"echo program $A $B >> {log_of}; exec sleep 1000000\"\n"),
    );
    let emperor = Emperor::start(
        tree,
        &[
            "--hook-as-vassal-before-drop",
            "putenv:B=before",
            "--hook-as-vassal",
            "putenv:A=1",
            "--hook-as-vassal",
            "cd:/proc/self",
            "--hook-as-vassal",
            &format!("exec:echo hook $A $B $PWD >> {log_of}"),
        ],
    );
    emperor.vassal("x.ini");
    let text = eventually("the program", || {
        std::fs::read_to_string(&log).ok().filter(|text| text.contains("program"))
    });
    assert!(text.starts_with("hook 1 before /proc/"), "{text}");
    assert!(text.ends_with("\nprogram 1 before\n"), "{text}");
}

#[test]
fn an_emperor_whose_start_hook_fails_does_not_start() {
    for (hook, told) in [
        ("exec:exit 3", "hook-emperor-start `exec:exit 3` ended with status 3"),
        ("mkdir:/proc/x", "cannot do hook-emperor-start `mkdir:/proc/x`: ENOENT"),
        ("exec:kill -KILL $$", "was killed by signal 9"),
    ] {
        let tree = Tree::new();
        tree.vassal("x.ini", IDLE);
        let vassals = tree.vassals().display().to_string();
        let output = liege(&[
            "--emperor",
            &vassals,
            "--hook-emperor-start",
            "exec:echo first",
            "--hook-emperor-start",
            hook,
        ]);
        let (said, errors) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!((output.status.code(), said.as_str()), (Some(1), "first\n"), "{errors}");
        assert!(errors.contains(told) && !errors.contains("x.ini"), "{errors}");
    }
}

/// Names that a shell, a program's options or a path would understand.
const NAMES: [&str; 6] = ["$(id).ini", "`id`.ini", "a b.ini", "%n\".ini", "&.ini", "*.ini"];
/// Names that are no vassal's at all.
const REFUSED: [&str; 3] = ["-rf.ini", "--help.ini", "a\nb.ini"];

/// Row I7: one argument each, whatever it is called.
#[test]
fn a_name_is_one_argument_and_nothing_else() {
    let tree = Tree::new();
    let log = log(&tree);
    let note = tree.script(
        "note",
        &format!(
            "printf '%s|%s|%s|%s\\0' \"${{0##*/}}\" $# \"$1\" \"$UWSGI_VASSALS_DIR\" >> {}",
            log.display()
        ),
    );
    let stop = tree.path("stop");
    std::fs::copy(&note, &stop).unwrap();
    for name in NAMES.iter().chain(&REFUSED) {
        tree.vassal_of(ALICE, name, IDLE);
    }
    let vassals = tree.vassals();
    let emperor = Start::in_tree(tree)
        .options(&["--emperor-tyrant", "--emperor-use-clone", "pid"])
        .option("--vassals-start-hook")
        .option(&note)
        .option("--vassals-stop-hook")
        .option(&stop)
        .start();
    let noted = |which: &str| {
        let text = std::fs::read_to_string(&log).unwrap();
        let of = |one: &str| one.strip_prefix(&format!("{which}|")).map(str::to_owned);
        let mut list: Vec<String> = text.split('\0').filter_map(of).collect();
        list.sort();
        list
    };
    let mut started: Vec<String> =
        NAMES.iter().map(|name| format!("1|{}|{}", name, vassals.display())).collect();
    started.sort();
    assert_eq!(
        eventually("all to start", || Some(noted("note")).filter(|all| all.len() >= NAMES.len())),
        started
    );
    // The hook comes before the program, and who never ran is not missed.
    for name in NAMES {
        emperor.wait_stats(name, |one| one["pid"].as_i64().is_some_and(|pid| pid > 0));
    }
    // One goes by itself, all others when the Emperor ends.
    std::fs::remove_file(vassals.join("a b.ini")).unwrap();
    eventually("its farewell", || Some(noted("stop")).filter(|all| all.len() == 1));
    let mut emperor = emperor;
    emperor.signal(rustix::process::Signal::TERM);
    emperor.wait();
    assert_eq!(noted("stop"), started, "the same words and the same directory");
}

#[test]
fn a_tenants_mount_needs_and_gets_root_of_its_own() {
    let tree = tree();
    alices(&tree, "x.ini", IDLE);
    let at = tree.path("run").display().to_string();
    let (emperor, neighbour) = serve(tree, |start| {
        let start = start.options(&["--emperor-tyrant", "--emperor-use-clone", JAILS[1]]);
        let start = start.options(&["--mount-as-vassal", &format!("tmpfs none {at} ro")]);
        start.options(&["--exec-as-vassal", &format!("echo mounted $(grep -c ' {at} ' /proc/self/mounts)")])
    });
    emperor.wait_for_line(|line| line == "mounted 1");
    emperor.vassal("x.ini");
    neighbour.assert_served();
}

/// Each kind of process that does something of the administrator's, all of them doing this.
fn every_kind(program: &str) -> Vec<String> {
    [
        ("hook-emperor-start", "exec:"),
        ("hook-as-emperor-before-vassal", "exec:"),
        ("hook-as-vassal-before-drop", "exec:"),
        ("hook-as-vassal", "exec:"),
        ("exec-as-vassal", ""),
        ("hook-as-emperor", "exec:"),
        ("exec-as-emperor", ""),
        ("hook-as-emperor-setns", "net,ipc exec:"),
    ]
    .iter()
    .flat_map(|(option, handler)| [format!("--{option}"), format!("{handler}{program} {option}")])
    .collect()
}

const KINDS: [&str; 10] = [
    "hook-emperor-start",
    "hook-as-emperor-before-vassal",
    "hook-as-vassal-before-drop",
    "hook-as-vassal",
    "exec-as-vassal",
    "hook-as-emperor",
    "exec-as-emperor",
    "hook-as-emperor-setns",
    // These are told the name of the vassal instead.
    "x.ini",
    "neighbour.ini",
];

/// Rows D1 and P8: open secrets in the Emperor's hands, variables in its environment, variables of the tenant's.
#[test]
fn no_hook_sees_descriptors_or_variables_of_others() {
    for jail in JAILS {
        let tree = tree();
        // The shell itself holds the directory that it lists, and the script that it reads.
        let list = tree.script(
            "list",
            "cd /proc/$$/fd && echo descriptors of $1: *\nenv | sed \"s/^/variable of $1: /\"",
        );
        let options = every_kind(list.to_str().unwrap());
        alices(&tree, "x.ini", &format!("env = LD_PRELOAD=hers\nenv = PATH=/hers\n{IDLE}"));
        let (mut emperor, neighbour) = serve(tree, |start| {
            let secrets = "exec 9</etc/shadow 77</etc/shadow 200>/dev/null; exec \"$@\"";
            let start = start.through(&["/bin/bash", "-c", secrets, "bash"]).variable("SECRET", "roots");
            let start = start
                .variable("BASH_ENV", "roots")
                .variable("IFS", "roots")
                .variable("LD_LIBRARY_PATH", "roots");
            let start = start.options(&["--emperor-tyrant", jailed(jail), jail]);
            let start = start
                .option("--vassals-start-hook")
                .option(&list)
                .option("--vassals-stop-hook")
                .option(&list);
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            start.options(&options)
        });
        emperor.vassal("x.ini");
        for kind in KINDS {
            emperor.wait_for_line(|line| line == format!("descriptors of {kind}: 0 1 10 2 3"));
            let path = format!("variable of {kind}: PATH=/usr/local/sbin:");
            emperor.wait_for_line(|line| line.starts_with(&path));
        }
        neighbour.assert_served();
        emperor.signal(rustix::process::Signal::TERM);
        emperor.wait();
        let of_x = emperor.lines.count(|line| line == "descriptors of x.ini: 0 1 10 2 3");
        assert_eq!(of_x, 2, "its start and its stop");
        let leaked = |line: &str| {
            line.starts_with("variable of") && (line.ends_with("=roots") || line.contains("hers"))
        };
        assert!(!emperor.lines.has(leaked));
        let odd = |line: &str| line.starts_with("descriptors of") && !line.ends_with(": 0 1 10 2 3");
        assert!(!emperor.lines.has(odd));
    }
}

/// What a tenant would like root to do, through a directory of its own.
const TOUCHES: [&str; 9] = [
    "write:TENANT/x/passwd owned",
    "append:TENANT/x/passwd owned",
    "create:TENANT/x/passwd",
    "chmod:TENANT/x/passwd 0666",
    "chown2:TENANT/x/passwd 61001 61001",
    "unlink:TENANT/x/passwd",
    "mkdir:TENANT/x/new",
    "sticky:TENANT/x",
    "chown2:TENANT/x 61001 61001",
];
/// The same where a file of hers is what is changed.
const FILE_TOUCHES: [&str; 4] =
    ["write:TENANT/f owned", "append:TENANT/f owned", "chmod:TENANT/f 0666", "chown2:TENANT/f 61001 61001"];
/// So often at least a hook meets a link, in all; a hundred thousand take minutes
/// (`LIEGE_RACES=100000 cargo test --test hooks_of_the_emperor no_swap`).
const RACES: usize = 600;
/// Vassals of hers whose starts are besieged together, and as many more as there are hundreds of races in a siege.
const VASSALS: usize = 5;
/// With which hook each turn begins. A start ends with its first failure: so each of them is among the first three in
/// one of the turns, and behind none that fails always (a file that is not there, a directory that is there already).
const TURNS: [usize; 7] = [0, 3, 5, MKDIR, 7, 9, 11];
/// The one that tells for good that it met the directory and not the link.
const MKDIR: usize = 6;

/// The victim, a tenant's directory, and an Emperor that starts a vassal of its with these hooks.
fn besieged(tree: Tree, body: &str, jail: &str, hooks: &[String]) -> Emperor {
    alices(&tree, "hers.ini", body);
    let hooks: Vec<&str> = hooks.iter().map(String::as_str).collect();
    let tenant = tree.path("alice");
    let start = Start::in_tree(tree).option("--emperor").option(tenant).options(&hooks);
    start.options(&["--emperor-tyrant", "--emperor-use-clone", jail, "--emperor-no-blacklist"]).start()
}

fn victim(tree: &Tree) -> PathBuf {
    let victim = tree.dir("etc");
    std::fs::write(victim.join("passwd"), "roots").unwrap();
    victim
}

fn is_untouched(victim: &Path) -> bool {
    let (of_file, of_directory) =
        (std::fs::metadata(victim.join("passwd")).unwrap(), std::fs::metadata(victim).unwrap());
    let as_before = (of_file.uid(), of_file.mode() & 0o7777) == (0, 0o644);
    let directory_as_before = (of_directory.uid(), of_directory.mode() & 0o7777) == (0, 0o755);
    let text = std::fs::read(victim.join("passwd")).unwrap();
    text == b"roots" && as_before && directory_as_before && !victim.join("new").exists()
}

/// With and without a user namespace, in which root of the host still owns what it owns, and a tenant is called root.
const SIEGES: [(&str, &str); 4] = [
    (JAILS[0], "as-emperor"),
    (JAILS[0], "as-emperor-before-vassal"),
    (JAILS[0], "as-vassal-before-drop"),
    (JAILS[1], "as-vassal-before-drop"),
];

/// Row F1.
#[test]
fn no_link_of_a_tenant_leads_a_hook_of_the_administrators_to_the_victim() {
    for (jail, phase) in SIEGES {
        for touch in TOUCHES {
            let tree = tree();
            let (tenant, victim) = (tree.path("alice"), victim(&tree));
            neighbour::link_of(ALICE, &victim, &tenant.join("x"));
            let touch = touch.replace("TENANT", tenant.to_str().unwrap());
            let emperor = besieged(tree, IDLE, jail, &[format!("--hook-{phase}"), touch.clone()]);
            emperor.wait_for_line(|line| line.contains("hers.ini") && line.contains("ELOOP"));
            assert!(is_untouched(&victim), "{phase} {touch}");
        }
    }
}

/// Row F1, while both stand there in turn.
#[test]
fn no_swap_of_a_tenant_leads_a_hook_of_the_administrators_to_the_victim() {
    for (jail, phase) in SIEGES {
        // Where a failure is told only, one order is enough.
        let turns = if phase == "as-emperor" { &TURNS[..1] } else { &TURNS };
        let wanted = siege::races(RACES).div_ceil(SIEGES.len() * turns.len());
        let links: usize = turns.iter().map(|first| siege_of((jail, phase), *first, wanted)).sum();
        println!("{phase} in {jail}: {links} hooks met a link");
    }
}

/// How many hooks of this phase met a link: as many as wanted or more, and one at least met the directory where the
/// first is one that can tell so, or none keeps those behind it from their turn.
fn siege_of((jail, phase): (&str, &str), first: usize, wanted: usize) -> usize {
    let tree = tree();
    let (tenant, victim) = (tree.path("alice"), victim(&tree));
    let pairs = pairs(&tenant, &victim);
    // In her user namespace she is root, and the host's ids have no number.
    let ids = if jail == JAILS[1] { "0 0" } else { "61001 61001" };
    let mut touches: Vec<&str> = TOUCHES.into_iter().chain(FILE_TOUCHES).collect();
    touches.rotate_left(first);
    let words = |touch: &str| touch.replace("TENANT", tenant.to_str().unwrap()).replace("61001 61001", ids);
    let hooks: Vec<String> =
        touches.iter().flat_map(|touch| [format!("--hook-{phase}"), words(touch)]).collect();
    for number in 1..VASSALS + wanted / 100 {
        alices(&tree, &format!("hers{number}.ini"), CRASH);
    }
    // The Emperor has the tree, which has to be there until the attacker is gone.
    let (links, _emperor) = siege::besieged(&pairs, || {
        let emperor = besieged(tree, CRASH, jail, &hooks);
        let links = meet_links(&emperor, wanted);
        if first == MKDIR || phase == "as-emperor" {
            let made = ["x", "link"].map(|name| tenant.join(name).join("new"));
            eventually("a hook that meets the directory", || {
                made.iter().any(|new| new.exists()).then_some(())
            });
        }
        assert!(is_untouched(&victim), "{phase}");
        (links, emperor)
    });
    links
}

/// A directory and a file of hers, each beside a link to the victim's.
fn pairs(tenant: &Path, victim: &Path) -> [siege::Pair; 2] {
    let [x, link, f, trap] = ["x", "link", "f", "trap"].map(|name| tenant.join(name));
    std::fs::create_dir(&x).unwrap();
    std::fs::write(&f, "").unwrap();
    for path in [&x, &f] {
        std::os::unix::fs::chown(path, Some(ALICE), Some(ALICE)).unwrap();
    }
    std::os::unix::fs::symlink(victim, &link).unwrap();
    std::os::unix::fs::symlink(victim.join("passwd"), &trap).unwrap();
    [(x, link), (f, trap)]
}

/// Waits until so many hooks were refused for a link, however long that takes as long as there are more of them.
fn meet_links(emperor: &Emperor, wanted: usize) -> usize {
    let (mut met, mut mark) = (0, 0);
    while met < wanted {
        let end = eventually("one more hook that meets a link", || {
            let end = emperor.lines.mark();
            (emperor.lines.count_since(mark, is_refused) > 0).then_some(end)
        });
        met += emperor.lines.count_since(mark, is_refused) - emperor.lines.count_since(end, is_refused);
        mark = end;
    }
    met
}

fn is_refused(line: &str) -> bool {
    line.contains("ELOOP")
}

/// The same attacker against root who looks first and then writes by name: he is fast enough.
#[test]
fn whoever_looks_first_and_writes_by_name_hits_the_victim() {
    let tree = tree();
    let victim = victim(&tree);
    let hit = siege::careless_hits(&tree.path("alice/f"), &victim.join("passwd"));
    assert!(hit, "the attacker is too slow for anybody: so nothing was shown");
}
