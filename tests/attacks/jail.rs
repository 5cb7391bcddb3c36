//! Two tenants in the default jail, one of whom tries to get out of his or into the other's. Rows N2, N4, N8, M5, M7, M8,
//! M9, F5, D1, G3 and G5.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;

use crate::common::{ALICE, BOB, Emperor, Process, Start, Tree, eventually};
use crate::neighbour::{IDLE, Neighbour};
use rustix::process::Signal;

/// Tries everything; see there.
const JAILBREAK: &str = include_str!("../programs/jailbreak.py");
const KINDS: [&str; 2] = ["standard", "strict"];
/// Answers of a kernel to whom nothing is given. `ENOENT`: it is not even there.
const REFUSALS: [&str; 6] = ["EPERM", "EACCES", "EROFS", "ENOENT", "ESRCH", "ENOTDIR"];
/// Knobs of the host that an attack might have changed.
const KNOBS: [&str; 6] = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/fs/suid_dumpable",
    "/proc/sys/kernel/sysrq",
    "/sys/kernel/uevent_helper",
    "/proc/sys/user/max_user_namespaces",
];

/// A file in the host's `/tmp` that is the test's own.
struct Squatted(PathBuf);

impl Squatted {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/liege-{}-{name}", std::process::id()));
        std::fs::write(&path, "the host's\n").unwrap();
        chown(&path, Some(BOB), Some(BOB)).unwrap();
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.file_name().unwrap().to_str().unwrap()
    }
}

impl Drop for Squatted {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn tyrant(tree: Tree, kind: &str) -> Emperor {
    Start::in_tree(tree)
        .options(&["--emperor-tyrant", "--jail", kind, "--emperor-curse-tolerance", "1"])
        .start()
}

fn knobs() -> Vec<String> {
    KNOBS.iter().map(|knob| std::fs::read_to_string(knob).unwrap_or_default()).collect()
}

fn outcomes(emperor: &Emperor) -> BTreeMap<String, String> {
    emperor.wait_for_line(|line| line == "break end done");
    let lines = emperor.lines.all();
    let words = lines.iter().filter_map(|line| line.strip_prefix("break ")?.split_once(' '));
    words.map(|(way, outcome)| (way.to_owned(), outcome.to_owned())).collect()
}

/// Rows N2, N4, M7, M8 and M9.
#[test]
fn a_tenant_in_his_jail_sees_reaches_and_changes_nothing_outside() {
    let before = knobs();
    for kind in KINDS {
        let tree = Tree::new();
        let secret = Squatted::new(kind);
        let program = tree.path("jailbreak.py");
        tree.place(&program, 0, JAILBREAK);
        let run = |arguments: &str| format!("command = /usr/bin/python3 {} {arguments}\n", program.display());
        tree.vassal_of(BOB, "bob.ini", &run("keep"));
        let emperor = tyrant(tree, kind);
        emperor.wait_for_line(|line| line == "kept");
        let bob = emperor.vassal("bob.ini").child();
        let (neighbour, host) = (bob.pid, std::process::id());
        emperor.tree.vassal_of(
            ALICE,
            "alice.ini",
            &run(&format!("try {neighbour} {host} {}", secret.name())),
        );
        let came = outcomes(&emperor);
        assert!(came.len() > 80, "{came:#?}");
        let refused =
            |(way, outcome): &(&String, &String)| *way != "end" && !REFUSALS.contains(&outcome.as_str());
        // Its own first process, which is as much its own as the program itself.
        let got: Vec<_> = came.iter().filter(refused).collect();
        assert_eq!(got, [], "in the jail `{kind}`");
        assert!(bob.is_alive());
        emperor.stop();
    }
    assert_eq!(knobs(), before);
}

/// Row M8, with all the rights that root of a jail has: what he takes away is his own, and below it lies nothing of others.
#[test]
fn root_of_a_jail_sees_nothing_below_his_mounts() {
    let secret = Squatted::new("below");
    let tree = Tree::new();
    let strip = "for at in /proc /tmp /dev/shm /dev/pts /dev /sys /run; do while umount -l $at 2>/dev/null; do :; done; done";
    let writable = "mount -o remount,bind,rw /dev && echo dev is writable; mount -o remount,bind,rw /sys && echo sys is writable";
    let list = format!(
        "echo tmp $(ls -A /tmp) end; echo processes $(grep -l liege /proc/[0-9]*/comm) end; test -e /tmp/{} && echo the host is seen; test -e /dev/kmsg && echo devices are seen; true",
        secret.name()
    );
    let script = tree.script("strip", &format!("{strip}\n{{ {writable}; }} 2>/dev/null\n{list}"));
    tree.vassal_of(ALICE, "alice.ini", &format!("exec-as-root = {}\n{IDLE}", script.display()));
    let emperor = tyrant(tree, "standard");
    let master = emperor.vassal("alice.ini");
    let said = emperor.lines.all();
    assert!(said.iter().any(|line| line == "tmp end"), "{said:#?}");
    // Alice's own master at most, which the host's proc would show to her outside as well.
    let own = format!("processes /proc/{}/comm end", master.pid);
    let alone =
        |line: &String| line == "processes end" || line == "processes /proc/1/comm end" || *line == own;
    assert!(said.iter().any(alone), "{said:#?}");
    for seen in ["is writable", "host is seen", "devices are seen"] {
        assert!(!said.iter().any(|line| line.contains(seen)), "{said:#?}");
    }
    emperor.stop();
}

/// Rows G3 and G5, by root of a jail and then by its program: what can be mounted is mounted, and what can be written to
/// is written to.
#[test]
fn nobody_in_a_jail_gives_orders_to_cgroups() {
    let table = || {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        mounts.lines().filter(|line| line.contains(" - cgroup")).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = table();
    let tree = Tree::new();
    let script = tree.script(
        "orders",
        "for kind in cgroup2 memory pids freezer cpu devices name=any; do\n\
           mkdir -p /tmp/$kind; type=cgroup; test $kind = cgroup2 && type=cgroup2\n\
           mount -t $type -o $kind none /tmp/$kind 2>/dev/null || mount -t $type none /tmp/$kind 2>/dev/null\n\
           mount -o remount,nonsdelegate,memory_recursiveprot none /tmp/$kind 2>/dev/null\n\
         done\n\
         mount -t cgroup2 none /tmp/cgroup2 2>/dev/null; mount | grep -c cgroup | sed 's/^/trees: /'\n\
         files=0\n\
         for file in $(find /sys/fs/cgroup /tmp -name cgroup.procs -o -name cgroup.threads -o -name cgroup.subtree_control \
           -o -name cgroup.kill -o -name cgroup.freeze -o -name '*.max' -o -name release_agent -o -name notify_on_release \
           -o -name tasks -o -name '*.limit_in_bytes'); do\n\
           for word in $$ +pids 1 max /bin/true; do { echo $word >$file; } 2>/dev/null && echo wrote $word to $file; done\n\
           files=$((files + 1))\n\
           mkdir ${file%/*}/new 2>/dev/null && echo made ${file%/*}/new\n\
         done\n\
         echo files of $1: $files\n\
         echo tried $1",
    );
    let script = script.display();
    tree.vassal_of(
        ALICE,
        "alice.ini",
        &format!("exec-as-root = {script} root\ncommand = {script} program\n"),
    );
    let emperor = tyrant(tree, "standard");
    emperor.wait_for_line(|line| line == "tried program");
    let said = emperor.lines.all();
    let files = |line: &&String| line.starts_with("files of root: ") && !line.ends_with(": 0");
    assert!(said.iter().any(|line| files(&line)), "{said:#?}");
    let done = |line: &&String| line.starts_with("wrote ") || line.starts_with("made ");
    let done: Vec<_> = said.iter().filter(done).collect();
    assert!(done.is_empty(), "{done:#?}");
    assert_eq!(table(), before);
    emperor.stop();
}

/// Row M5: what we write to a `/proc` later is written to the one that was there before his programs were.
#[test]
fn a_forged_proc_keeps_nobody_root() {
    let tree = Tree::new();
    let own = tree.dir_of(ALICE, "alice");
    let forge = "umount -l /proc; mount -t tmpfs x /proc && mkdir /proc/self && cd /proc/self && for f in uid_map gid_map setgroups oom_score_adj; do : > $f; done";
    let script = tree.script("forge", forge);
    let seen =
        format!("cat /proc/self/* > {0}/seen; echo end >> {0}/seen; exec sleep infinity", own.display());
    tree.vassal_of(
        ALICE,
        "alice.ini",
        &format!("exec-as-root = {}\ncommand = sh -c '{seen}'\n", script.display()),
    );
    let emperor = tyrant(tree, "standard");
    assert_eq!(emperor.tree.text("alice/seen"), "end\n", "nothing was written to the forged files");
    let program = emperor.vassal("alice.ini").child();
    assert_eq!(program.status("Uid"), format!("{ALICE} {ALICE} {ALICE} {ALICE}"));
    assert_eq!(program.status("CapEff"), "0000000000000000");
    assert_ne!(program.namespace("user"), host().namespace("user"));
    emperor.stop();
}

/// Row M5, where it would be written by name.
#[test]
fn a_setting_is_not_written_to_a_forged_proc() {
    let tree = Tree::new();
    let forge = "umount -l /proc; mount -t tmpfs x /proc && mkdir /proc/self && : > /proc/self/oom_score_adj";
    let script = tree.script("forge", forge);
    let config = format!("exec-as-root = {}\noom-score-adj = 500\n{IDLE}", script.display());
    tree.vassal_of(ALICE, "alice.ini", &config);
    let emperor = tyrant(tree, "standard");
    emperor.wait_since(0, "alice.ini", "/proc must be mounted");
    assert_eq!(emperor.told("alice.ini", "has been spawned"), 0);
    emperor.stop();
}

/// Identity: root in its phases, its owner afterwards, and its files are its owner's outside.
#[test]
fn root_of_a_jail_does_what_root_does_and_its_program_is_its_owner() {
    let tree = Tree::new();
    let own = tree.dir_of(ALICE, "alice");
    tree.dir_of(ALICE, "alice/data");
    let hooks = [
        "exec-as-root = test $(id -u) = 0",
        "hook-as-root = mount:tmpfs none DIR/data",
        "exec-as-root = umount /proc && mount -t proc none /proc",
        "exec-as-root = mount -t proc proc DIR/data && umount DIR/data",
        "exec-as-root = hostname box && test $(hostname) = box",
        "exec-as-root = ip link set lo down && ip link set lo up",
        "exec-as-root = mkdir /tmp/bound && mount --bind /tmp/bound DIR/data",
        "exec-as-root = touch DIR/roots && chown 0:0 DIR/roots",
        "exec-as-user = id -u > DIR/who && touch DIR/users",
    ];
    let config = hooks.join("\n").replace("DIR", &own.display().to_string());
    tree.vassal_of(ALICE, "alice.ini", &format!("{config}\n{IDLE}"));
    let emperor = tyrant(tree, "standard");
    let master = emperor.vassal("alice.ini");
    assert_eq!(emperor.tree.text("alice/who"), format!("{ALICE}\n"));
    for file in ["who", "roots", "users"] {
        let file = std::fs::metadata(own.join(file)).unwrap();
        assert_eq!((file.uid(), file.gid()), (ALICE, ALICE));
    }
    for process in [&master, &master.child()] {
        assert_eq!(process.status("Uid"), format!("{ALICE} {ALICE} {ALICE} {ALICE}"));
        assert_eq!(process.status("CapBnd"), "0000000000000000");
    }
    emperor.stop();
}

/// A config may say that its program is to be root in its jail: it lists what it needs.
#[test]
fn a_program_that_lists_capabilities_stays_root_of_its_jail() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "alice.ini", &format!("cap = chown\n{IDLE}"));
    let emperor = tyrant(tree, "standard");
    let program = emperor.vassal("alice.ini").child();
    let map: Vec<String> = program.read("uid_map").split_whitespace().map(str::to_owned).collect();
    assert_eq!(map, ["0", &ALICE.to_string(), "1"]);
    assert_eq!(program.status("CapEff"), "0000000000000001");
    emperor.stop();
}

/// Row F5: names in `/tmp` belong to nobody else.
#[test]
fn squatted_names_in_tmp_are_in_nobodys_way() {
    let squatted = Squatted::new("squat");
    let tree = Tree::new();
    let own = tree.dir_of(ALICE, "alice");
    let name = squatted.0.display();
    let config = format!(
        "socket = {name}\nlogto = {name}.log\ncommand = sh -c 'test -S {name} && echo mine > {own}/seen; exec sleep infinity'\n",
        own = own.display()
    );
    tree.vassal_of(ALICE, "alice.ini", &config);
    let emperor = tyrant(tree, "standard");
    assert_eq!(emperor.tree.text("alice/seen"), "mine\n");
    assert_eq!(std::fs::read_to_string(&squatted.0).unwrap(), "the host's\n");
    assert!(!PathBuf::from(format!("{name}.log")).exists());
    emperor.stop();
}

/// Row N8: the first process of a jail hears nothing and reaps nobody; then it is killed.
#[test]
fn a_first_process_that_does_no_duty_takes_nobody_with_it() {
    let tree = Tree::new();
    Neighbour::settle(&tree);
    let deaf = "trap '' TERM INT HUP QUIT USR1; for i in 1 2 3 4 5; do (: & ) ; done; sh -c 'trap \"\" TERM; sleep infinity' & while :; do sleep infinity & wait; done";
    let alone = tree.script(
        "deaf",
        &format!("case $2 in neighbour.ini) exec {} vassal \"$@\";; esac\n{deaf}", tree.liege().display()),
    );
    let config = tree.vassal_of(ALICE, "alice.ini", "");
    let emperor = Start::in_tree(tree)
        .options(&[
            "--emperor-tyrant",
            "--emperor-curse-tolerance",
            "1",
            "--binary-path",
            alone.to_str().unwrap(),
        ])
        .start();
    let neighbour = Neighbour::meet(&emperor);
    let first = pid_of(&emperor, "alice.ini");
    emperor.wait_for_programs("sleep", 2);
    let mark = emperor.lines.mark();
    first.signal(Signal::KILL);
    first.wait_gone();
    emperor.wait_since(mark, "alice.ini", "started with pid");
    let second = pid_of(&emperor, "alice.ini");
    let sleeps = emperor.wait_for_programs("sleep", 2);
    std::fs::remove_file(config).unwrap();
    emperor.wait_since(mark, "alice.ini", "removed uwsgi instance");
    sleeps.iter().chain([&second]).for_each(Process::wait_gone);
    neighbour.assert_served();
    emperor.stop();
}

/// A tenant takes nothing of his Emperor's jail away.
#[test]
fn a_tenants_word_does_not_open_his_jail() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "alice.ini", &format!("jail = none\n{IDLE}"));
    tree.vassal_of(BOB, "bob.ini", &format!("jail = standard\n{IDLE}"));
    let emperor = tyrant(tree, "standard");
    emperor.wait_since(0, "alice.ini", "the jail of the Emperor holds");
    assert_eq!(emperor.told("alice.ini", "has been spawned"), 0);
    let bob = emperor.vassal("bob.ini");
    assert_eq!(bob.status("NSpid"), format!("{} 1", bob.pid), "no jail is made twice");
    emperor.stop();
}

fn host() -> Process {
    Process::of_this_test()
}

fn pid_of(emperor: &Emperor, name: &str) -> Process {
    let pid = eventually("a pid", || {
        let pid = emperor.stats_of(name)?["pid"].as_i64()?;
        i32::try_from(pid).ok().filter(|pid| *pid > 0)
    });
    Process::of(pid)
}
