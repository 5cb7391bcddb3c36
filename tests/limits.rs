//! Limits of processes: what a config sets is what the kernel has, and nothing of the host's is inherited.
//! Rows P9 and P10.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use common::{ALICE, BOB, Emperor, Process, Start, Tree};

const SLEEP: &str = "command = sleep infinity\n";

/// Each option with the line that it makes in `/proc/PID/limits`, less its blanks.
const TABLE: [(&str, &str); 16] = [
    ("rlimit-cpu = 1000:2000", "Max cpu time 1000 2000 seconds"),
    ("rlimit-fsize = 1M:1G", "Max file size 1048576 1073741824 bytes"),
    ("rlimit-data = 512M", "Max data size 536870912 536870912 bytes"),
    ("rlimit-stack = 4M:8M", "Max stack size 4194304 8388608 bytes"),
    ("core = 4K", "Max core file size 4096 4096 bytes"),
    ("rlimit-rss = 64M:unlimited", "Max resident set 67108864 unlimited bytes"),
    ("limit-nproc = 222", "Max processes 222 222 processes"),
    ("rlimit-nofile = 64:128", "Max open files 64 128 files"),
    ("rlimit-memlock = 0:64K", "Max locked memory 0 65536 bytes"),
    ("limit-as = 512", "Max address space 536870912 536870912 bytes"),
    ("rlimit-locks = 7", "Max file locks 7 7 locks"),
    ("rlimit-sigpending = 50:60", "Max pending signals 50 60 signals"),
    ("rlimit-msgqueue = 4096", "Max msgqueue size 4096 4096 bytes"),
    ("rlimit-nice = 0", "Max nice priority 0 0"),
    ("rlimit-rtprio = 0", "Max realtime priority 0 0"),
    ("rlimit-rttime = 1000:unlimited", "Max realtime timeout 1000 unlimited us"),
];

fn limits(process: &Process) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    process.read("limits").lines().skip(1).map(words).collect()
}

fn options() -> String {
    TABLE.iter().map(|(option, _)| format!("{option}\n")).collect()
}

fn field(process: &Process, field: &str) -> String {
    process.status(field).trim().to_owned()
}

/// The nice value, of `proc_pid_stat(5)`.
fn nice(process: &Process) -> String {
    let stat = process.read("stat");
    stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().to_owned()
}

#[test]
fn every_limit_of_a_config_is_that_of_its_program_whoever_it_is() {
    let wanted: Vec<&str> = TABLE.iter().map(|(_, line)| *line).collect();
    let ids = format!("uid = {ALICE}\ngid = {ALICE}\n");
    for (owner, ids, tyrant) in [(0, ids.as_str(), &[][..]), (0, "", &[]), (BOB, "", &["--emperor-tyrant"])] {
        let tree = Tree::new();
        tree.vassal_of(owner, "a.ini", &format!("{}{ids}{SLEEP}", options()));
        let emperor = Emperor::start(tree, tyrant);
        assert_eq!(limits(&emperor.wait_for_programs("sleep", 1)[0]), wanted, "{owner} {ids}");
        emperor.stop();
    }
}

/// To be root is worth nothing: what root runs has no capability, whatever its user.
#[test]
fn secure_bits_make_root_an_ordinary_user() {
    for (bits, all) in [("", true), ("securebits = noroot,noroot-locked\n", false)] {
        let tree = Tree::new();
        tree.vassal("a.ini", &format!("{bits}{SLEEP}"));
        let emperor = Emperor::start(tree, &[]);
        let program = &emperor.wait_for_programs("sleep", 1)[0];
        let held = [field(program, "CapEff"), field(program, "CapPrm")];
        assert_eq!(held.iter().all(|set| set.trim_start_matches('0').is_empty()), !all, "{held:?}");
        assert!(field(program, "Uid").starts_with('0'));
        emperor.stop();
    }
}

/// They are told where they cannot be had.
#[test]
fn secure_bits_need_a_right() {
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", &format!("securebits = noroot\n{SLEEP}"));
    let emperor = Emperor::start(tree, &["--emperor-tyrant", "--emperor-use-clone", "pid"]);
    emperor.wait_for("a.ini", "cannot set the secure bits noroot: EPERM");
    emperor.stop();
}

#[test]
fn priorities_masks_and_processors_are_those_of_the_config() {
    let tree = Tree::new();
    let config = "nice = 7\nionice = idle\noom-score-adj = 400\ncpus = 0\numask = 027\n";
    tree.vassal_of(ALICE, "a.ini", &format!("{config}command = sh -c 'ionice; exec sleep infinity'\n"));
    let emperor = Start::in_tree(tree).options(&["--emperor-tyrant"]).start();
    emperor.wait_for_line(|line| line == "idle");
    let program = &emperor.wait_for_programs("sleep", 1)[0];
    assert_eq!((nice(program).as_str(), program.read("oom_score_adj").trim()), ("7", "400"));
    assert_eq!((field(program, "Umask"), field(program, "Cpus_allowed_list")), ("0027".into(), "0".into()));
    emperor.stop();
}

/// Row P9: and no core, neither a file nor for a program of `core_pattern`, which a limit of 0 would not prevent.
#[test]
fn nothing_of_the_shell_that_started_the_emperor_is_inherited() {
    for options in [&["--emperor-tyrant"][..], &["--emperor-tyrant", "--emperor-use-clone", "fs,pid,user"]] {
        let tree = Tree::new();
        tree.vassal_of(ALICE, "a.ini", SLEEP);
        let start = Start::in_tree(tree).options(options);
        let emperor =
            start.through(&["sh", "-c", "umask 077; ulimit -S -c unlimited; exec \"$@\"", "sh"]).start();
        let program = &emperor.wait_for_programs("sleep", 1)[0];
        assert_eq!(field(program, "Umask"), "0022");
        assert!(limits(program)[4].starts_with("Max core file size 1 "), "{:?}", limits(program));
        emperor.stop();
    }
}

#[test]
fn a_protection_of_the_emperor_does_not_protect_its_vassals() {
    let raised = std::process::Command::new("nice").args(["-n", "-5", "nice"]).output().unwrap();
    if raised.stdout != b"-5\n" {
        eprintln!("skipped: without CAP_SYS_NICE nobody can come before others");
        return;
    }
    let tree = Tree::new();
    tree.vassal_of(ALICE, "a.ini", SLEEP);
    let emperor = Start::in_tree(tree).options(&["--emperor-tyrant"]).through(&["nice", "-n", "-5"]).start();
    assert_eq!(nice(&emperor.wait_for_programs("sleep", 1)[0]), "0");
    assert_eq!(nice(&emperor.process), "-5");
    emperor.stop();
}

#[test]
fn what_a_vassal_has_no_right_to_is_told_with_its_step_and_its_cure() {
    let table = [
        (
            "rlimit-nofile = unlimited",
            "cannot limit nofile to unlimited:unlimited: EPERM (step 1 of 4)",
            "hard limit",
        ),
        ("nice = -5", "cannot set nice to -5: EACCES (step 1 of 4)", "CAP_SYS_NICE"),
        (
            "oom-score-adj = -500",
            "cannot set oom_score_adj to -500: EACCES (step 1 of 4)",
            "CAP_SYS_RESOURCE",
        ),
        (
            "ionice = realtime",
            "cannot set the I/O priority to realtime:4: EPERM (step 1 of 4)",
            "CAP_SYS_NICE",
        ),
        ("cpus = 0,1023", "cannot run on cpus 0,1023: cpu 1023 is not there", ""),
    ];
    let tree = Tree::new();
    for (number, (option, ..)) in table.iter().enumerate() {
        tree.vassal_of(ALICE, &format!("{number}.ini"), &format!("{option}\n{SLEEP}"));
    }
    tree.vassal_of(BOB, "good.ini", SLEEP);
    let emperor = Start::in_tree(tree).options(&["--emperor-tyrant", "--jail", "none"]).start();
    for (number, (_, sentence, cure)) in table.iter().enumerate() {
        let line = emperor.wait_for(&format!("{number}.ini"), "cannot");
        assert!(line.contains(sentence) && line.contains(cure), "{line}");
    }
    emperor.wait_for_programs("sleep", 1);
    emperor.stop();
}

/// Row P10. The default filter refuses every question about keys; what they would be told is seen without it.
#[test]
fn no_vassal_reaches_the_keys_of_its_emperor_or_of_another() {
    let keys = format!("{}/tests/programs/keys.py", env!("CARGO_MANIFEST_DIR"));
    let python = "/usr/bin/python3";
    let unfiltered = ["--emperor-tyrant", "--emperor-seccomp", "off"];
    let in_a_jail = [&unfiltered[..], &["--emperor-use-clone", "pid,user"]].concat();
    for options in [&unfiltered[..], &in_a_jail, &[]] {
        let tree = Tree::new();
        let copy = tree.path("keys.py");
        std::fs::copy(&keys, &copy).unwrap();
        let command = format!("command = sh -c '{python} {} look; exec sleep infinity'\n", copy.display());
        for (owner, name) in [(ALICE, "a.ini"), (ALICE, "b.ini"), (BOB, "c.ini")] {
            let owner = if options.is_empty() { 0 } else { owner };
            tree.vassal_of(owner, name, &command);
        }
        let emperor = Start::in_tree(tree).options(options).through(&[python, &keys, "plant"]).start();
        let said = common::eventually("three words of keyrings", || {
            let said: Vec<String> =
                emperor.lines.all().into_iter().filter(|line| line.starts_with("keyring ")).collect();
            (said.len() == 3).then_some(said)
        });
        assert!(said.iter().all(|line| line.ends_with(" ENOKEY")), "{said:?}");
        let different: std::collections::BTreeSet<&String> = said.iter().collect();
        assert_eq!(different.len(), 3, "{said:?}");
        emperor.stop();
    }
}

#[test]
fn a_limit_counts_for_all_that_a_vassal_starts() {
    let tree = Tree::new();
    let command =
        "command = sh -c 'head -c 2000000 /dev/zero > big; echo ended with $?; exec sleep infinity'\n";
    tree.dir_of(ALICE, "alice");
    let config = format!("rlimit-fsize = 1M\nchdir = {}\n{command}", tree.path("alice").display());
    tree.vassal_of(ALICE, "a.ini", &config);
    let emperor = Emperor::start(tree, &["--emperor-tyrant"]);
    // 128 and SIGXFSZ.
    emperor.wait_for_line(|line| line.contains("ended with 153"));
    assert_eq!(std::fs::metadata(emperor.tree.path("alice/big")).unwrap().len(), 1 << 20);
    emperor.stop();
}

/// A child cgroup of version 1 below the one that we are in, or below this one; gone at the end.
struct Old(std::path::PathBuf);

impl Old {
    fn new(controller: &str) -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let line = own.lines().find(|line| line.split(':').nth(1) == Some(controller));
        let Some(line) = line else {
            eprintln!("skipped: {controller} is no controller of version 1 here");
            return None;
        };
        let below = line.splitn(3, ':').nth(2).unwrap();
        let name = format!("liege-test-{}-{controller}", std::process::id());
        Some(Self(format!("/sys/fs/cgroup/{controller}{below}/{name}").replace("//", "/").into()))
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.0.join(file)).unwrap().trim().to_owned()
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        common::eventually("an empty cgroup of version 1", || {
            let removed = std::fs::remove_dir(&self.0);
            removed.map_or_else(|error| (error.kind() == std::io::ErrorKind::NotFound).then_some(()), Some)
        });
    }
}

/// Rows G1 and G5: the fork that is one too many fails, and no program of a tenant's choice is run by the host.
#[test]
fn a_cgroup_of_version_1_holds_a_vassal_of_root_to_its_limit() {
    let Some(pids) = Old::new("pids") else { return };
    let tree = Tree::new();
    let path = pids.0.display();
    let bomb = "command = sh -c 'while :; do sleep infinity & done'\n";
    let options = format!("cgroup = {path}\ncgroup-opt = pids.max=9\ncgroup-dir-mode = 750\n");
    tree.vassal("a.ini", &format!("{options}{bomb}"));
    tree.vassal("b.ini", &format!("cgroup = {path}x\ncgroup-opt = release_agent=/bin/true\n{SLEEP}"));
    let emperor = Emperor::start(tree, &["--emperor-curse-tolerance", "1"]);
    // Root is held to it as well.
    emperor.wait_for_line(|line| line.contains("an't fork") || line.contains("annot fork"));
    assert_eq!(pids.read("pids.max"), "9");
    assert!(pids.read("pids.events").ends_with(|digit: char| ('1'..='9').contains(&digit)));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&pids.0).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o750);
    emperor.wait_for_line(|line| line.contains("release_agent"));
    assert!(!std::path::Path::new(&format!("{path}x")).exists());
    emperor.stop();
}

#[test]
fn a_cgroup_of_version_1_is_a_limit_of_memory() {
    let Some(memory) = Old::new("memory") else { return };
    let tree = Tree::new();
    let options = format!("cgroup = {}\ncgroup-opt = memory.limit_in_bytes:64M\n", memory.0.display());
    let hog = "command = sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1; echo ended with $?; exec sleep infinity'\n";
    tree.vassal("a.ini", &format!("{options}{hog}"));
    let emperor = Emperor::start(tree, &[]);
    emperor.wait_for_line(|line| line.contains("ended with 137"));
    emperor.stop();
}

#[test]
fn what_is_no_cgroup_of_version_1_is_refused_with_what_to_use_instead() {
    let unified = common::Cgroup::mount();
    let table = [
        (
            format!("cgroup = {}/x\ncgroup-opt = memory.limit_in_bytes=1", unified.display()),
            "use memory-max there",
        ),
        ("cgroup = /tmp/x".into(), "/tmp/x is no cgroup"),
        ("cgroup = /sys/fs/cgroup/nothing/x".into(), "ENOENT"),
    ];
    let tree = Tree::new();
    for (number, (option, _)) in table.iter().enumerate() {
        tree.vassal(&format!("{number}.ini"), &format!("{option}\n{SLEEP}"));
    }
    tree.vassal_of(ALICE, "alice.ini", &format!("uid = {ALICE}\ncgroup = /sys/fs/cgroup/pids/x\n{SLEEP}"));
    let emperor = Emperor::start(tree, &[]);
    for (number, (_, sentence)) in table.iter().enumerate() {
        emperor
            .wait_for_line(|line| line.contains(&format!("vassal={number}.ini ")) && line.contains(sentence));
    }
    emperor.wait_for_line(|line| {
        line.contains("vassal=alice.ini ") && line.contains("`cgroup` is for root alone")
    });
    assert!(!unified.join("x").exists() && !std::path::Path::new("/tmp/x").exists());
    emperor.stop();
}

#[test]
fn an_emperor_that_cannot_set_a_limit_starts_nobody() {
    let controllers = std::fs::read_to_string(common::Cgroup::mount().join("cgroup.controllers")).unwrap();
    if controllers.split_whitespace().any(|one| one == "memory") {
        eprintln!(
            "skipped: memory can be limited here (tests-vm/cases/limits-at-the-root.sh shows that it is)"
        );
        return;
    }
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let mut emperor = Emperor::start(tree, &["--memory-max", "64M"]);
    emperor.expect_no_tidy_end();
    assert!(!emperor.wait().success());
    let line = emperor.wait_for_line(|line| line.contains("memory-max = 64M"));
    assert!(line.contains("has no controller memory") && line.contains("bound to version 1"), "{line}");
    assert_eq!(emperor.told("a.ini", "started"), 0);
    emperor.stop();
}
