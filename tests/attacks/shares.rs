//! What the kernel counts for each user: one tenant uses up his own share, whatever his jail. Rows G1, F6 and G7.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::common::{Emperor, Start, Tree};
use crate::neighbour::{IDLE, JAILS, jailed};
use rustix::fs::inotify::{CreateFlags, init};

/// Tenants of this file alone: the tests beside it need what these use up.
const GREEDY: u32 = 61077;
const OTHER: u32 = 61078;
/// Takes all that it gets; see there.
const WATCH: &str = include_str!("../programs/watch.py");
/// Instances that our vassal master may have for itself.
const MASTERS: usize = 4;
/// Descriptors: more than there are instances.
const DESCRIPTORS: usize = 4096;

fn tyrant(jail: &str, options: &[&str]) -> Emperor {
    Start::in_tree(Tree::new()).options(&["--emperor-tyrant", jailed(jail), jail]).options(options).start()
}

fn limit() -> usize {
    let text = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").unwrap();
    text.trim().parse().unwrap()
}

/// How many instances a vassal of this user gets.
fn taken(emperor: &Emperor, owner: u32) -> usize {
    let program = emperor.tree.path("watch.py");
    emperor.tree.place(&program, 0, WATCH);
    let name = format!("u{owner}");
    let body =
        format!("rlimit-nofile = {DESCRIPTORS}\ncommand = /usr/bin/python3 {} {name}\n", program.display());
    emperor.tree.vassal_of(owner, &format!("{name}.ini"), &body);
    let said = emperor.wait_for_line(|line| line.starts_with(&format!("{name} took ")));
    assert!(said.ends_with(", then EMFILE"), "{said}");
    said.split([' ', ',']).nth(2).unwrap().parse().unwrap()
}

/// Row G7: root and her neighbour have what they had before.
#[test]
fn a_tenant_takes_every_inotify_instance_of_his_own_and_no_other() {
    assert!(limit() < DESCRIPTORS, "the descriptors would end it first");
    for jail in JAILS.iter().chain(&["strict"]) {
        let emperor = tyrant(jail, &[]);
        for owner in [GREEDY, OTHER] {
            let taken = taken(&emperor, owner);
            assert!((limit() - MASTERS..=limit()).contains(&taken), "{jail}: {owner} took {taken}");
            let roots = init(CreateFlags::CLOEXEC);
            assert!(roots.is_ok(), "{jail}: {roots:?}");
        }
        emperor.stop();
    }
}

/// Row N2: he who pays for a namespace is nobody: whoever made one has all rights in it.
#[test]
fn a_tenant_outside_has_no_rights_over_the_jail_that_he_pays_for() {
    let emperor = tyrant("standard", &[]);
    emperor.tree.vassal_of(GREEDY, "x.ini", IDLE);
    let vassal = emperor.vassal("x.ini").child_named("sleep");
    let enter = |uid| {
        let mut command = Command::new("/usr/bin/nsenter");
        command.args(["--user", "--preserve-credentials", "--target", &vassal.pid.to_string(), "/bin/true"]);
        command.uid(uid).gid(uid).output().unwrap()
    };
    assert!(enter(0).status.success());
    let refused = enter(GREEDY);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("/ns/user: Permission denied"), "{said}");
}

/// What is done before the drop has root's rights to files in every jail.
#[test]
fn a_hook_before_the_drop_reads_what_only_root_may() {
    for jail in JAILS {
        let tree = Tree::new();
        let secret = tree.path("secret");
        tree.place(&secret, 0, "roots\n");
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        tree.vassal_of(GREEDY, "x.ini", IDLE);
        let hook = format!("exec:cat {}", secret.display());
        let emperor = Start::in_tree(tree)
            .options(&["--emperor-tyrant", jailed(jail), jail, "--hook-as-vassal-before-drop", &hook])
            .start();
        emperor.wait_for_line(|line| line == "roots");
        emperor.vassal("x.ini");
    }
}

/// A bomb that tells how far it came.
const BOMB: &str = include_str!("../programs/bomb.py");
/// Of most machines, in KiB.
const PAGE_KB: u64 = 64;
/// Processes that a vassal may have in the test of that.
const BOUND: usize = 40;

/// Row G1, without any cgroup: the tenant's other vassal, a neighbour and root start what they like.
#[test]
fn a_bomb_of_forks_ends_at_the_bound_of_its_jail() {
    for jail in ["standard", "strict"] {
        let emperor = tyrant(jail, &["--limit-nproc", &BOUND.to_string()]);
        let program = emperor.tree.path("bomb.py");
        emperor.tree.place(&program, 0, BOMB);
        let bomb = format!("command = /usr/bin/python3 {}\n", program.display());
        emperor.tree.vassal_of(GREEDY, "bomb.ini", &bomb);
        let said = emperor.wait_for_line(|line| line.starts_with("bomb "));
        let count: usize = said.split(' ').nth(1).unwrap().parse().unwrap();
        assert!((BOUND - 5..BOUND).contains(&count) && said.contains("temporarily unavailable"), "{said}");
        for (owner, name) in [(GREEDY, "own.ini"), (OTHER, "other.ini")] {
            let forks =
                "command = sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1000000 & done; echo started $0; wait' ";
            emperor.tree.vassal_of(owner, name, &format!("{forks}{name}\n"));
            emperor.wait_for_line(|line| line == format!("started {name}"));
        }
        emperor.stop();
    }
}

/// Makes empty files until there is no room, at most so many: `files DIRECTORY COUNT ERROR`.
const EMPTY: &str = include_str!("../programs/empty.py");
/// Bytes of memory that is small, so that its bound is met soon.
const SMALL: u64 = 64 << 10;

/// Row F6: empty files cost no byte of the memory that was given, and a KiB of the kernel's each.
#[test]
fn empty_files_end_at_a_bound_as_bytes_do() {
    for jail in ["standard", "strict"] {
        let emperor = tyrant(jail, &[]);
        let program = emperor.tree.path("empty.py");
        emperor.tree.place(&program, 0, EMPTY);
        let most = 1024 + SMALL / 4096;
        let body = format!(
            "jail = standard\ntmpfs = /tmp:{SMALL}\ncommand = /usr/bin/python3 {} /tmp {}\n",
            program.display(),
            2 * most
        );
        emperor.tree.vassal_of(GREEDY, "a.ini", &body);
        let said = emperor.wait_for_line(|line| line.starts_with("files "));
        let words: Vec<&str> = said.split(' ').collect();
        // The directory itself is one of them.
        assert_eq!(words, ["files", "/tmp", &(most - 1).to_string(), "ENOSPC"], "{jail}");
        let mut places = vec!["/tmp", "/dev/shm"];
        places.extend((jail == "strict").then_some("/run"));
        let list = places.join(" ");
        let tell = format!(
            "command = sh -c 'stat -f -c \"bound %%n %%c %%b %%S\" {list}; touch /tmp/mine /dev/shm/mine && echo made; exec sleep 1000000'\n"
        );
        emperor.tree.vassal_of(OTHER, "b.ini", &tell);
        emperor.wait_for_line(|line| line == "made");
        for place in places {
            let line = emperor.wait_for_line(|line| line.starts_with(&format!("bound {place} ")));
            let of: Vec<u64> = line.split(' ').skip(2).map(|word| word.parse().unwrap()).collect();
            let bytes = of[1] * of[2];
            // One for each 4 KiB of what the kernel rounded to whole pages.
            assert!(of[0] > 1024 && of[0].abs_diff(1024 + bytes / 4096) <= PAGE_KB / 4, "{jail}: {line}");
        }
        emperor.stop();
    }
}

/// Rows G1 and F6, where the administrator has said nothing.
#[test]
fn a_jail_has_bounds_that_nobody_asked_for() {
    let emperor = tyrant("standard", &[]);
    let tell = "command = sh -c 'grep processes /proc/self/limits; df -k --output=size /tmp /dev/shm; echo told; exec sleep 1000000'\n";
    emperor.tree.vassal_of(GREEDY, "a.ini", tell);
    emperor.wait_for_line(|line| line == "told");
    let said = emperor.lines.all();
    let words = |line: &String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert!(
        said.iter().any(|line| words(line) == ["Max", "processes", "4096", "4096", "processes"]),
        "{said:#?}"
    );
    let sizes: Vec<u64> = said.iter().filter_map(|line| line.trim().parse().ok()).collect();
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let memory: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    // The kernel takes whole pages.
    let small = |size: &u64| (1..=memory / 10 + PAGE_KB).contains(size);
    assert!(sizes.len() == 2 && sizes.iter().all(small), "{sizes:?} of {memory}");
    emperor.stop();
}
