//! File systems of vassals under an Emperor: of the administrator's as real root, of tenants as root of their own user
//! namespaces. The letters and numbers are rows of the list of known attacks.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::os::unix::fs::{PermissionsExt, chown, symlink};

use common::{ALICE, Emperor, LIEGE, Start, Tree};

const APPLETS: [&str; 15] = [
    "sh", "ls", "cat", "mount", "umount", "id", "touch", "mknod", "sed", "sleep", "unshare", "grep", "wc",
    "stat", "test",
];

/// A root file system of busybox, of root's and for everybody.
fn root(tree: &Tree) {
    for name in [
        "root",
        "root/bin",
        "root/proc",
        "root/dev",
        "root/tmp",
        "root/run",
        "root/etc",
        "root/secret",
        "root/data",
    ] {
        tree.dir(name);
    }
    common::copy_program("/bin/busybox", tree.path("root/bin/busybox"));
    std::fs::set_permissions(tree.path("root/bin/busybox"), PermissionsExt::from_mode(0o755)).unwrap();
    APPLETS.iter().for_each(|name| symlink("busybox", tree.path("root/bin").join(name)).unwrap());
    std::fs::write(tree.path("root/secret/file"), "hidden\n").unwrap();
    std::fs::write(tree.path("root/etc/hosts"), "of the root\n").unwrap();
}

/// What is in the jail, what can be undone in it, and what cannot be seen; each line begins with `>`.
const LOOK: &str = "sh -c '{ cat /proc/self/mountinfo; for try in \"umount /secret\" \"umount -l /tmp\" \"mount -o remount,rw /\" \"mount -o bind /bin /secret\" \"unshare -r -m umount /secret\" \"mknod /tmp/sda b 8 0\"; do $try 2>/dev/null && echo undone: $try; done; ls /secret /dev; touch /tmp/mine /x; ls /tmp; echo changed > /etc/hosts; cat /etc/hosts; id -u; echo end; } 2>&1 | sed \"s/^/>/\"; exec sleep 1000'";

fn config(tree: &Tree, lines: &str, command: &str) -> String {
    let root = tree.path("root").display().to_string();
    format!(
        "{lines}tmpfs = /tmp:2m\ntmpfs = /run\nproc\ndev = minimal\nmask = /secret\ncommand = {command}\n"
    )
    .replace("ROOT", &root)
}

/// Everything that was looked at.
fn looked(emperor: &Emperor) -> Vec<String> {
    emperor.wait_for_line(|line| line == ">end");
    emperor.lines.all().into_iter().filter_map(|line| line.strip_prefix('>').map(str::to_owned)).collect()
}

fn assert_jailed(lines: &[String], uid: &str) {
    let mounts: Vec<Vec<&str>> =
        lines.iter().filter(|line| line.contains(" - ")).map(|line| line.split(' ').collect()).collect();
    let places: Vec<&str> = mounts.iter().map(|mount| mount[4]).collect();
    for place in ["/", "/tmp", "/run", "/proc", "/dev", "/dev/pts", "/dev/shm", "/secret"] {
        assert!(places.contains(&place), "{place} in {lines:#?}");
    }
    assert!(
        places.iter().all(|place| *place == "/"
            || ["/tmp", "/run", "/proc", "/dev", "/secret"].iter().any(|top| place.starts_with(top))),
        "{places:?}"
    );
    // M10: read back for every mount.
    for mount in &mounts {
        let options: Vec<&str> = mount[5].split(',').collect();
        assert!(options.contains(&"nosuid"), "{mount:?}");
        assert!(options.contains(&"nodev") || mount[4].starts_with("/dev"), "{mount:?}");
    }
    // M8, M9.
    assert!(
        !lines.iter().any(|line| line.starts_with("undone") || line == "file" || line == "sda"),
        "{lines:#?}"
    );
    assert!(lines.iter().any(|line| line == "mine"), "{lines:#?}");
    assert_eq!(lines[lines.len() - 2], uid, "{lines:#?}");
}

const CLONE: [&str; 2] = ["--emperor-use-clone", "fs,pid,ipc,uts,net"];
const CLONE_USER: [&str; 2] = ["--emperor-use-clone", "fs,pid,ipc,uts,net,user"];

/// Rows M8, M9 and M10.
#[test]
fn a_trusted_vassal_has_a_root_of_its_own_as_real_root() {
    let tree = Tree::new();
    root(&tree);
    tree.vassal("shop.ini", &config(&tree, "rootfs = ROOT ro\nuid = 61001\ngid = 61001\n", LOOK));
    let emperor = Emperor::start(tree, &CLONE);
    let lines = looked(&emperor);
    assert_jailed(&lines, "61001");
    assert!(lines.iter().any(|line| line == "of the root"), "{lines:#?}");
    emperor.stop();
}

/// The long form of the first test, by one word: of root's own config, and of a tenant's in the jail of his Emperor.
#[test]
fn one_word_stands_for_the_lines_that_every_jail_has() {
    for (owner, options) in [(0, &[][..]), (ALICE, &["--emperor-tyrant"])] {
        let tree = Tree::new();
        root(&tree);
        let ids = if owner == 0 { "uid = 61001\ngid = 61001\n" } else { "" };
        let lines = format!(
            "jail = strict\nseccomp = default\nrootfs = ROOT\nmask = /secret\n{ids}command = {LOOK}\n"
        );
        let text = lines.replace("ROOT", &tree.path("root").display().to_string());
        tree.vassal_of(owner, "shop.ini", &text);
        let emperor = Emperor::start(tree, options);
        let lines = looked(&emperor);
        assert_jailed(&lines, "61001");
        assert!(lines.iter().any(|line| line == "of the root"), "{lines:#?}");
        emperor.stop();
    }
}

/// Rows M8, M9 and M10.
#[test]
fn a_tenant_has_one_as_root_of_his_user_namespace() {
    for writes in ["ro", "overlay"] {
        let tree = Tree::new();
        root(&tree);
        // What root of one id may change is what is his.
        for his in ["root", "root/etc", "root/etc/hosts"] {
            chown(tree.path(his), Some(ALICE), Some(ALICE)).unwrap();
        }
        tree.vassal_of(ALICE, "alice.ini", &config(&tree, &format!("rootfs = ROOT {writes}\n"), LOOK));
        let start = Start::in_tree(tree).option("--emperor-tyrant").options(&CLONE_USER);
        let emperor = start.start();
        let lines = looked(&emperor);
        assert_jailed(&lines, "0");
        let hosts = if writes == "ro" { "of the root" } else { "changed" };
        assert!(lines.iter().any(|line| line == hosts), "{lines:#?}");
        assert_eq!(std::fs::read_to_string(emperor.tree.path("root/etc/hosts")).unwrap(), "of the root\n");
        emperor.stop();
    }
}

#[test]
fn a_tenant_has_the_roots_of_uwsgi_too() {
    for root_line in ["pivot_root = ROOT ROOT/old", "namespace = ROOT:box", "chroot = ROOT\nproc"] {
        let tree = Tree::new();
        root(&tree);
        tree.dir("root/old");
        let look =
            "sh -c '{ ls /old; cat /proc/self/mountinfo; echo end; } 2>&1 | sed \"s/^/>/\"; exec sleep 1000'";
        let seen = "exec-as-root = test -d /proc/1 || mount -t proc none /proc; ls /old | wc -l";
        let lines = format!("{root_line}\n{seen}\ncommand = {look}\n");
        let text = lines.replace("ROOT", &tree.path("root").display().to_string());
        tree.vassal_of(ALICE, "alice.ini", &text);
        let emperor = Start::in_tree(tree).option("--emperor-tyrant").options(&CLONE_USER).start();
        let lines = looked(&emperor);
        let places: Vec<&str> = lines
            .iter()
            .filter(|line| line.contains(" - "))
            .filter_map(|line| line.split(' ').nth(4))
            .collect();
        assert_eq!((places, lines.len()), (vec!["/", "/proc"], 3), "{root_line}: {lines:#?}");
        emperor.stop();
    }
}

#[test]
fn an_ordinary_users_own_emperor_gives_one_too() {
    let tree = Tree::new();
    root(&tree);
    let text = config(&tree, "rootfs = ROOT ro\n", LOOK);
    tree.vassal_of(ALICE, "mine.ini", &text);
    let emperor = Start::owned(tree, ALICE).options(&CLONE).by_user(ALICE).start();
    assert_jailed(&looked(&emperor), "0");
    emperor.stop();
}

#[test]
fn a_tenant_without_a_user_namespace_is_told_how_to_get_one() {
    let tree = Tree::new();
    root(&tree);
    tree.vassal_of(ALICE, "alice.ini", &config(&tree, "rootfs = ROOT\n", "sleep 1000"));
    let emperor = Start::in_tree(tree).option("--emperor-tyrant").options(&CLONE).start();
    emperor.wait_for_line(|line| {
        line.contains("a file system of its own needs root of the vassal's own user namespace")
    });
    emperor.wait_for_line(|line| line.contains("add \"user\" to emperor-use-clone"));
    emperor.stop();
}

#[test]
fn a_tenant_binds_what_he_may_see_and_nothing_else() {
    let tree = Tree::new();
    root(&tree);
    std::fs::set_permissions(tree.dir("closed"), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::create_dir(tree.path("closed/in")).unwrap();
    let closed = tree.path("closed/in").display().to_string();
    let lines = format!("rootfs = ROOT\nbind = {closed}:/data\n");
    tree.vassal_of(ALICE, "alice.ini", &config(&tree, &lines, "sleep 1000"));
    let emperor = Start::in_tree(tree).option("--emperor-tyrant").options(&CLONE_USER).start();
    emperor.wait_for_line(|line| {
        line.contains("cannot build the file system: EACCES") && line.contains("closed/in")
    });
    emperor.stop();
}

#[test]
fn a_plan_shows_what_is_mounted_in_order() {
    let tree = Tree::new();
    root(&tree);
    tree.dir("root/srv");
    let text = config(
        &tree,
        "rootfs = ROOT ro\nbind = /srv:/srv:ro,noexec\nuid = 61001\ngid = 61001\n",
        "sleep 1000",
    );
    let file = tree.vassal("shop.ini", &text);
    let output = std::process::Command::new(LIEGE)
        .args(["plan"])
        .arg(&file)
        .args(["--emperor-use-clone", "fs,pid"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let at = |part: &str| {
        text.find(part)
            .unwrap_or_else(|| panic!("{part} in {text}{}", String::from_utf8_lossy(&output.stderr)))
    };
    let order = [
        "look up uid=61001",
        "build the file system\n    root: /var/lib",
        "/root (ro,nosuid,nodev)",
        "    /srv: /srv (ro,nosuid,nodev,noexec)",
        "    /tmp: memory, at most 2097152 bytes (nosuid,nodev)",
        "    /proc: proc of this pid namespace (nosuid,nodev,noexec)",
        "    /dev/null: device 1:3",
        "    /dev/pts: terminals of its own",
        "    /secret: hidden",
        "    leave the old root behind",
        "    read back what was mounted",
        "become uid=61001",
    ];
    let places: Vec<usize> = order.iter().map(|part| at(part)).collect();
    assert!(places.is_sorted(), "{text}");
}
