//! Real files, as root, below a directory that root alone writes.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
use tempfile::TempDir;

use super::*;

const ADMIN: TrustPolicy =
    TrustPolicy { tyrant: false, nofollow: false, tyrant_nofollow: false, privileged: true };
const TYRANT: TrustPolicy = TrustPolicy { tyrant: true, ..ADMIN };
const ALICE: u32 = 61_001;
const BOB: u32 = 61_002;

fn room() -> TempDir {
    let room =
        tempfile::Builder::new().prefix("liege-trust-").tempdir_in("/var/lib").expect("tests run as root");
    fs::set_permissions(room.path(), fs::Permissions::from_mode(0o755)).expect("is ours");
    room
}

fn directory(path: &Path) -> OwnedFd {
    open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).expect("is there")
}

fn file(path: &Path, owner: u32, text: &str) {
    fs::write(path, text).expect("is ours");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("is ours");
    chown(path, Some(owner), Some(owner)).expect("tests run as root");
}

fn mkdir(path: &Path, owner: u32, mode: u32) {
    fs::create_dir(path).expect("is new");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("is ours");
    chown(path, Some(owner), Some(owner)).expect("tests run as root");
}

fn look(path: &Path, policy: &TrustPolicy) -> Result<Examined, Refusal> {
    let name = path.file_name().and_then(|name| name.to_str()).expect("tests name files");
    examine(
        directory(path.parent().expect("is below the room")).as_fd(),
        name,
        policy,
        Reach::Near(&Mounts::new()),
    )
}

fn reason(path: &Path, policy: &TrustPolicy) -> String {
    look(path, policy).expect_err("is to be refused").to_string()
}

#[test]
fn a_roots_file_is_trusted_and_a_users_is_his() {
    let room = room();
    let (mine, hers) = (room.path().join("mine.ini"), room.path().join("hers.ini"));
    file(&mine, 0, "[uwsgi]\n");
    file(&hers, ALICE, "[uwsgi]\n");
    let alice = Owner { uid: ALICE, gid: ALICE };
    assert_eq!(look(&mine, &ADMIN).expect("may run").trust, Trust::Trusted);
    assert_eq!(look(&hers, &ADMIN).expect("may run").trust, Trust::Tenant(alice));
    assert_eq!(look(&hers, &TYRANT).expect("may run").owner, alice);
    assert!(reason(&mine, &TYRANT).contains("nothing runs as root"));
}

#[test]
fn the_descriptor_is_at_the_start_of_what_was_judged() {
    let room = room();
    let path = room.path().join("x.ini");
    file(&path, 0, "[uwsgi]\nset = 1\n");
    let examined = look(&path, &ADMIN).expect("may run");
    fs::rename(&path, room.path().join("y.ini")).expect("is ours");
    file(&path, 0, "other");
    let text = std::io::read_to_string(fs::File::from(examined.file)).expect("is open");
    assert_eq!(text, "[uwsgi]\nset = 1\n");
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let room = room();
    let path = |name: &str| room.path().join(name);
    mkdir(&path("dir.ini"), 0, 0o755);
    let mode = Mode::from_raw_mode(0o644);
    mknodat(CWD, path("fifo.ini"), FileType::Fifo, mode, 0).expect("is new");
    mknodat(CWD, path("device.ini"), FileType::CharacterDevice, mode, rustix::fs::makedev(1, 5))
        .expect("is new");
    let _socket = std::os::unix::net::UnixListener::bind(path("socket.ini")).expect("is new");
    fs::File::create(path("sparse.ini")).and_then(|file| file.set_len(1 << 40)).expect("is ours");
    symlink("/proc/self/status", path("proc.ini")).expect("is new");
    symlink("/sys/kernel/notes", path("sys.ini")).expect("is new");
    for (name, part) in [
        ("dir.ini", "a directory"),
        ("fifo.ini", "a FIFO"),
        ("device.ini", "a device"),
        ("socket.ini", "a socket"),
        ("sparse.ini", "larger than"),
        ("proc.ini", "on a proc file system"),
        ("sys.ini", "on a sysfs file system"),
    ] {
        let reason = reason(&path(name), &ADMIN);
        assert!(reason.contains(part), "{name}: {reason}");
    }
    assert!(matches!(look(&path("none.ini"), &ADMIN), Err(Refusal::Absent)));
}

#[test]
fn hard_links_to_others_files_are_refused() {
    let room = room();
    mkdir(&room.path().join("alice"), ALICE, 0o755);
    mkdir(&room.path().join("bob"), BOB, 0o755);
    let (original, planted) = (room.path().join("bob/x.ini"), room.path().join("alice/x.ini"));
    file(&original, BOB, "");
    fs::hard_link(&original, &planted).expect("is new");
    assert_eq!(reason(&planted, &TYRANT), "it has 2 hard links; a config has exactly one name");
    fs::remove_file(&original).expect("is ours");
    assert!(
        reason(&planted, &TYRANT)
            .contains("belongs to uid 61001, who is neither root nor the owner (uid 61002)")
    );
}

#[test]
fn the_directory_that_others_write_is_named() {
    let room = room();
    for mode in [0o777, 0o1777, 0o775, 0o757] {
        let dir = room.path().join(format!("d{mode:o}"));
        mkdir(&dir, ALICE, mode);
        mkdir(&dir.join("below"), ALICE, 0o755);
        file(&dir.join("below/x.ini"), ALICE, "");
        let shown = dir.display();
        let expected = match mode {
            0o1777 => format!(
                "everybody can write {shown} (mode 1777); move the configs to a directory of their own"
            ),
            _ => format!("others than its owner can write {shown} (mode {mode:04o}); chmod go-w {shown}"),
        };
        assert_eq!(reason(&dir.join("below/x.ini"), &TYRANT), expected);
        assert_eq!(
            look(&dir.join("below/x.ini"), &TrustPolicy { privileged: false, ..ADMIN }).is_ok(),
            mode & 0o1002 != 2
        );
    }
}

#[test]
fn a_link_leads_to_its_owners_file_or_is_roots() {
    let room = room();
    let path = |name: &str| room.path().join(name);
    mkdir(&path("vassals"), 0, 0o755);
    mkdir(&path("alice"), ALICE, 0o755);
    file(&path("alice/app.ini"), ALICE, "");
    file(&path("bobs.ini"), BOB, "");
    symlink("../alice/app.ini", path("vassals/roots.ini")).expect("is new");
    symlink(path("alice/app.ini"), path("alice/own.ini")).expect("is new");
    symlink("../bobs.ini", path("alice/foreign.ini")).expect("is new");
    symlink("own.ini", path("alice/twice.ini")).expect("is new");
    symlink("nowhere.ini", path("alice/dangling.ini")).expect("is new");
    for link in ["own", "foreign", "twice", "dangling"] {
        lchown(path(&format!("alice/{link}.ini")), Some(ALICE), Some(ALICE)).expect("tests run as root");
    }
    let alice = Owner { uid: ALICE, gid: ALICE };
    assert_eq!(look(&path("vassals/roots.ini"), &TYRANT).expect("may run").owner, alice);
    let own = look(&path("alice/own.ini"), &TYRANT).expect("may run");
    assert_eq!(own.owner, alice);
    assert_eq!(own.targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>(), ["app.ini"]);
    assert_eq!(
        reason(&path("alice/foreign.ini"), &TYRANT),
        "link owned by uid 61001 points to a file of uid 61002"
    );
    assert!(reason(&path("alice/twice.ini"), &TYRANT).contains("a link to another link"));
    assert!(reason(&path("alice/dangling.ini"), &TYRANT).starts_with("link points to nowhere.ini: "));
}

#[test]
fn a_third_party_on_the_way_of_a_link_is_refused() {
    let room = room();
    let path = |name: &str| room.path().join(name);
    mkdir(&path("bob"), BOB, 0o755);
    mkdir(&path("alice"), ALICE, 0o755);
    file(&path("alice/x.ini"), ALICE, "");
    symlink("../alice", path("bob/current")).expect("is new");
    lchown(path("bob/current"), Some(BOB), Some(BOB)).expect("tests run as root");
    symlink("bob/current/x.ini", path("via.ini")).expect("is new");
    let expected = format!(
        "{} belongs to uid 61002, who is neither root nor the owner (uid 61001); chown it",
        path("bob").display()
    );
    assert_eq!(reason(&path("via.ini"), &TYRANT), expected);
    symlink(path("alice"), path("current")).expect("is new");
    symlink("current/x.ini", path("good.ini")).expect("is new");
    assert_eq!(look(&path("good.ini"), &TYRANT).expect("may run").owner.uid, ALICE);
}

#[test]
fn a_farm_of_links_to_one_skeleton_runs_as_the_owners_of_the_links() {
    let room = room();
    let farm = TrustPolicy { nofollow: true, tyrant_nofollow: true, ..TYRANT };
    file(&room.path().join("app.skel"), 0, "[uwsgi]\n");
    for owner in [ALICE, BOB] {
        let link = room.path().join(format!("{owner}.ini"));
        symlink("app.skel", &link).expect("is new");
        lchown(&link, Some(owner), Some(owner)).expect("tests run as root");
        let before = look(&link, &farm).expect("may run");
        assert_eq!(before.owner.uid, owner);
        file(&room.path().join("app.skel"), 0, "[uwsgi]\nchanged = 1\n");
        assert_eq!(
            look(&link, &farm).expect("may run").sight,
            before.sight,
            "what is behind the link is no change"
        );
    }
}

#[test]
fn a_refusal_keeps_its_fingerprint_until_something_changes() {
    let room = room();
    let path = room.path().join("x.ini");
    file(&path, ALICE, "");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("is ours");
    let seen = || match look(&path, &TYRANT) {
        Err(Refusal::Refused(sight, _)) => sight,
        other => panic!("{other:?}"),
    };
    let first = seen();
    assert_eq!(first, seen());
    assert!(first.refusal.is_some());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).expect("is ours");
    assert_ne!(first.fingerprint, seen().fingerprint);
}

#[test]
fn a_swap_between_two_looks_never_mixes_owner_and_content() {
    let room = room();
    let path = |name: &str| room.path().join(name);
    file(&path("a"), ALICE, "alice");
    file(&path("b"), BOB, "bob");
    symlink("a", path("x.ini")).expect("is new");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for turn in 0.. {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                symlink(["a", "b"][turn % 2], path("next")).expect("is new");
                fs::rename(path("next"), path("x.ini")).expect("is ours");
            }
        });
        for _ in 0..2_000 {
            let examined = look(&path("x.ini"), &TYRANT).expect("both may run");
            let text = std::io::read_to_string(fs::File::from(examined.file)).expect("is open");
            assert_eq!(text, if examined.owner.uid == ALICE { "alice" } else { "bob" });
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
