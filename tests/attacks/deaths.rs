//! Deaths at the worst moment, and numbers of processes that come to stand for others. Rows P7, N8 and N9.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::common::{ALICE, Emperor, Process, Start, Tree, eventually};
use crate::neighbour::{IDLE, JAILS, Neighbour, alices, jailed, rule, tyranny};
use rustix::process::Signal;

/// A tree in which Alice has this many configs.
fn crowded(size: usize) -> Tree {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    (0..size).for_each(|number| drop(alices(&tree, &format!("x{number}.ini"), IDLE)));
    tree
}

/// The spawner: the child of the Emperor that runs the same program under that name.
fn spawner(emperor: &Emperor) -> Process {
    eventually("the spawner", || {
        let children = emperor.process.children();
        children.into_iter().find(|one| one.command_line().join(" ").contains("spawner"))
    })
}

/// Row P7: with starts under way in any state.
#[test]
fn a_killed_emperor_leaves_nobody_however_far_the_starts_were() {
    for jail in JAILS {
        for born in [1, 10, 25] {
            let tree = crowded(60);
            let alice = tree.path("alice");
            let mut emperor = Start::bare(tree)
                .option("--emperor")
                .option(alice)
                .options(&["--emperor-tyrant", jailed(jail), jail])
                .start();
            wait_for_starts(&emperor, born);
            emperor.kill();
            emperor.wait_deserted();
        }
    }
}

/// As a service manager does with all processes of a service, and a terminal with all of its foreground.
#[test]
fn a_signal_that_reaches_the_spawner_too_leaves_the_end_to_the_emperor() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
        let tree = Tree::new();
        tree.vassal("a.ini", "command = sleep infinity\n");
        let emperor = Emperor::start(tree, &[]);
        emperor.vassal("a.ini");
        spawner(&emperor).signal(signal);
        emperor.tree.vassal("b.ini", "command = sleep infinity\n");
        emperor.vassal("b.ini");
        emperor.stop();
    }
}

/// Row P7: the spawner dies in the middle of its work; the Emperor cannot go on without it, and says so.
#[test]
fn an_emperor_whose_spawner_was_killed_ends_and_leaves_nobody() {
    for jail in JAILS {
        for born in [1, 10, 25] {
            let (mut emperor, _) = rule(crowded(60), jail, &[]);
            wait_for_starts(&emperor, born);
            spawner(&emperor).signal(Signal::KILL);
            emperor.expect_no_tidy_end();
            assert_eq!(emperor.wait().code(), Some(1));
            emperor.wait_deserted();
            assert_eq!(
                emperor.cgroup.children(),
                Vec::<std::path::PathBuf>::new(),
                "an Emperor that is root clears away"
            );
            emperor.wait_for_line(|line| line.contains(" error ") && line.contains("spawner"));
        }
    }
}

fn wait_for_starts(emperor: &Emperor, count: usize) {
    let started = |line: &str| line.contains("started with pid");
    eventually("starts", || (emperor.lines.count(started) >= count).then_some(()));
}

/// Row P7: nothing of the vassals' hangs on the Emperor; what happened meanwhile is made up for.
#[test]
fn a_stopped_emperor_disturbs_nobody_and_catches_up() {
    for jail in JAILS {
        let (emperor, neighbour) = tyranny(jail, &[]);
        let path = alices(&emperor.tree, "x.ini", IDLE);
        let dies = emperor.vassal("x.ini");
        alices(&emperor.tree, "goes.ini", IDLE);
        emperor.vassal("goes.ini");
        emperor.signal(Signal::STOP);
        neighbour.assert_served();
        let mark = emperor.lines.mark();
        dies.signal(Signal::KILL);
        alices(&emperor.tree, "comes.ini", IDLE);
        std::fs::remove_file(path.with_file_name("goes.ini")).unwrap();
        neighbour.assert_served();
        emperor.signal(Signal::CONT);
        emperor.vassal_since(mark, "x.ini");
        emperor.vassal_since(mark, "comes.ini");
        emperor.wait_since(mark, "goes.ini", "removed uwsgi instance");
        neighbour.assert_served();
    }
}

/// A tree of processes that tries to outlive its parent: out of its session, and orphaned.
const CLINGING: &str = "setsid sh -c 'sleep 1000000 & sleep 1000000 & wait' &\n\
                        (setsid sleep 1000000 &)\ntrap '' TERM INT HUP\necho clinging\n\
                        while :; do sleep 1000000; done";

/// Row N8: all die with the first process of a jail, and it comes back.
#[test]
fn a_jail_whose_first_process_was_killed_is_emptied_and_made_anew() {
    for jail in JAILS {
        let tree = Tree::new();
        tree.dir_of(ALICE, "alice");
        let clinging = tree.script("clinging", CLINGING);
        alices(&tree, "x.ini", &format!("command = {}\n", clinging.display()));
        let (emperor, neighbour) = rule(tree, jail, &["--emperor-curse-tolerance", "1"]);
        let first = emperor.vassal("x.ini");
        emperor.wait_for_line(|line| line == "clinging");
        let inmates = inmates(&emperor, &first);
        assert!(inmates.len() >= 4, "{}", inmates.len());
        let mark = emperor.lines.mark();
        first.signal(Signal::KILL);
        emperor.wait_since(mark, "x.ini", "died (signal 9)");
        let second = emperor.vassal_since(mark, "x.ini");
        inmates.iter().for_each(Process::wait_gone);
        assert_ne!(second.pid, first.pid);
        neighbour.assert_served();
    }
}

/// Everybody in the pid namespace of this process.
fn inmates(emperor: &Emperor, first: &Process) -> Vec<Process> {
    let namespace = first.namespace("pid");
    let everybody = emperor.cgroup.pids().into_iter().map(Process::of);
    everybody.filter(|one| one.namespace("pid") == namespace).collect()
}

/// Row N8: it neither reaps nor hears anything; the Emperor has an end to its patience.
#[test]
fn a_jail_whose_first_process_is_deaf_is_ended_all_the_same() {
    for jail in JAILS {
        let tree = Tree::new();
        tree.dir_of(ALICE, "alice");
        let clinging = tree.script("clinging", CLINGING);
        let path = alices(&tree, "x.ini", &format!("command = {}\n", clinging.display()));
        let (emperor, neighbour) = rule(tree, jail, &["--emperor-curse-tolerance", "1"]);
        let first = emperor.vassal("x.ini");
        emperor.wait_for_line(|line| line == "clinging");
        let inmates = inmates(&emperor, &first);
        first.signal(Signal::STOP);
        std::fs::remove_file(path).unwrap();
        emperor.wait_for("x.ini", "killed with everything in its jail");
        inmates.iter().for_each(Process::wait_gone);
        emperor.wait_for("x.ini", "removed uwsgi instance");
        neighbour.assert_served();
    }
}

/// Row N8: the tenant's own program kills or stops whatever it sees.
#[test]
fn a_program_that_kills_everything_it_sees_ends_only_itself() {
    for jail in JAILS {
        let tree = Tree::new();
        tree.dir_of(ALICE, "alice");
        let amok =
            tree.script("amok", "echo amok; kill -STOP 1; kill -KILL 1; kill -KILL -1; exec sleep 1000000");
        let path = alices(&tree, "x.ini", &format!("command = {}\n", amok.display()));
        let (emperor, neighbour) = rule(tree, jail, &["--emperor-curse-tolerance", "1"]);
        emperor.wait_for_line(|line| line == "amok");
        std::fs::remove_file(path).unwrap();
        emperor.wait_for("x.ini", "removed uwsgi instance");
        neighbour.assert_served();
    }
}

/// A process outside of every vassal that is given a certain number in the pid namespace of the Emperor.
struct Namesake(Child);

impl Namesake {
    /// `None` when the number is taken.
    fn with(inside: &Process, pid: i64) -> Option<Self> {
        let script =
            format!("echo {} > /proc/sys/kernel/ns_last_pid; sleep 1000000 & echo $!; wait", pid - 1);
        let mut command = Command::new("/usr/bin/nsenter");
        command.args(["--target", &inside.pid.to_string(), "--pid", "--mount", "/bin/sh", "-c", &script]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let namesake = Self(child);
        (line.trim() == pid.to_string()).then_some(namesake)
    }

    /// It and the shell that made it live.
    fn assert_alive(&mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "the namesake was killed");
    }
}

impl Drop for Namesake {
    fn drop(&mut self) {
        let top = Process::of(self.0.id().cast_signed());
        let shells = top.children();
        shells.iter().flat_map(Process::children).for_each(|one| one.signal(Signal::KILL));
        shells.iter().for_each(|one| one.signal(Signal::KILL));
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Row N9: with numbers that are given out again on purpose.
#[test]
fn a_stranger_who_has_the_number_of_a_dead_vassal_gets_none_of_its_signals() {
    let tree = crowded(1);
    Neighbour::settle(&tree);
    let alice = tree.path("alice");
    // Its end would be that of everybody in its pid namespace, so the first shell of that stays as long as this file.
    let stay = tree.path("stay");
    std::fs::write(&stay, "").unwrap();
    let apart = [
        "unshare",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "/bin/sh",
        "-c",
        "\"$@\"; code=$?; while [ -e \"$0\" ]; do sleep 0.01; done; exit $code",
        stay.to_str().unwrap(),
    ];
    let start = Start::in_tree(tree).option("--emperor").option(alice).through(&apart);
    let mut emperor = start.options(&["--emperor-tyrant", "--emperor-curse-tolerance", "1"]).start();
    let liege = eventually("liege below a shell", || {
        let shell = emperor.process.children().pop()?;
        shell.children().pop().filter(|one| one.command_line()[0].ends_with("liege"))
    });
    emperor.wait_stats("neighbour.ini", |row| row["ready"] == 1);
    let neighbour = Neighbour::of(&emperor, outside(&liege, "neighbour.ini"));
    let mut namesakes = vec![outlive(&emperor, &liege, false), outlive(&emperor, &liege, true)];
    namesakes.iter_mut().for_each(Namesake::assert_alive);
    neighbour.assert_served();
    liege.signal(Signal::TERM);
    liege.wait_gone();
    namesakes.iter_mut().for_each(Namesake::assert_alive);
    drop(namesakes);
    std::fs::remove_file(stay).unwrap();
    emperor.wait();
}

/// The process of a vassal, by its number out here.
fn outside(liege: &Process, vassal: &str) -> Process {
    eventually(vassal, || {
        let mut children = liege.children();
        children.retain(|one| one.command_line().iter().any(|word| word == vassal));
        children.pop()
    })
}

/// Kills the vassal, gives its number to a stranger, and ends the vassal for good: as asked, or by force.
fn outlive(emperor: &Emperor, liege: &Process, deaf: bool) -> Namesake {
    let row = emperor.wait_stats("x0.ini", |row| row["ready"] == 1);
    let (vassal, number) = (outside(liege, "x0.ini"), row["pid"].as_i64().unwrap());
    liege.signal(Signal::STOP);
    vassal.signal(Signal::KILL);
    vassal.wait_gone();
    assert!(
        Namesake::with(liege, number).is_none(),
        "the number of a process that nobody reaped was given out"
    );
    liege.signal(Signal::CONT);
    emperor.wait_stats("x0.ini", |again| again["ready"] == 1 && again["pid"] != row["pid"]);
    let namesake = eventually("the number of the dead", || Namesake::with(liege, number));
    let vassal = outside(liege, "x0.ini");
    if deaf {
        vassal.signal(Signal::STOP);
    }
    let mark = emperor.lines.mark();
    std::fs::remove_file(emperor.tree.path("alice/x0.ini")).unwrap();
    emperor.wait_since(mark, "x0.ini", "removed uwsgi instance");
    alices(&emperor.tree, "x0.ini", IDLE);
    namesake
}
