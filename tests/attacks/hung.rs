//! File systems that stop answering below a source, and a spawner that does. Row I6.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::common::{ALICE, BOB, Emperor, Hung, Process, Start, Tree, can_hang, eventually};
use rustix::process::Signal;

const IDLE: &str = "[uwsgi]\ncommand = /bin/sleep 1000000\n";
/// What is told of who does not answer.
const SILENCE: &str = "does not answer";

/// The ways in which an Emperor looks: with all rights, and by what its spawner lends.
fn rights() -> [Vec<String>; 2] {
    let id = ALICE.to_string();
    [Vec::new(), ["--uid", &id, "--gid", &id].map(str::to_owned).to_vec()]
}

/// An Emperor of these sources, around a file system that can hang.
fn start(tree: Tree, hung: &Hung, sources: &[PathBuf], options: &[String]) -> Emperor {
    let mut start = Start::bare(tree).options(&["--emperor-freq", "1"]);
    for source in sources {
        start = start.option("--emperor").option(source);
    }
    if !options.is_empty() {
        start = start.serving_as(ALICE);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    hung.around(start.options(&options)).start()
}

/// A tree with tenants `one` and `hung` below `srv`, and the pattern that finds them.
fn tenants() -> (Tree, Hung, PathBuf) {
    let tree = Tree::new();
    for name in ["srv", "srv/one", "srv/hung"] {
        tree.dir(name);
    }
    let hung = Hung::on(&tree, "srv/hung");
    let pattern = tree.path("srv/*/liege.ini");
    (tree, hung, pattern)
}

/// Somebody else is started, reloaded and stopped meanwhile.
fn assert_others_are_served(emperor: &Emperor, directory: &Path, name: &str) {
    let mark = emperor.lines.mark();
    let file = directory.join(Path::new(name).file_name().unwrap());
    std::fs::create_dir_all(directory).unwrap();
    emperor.tree.place(&file, 0, IDLE);
    let first = emperor.vassal_since(mark, name);
    emperor.wait_since(mark, name, "started with pid");
    let mark = emperor.lines.mark();
    emperor.tree.place(&file, 0, &format!("{IDLE}# changed\n"));
    emperor.vassal_since(mark, name);
    first.wait_gone();
    std::fs::remove_file(&file).unwrap();
    emperor.wait_since(mark, name, "removed uwsgi instance");
}

fn told_of_silence(emperor: &Emperor, place: &str) -> usize {
    emperor.lines.count(|line| line.contains(place) && line.contains(SILENCE))
}

fn wait_for_silence(emperor: &Emperor, place: &str) {
    emperor.wait_for_line(|line| line.contains(place) && line.contains(SILENCE));
}

/// The spawner: the child of the Emperor that runs the same program under that name.
fn spawner(emperor: &Emperor) -> Process {
    eventually("the spawner", || {
        let children = emperor.process.children();
        children.into_iter().find(|one| one.command_line().join(" ").contains("spawner"))
    })
}

/// Page faults of all children that a process has reaped (`proc_pid_stat(5)`): 0 if there never was one.
fn faults_of_children(process: &Process) -> u64 {
    let text = process.read("stat");
    let (_, rest) = text.rsplit_once(')').unwrap();
    rest.split_whitespace().nth(8).unwrap().parse().unwrap()
}

/// Row I6, a pattern over tenants.
#[test]
fn a_tenant_whose_file_system_hangs_delays_nobody_and_goes_on() {
    for options in rights().iter().filter(|_| can_hang()) {
        let (tree, hung, pattern) = tenants();
        tree.place(&hung.shown("liege.ini"), 0, IDLE);
        let (srv, theirs) = (tree.path("srv"), tree.path("srv/hung/liege.ini").display().to_string());
        let emperor = start(tree, &hung, &[pattern], options);
        let running = emperor.vassal(&theirs);
        hung.hang();
        let place = srv.join("hung").display().to_string();
        wait_for_silence(&emperor, &place);
        for number in 0..3 {
            let name = srv.join(format!("new{number}/liege.ini"));
            assert_others_are_served(&emperor, name.parent().unwrap(), name.to_str().unwrap());
        }
        assert_eq!(told_of_silence(&emperor, &place), 1, "once");
        assert!(running.is_alive());
        let mark = emperor.lines.mark();
        emperor.tree.place(&hung.shown("liege.ini"), 0, &format!("{IDLE}# changed\n"));
        hung.answer();
        emperor.lines.wait_since(mark, |line| line.contains(&place) && line.contains("can be read again"));
        emperor.vassal_since(mark, &theirs);
        running.wait_gone();
        std::fs::remove_file(hung.shown("liege.ini")).unwrap();
        emperor.wait_since(mark, &theirs, "removed uwsgi instance");
    }
}

/// Row I6: hung from the beginning, then taken away.
#[test]
fn what_never_answered_is_picked_up_when_it_is_unmounted() {
    for options in rights().iter().filter(|_| can_hang()) {
        let (tree, hung, pattern) = tenants();
        let (srv, theirs) = (tree.path("srv"), tree.path("srv/hung/liege.ini").display().to_string());
        // Seen once the file system is no longer in the way.
        tree.place(&srv.join("hung/liege.ini"), 0, IDLE);
        hung.hang();
        let emperor = start(tree, &hung, &[pattern], options);
        let place = srv.join("hung").display().to_string();
        wait_for_silence(&emperor, &place);
        let name = srv.join("one/liege.ini");
        assert_others_are_served(&emperor, name.parent().unwrap(), name.to_str().unwrap());
        hung.unmount(&emperor);
        emperor.vassal(&theirs);
        assert_eq!(told_of_silence(&emperor, &place), 1, "once");
    }
}

/// Row I6, a link out of a source: a crowd of configs on what hangs costs one wait.
#[test]
fn links_onto_a_file_system_that_hangs_delay_nobody_and_are_followed_when_it_answers() {
    for options in rights().iter().filter(|_| can_hang()) {
        let tree = Tree::new();
        tree.dir("mnt");
        let hung = Hung::on(&tree, "mnt");
        let vassals = tree.vassals();
        let names: Vec<String> = (0..20).map(|number| format!("far{number}.ini")).collect();
        for name in &names {
            tree.place(&hung.shown(name), 0, IDLE);
            symlink(tree.path("mnt").join(name), vassals.join(name)).unwrap();
        }
        hung.hang();
        let emperor = start(tree, &hung, std::slice::from_ref(&vassals), options);
        assert_others_are_served(&emperor, &vassals, "near.ini");
        for name in &names {
            emperor.wait_for(name, SILENCE);
        }
        hung.answer();
        let running: Vec<Process> = names.iter().map(|name| emperor.vassal(name)).collect();
        hung.hang();
        wait_for_silence(&emperor, "source=far0.ini");
        assert_others_are_served(&emperor, &vassals, "near.ini");
        assert!(running.iter().all(Process::is_alive));
        // A vassal that dies meanwhile is tried again; the others go on.
        let mark = emperor.lines.mark();
        running[1].signal(Signal::KILL);
        emperor.wait_since(mark, "far1.ini", "cannot be started");
        hung.answer();
        emperor.vassal_since(mark, "far1.ini");
        assert_eq!(emperor.told("far0.ini", SILENCE), 1, "once before it was seen");
        assert_eq!(told_of_silence(&emperor, "source=far0.ini"), 1, "once since");
        assert!(running[0].is_alive());
    }
}

/// Row I6: the source itself; and the Emperor ends while it hangs.
#[test]
fn a_source_that_hangs_stops_nobody_and_does_not_hold_up_the_end() {
    for options in rights().iter().filter(|_| can_hang()) {
        let tree = Tree::new();
        tree.dir("mnt");
        let hung = Hung::on(&tree, "mnt");
        for name in ["one.ini", "two.ini"] {
            tree.place(&hung.shown(name), 0, IDLE);
        }
        let (away, near) = (tree.path("mnt"), tree.vassals());
        let emperor = start(tree, &hung, &[away.clone(), near.clone()], options);
        let running = [emperor.vassal("one.ini"), emperor.vassal("two.ini")];
        hung.hang();
        let place = away.display().to_string();
        wait_for_silence(&emperor, &place);
        assert_others_are_served(&emperor, &near, "near.ini");
        assert_eq!(told_of_silence(&emperor, &place), 1, "once");
        assert!(running.iter().all(Process::is_alive), "an unreachable source is not an empty one");
        let mark = emperor.lines.mark();
        std::fs::remove_file(hung.shown("two.ini")).unwrap();
        emperor.tree.place(&hung.shown("three.ini"), 0, IDLE);
        hung.answer();
        emperor.vassal_since(mark, "three.ini");
        emperor.wait_since(mark, "two.ini", "removed uwsgi instance");
        assert!(running[0].is_alive());
        hung.hang();
        emperor.lines.wait_since(mark, |line| line.contains(&place) && line.contains(SILENCE));
        emperor.stop();
    }
}

/// Row I6: the same from the beginning, also where a source is a single file.
#[test]
fn a_source_that_does_not_answer_does_not_hold_up_the_start() {
    for options in rights().iter().filter(|_| can_hang()) {
        let tree = Tree::new();
        tree.dir("mnt");
        let hung = Hung::on(&tree, "mnt");
        tree.place(&hung.shown("one.ini"), 0, IDLE);
        let (away, file, near) = (tree.path("mnt"), tree.path("mnt/one.ini"), tree.vassals());
        hung.hang();
        let emperor = start(tree, &hung, &[away, file.clone(), near.clone()], options);
        assert_others_are_served(&emperor, &near, "near.ini");
        hung.answer();
        emperor.vassal("one.ini");
        emperor.vassal(file.to_str().unwrap());
    }
}

/// A user's own file system can say of a file that it is root's, or another tenant's.
#[test]
fn a_config_on_a_users_file_system_is_that_users_or_refused() {
    if !can_hang() {
        return;
    }
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    let hung = Hung::on(&tree, "alice").served_by(ALICE);
    std::os::unix::fs::chown(hung.shown(""), Some(ALICE), Some(ALICE)).unwrap();
    for (owner, name) in [(ALICE, "alice.ini"), (BOB, "bob.ini"), (0, "root.ini")] {
        tree.place(&hung.shown(name), owner, IDLE);
    }
    let alice = tree.path("alice");
    let emperor = start(tree, &hung, &[alice], &["--emperor-tyrant".to_owned()]);
    let theirs = emperor.vassal("alice.ini");
    assert!(theirs.status("Uid").starts_with(&ALICE.to_string()));
    for name in ["bob.ini", "root.ini"] {
        emperor.wait_for(name, "refused");
        assert_eq!(emperor.told(name, "started with pid"), 0);
    }
}

/// The same for a tree that claims to be root's from top to bottom.
#[test]
fn a_users_file_system_cannot_pose_as_trusted() {
    if !can_hang() {
        return;
    }
    let tree = Tree::new();
    tree.dir("mnt");
    let hung = Hung::on(&tree, "mnt").served_by(ALICE);
    tree.place(&hung.shown("root.ini"), 0, IDLE);
    let mnt = tree.path("mnt");
    let emperor = start(tree, &hung, &[mnt], &[]);
    emperor.wait_for("root.ini", &format!("process of uid {ALICE}"));
    assert_eq!(emperor.told("root.ini", "started with pid"), 0);
}

/// Row I6: nobody is sent anywhere as long as all is near, and a bind mount or another local file system is.
#[test]
fn where_everything_is_local_nobody_is_sent_to_look() {
    let tree = Tree::new();
    for name in ["srv", "srv/bind", "srv/memory", "srv/plain", "elsewhere"] {
        tree.dir(name);
    }
    for name in ["elsewhere", "srv/plain"] {
        tree.place(&tree.path(name).join("liege.ini"), 0, IDLE);
    }
    let srv = tree.path("srv");
    symlink(srv.join("memory/far.ini"), tree.vassals().join("linked.ini")).unwrap();
    tree.vassal("mounted.ini", "");
    let script = format!(
        "mount --bind {0}/../elsewhere {0}/bind && mount -t tmpfs -o mode=755 none {0}/memory &&
         printf '[uwsgi]\\ncommand = /bin/sleep 1000000\\n' | tee {0}/memory/liege.ini >{0}/memory/far.ini &&
         mount --bind {0}/memory/liege.ini {0}/../vassals/mounted.ini && exec \"$@\"",
        srv.display()
    );
    let emperor = Start::in_tree(tree)
        .option("--emperor")
        .option(srv.join("*/liege.ini"))
        .through(&["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", &script, "sh"])
        .start();
    for name in ["bind", "memory", "plain"] {
        emperor.vassal(srv.join(name).join("liege.ini").to_str().unwrap());
    }
    emperor.vassal("linked.ini");
    emperor.vassal("mounted.ini");
    let mark = emperor.lines.mark();
    std::fs::write(srv.join("../elsewhere/liege.ini"), format!("{IDLE}# changed\n")).unwrap();
    emperor.vassal_since(mark, srv.join("bind/liege.ini").to_str().unwrap());
    assert_eq!(faults_of_children(&spawner(&emperor)), 0, "somebody was sent");
    assert!(!emperor.lines.has(|line| line.contains("is polled")));
}

/// The proof that the test above would see it.
#[test]
fn where_something_is_away_somebody_is_sent_to_look() {
    if !can_hang() {
        return;
    }
    let (tree, hung, pattern) = tenants();
    tree.place(&hung.shown("liege.ini"), 0, IDLE);
    let theirs = tree.path("srv/hung/liege.ini").display().to_string();
    let emperor = start(tree, &hung, &[pattern], &[]);
    emperor.vassal(&theirs);
    emperor.wait_for_line(|line| line.contains("is polled"));
    eventually("somebody who was sent and came back", || {
        (faults_of_children(&spawner(&emperor)) > 0).then_some(())
    });
}

/// Row I6: a spawner that is stuck (SIGSTOP stands in for the kernel) when somebody is to be started.
#[test]
fn an_emperor_whose_spawner_answers_nothing_ends_with_an_error_and_leaves_nobody() {
    let tree = Tree::new();
    tree.vassal("old.ini", "command = /bin/sleep 1000000\n");
    let mut emperor = Emperor::start(tree, &[]);
    let running = emperor.vassal("old.ini");
    spawner(&emperor).signal(Signal::STOP);
    emperor.tree.vassal("new.ini", "command = /bin/sleep 1000000\n");
    emperor.expect_no_tidy_end();
    emperor.wait_for_line(|line| line.contains(" error ") && line.contains("spawner does not answer"));
    assert_eq!(emperor.wait().code(), Some(1));
    running.wait_gone();
    emperor.wait_deserted();
}

/// Row I6: the same when it is to end, with a vassal that does not stop by itself.
#[test]
fn an_emperor_whose_spawner_answers_nothing_can_be_stopped() {
    let tree = Tree::new();
    tree.vassal("old.ini", "command = /bin/sh -c 'trap \"\" TERM; while :; do sleep 1000; done'\n");
    let mut emperor = Emperor::start(tree, &[]);
    let running = emperor.vassal("old.ini");
    spawner(&emperor).signal(Signal::STOP);
    emperor.expect_no_tidy_end();
    emperor.signal(Signal::TERM);
    emperor.wait_for_line(|line| line.contains("RAGNAROK"));
    // The second one kills.
    emperor.signal(Signal::TERM);
    emperor.wait();
    running.wait_gone();
    emperor.wait_deserted();
}
