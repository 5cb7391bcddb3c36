//! Hostile config files: what they are, whose they are, and how they are called. Rows I1 to I4, I6 and I7.

use std::os::unix::fs::{PermissionsExt, chown, lchown};
use std::path::Path;

use crate::common::{ALICE, BOB, Emperor, Tree, eventually};
use crate::neighbour::{IDLE, JAILS, alices, assert_refused, link_of, rule, tyranny};
use rustix::fs::{CWD, FileType, Mode, RenameFlags, makedev, mknodat, renameat_with};

/// Neither Alice nor Bob.
const CAROL: u32 = 61_003;
/// Swaps of one race.
const SWAPS: usize = 500_000;

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Row I1.
#[test]
fn a_link_of_hers_to_a_config_of_his_or_of_roots_is_refused() {
    for jail in JAILS {
        for option in ["--emperor-freq=3", "--emperor-nofollow"] {
            let (emperor, neighbour) = tyranny(jail, &[option]);
            let tree = &emperor.tree;
            tree.place(&tree.path("roots.ini"), 0, &format!("[uwsgi]\n{IDLE}"));
            let alice = tree.path("alice");
            link_of(ALICE, Path::new("../vassals/neighbour.ini"), &alice.join("his.ini"));
            link_of(ALICE, &tree.path("roots.ini"), &alice.join("roots.ini"));
            assert_refused(&emperor, "his.ini", "link owned by uid 61001 points to a file of uid 61002");
            assert_refused(&emperor, "roots.ini", "refused: ");
            neighbour.assert_served();
        }
    }
}

/// Row I1: where the owner of the link counts, it opens nothing that she may not read herself.
#[test]
fn a_link_of_hers_shows_her_no_secret_of_roots() {
    for jail in JAILS {
        let (emperor, neighbour) = tyranny(jail, &["--emperor-tyrant-nofollow"]);
        let tree = &emperor.tree;
        let secret = tree.path("secret.ini");
        tree.place(&secret, 0, "[uwsgi]\npassword of root\n");
        chmod(&secret, 0o600);
        link_of(ALICE, &secret, &tree.path("alice").join("secret.ini"));
        link_of(ALICE, &tree.vassals().join("neighbour.ini"), &tree.path("alice").join("his.ini"));
        assert_refused(&emperor, "his.ini", "link owned by uid 61001 points to a file of uid 61002");
        assert_refused(&emperor, "secret.ini", "refused: ");
        assert!(!emperor.lines.has(|line| line.contains("password")), "the secret was shown");
        neighbour.assert_served();
    }
}

/// Row I1: a pattern leads through no link, whoever owns it.
#[test]
fn a_directory_of_hers_that_is_a_link_to_his_names_no_vassal() {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    let (hers, his) = (tree.dir_of(ALICE, "hers"), tree.dir_of(BOB, "his"));
    std::fs::create_dir(his.join("conf")).unwrap();
    chown(his.join("conf"), Some(BOB), Some(BOB)).unwrap();
    tree.place(&his.join("conf/liege.ini"), BOB, &format!("[uwsgi]\n{IDLE}"));
    link_of(ALICE, &his.join("conf"), &hers.join("conf"));
    let pattern = format!("{}/h*/conf/liege.ini", tree.path("").display().to_string().trim_end_matches('/'));
    let (emperor, neighbour) = rule(tree, JAILS[0], &["--emperor", &pattern]);
    let name = |whose: &str| emperor.tree.path(whose).join("conf/liege.ini").display().to_string();
    emperor.wait_for(&name("his"), "has been spawned");
    alices(&emperor.tree, "last.ini", IDLE);
    emperor.wait_for("last.ini", "has been spawned");
    assert!(!emperor.lines.has(|line| line.contains(&name("hers")) && line.contains("started")));
    neighbour.assert_served();
}

/// Row I2: whoever wrote the bytes that run is who they run as.
#[test]
fn her_bytes_never_run_as_him_however_often_files_are_swapped() {
    for jail in JAILS {
        let tree = Tree::new();
        let alice = tree.dir_of(ALICE, "alice");
        let hers =
            tree.script("hers", "echo hers ran: $(id -u) $(cat /proc/self/uid_map)\nexec sleep 1000000");
        let (emperor, neighbour) = rule(tree, jail, &["--emperor-no-blacklist"]);
        for number in 0..8 {
            alices(&emperor.tree, &format!("app{number}.ini"), &format!("command = {}\n", hers.display()));
            link_of(ALICE, Path::new("../vassals/neighbour.ini"), &alice.join(format!("spare{number}")));
        }
        swap_in_turns(&alice);
        alices(&emperor.tree, "last.ini", IDLE);
        emperor.wait_for("last.ini", "has been spawned");
        assert_all_hers_ran_as_her(&emperor);
        neighbour.assert_served();
    }
}

fn swap_in_turns(directory: &Path) {
    let pairs: Vec<_> = (0..8)
        .map(|number| (directory.join(format!("app{number}.ini")), directory.join(format!("spare{number}"))))
        .collect();
    for swap in 0..SWAPS {
        let (one, other) = &pairs[swap % pairs.len()];
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
    }
}

/// Outside of a user namespace `id` says who; inside, the map does.
fn assert_all_hers_ran_as_her(emperor: &Emperor) {
    emperor.wait_for_line(|line| line.contains("hers ran: "));
    for line in emperor.lines.all().iter().filter(|line| line.contains("hers ran: ")) {
        assert!(line.contains(&ALICE.to_string()) && !line.contains(&BOB.to_string()), "{line}");
    }
    assert_eq!(
        emperor.lines.count(|line| line.contains("started with pid") && line.contains("for 61002:")),
        1
    );
}

/// Row I3.
#[test]
fn a_hard_link_to_his_config_is_refused() {
    for jail in JAILS {
        let (emperor, neighbour) = tyranny(jail, &[]);
        let tree = &emperor.tree;
        let victim = tree.path("victim.ini");
        tree.place(&victim, BOB, &format!("[uwsgi]\n{IDLE}"));
        std::fs::hard_link(&victim, tree.path("alice/his.ini")).unwrap();
        let own = alices(tree, "spare", IDLE);
        std::fs::hard_link(own, tree.path("alice/own.ini")).unwrap();
        assert_refused(&emperor, "his.ini", "refused: ");
        assert_refused(&emperor, "own.ini", "it has 2 hard links");
        neighbour.assert_served();
    }
}

/// Row I4: the file itself.
#[test]
fn a_config_that_others_can_write_is_refused() {
    let (emperor, neighbour) = tyranny(JAILS[0], &[]);
    for (name, mode) in [("group.ini", 0o664), ("world.ini", 0o646), ("both.ini", 0o666)] {
        let fresh = alices(&emperor.tree, "fresh", IDLE);
        chmod(&fresh, mode);
        std::fs::rename(fresh, emperor.tree.path("alice").join(name)).unwrap();
        let reason = format!("others than its owner can write it (mode {mode:04o})");
        assert_refused(&emperor, name, &reason);
    }
    neighbour.assert_served();
}

/// Row I4: everything above it; the line names the path element.
#[test]
fn a_config_below_a_directory_that_others_can_write_is_refused() {
    for jail in JAILS {
        for mode in [0o775, 0o757, 0o1777] {
            let tree = Tree::new();
            let way = tree.dir("way");
            let inner = tree.dir_of(ALICE, "way/inner");
            chown(&way, None, Some(CAROL)).unwrap();
            chmod(&way, mode);
            tree.place(&inner.join("x.ini"), ALICE, &format!("[uwsgi]\n{IDLE}"));
            let (emperor, neighbour) = rule(tree, jail, &["--emperor", inner.to_str().unwrap()]);
            // Directories such as /tmp are everybody's on purpose.
            let who = if mode == 0o1777 { "everybody" } else { "others than its owner" };
            let reason = format!("{who} can write {} (mode {mode:04o})", way.display());
            assert_refused(&emperor, "x.ini", &reason);
            neighbour.assert_served();
        }
    }
}

/// Row I4: a directory on the way is a third party's.
#[test]
fn a_config_below_a_strangers_directory_is_refused() {
    let tree = Tree::new();
    let way = tree.dir_of(CAROL, "way");
    let inner = tree.dir_of(ALICE, "way/inner");
    tree.place(&inner.join("x.ini"), ALICE, &format!("[uwsgi]\n{IDLE}"));
    let (emperor, neighbour) = rule(tree, JAILS[0], &["--emperor", inner.to_str().unwrap()]);
    assert_refused(&emperor, "x.ini", &format!("{} belongs to uid {CAROL}", way.display()));
    neighbour.assert_served();
}

/// Row I6: nobody waits for any of these; the last config is reached.
#[test]
fn what_is_no_regular_file_of_a_sane_size_is_refused_at_once() {
    for jail in JAILS {
        let (emperor, neighbour) = tyranny(jail, &[]);
        let alice = emperor.tree.path("alice");
        let _listener = plant_oddities(&alice);
        alices(&emperor.tree, "last.ini", IDLE);
        for (name, reason) in [
            ("fifo.ini", "it is a FIFO"),
            ("socket.ini", "it is a socket"),
            ("device.ini", "it is a device"),
            ("directory.ini", "it is a directory"),
            ("huge.ini", "it is larger than"),
            ("proc.ini", "refused: "),
            ("dangling.ini", "refused: "),
            ("loop.ini", "refused: "),
        ] {
            assert_refused(&emperor, name, reason);
        }
        emperor.wait_for("last.ini", "has been spawned");
        neighbour.assert_served();
        std::fs::remove_file(alice.join("socket.ini")).unwrap();
    }
}

/// All are hers as far as she can have such a thing; they appear whole.
fn plant_oddities(alice: &Path) -> std::os::unix::net::UnixListener {
    let put = |name: &str| {
        lchown(alice.join("fresh"), Some(ALICE), Some(ALICE)).unwrap();
        std::fs::rename(alice.join("fresh"), alice.join(name)).unwrap();
    };
    mknodat(CWD, alice.join("fresh"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
    put("fifo.ini");
    mknodat(CWD, alice.join("fresh"), FileType::CharacterDevice, Mode::from(0o600), makedev(1, 5)).unwrap();
    put("device.ini");
    std::fs::create_dir(alice.join("fresh")).unwrap();
    put("directory.ini");
    std::fs::File::create(alice.join("fresh")).unwrap().set_len(1 << 40).unwrap();
    put("huge.ini");
    let listener = std::os::unix::net::UnixListener::bind(alice.join("fresh")).unwrap();
    put("socket.ini");
    link_of(ALICE, Path::new("/proc/self/environ"), &alice.join("proc.ini"));
    link_of(ALICE, Path::new("nowhere"), &alice.join("dangling.ini"));
    link_of(ALICE, Path::new("loop.ini"), &alice.join("loop.ini"));
    listener
}

/// Row I7: a name is one argument of a program, whatever is in it, and no shell ever reads it.
#[test]
fn a_name_is_passed_as_it_is_and_run_by_nobody() {
    let tree = Tree::new();
    tree.dir_of(ALICE, "alice");
    let heard = tree.path("heard");
    let hook = format!("printf '<%s>\\n' \"$UWSGI_VASSAL_CONFIG\" >> {}", heard.display());
    let (emperor, neighbour) = rule(tree, JAILS[0], &["--exec-as-emperor", &hook]);
    for name in
        ["$(echo pwned).ini", "`echo pwned`.ini", "a'b\";c.ini", "%n%s%p.ini", "a b;id.ini", "..x.ini.ini"]
    {
        if name.starts_with('.') {
            continue;
        }
        alices(&emperor.tree, name, IDLE);
        assert_arrives_as_it_is(&emperor, name);
        eventually(&format!("{name} in the hook"), || {
            let text = std::fs::read_to_string(&heard).unwrap_or_default();
            text.lines().any(|line| line == format!("<{name}>")).then_some(())
        });
    }
    neighbour.assert_served();
}

fn assert_arrives_as_it_is(emperor: &Emperor, name: &str) {
    let row = emperor.wait_stats(name, |row| row["ready"] == 1);
    let pid = i32::try_from(row["pid"].as_i64().unwrap()).unwrap();
    let arguments = crate::common::Process::of(pid).command_line();
    assert!(arguments.iter().any(|one| one == name), "{name} in {arguments:?}");
}

/// Row I7: names that garble a log, pose as an option or are too long name no vassal.
#[test]
fn a_name_that_could_deceive_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let (emperor, neighbour) = tyranny(JAILS[0], &[]);
    let long = "a".repeat(251) + ".ini";
    for (name, reason) in [
        (&b"-x.ini"[..], "its name begins with a dash"),
        (b"a\nvassal=neighbour.ini msg=forged.ini", "its name has characters that do not print"),
        (b"a\x1b[2J.ini", "its name has characters that do not print"),
        (b"a\\b.ini", "its name has a backslash"),
        (b"a\xffb.ini", "its name is not UTF-8"),
        (long.as_bytes(), "its name is longer than 254 bytes"),
    ] {
        let mark = emperor.lines.mark();
        let fresh = alices(&emperor.tree, "fresh", IDLE);
        let path = emperor.tree.path("alice").join(std::ffi::OsStr::from_bytes(name));
        std::fs::rename(fresh, &path).unwrap();
        emperor.lines.wait_since(mark, |line| line.contains(reason) && line.contains("vassal="));
        std::fs::remove_file(path).unwrap();
    }
    assert!(!emperor.lines.has(|line| line.starts_with("vassal=neighbour.ini")), "a line was forged");
    assert_eq!(emperor.lines.count(|line| line.contains("started with pid")), 1, "only the neighbour runs");
    neighbour.assert_served();
}
