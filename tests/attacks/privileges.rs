//! Privileges that a tenant could get hold of: by a file, by a helper, by the environment, by a crash.
//! Rows P3, P6, P8 and P9.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{ALICE, Emperor, Process, Tree, copy_program};
use crate::neighbour::{IDLE, JAILS, alices, jailed, rule, serve};

const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
const NONE: &str = "0000000000000000";

/// A tree in which Alice has a directory.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    tree
}

/// A copy of a program with this mode, root's.
fn copy(tree: &Tree, program: &str, name: &str, mode: u32) -> PathBuf {
    let path = tree.path(name);
    copy_program(program, &path);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

/// Every capability in the permitted set (`capabilities(7)`, file capabilities, version 2).
fn give_capabilities(path: &Path) {
    let words: [u32; 5] = [0x0200_0000, u32::MAX, 0, u32::MAX, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    rustix::fs::setxattr(path, "security.capability", &bytes, rustix::fs::XattrFlags::empty()).unwrap();
}

/// Row P3.
#[test]
fn a_program_with_file_capabilities_has_none_of_them() {
    for jail in JAILS {
        let tree = tree();
        let capable = copy(&tree, "/bin/sleep", "capable", 0o755);
        give_capabilities(&capable);
        alices(&tree, "x.ini", &format!("command = {} 1000000\n", capable.display()));
        let (emperor, neighbour) = rule(tree, jail, &[]);
        let program = emperor.vassal("x.ini").child();
        assert_eq!(program.status("NoNewPrivs"), "1");
        for set in ["CapInh", "CapAmb"] {
            assert_eq!(program.status(set), NONE, "root of a jail passes nothing on: {set}");
        }
        if jail.contains("user") {
            assert_ne!(
                program.namespace("user"),
                Process::of(std::process::id().cast_signed()).namespace("user")
            );
        } else {
            SETS.iter().for_each(|set| assert_eq!(program.status(set), NONE, "{set}"));
        }
        neighbour.assert_served();
    }
}

/// Row P3: a config of root's that gives up root keeps exactly what it lists.
#[test]
fn a_config_of_roots_keeps_exactly_the_capabilities_that_it_lists() {
    let tree = tree();
    let capable = copy(&tree, "/bin/sleep", "capable", 0o755);
    give_capabilities(&capable);
    let ids = format!("uid = {ALICE}\ngid = {ALICE}\n");
    tree.vassal("none.ini", &format!("{ids}command = {} 1000000\n", capable.display()));
    // A file with capabilities of its own would clear the ambient ones.
    tree.vassal("one.ini", &format!("{ids}cap = net_bind_service\n{IDLE}"));
    let (emperor, neighbour) = serve(tree, |start| start.options(&["--emperor-use-clone", JAILS[0]]));
    for (name, held) in [("none.ini", NONE), ("one.ini", "0000000000000400")] {
        let program = emperor.vassal(name).child();
        assert_eq!(program.status("NoNewPrivs"), "1", "{name}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(program.status(set), held, "{set} of {name}");
        }
    }
    neighbour.assert_served();
}

/// Looks for any process whose memory it may open while that still runs the spawner's program.
const WATCHER: &str = r#"$| = 1; my %known; print "looking\n";
while (1) {
    opendir(my $proc, "/proc") or die;
    for my $pid (grep { /^\d+$/ && !$known{$_} } readdir $proc) {
        open(my $memory, "+<", "/proc/$pid/mem") or next;
        open(my $arguments, "<", "/proc/$pid/cmdline") or next;
        my $line = <$arguments> // "";
        if ($line =~ /spawner/) { print "reached $line\n" } else { $known{$pid} = 1 }
    }
}
"#;

/// Row P6.
#[test]
fn a_tenant_never_reaches_into_a_child_that_is_on_its_way_to_her_program() {
    for jail in JAILS {
        let (emperor, neighbour) = rule(tree(), jail, &[]);
        let watcher = emperor.tree.path("watcher.pl");
        emperor.tree.place(&watcher, 0, WATCHER);
        let mut perl = Command::new("/usr/bin/perl");
        perl.arg(watcher).uid(ALICE).gid(ALICE).stdout(Stdio::piped());
        let mut perl = perl.spawn().unwrap();
        let mut said = BufReader::new(perl.stdout.take().unwrap()).lines();
        assert_eq!(said.next().unwrap().unwrap(), "looking");
        for round in 0..4 {
            start_and_stop_many(&emperor, round);
        }
        perl.kill().unwrap();
        perl.wait().unwrap();
        assert_eq!(said.map_while(Result::ok).collect::<Vec<_>>(), Vec::<String>::new());
        neighbour.assert_served();
    }
}

fn start_and_stop_many(emperor: &Emperor, round: usize) {
    let names: Vec<String> = (0..40).map(|number| format!("r{round}n{number}.ini")).collect();
    let paths: Vec<PathBuf> = names.iter().map(|name| alices(&emperor.tree, name, IDLE)).collect();
    for name in &names {
        emperor.wait_for(name, "has been spawned");
    }
    paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    for name in &names {
        emperor.wait_for(name, "removed uwsgi instance");
    }
}

/// Row P6: those with privileges are closed to their own uid too.
#[test]
fn the_memory_of_the_emperor_and_its_spawner_is_closed_to_their_uid() {
    let tree = tree();
    chown(tree.path("run"), Some(61_003), Some(61_003)).unwrap();
    let (emperor, neighbour) = serve(tree, |start| {
        let start = start.options(&["--emperor-tyrant", "--emperor-use-clone", JAILS[0]]);
        start.options(&["--uid", "61003", "--gid", "61003"])
    });
    for process in emperor.cgroup.pids().into_iter().map(Process::of).filter(is_out_here) {
        let mut reader = Command::new("/bin/cat");
        reader.arg(format!("/proc/{}/environ", process.pid)).uid(61_003).gid(61_003);
        assert!(!reader.output().unwrap().status.success(), "{}", process.command_line().join(" "));
    }
    neighbour.assert_served();
}

/// True for the Emperor and its spawner: vassals have a pid namespace of their own.
fn is_out_here(process: &Process) -> bool {
    process.namespace("pid") == Process::of(std::process::id().cast_signed()).namespace("pid")
}

/// Variables by which a program or a shell is made to do something else.
const HOSTILE: [&str; 6] = ["LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "ENV", "IFS", "GCONV_PATH"];

/// Row P8: nothing of the Emperor's reaches the tenant, nothing of hers reaches a hook of the administrator's.
#[test]
fn the_environment_is_clean_both_ways() {
    for jail in JAILS {
        let tree = tree();
        let dump = tree.script("dump", "env | sed \"s/^/$1: /\"");
        let hostile: String = HOSTILE.iter().map(|name| format!("env = {name}=hers\n")).collect();
        alices(&tree, "x.ini", &format!("env = PATH=/hers\n{hostile}{IDLE}"));
        let (as_vassal, as_emperor) =
            (format!("{} as-vassal", dump.display()), format!("{} as-emperor", dump.display()));
        let (emperor, neighbour) = serve(tree, |start| {
            let start =
                start.variable("SECRET", "roots").variable("AWS_KEY", "roots").variable("BASH_ENV", "roots");
            let start = start.options(&["--emperor-tyrant", jailed(jail), jail]);
            start.options(&["--exec-as-vassal", &as_vassal, "--exec-as-emperor", &as_emperor])
        });
        let hers = emperor.vassal("x.ini");
        emperor.wait_for_line(|line| line.contains("as-emperor: UWSGI_VASSAL_CONFIG=x.ini"));
        for process in [&hers, &hers.child(), &neighbour.process, &neighbour.process.child()] {
            let leaked = process.environment().into_iter().find(|one| one.ends_with("=roots"));
            assert_eq!(leaked, None);
        }
        assert!(emperor.lines.has(|line| line.contains("as-vassal: PATH=/usr/local/sbin:")));
        assert!(!emperor.lines.has(|line| line.contains("as-") && line.ends_with("=roots")));
        assert!(!emperor.lines.has(|line| line.contains("as-") && line.contains("hers")));
        neighbour.assert_served();
    }
}

/// Row P9: limits that would allow it, programs that crash at once.
#[test]
fn a_crash_leaves_no_core_of_roots_and_none_outside_her_directory() {
    for jail in JAILS {
        let tree = tree();
        let crash = tree.script("crash", "ulimit -c unlimited; kill -SEGV $$");
        let body = format!("command = {}\n", crash.display());
        alices(&tree, "hers.ini", &body);
        tree.vassal_of(ALICE, "common.ini", &body);
        let (emperor, neighbour) = serve(tree, |start| {
            let start = start.through(&["prlimit", "--core=unlimited:unlimited"]);
            start.options(&["--emperor-tyrant", jailed(jail), jail])
        });
        for name in ["hers.ini", "common.ini"] {
            emperor.wait_for(name, "died (");
        }
        for core in cores(&emperor.tree.path("")) {
            assert_eq!(std::fs::metadata(&core).unwrap().uid(), ALICE, "{}", core.display());
            assert!(core.starts_with(emperor.tree.path("alice")), "{}", core.display());
        }
        neighbour.assert_served();
    }
}

/// Row P9: root's own.
#[test]
fn a_vassal_that_is_still_root_leaves_no_core() {
    let tree = tree();
    let crash = tree.script("crash", "kill -SEGV $$");
    tree.vassal("x.ini", &format!("command = {}\n", crash.display()));
    let (emperor, neighbour) = serve(tree, |start| {
        let start = start.through(&["prlimit", "--core=unlimited:unlimited"]);
        start.options(&["--emperor-use-clone", JAILS[0]])
    });
    emperor.wait_for("x.ini", "died (");
    assert_eq!(cores(&emperor.tree.path("")), Vec::<PathBuf>::new());
    neighbour.assert_served();
}

fn cores(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => cores(&entry.path()),
        _ => vec![entry.path()],
    });
    below
        .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"core")))
        .collect()
}
