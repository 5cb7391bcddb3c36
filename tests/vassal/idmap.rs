//! Files that are somebody else's on disk and the vassal's in its jail, and what cannot be got by that. The letters and
//! numbers are rows of the list of known attacks.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use super::emperor::{Outcome, Place};
use super::network::tenant;
use super::program::copy_program;
use super::rootfs::{self, USER, has, mounts};

const JAIL: &str = "unshare = fs,pid\n";

/// A directory that is this id's alone, with a file, and one file of a third user in it.
fn place(config: &str, id: u32) -> Place {
    let place = Place::new(config);
    place.directory("seen", 0, 0o755);
    place.directory("data", id, 0o700);
    for (name, owner) in [("data/file", id), ("data/foreign", 54_399)] {
        std::fs::write(place.path(name), "text\n").unwrap();
        std::fs::set_permissions(place.path(name), PermissionsExt::from_mode(0o600)).unwrap();
        chown(place.path(name), Some(owner), Some(owner)).unwrap();
    }
    place
}

fn owner(place: &Place, name: &str) -> (u32, u32) {
    let found = std::fs::metadata(place.path(name)).unwrap();
    (found.uid(), found.gid())
}

const LOOK: &str = "command = sh -c 'cat DIR/seen/file; stat -c %%u:%%g DIR/seen DIR/seen/file DIR/seen/foreign; echo new > DIR/seen/new; mkdir DIR/seen/sub; cat DIR/seen/foreign; chown 54399 DIR/seen/new; cat /proc/self/mountinfo'";

#[test]
fn files_of_one_id_on_disk_are_the_vassals_and_nobody_elses_are() {
    for (flag, id) in [("idmap", 0), ("idmap=100000", 100_000)] {
        let place = place(&format!("{JAIL}{USER}bind = DIR/data:DIR/seen:{flag}\n{LOOK}"), id);
        let outcome = place.run();
        let wanted = "text\n54321:54322\n54321:54322\n65534:65534\n";
        assert!(outcome.output.starts_with(wanted), "{}{}", outcome.output, outcome.errors);
        let seen = place.path("seen").display().to_string();
        let found = mounts(&outcome.output);
        assert!(has(&found, &seen, &["nosuid", "nodev", "idmapped"]), "{found:?}");
        assert!(outcome.errors.contains("Permission denied"), "{}", outcome.errors);
        // On disk with the id of the tree, and only that.
        assert_eq!([owner(&place, "data/new"), owner(&place, "data/sub")], [(id, id); 2]);
        assert_eq!(owner(&place, "data/foreign"), (54_399, 54_399));
        assert_eq!(owner(&place, "data"), (id, id));
    }
}

/// What is below a recursive bind is read back too.
#[test]
fn mounts_below_are_idmapped_too_m10() {
    let config = format!(
        "{JAIL}{USER}exec-post-jail = mount -t tmpfs none DIR/data/sub && touch DIR/data/sub/inner\n\
         bind = DIR/data:DIR/seen:rbind,ro,idmap\ncommand = sh -c 'stat -c %%u DIR/seen/sub/inner; cat /proc/self/mountinfo'"
    );
    let place = place(&config, 0);
    place.directory("data/sub", 0, 0o755);
    let outcome = place.run();
    assert!(outcome.output.starts_with("54321\n"), "{}{}", outcome.output, outcome.errors);
    let found = mounts(&outcome.output);
    for name in ["seen", "seen/sub"] {
        let target = place.path(name).display().to_string();
        assert!(has(&found, &target, &["ro", "nosuid", "nodev", "idmapped"]), "{found:?}");
    }
}

#[test]
fn a_root_of_roots_is_seen_as_the_vassals() {
    let config = format!(
        "{JAIL}{USER}rootfs = DIR/root idmap\nproc\ncommand = sh -c 'stat -c %%u /bin/busybox; touch /tmp/mine; stat -c %%u /tmp/mine; grep -c idmapped /proc/self/mountinfo'"
    );
    let place = super::rootfs::place(&config);
    let outcome = place.run();
    assert_eq!(outcome.output, "54321\n54321\n1\n", "{}", outcome.errors);
    assert_eq!(owner(&place, "root/tmp/mine"), (0, 0));
}

/// P4, P5: who may write as root's owner on disk makes no program that runs as root, here or outside.
#[test]
fn setuid_files_gain_nothing_and_are_not_made_p4_p5() {
    for filter in ["", "seccomp = off\n"] {
        let config = format!(
            "{JAIL}{USER}{filter}bind = DIR/data:DIR/seen:idmap\ncommand = sh -c 'DIR/seen/id -u; cp /usr/bin/id DIR/seen/own; chmod 4755 DIR/seen/own; chmod 2755 DIR/seen/own; stat -c %%a DIR/seen/own; true'"
        );
        let place = place(&config, 0);
        copy_program("/usr/bin/id", place.path("data/id"));
        std::fs::set_permissions(place.path("data/id"), PermissionsExt::from_mode(0o6755)).unwrap();
        let outcome = place.run();
        assert_eq!(outcome.output, "54321\n755\n", "{}", outcome.errors);
        let made = std::fs::metadata(place.path("data/own")).unwrap();
        assert_eq!((made.uid(), made.mode() & 0o7777), (0, 0o755));
    }
}

/// A tree of several owners, as an image is unpacked by root; one of them is beyond the range.
fn image(config: &str) -> Place {
    let place = Place::new(config);
    place.directory("seen", 0, 0o755);
    place.directory("image", 0, 0o755);
    place.directory("image/own", 33, 0o755);
    for id in [0, 33, 1000, 65_535, 70_000] {
        let name = format!("image/of{id}");
        std::fs::write(place.path(&name), "text\n").unwrap();
        chown(place.path(&name), Some(id), Some(id)).unwrap();
    }
    place
}

const RANGE: &str = "uid = 100033\ngid = 100033\n";

#[test]
fn a_range_of_ids_on_disk_is_seen_as_another_range_and_written_to_as_on_disk() {
    let look = "exec-as-root = touch DIR/seen/roots || echo refused
exec-as-root = chown 101000:100033 DIR/seen/own/given
command = sh -c 'cd DIR/seen && stat -c %%n:%%u:%%g of*; echo new > own/new; mkdir own/sub; echo x >> of33; echo x >> of1000; cat /proc/self/mountinfo'";
    let place = image(&format!("{JAIL}{RANGE}bind = DIR/image:DIR/seen:idmap=0-65535@100000\n{look}"));
    std::fs::write(place.path("image/own/given"), "").unwrap();
    let outcome = place.run();
    let wanted = "refused\nof0:100000:100000\nof1000:101000:101000\nof33:100033:100033\n\
                  of65535:165535:165535\nof70000:65534:65534\n";
    assert!(outcome.output.starts_with(wanted), "{}{}", outcome.output, outcome.errors);
    let seen = place.path("seen").display().to_string();
    let found = mounts(&outcome.output);
    assert!(has(&found, &seen, &["nosuid", "nodev", "idmapped"]), "{found:?}");
    // On disk each has the id that was moved, and who is nobody there could write nothing.
    assert_eq!([owner(&place, "image/own/new"), owner(&place, "image/own/sub")], [(33, 33); 2]);
    assert_eq!(owner(&place, "image/own/given"), (1000, 33));
    assert!(!place.path("image/roots").exists());
    assert_eq!((place.read("image/of33"), place.read("image/of1000")), ("text\nx\n".into(), "text\n".into()));
}

#[test]
fn a_root_file_system_of_several_owners_is_moved_as_a_whole() {
    let place = rootfs::place(&format!(
        "{JAIL}{RANGE}rootfs = DIR/root idmap=0-65535@100000\nproc\ncommand = sh -c 'stat -c %%u:%%g /bin/busybox /data; touch /data/mine && mkdir /etc/mine; grep -c idmapped /proc/self/mountinfo'"
    ));
    chown(place.path("root/data"), Some(33), Some(33)).unwrap();
    let outcome = place.run();
    assert_eq!(outcome.output, "100000:100000\n100033:100033\n1\n", "{}", outcome.errors);
    assert_eq!(owner(&place, "root/data/mine"), (33, 33));
    assert!(!place.path("root/etc/mine").exists());
}

#[test]
fn a_range_that_is_none_is_told() {
    for range in ["0-@1", "5-4@0", "0-4294967295@0", "0-65535@4294967290", "-5@1", "0-5@", "0-4294967294@1"] {
        let outcome =
            place(&format!("{JAIL}{USER}bind = DIR/data:DIR/seen:idmap={range}\ncommand = true"), 0).run();
        assert_eq!(outcome.code(), 1, "{range}");
        assert!(outcome.told().join("\n").contains("bind"), "{range}: {}", outcome.errors);
        assert!(!outcome.errors.contains("step"), "{range}: {}", outcome.errors);
    }
}

#[test]
fn what_would_make_it_dangerous_is_refused() {
    let refused = |config: &str, wanted: &str| {
        let outcome = place(&format!("{JAIL}{config}\ncommand = true"), 0).run();
        assert_eq!(outcome.code(), 1, "{config}");
        assert!(outcome.errors.contains(wanted), "{config}: {}", outcome.errors);
    };
    let bind = "bind = DIR/data:DIR/seen:idmap";
    refused(bind, "and there is none");
    refused(&format!("{USER}{bind},suid"), "`idmap` with `suid` or `dev`");
    refused(&format!("{USER}no-new-privs = false\n{bind}"), "programs that gain privileges");
    refused(&format!("{USER}bind = DIR/data:DIR/seen:idmap=4294967295"), "is no id");
    refused(&format!("{USER}bind = DIR/data:DIR/seen:idmapped"), "is no flag of a bind");
    refused(&format!("{USER}rootfs = DIR/data overlay idmap"), "an overlay is nobody else's");
}

/// With its place and both ways out, before anything is made; one of them is then taken.
#[test]
fn in_a_user_namespace_of_its_own_it_is_refused_and_the_ids_can_be_given_instead() {
    let map = "unshare-id-map = 0 0 70000";
    for made in ["unshare = user,fs,pid", "unshare = fs,pid\nunshare2 = user"] {
        for (what, column) in [("bind = DIR/image:DIR/seen:", 8), ("rootfs = DIR/image ", 10)] {
            let config = format!("{RANGE}{what}idmap=0-65535@100000\n{made}\n{map}\ncommand = true");
            let outcome = image(&config).run();
            let told = outcome.told().join("\n");
            assert_eq!(outcome.code(), 1, "{config}");
            assert!(
                told.contains(&format!("v.ini:4:{column}: `idmap` in a user namespace of its own")),
                "{told}"
            );
            assert!(told.contains("leave out `user`") && told.contains("`unshare-id-map`"), "{told}");
        }
    }
    let given = format!("unshare = user,fs,pid\n{map}\nuid = 33\ngid = 33\nbind = DIR/image:DIR/seen\n");
    let look = "command = sh -c 'echo more >> DIR/seen/of33 && stat -c %%u:%%g DIR/seen/of33'";
    let place = image(&format!("{given}{look}"));
    assert_eq!(place.run().output, "33:33\n");
    assert_eq!(place.read("image/of33"), "text\nmore\n");
}

#[test]
fn a_file_system_that_cannot_is_named() {
    let outcome = place(&format!("{JAIL}{USER}bind = /proc:DIR/seen:idmap\ncommand = true"), 0).run();
    assert_eq!(outcome.code(), 1);
    assert!(
        outcome.errors.contains("/proc: EINVAL: its file system cannot show files as somebody else's"),
        "{}",
        outcome.errors
    );
}

/// F1: neither the source nor the place is one that somebody else has put a link to.
#[test]
fn links_on_the_way_are_not_followed_f1() {
    let place =
        place(&format!("{JAIL}{USER}bind = DIR/link:DIR/seen:idmap\ncommand = cat DIR/seen/shadow"), 0);
    symlink("/etc", place.path("link")).unwrap();
    let outcome = place.run();
    assert!(outcome.errors.contains("is a symbolic link"), "{}", outcome.errors);
    assert_eq!(outcome.output, "");
}

/// Root of a user namespace, whatever it says of itself.
#[test]
fn a_tenant_gets_nobodys_files_by_it() {
    for (jail, wanted) in [("user", "only root of the host"), ("", "cannot ")] {
        let place = place(
            &format!(
                "{JAIL}uid = 54321\ngid = 54322\nbind = DIR/data:DIR/seen:idmap\ncommand = cat DIR/seen/file"
            ),
            0,
        );
        let outcome = Outcome::of(&mut tenant(&place, jail));
        assert_eq!((outcome.code(), outcome.output.as_str()), (1, ""), "{}", outcome.errors);
        assert!(outcome.errors.contains(wanted), "{jail}: {}", outcome.errors);
    }
}
