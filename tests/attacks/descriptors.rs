//! Descriptors that could leak, and the binary that everybody runs. Rows D1, D3 and D6.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::common::{ALICE, Emperor, LIEGE, Process, Start, Tree};
use crate::neighbour::{IDLE, JAILS, Neighbour, alices, jailed, serve};

/// A tree in which Alice has a directory.
fn tree() -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    tree
}

/// What is left of a list of open descriptors, each with its kind only.
fn kinds(process: &Process) -> BTreeMap<i32, String> {
    let kind = |name: String| name.split(':').next().unwrap_or_default().to_owned();
    process.descriptors().into_iter().map(|(number, name)| (number, kind(name))).collect()
}

fn numbers(process: &Process) -> Vec<i32> {
    process.descriptors().into_keys().collect()
}

/// Row D1: with open secrets in the Emperor's own hands.
#[test]
fn a_vassal_a_program_and_a_hook_have_exactly_their_descriptors() {
    for jail in JAILS {
        let tree = tree();
        // At that moment the shell itself holds the directory that it lists, at the lowest free number, and at 10 the
        // script that it reads.
        let list = tree.script("list", "cd /proc/$$/fd && echo descriptors of $1: *");
        let hook = |phase: &str| format!("{} {phase}", list.display());
        let (mine, theirs) = (hook("as-vassal"), hook("as-emperor"));
        alices(&tree, "x.ini", &format!("exec-as-user = {}\n{IDLE}", hook("as-user")));
        let (emperor, neighbour) = serve(tree, |start| {
            let secrets = "exec 9</etc/shadow 77</etc/shadow 200>/dev/null; exec \"$@\"";
            let start = start.through(&["/bin/bash", "-c", secrets, "bash"]);
            let start = start.options(&["--emperor-tyrant", jailed(jail), jail]);
            start.options(&["--exec-as-vassal", &mine, "--exec-as-emperor", &theirs])
        });
        let hers = emperor.vassal("x.ini");
        assert_eq!(numbers(&hers.child()), [0, 1, 2]);
        assert_eq!(kinds(&neighbour.process.child())[&3], "socket");
        assert_eq!(numbers(&neighbour.process.child()), [0, 1, 2, 3]);
        for phase in ["as-user", "as-vassal", "as-emperor"] {
            let wanted = format!("descriptors of {phase}: 0 1 10 2 3");
            emperor.wait_for_line(|line| line == wanted);
        }
        assert_nobody_holds(&emperor, "/etc/shadow");
        neighbour.assert_served();
    }
}

/// The Emperor itself had them from whoever started it; nobody else may.
fn assert_nobody_holds(emperor: &Emperor, secret: &str) {
    for process in emperor.cgroup.pids().into_iter().map(Process::of) {
        let holds = process.descriptors().values().any(|name| name == secret);
        assert!(!holds || process.pid == emperor.process.pid, "{}", process.command_line().join(" "));
    }
}

fn digest(path: &str) -> String {
    let output = std::process::Command::new("/usr/bin/sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

/// Row D3: from inside, as root of the namespace or as real root, by every path that leads to the binary.
#[test]
fn nobody_overwrites_the_binary_that_everybody_runs() {
    for (jail, tyrant) in [(JAILS[0], true), (JAILS[1], true), (JAILS[0], false)] {
        let tree = tree();
        let attack = "for exe in /proc/1/exe /proc/self/exe /proc/$PPID/exe; do\n\
                      test $(readlink $exe) = /bin/dash || echo x 2>/dev/null >> $exe && echo overwrote $exe\n\
                      done\necho tried; exec sleep 1000000";
        let attack = tree.script("attack", attack);
        let body = format!("command = {}\n", attack.display());
        if tyrant {
            alices(&tree, "x.ini", &body)
        } else {
            tree.vassal("x.ini", &body)
        };
        let before = digest(LIEGE);
        let (emperor, neighbour) = serve(tree, |start| {
            let start = start.options(&[jailed(jail), jail]);
            if tyrant { start.option("--emperor-tyrant") } else { start }
        });
        emperor.wait_for_line(|line| line == "tried");
        assert!(!emperor.lines.has(|line| line.contains("overwrote /proc/1/")));
        assert_is_sealed(&emperor.vassal("x.ini"));
        assert_eq!(digest(LIEGE), before);
        neighbour.assert_served();
    }
}

/// Even real root outside of every jail cannot write to what a vassal runs.
fn assert_is_sealed(vassal: &Process) {
    let exe = PathBuf::from(format!("/proc/{}/exe", vassal.pid));
    assert!(std::fs::read_link(&exe).unwrap().display().to_string().contains("memfd:"), "runs from a file");
    assert!(std::fs::OpenOptions::new().write(true).open(&exe).is_err());
}

/// Row D3: a script whose interpreter is the process that runs it.
#[test]
fn a_script_whose_interpreter_is_the_vassal_itself_is_run_as_its_owner_and_overwrites_nothing() {
    let tree = tree();
    let script = tree.path("trick.ini");
    tree.place(&script, 0, "#!/proc/self/exe --emperor=/nowhere\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    alices(&tree, "x.ini", &format!("command = {}\n", script.display()));
    let before = digest(LIEGE);
    let (emperor, neighbour) =
        serve(tree, |start| start.options(&["--emperor-tyrant", "--emperor-use-clone", JAILS[0]]));
    let inner = emperor.vassal("x.ini").child();
    assert_eq!(inner.status("Uid"), "61001 61001 61001 61001");
    assert_eq!(inner.status("CapEff"), "0000000000000000");
    assert_eq!(digest(LIEGE), before);
    neighbour.assert_served();
}

/// Row D6: each of the three, and all of them; what is missing is `/dev/null`, never a socket of somebody's.
#[test]
fn an_emperor_started_without_standard_descriptors_lends_its_vassals_none_of_its_own() {
    for closing in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        for jail in JAILS {
            let tree = tree();
            alices(&tree, "x.ini", IDLE);
            Neighbour::settle(&tree);
            let alice = tree.path("alice");
            let start = Start::in_tree(tree).option("--emperor").option(alice);
            let start = start.through(&["/bin/sh", "-c", &format!("exec \"$@\" {closing}"), "sh"]);
            let emperor = start.options(&["--emperor-tyrant", jailed(jail), jail]).start();
            let hers = process_in_stats(&emperor, "x.ini");
            let neighbour = Neighbour::of(&emperor, process_in_stats(&emperor, "neighbour.ini"));
            for process in [&hers, &hers.child(), &neighbour.process] {
                let kinds = kinds(process);
                let fine = |number| kinds[&number] == "/dev/null" || kinds[&number] == "pipe";
                assert!((0..3).all(fine), "{closing}: {kinds:?}");
                assert_eq!(kinds[&0], "/dev/null");
            }
            assert_eq!(numbers(&hers.child()), [0, 1, 2], "{closing}");
        }
    }
}

fn process_in_stats(emperor: &Emperor, vassal: &str) -> Process {
    let row = emperor.wait_stats(vassal, |row| row["ready"] == 1);
    Process::of(i32::try_from(row["pid"].as_i64().unwrap()).unwrap())
}
