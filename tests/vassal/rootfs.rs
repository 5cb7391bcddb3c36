//! A file system of its own: what is in it, what is not, and what becomes of the one outside.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::emperor::{Outcome, Place};
use super::program::copy_program;

/// From the package busybox-static.
const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 18] = [
    "sh", "ls", "cat", "mount", "umount", "id", "touch", "mkdir", "mknod", "stat", "grep", "hostname",
    "readlink", "unshare", "true", "pwd", "ps", "rmdir",
];
/// Namespaces, and a user that is nobody's.
pub const JAIL: &str = "unshare = fs,pid,uts,ipc\n";
pub const USER: &str = "uid = 54321\ngid = 54322\n";

/// A place with a root file system of busybox at `DIR/root`, made by root alone, and this config.
pub fn place(config: &str) -> Place {
    let place = Place::new(config);
    for name in ["bin", "dev", "proc", "tmp", "run", "etc", "data", "old", "secret"] {
        std::fs::create_dir_all(place.path("root").join(name)).unwrap();
    }
    let root = place.path("root");
    copy_program(BUSYBOX, root.join("bin/busybox"));
    std::fs::set_permissions(root.join("bin/busybox"), PermissionsExt::from_mode(0o755)).unwrap();
    APPLETS.iter().for_each(|name| symlink("busybox", root.join("bin").join(name)).unwrap());
    std::fs::write(root.join("etc/hosts"), "of the root\n").unwrap();
    std::fs::write(root.join("etc/hidden"), "hidden\n").unwrap();
    std::fs::write(root.join("secret/file"), "hidden\n").unwrap();
    place.directory("data", 0, 0o755);
    std::fs::write(place.path("data/file"), "data\n").unwrap();
    place
}

/// One mount as the jail sees it: place and options.
#[derive(Debug)]
pub struct Mounted {
    pub target: String,
    pub options: String,
    pub shared: bool,
}

/// The mounts in a text of `/proc/self/mountinfo`.
pub fn mounts(text: &str) -> Vec<Mounted> {
    text.lines()
        .filter_map(|line| {
            let (left, _) = line.split_once(" - ")?;
            let words: Vec<&str> = left.split(' ').collect();
            Some(Mounted {
                target: words.get(4)?.to_string(),
                options: words.get(5)?.to_string(),
                shared: words[6..].iter().any(|field| field.contains(':')),
            })
        })
        .collect()
}

pub fn has(mounts: &[Mounted], target: &str, options: &[&str]) -> bool {
    let mount = mounts.iter().rfind(|mount| mount.target == target);
    mount.is_some_and(|mount| options.iter().all(|wanted| mount.options.split(',').any(|one| one == *wanted)))
}

/// What a mount that went astray would show; other tests mount elsewhere meanwhile.
pub fn table_of_the_host() -> Vec<String> {
    let places = [
        "/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/tmp", "/run", "/mnt", "/etc", "/data", "/secret",
        "/old",
    ];
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let is_ours = |line: &&str| {
        line.split(' ').nth(4).is_some_and(|target| places.contains(&target) || target.contains("/.tmp"))
    };
    text.lines().filter(is_ours).map(str::to_owned).collect()
}

fn fine(outcome: &Outcome) -> &str {
    assert_eq!(outcome.code(), 0, "{}{}", outcome.output, outcome.errors);
    &outcome.output
}

/// The whole of a jail in fifteen lines.
const WHOLE: &str = "unshare = fs,pid,uts,ipc
hostname = box
rootfs = DIR/root ro
tmpfs = /tmp:1m
tmpfs = /run
proc
dev = minimal
bind = DIR/data:/data:ro,noexec
mask = /secret
mask = /etc/hidden
etc-hosts = generate
uid = 54321
gid = 54322
";

/// Rows M1 and M10.
#[test]
fn a_root_of_its_own_has_nothing_of_the_host_in_it() {
    let place = place(&format!(
        "{WHOLE}command = sh -c 'cat /proc/self/mountinfo; stat -c %%d:%%i / /.. /proc/self/root/; readlink /proc/self/cwd; pwd'"
    ));
    let before = table_of_the_host();
    let outcome = place.run();
    let output = fine(&outcome);
    let mounts = mounts(output);
    let targets: Vec<&str> = mounts.iter().map(|mount| mount.target.as_str()).collect();
    assert_eq!(
        targets,
        [
            "/",
            "/tmp",
            "/run",
            "/proc",
            "/dev",
            "/data",
            "/dev/pts",
            "/dev/shm",
            "/etc/hosts",
            "/secret",
            "/etc/hidden"
        ]
    );
    assert!(mounts.iter().all(|mount| !mount.shared), "{mounts:?}");
    for (target, options) in [
        ("/", &["ro", "nosuid", "nodev"][..]),
        ("/tmp", &["rw", "nosuid", "nodev"]),
        ("/proc", &["nosuid", "nodev", "noexec"]),
        ("/dev", &["nosuid", "noexec"]),
        ("/dev/pts", &["nosuid", "noexec"]),
        ("/dev/shm", &["nosuid", "nodev", "noexec"]),
        ("/data", &["ro", "nosuid", "nodev", "noexec"]),
        ("/secret", &["ro", "nosuid", "nodev", "noexec"]),
        ("/etc/hidden", &["ro", "nosuid", "nodev", "noexec"]),
    ] {
        assert!(has(&mounts, target, options), "{target} {options:?} {mounts:?}");
    }
    let root = std::fs::metadata(place.path("root")).unwrap();
    let same = format!("{}:{}\n", root.dev(), root.ino());
    assert!(output.ends_with(&format!("{same}{same}{same}/\n/\n")), "{same} {output}");
    assert_eq!(table_of_the_host(), before);
}

#[test]
fn what_is_private_is_gone_with_the_vassal_and_what_is_hidden_is_not_seen() {
    let place = place(&format!(
        "{WHOLE}command = sh -c 'touch /tmp/mine /run/mine; cat /etc/hidden; ls /secret; cat /data/file /etc/hosts; touch /new /data/new; hostname; ls /dev | tr \"\\\\n\" \" \"; echo; echo x > /dev/null && echo null'"
    ));
    std::fs::remove_file(place.path("root/bin/true")).unwrap();
    symlink("busybox", place.path("root/bin/tr")).unwrap();
    let outcome = place.run();
    assert_eq!(
        outcome.output,
        "data\n127.0.0.1 localhost\n::1 localhost\n127.0.1.1 box\nbox\nfd full null ptmx pts random shm stderr stdin stdout tty urandom zero \nnull\n",
        "{}",
        outcome.errors
    );
    assert!(std::fs::read_dir(place.path("root/tmp")).unwrap().next().is_none());
    assert!(!place.path("root/new").exists() && !place.path("data/new").exists());
}

#[test]
fn changes_in_an_overlay_do_not_reach_the_directory_below() {
    let place = place(&format!(
        "{JAIL}rootfs = DIR/root overlay\nproc\nbind = DIR/data:/srv/new/place\ncommand = sh -c 'echo changed > /etc/hosts; rmdir /old; mkdir /fresh; cat /etc/hosts; ls -d /fresh /old; cat /srv/new/place/file'"
    ));
    let outcome = place.run();
    assert_eq!(outcome.output, "changed\n/fresh\ndata\n", "{}", outcome.errors);
    assert_eq!(place.read("root/etc/hosts"), "of the root\n");
    assert!(
        place.path("root/old").is_dir()
            && !place.path("root/fresh").exists()
            && !place.path("root/srv").exists()
    );
}

#[test]
fn a_root_that_is_written_through_makes_no_places_of_its_own() {
    let place =
        place(&format!("{JAIL}{USER}rootfs = DIR/root\nbind = DIR/data:/missing/place\ncommand = true"));
    let outcome = place.run();
    assert!(
        outcome.errors.contains("/missing/place: it is missing in the root file system"),
        "{}",
        outcome.errors
    );
    assert!(!place.path("root/missing").exists());
}

/// Row M10.
#[test]
fn flags_reach_the_mounts_below_a_recursive_bind() {
    let config = format!(
        "{JAIL}{USER}exec-post-jail = mount -t tmpfs none DIR/data/sub && touch DIR/data/sub/inner\nrootfs = DIR/root\nproc\nbind = DIR/data:/data:rbind,ro,noexec\ncommand = sh -c 'cat /proc/self/mountinfo; ls /data/sub; touch /data/sub/x'"
    );
    let place = place(&config);
    place.directory("data/sub", 0, 0o777);
    let outcome = place.run();
    let mounts = mounts(&outcome.output);
    for target in ["/data", "/data/sub"] {
        assert!(has(&mounts, target, &["ro", "nosuid", "nodev", "noexec"]), "{mounts:?}{}", outcome.errors);
    }
    assert!(
        outcome.output.ends_with("inner\n") && outcome.errors.contains("Read-only"),
        "{}",
        outcome.errors
    );
}

#[test]
fn private_memory_needs_no_root_of_its_own() {
    // Not /tmp: the place of this test lies below it.
    let place = place(
        "unshare = fs\ntmpfs = /var/tmp\nreadonly = DIR/data\nmask = DIR/root/secret\nuid = 54321\ngid = 54322\ncommand = sh -c 'touch /var/tmp/liege-private; ls /var/tmp; touch DIR/data/x; ls DIR/root/secret'",
    );
    std::fs::set_permissions(place.path("data"), PermissionsExt::from_mode(0o777)).unwrap();
    let outcome = place.run();
    assert_eq!(outcome.output, "liege-private\n", "{}", outcome.errors);
    assert!(
        outcome.errors.contains("Read-only file system") && outcome.errors.contains("ermission denied"),
        "{}",
        outcome.errors
    );
    assert!(!Path::new("/var/tmp/liege-private").exists());
}

#[test]
fn as_root_programs_see_the_old_root_of_pivot_root_and_nobody_after_them() {
    for unmounts in ["", "exec-as-root = umount -l /old\n"] {
        let place = place(&format!(
            "{JAIL}{USER}pivot_root = DIR/root DIR/root/old\nexec-as-root = cat /old$PLACE/data/file; mount -t proc none /proc\n{unmounts}command = sh -c 'cat /proc/self/mountinfo; ls /old; pwd'"
        ));
        let mut command = place.command();
        command.env("PLACE", place.path(""));
        let outcome = Outcome::of(&mut command);
        let (first, rest) = fine(&outcome).split_once('\n').unwrap();
        assert_eq!(first, "data");
        let targets: Vec<String> = mounts(rest).into_iter().map(|mount| mount.target).collect();
        assert_eq!(targets, ["/", "/proc"]);
        assert!(rest.ends_with("/\n") && !rest.contains("/old"), "{rest}");
    }
}

#[test]
fn the_namespace_of_uwsgi_has_its_name_and_its_proc_and_keeps_what_it_is_told_to() {
    let place = place(&format!(
        "namespace = DIR/root:inside\nnamespace-keep-mount = DIR/data:/data\nnamespace-net = x\n{USER}command = sh -c 'hostname; cat /data/file; cat /proc/self/mountinfo; cat /proc/net/dev; echo $$'"
    ));
    let before = (table_of_the_host(), std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap());
    let outcome = place.run();
    let output = fine(&outcome);
    assert!(output.starts_with("inside\ndata\n"), "{output}");
    let targets: Vec<String> = mounts(output).into_iter().map(|mount| mount.target).collect();
    assert_eq!(targets, ["/", "/proc", "/data"]);
    assert!(output.contains("lo:") && !output.contains("eth"), "{output}");
    assert_eq!((table_of_the_host(), std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap()), before);
    assert!(!place.path("root/.uwsgi_ns_tmp_mountpoint").exists());
}

#[test]
fn a_chroot_without_namespaces_needs_a_user_and_with_them_it_is_a_whole_root() {
    let outcome = place(&format!("chroot = DIR/root\n{USER}command = sh -c 'pwd; ls /'")).run();
    assert_eq!(fine(&outcome), "/\nbin\ndata\ndev\netc\nold\nproc\nrun\nsecret\ntmp\n");
    let outcome = place("chroot = DIR/root\ncommand = true").run();
    assert!(outcome.errors.contains("root can leave a `chroot` again"), "{}", outcome.errors);
    let outcome = place(&format!(
        "{JAIL}chroot = DIR/root\nexec-as-root = mount -t proc none /proc\ncommand = cat /proc/self/mountinfo"
    ))
    .run();
    assert_eq!(mounts(fine(&outcome)).len(), 2);
}

#[test]
fn names_of_users_are_those_of_the_host() {
    let place = place(&format!("{JAIL}rootfs = DIR/root\nuid = daemon\ncommand = id -u"));
    std::fs::write(place.path("root/etc/passwd"), "daemon:x:54399:54399::/:/bin/sh\n").unwrap();
    assert_eq!(fine(&place.run()), "1\n");
}

#[test]
fn nothing_is_mounted_for_the_whole_host() {
    let before = table_of_the_host();
    for line in [
        "rootfs = DIR/root",
        "tmpfs = /mnt",
        "bind = DIR/data:/mnt",
        "proc",
        "mask = /mnt",
        "pivot_root = DIR/root DIR/root/old",
    ] {
        let place = place(&format!("{line}\ncommand = true"));
        // The environment claims namespaces that nobody made.
        let outcome = Outcome::of(place.command().env("LIEGE_JAIL", "fs,pid"));
        assert_eq!(outcome.code(), 1, "{line}");
        assert!(
            outcome.errors.contains("mounts would be made for the whole host"),
            "{line}: {}",
            outcome.errors
        );
        assert!(outcome.errors.contains("unshare = fs"), "{line}: {}", outcome.errors);
    }
    assert_eq!(table_of_the_host(), before);
}

#[test]
fn an_ordinary_user_is_told_what_is_missing() {
    let place = place(&format!("{JAIL}rootfs = DIR/root\ncommand = true"));
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=54321", "--regid=54322", "--clear-groups"]).arg(place.command().get_program());
    command.args(["vassal", "--ini", "v.ini"]).current_dir(place.path(""));
    let outcome = Outcome::of(&mut command);
    assert!(
        outcome.errors.contains("a file system of its own needs root of the vassal's own user namespace"),
        "{}",
        outcome.errors
    );
    assert!(outcome.errors.contains("add \"user\" to emperor-use-clone"), "{}", outcome.errors);
}
