//! Attacks on a file system of a jail; the letters and numbers are rows of the list of known ones.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::emperor::{Outcome, Place};
use super::rootfs::{JAIL, USER, has, mounts, place, table_of_the_host};

/// Whole vassals that are started while names are exchanged: the many races are those of `jail/tests/walk/exchanges.rs`.
const STARTS: usize = 10;

/// What is only seen where a mount went astray.
const ETC: &str = "/etc/passwd";

/// Exchanges two names as fast as it can until told to stop; says how often.
fn exchanging(place: &Place, one: &str, other: &str, work: impl FnOnce()) -> usize {
    let (one, other, done) = (place.path(one), place.path(other), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let exchanger = scope.spawn(|| {
            let mut times = 0;
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                times += 1;
            }
            times
        });
        work();
        done.store(true, Ordering::Relaxed);
        exchanger.join().unwrap()
    })
}

/// Row M2.
#[test]
fn a_place_that_is_exchanged_for_a_link_is_met_or_refused() {
    let place = place(&format!(
        "{JAIL}{USER}rootfs = DIR/root\nproc\nbind = DIR/data:/data\ncommand = sh -c 'cat /proc/self/mountinfo; cat /data/file; ls /etc/passwd'"
    ));
    symlink("/etc", place.path("root/trap")).unwrap();
    let before = table_of_the_host();
    let (mut met, mut refused) = (0, 0);
    let times = exchanging(&place, "root/data", "root/trap", || {
        for _ in 0..STARTS {
            let outcome = place.run();
            assert!(!outcome.output.contains(ETC), "{}", outcome.output);
            match outcome.errors.contains("cannot build the file system") {
                true => refused += 1,
                false => {
                    let targets = mounts(&outcome.output);
                    assert!(
                        targets.iter().any(|mount| ["/data", "/trap"].contains(&mount.target.as_str())),
                        "{targets:?}"
                    );
                    assert!(targets.iter().all(|mount| mount.target != "/etc"), "{targets:?}");
                    met += 1;
                }
            }
        }
    });
    assert_eq!((met + refused, times > STARTS), (STARTS, true));
    assert_eq!(table_of_the_host(), before);
}

/// Row M2.
#[test]
fn devices_are_not_made_in_a_directory_that_is_exchanged_for_ours() {
    let place = place(&format!("{JAIL}{USER}rootfs = DIR/root\nproc\ndev = minimal\ncommand = true"));
    place.directory("root/trap", 0, 0o755);
    exchanging(&place, "root/dev", "root/trap", || {
        for _ in 0..STARTS {
            let outcome = place.run();
            let refused = outcome.errors.contains("cannot build the file system");
            assert!(outcome.code() == 0 || refused, "{}", outcome.errors);
        }
    });
    for directory in ["root/dev", "root/trap"] {
        assert_eq!(std::fs::read_dir(place.path(directory)).unwrap().count(), 0, "{directory}");
    }
}

/// Row M2.
#[test]
fn a_source_that_is_exchanged_for_a_link_shows_nothing_else() {
    let place = place(&format!("{JAIL}{USER}rootfs = DIR/root\nbind = DIR/data:/data\ncommand = ls /data"));
    symlink("/etc", place.path("trap")).unwrap();
    exchanging(&place, "data", "trap", || {
        for _ in 0..STARTS {
            let outcome = place.run();
            let shown = outcome.output == "file\n";
            assert!(
                shown || outcome.errors.contains("is a symbolic link"),
                "{}{}",
                outcome.output,
                outcome.errors
            );
        }
    });
}

/// Row M3.
#[test]
fn what_hides_is_an_inode_of_our_own() {
    let place = place(&format!(
        "{JAIL}{USER}rootfs = DIR/root\nproc\nmask = /etc/hidden\ncommand = sh -c 'stat -c %%F:%%s:%%a /etc/hidden; cat /proc/self/mountinfo'"
    ));
    // What others take to hide files with.
    symlink("/proc/sys/kernel/core_pattern", place.path("root/dev/null")).unwrap();
    let outcome = place.run();
    assert!(outcome.output.starts_with("regular empty file:0:0\n"), "{}{}", outcome.output, outcome.errors);
    assert!(
        has(&mounts(&outcome.output), "/etc/hidden", &["ro", "nosuid", "nodev", "noexec"]),
        "{}",
        outcome.output
    );
    for hidden in ["root/etc/hidden", "root/etc"] {
        std::fs::rename(place.path(hidden), place.path("moved")).unwrap();
        symlink("/bin", place.path(hidden)).unwrap();
        let outcome = place.run();
        assert!(outcome.errors.contains("/etc/hidden: it is a symbolic link"), "{}", outcome.errors);
        std::fs::remove_file(place.path(hidden)).unwrap();
        std::fs::rename(place.path("moved"), place.path(hidden)).unwrap();
    }
}

/// Row M4.
#[test]
fn terminals_and_devices_of_the_root_are_covered_by_own_ones() {
    let host = || std::fs::read_dir("/dev/pts").map_or(0, Iterator::count);
    let place = place(&format!(
        "{JAIL}rootfs = DIR/root\nproc\ndev = minimal\ncommand = sh -c 'ls /dev/pts; readlink /dev/ptmx; ls /dev/console /dev/null-of-the-root; stat -c %%t:%%T /dev/null /dev/pts/ptmx; : < /dev/ptmx && echo opened'"
    ));
    std::fs::write(place.path("root/dev/null-of-the-root"), "").unwrap();
    symlink("/proc/sysrq-trigger", place.path("root/dev/console")).unwrap();
    symlink("/etc/passwd", place.path("root/dev/null")).unwrap();
    let before = host();
    let outcome = place.run();
    assert_eq!(outcome.output, "ptmx\npts/ptmx\n1:3\n5:2\nopened\n", "{}", outcome.errors);
    assert_eq!(host(), before);
}

/// Rows M6 and M11.
#[test]
fn a_root_with_links_in_important_places_is_refused() {
    let config = format!(
        "{JAIL}{USER}rootfs = DIR/root\nproc\ndev = minimal\ntmpfs = /tmp\nbind = DIR/data:/data\netc-hosts = generate\ncommand = true"
    );
    for (name, to) in [
        ("proc", "/etc"),
        ("dev", "../data"),
        ("tmp", "/"),
        ("data", "."),
        ("etc", "tmp"),
        ("etc/hosts", "/etc/hosts"),
    ] {
        let place = place(&config);
        let path = place.path("root").join(name);
        let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        symlink(to, &path).unwrap();
        let outcome = place.run();
        assert_eq!(outcome.code(), 1, "{name}");
        assert!(
            outcome.errors.contains("it is a symbolic link in the root file system"),
            "{name}: {}",
            outcome.errors
        );
    }
    // The root itself, and a directory on the way to it.
    for root in ["link", "way/root"] {
        let place = place(&config.replace("DIR/root", &format!("DIR/{root}")));
        symlink("root", place.path("link")).unwrap();
        symlink(".", place.path("way")).unwrap();
        let outcome = place.run();
        assert!(outcome.errors.contains("a part of this path is a symbolic link"), "{}", outcome.errors);
    }
}

/// Each of these must fail.
const UNDOING: &str = "for try in \"umount /secret\" \"umount -l /etc/hidden\" \"mount -o remount,rw /\" \"mount -o remount,bind,rw /data\" \"mount -o bind /bin /secret\" \"mount -t proc none /secret\" \"unshare -m umount /secret\" \"unshare -r -m umount /secret\" \"unshare -r -m mount -o remount,bind,rw /data\" \"mknod /tmp/null c 1 3\" \"mknod /tmp/disk b 254 0\"; do $try 2>/dev/null && echo \"$try\"; done; ls /secret; cat /etc/hidden; touch /data/x; for dev in mem kmem kmsg port loop0 loop-control fuse net/tun vda sda; do ls /dev/$dev; done; grep -E \"NoNewPrivs|CapEff\" /proc/self/status";

/// Rows M8 and M9.
#[test]
fn nobody_inside_undoes_what_hides_or_protects_nor_makes_devices() {
    for user in [USER, ""] {
        let place = place(&format!(
            "{JAIL}{user}rootfs = DIR/root ro\nproc\ndev = minimal\ntmpfs = /tmp\nbind = DIR/data:/data:ro\nmask = /secret\nmask = /etc/hidden\ncommand = sh -c '{UNDOING}'"
        ));
        let outcome = place.run();
        assert!(outcome.output.contains("CapEff"), "{}{}", outcome.output, outcome.errors);
        let told: Vec<&str> = outcome.output.lines().filter(|line| !line.contains(":\t")).collect();
        assert_eq!(told, Vec::<&str>::new(), "with {user:?}: {}", outcome.errors);
        assert!(!place.path("data/x").exists());
    }
}

/// Row D2.
#[test]
fn a_working_directory_outside_is_refused() {
    let place =
        place(&format!("{JAIL}{USER}rootfs = DIR/root\nproc\nchdir = /proc/self/fd/0\ncommand = pwd"));
    // Its standard input is a directory of the host, one that is there or one that is not any more.
    let run_on = |place: &Place, open: &str| {
        let inner = place.command();
        let mut command = std::process::Command::new("sh");
        command
            .args(["-c", &format!("{open}; exec \"$0\" vassal --ini v.ini")])
            .arg(inner.get_program())
            .current_dir(place.path(""));
        Outcome::of(&mut command)
    };
    let run = |place: &Place| run_on(place, "exec < /etc");
    let deleted = run_on(&place, "mkdir gone; exec < gone; rmdir gone");
    assert!(
        deleted.output.is_empty()
            && deleted.errors.contains("cannot change directory to /proc/self/fd/0: ENOENT"),
        "{}{}",
        deleted.output,
        deleted.errors
    );
    let outcome = run(&place);
    assert!(
        outcome.errors.contains("/proc/self/fd/0 is outside of the jail"),
        "{}{}",
        outcome.output,
        outcome.errors
    );
    for inside in ["/proc/1/cwd", "/proc/self/cwd/..", "/../..", "/data/../.."] {
        let place = super::rootfs::place(&format!(
            "{JAIL}{USER}rootfs = DIR/root\nproc\nchdir = {inside}\ncommand = pwd"
        ));
        assert_eq!(run(&place).output, "/\n", "{inside}");
    }
}
