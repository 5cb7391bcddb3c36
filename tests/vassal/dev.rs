//! `/dev` of a jail: what it is for can be done there, and nothing is made or changed in it. The letters and numbers are rows of
//! the list of known attacks.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::rootfs::{JAIL, USER, has, mounts, place};

/// Root of a user namespace, whose devices are those of the host.
const OWN: &str = "unshare = user,fs,pid,uts,ipc\n";
/// Who tries it: root of the host that stays root, a user, root of a user namespace.
const WHO: [(&str, &str); 3] = [(JAIL, ""), (JAIL, USER), (OWN, "")];
/// Each of these must fail.
const MAKING: &str = "for try in \"touch /dev/liege-of-a-test\" \"mkdir /dev/liege-of-a-test\" \"mknod /dev/liege-of-a-test c 1 3\" \"busybox ln -s / /dev/liege-of-a-test\"; do $try 2>/dev/null && echo \"done: $try\"; done; ";
/// And so must these. What would be left of the host's own devices is read afterwards.
const CHANGING: &str = "for try in \"busybox rm -f /dev/full\" \"busybox mv /dev/full /dev/other\" \"busybox chmod 0 /dev/null\" \"busybox chown 1:1 /dev/zero\"; do $try 2>/dev/null && echo \"done: $try\"; done; ";
/// This must not.
const USING: &str =
    "echo gone > /dev/null && echo null; busybox head -c 1 /dev/zero > /dev/null && echo zero; ";
const OWN_MOUNTS: &str = "echo x > /dev/shm/x && echo shm; : < /dev/ptmx && echo terminal; ";

/// Of a device of the host.
fn mode(name: &str) -> u32 {
    std::fs::metadata(format!("/dev/{name}")).unwrap().mode()
}

/// Row M9.
#[test]
fn nothing_is_made_or_changed_in_dev_and_all_of_it_can_be_used() {
    for (jail, user) in WHO {
        let command = format!("{MAKING}{CHANGING}{USING}{OWN_MOUNTS}cat /proc/self/mountinfo");
        let place = place(&format!(
            "{jail}{user}rootfs = DIR/root\nproc\ndev = minimal\nexec-as-root = {MAKING}true\ncommand = sh -c '{command}'"
        ));
        let outcome = place.run();
        let modes = ["null", "zero", "full"].map(mode);
        let mended = std::fs::set_permissions("/dev/null", PermissionsExt::from_mode(0o666));
        assert!(mended.is_ok() && modes == [0o20_666; 3], "of the host itself: {modes:?}");
        let said: Vec<&str> = outcome.output.lines().filter(|line| !line.contains(" - ")).collect();
        assert_eq!(said, ["null", "zero", "shm", "terminal"], "{jail}{user}: {}", outcome.errors);
        let found = mounts(&outcome.output);
        assert!(has(&found, "/dev", &["ro", "nosuid", "noexec"]), "{found:?}");
        assert!(has(&found, "/dev/pts", &["rw", "nosuid", "noexec"]), "{found:?}");
        assert!(has(&found, "/dev/shm", &["rw", "nosuid", "nodev", "noexec"]), "{found:?}");
    }
}

/// Row M9: of the host itself, root must not be able to take anything away.
#[test]
fn nothing_is_made_in_the_dev_of_the_host_either() {
    for (jail, user) in WHO {
        let place = place(&format!(
            "{jail}{user}rootfs = DIR/root\nproc\ndev = host\nexec-as-root = {MAKING}true\ncommand = sh -c '{MAKING}{USING}cat /proc/self/mountinfo'"
        ));
        let outcome = place.run();
        let said: Vec<&str> = outcome.output.lines().filter(|line| !line.contains(" - ")).collect();
        assert_eq!(said, ["null", "zero"], "{jail}{user}: {}", outcome.errors);
        assert!(has(&mounts(&outcome.output), "/dev", &["ro", "nosuid", "noexec"]), "{}", outcome.output);
        assert!(!std::path::Path::new("/dev/liege-of-a-test").exists());
    }
}

/// What else the config has there is mounted all the same.
#[test]
fn a_bind_below_dev_is_there() {
    let place = place(&format!(
        "{JAIL}{USER}rootfs = DIR/root\nproc\ndev = minimal\nbind = DIR/data:/dev/data\ntmpfs = /dev/mine:64k\ncommand = sh -c 'cat /dev/data/file; echo x > /dev/mine/x && cat /dev/mine/x'"
    ));
    let outcome = place.run();
    assert_eq!(outcome.output, "data\nx\n", "{}", outcome.errors);
}

/// Row M9: nodes that lie ready in a root, or in what is bound there, as somebody's who prepared them.
#[test]
fn devices_that_lie_in_a_root_are_opened_by_nobody() {
    let open = "for one in /nodes/null /nodes/loop /dev/nodes /data/null; do for way in \"< $one\" \">> $one\"; do (eval \": $way\") 2>/dev/null && echo \"opened: $one\"; done; done; test -c /nodes/null && echo seen";
    for (jail, user) in WHO {
        for root in ["rootfs = DIR/root", "rootfs = DIR/root overlay"] {
            let place = place(&format!(
                "{jail}{user}{root}\nproc\ndev = minimal\nbind = DIR/data:/data\ncommand = sh -c '{open}'"
            ));
            place.directory("root/nodes", 0, 0o755);
            for (name, kind, number) in [
                ("root/nodes/null", FileType::CharacterDevice, (1, 3)),
                ("root/nodes/loop", FileType::BlockDevice, (7, 0)),
                ("root/dev/nodes", FileType::CharacterDevice, (1, 3)),
                ("data/null", FileType::CharacterDevice, (1, 3)),
            ] {
                let path = place.path(name);
                mknodat(CWD, &path, kind, Mode::from_raw_mode(0o666), makedev(number.0, number.1)).unwrap();
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
            }
            let outcome = place.run();
            assert_eq!(outcome.output, "seen\n", "{jail}{user}{root}: {}", outcome.errors);
        }
    }
}
