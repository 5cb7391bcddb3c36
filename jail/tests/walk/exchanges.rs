//! A tenant who exchanges names for links, as fast as he can, while root file systems are built from them.
//!
//! Each race is one process in a mount namespace of its own that builds one root and looks at what came of it: a
//! hundred thousand of each kind take minutes (`LIEGE_RACES=100000 cargo test -p jail --test walk exchanges`).

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use jail::plan::{Depth, HARMLESS, Made, Mount, Old, Root, Rootfs, Source};
use jail::run::enter;
use jail::sys::fork;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use tempfile::TempDir;

/// Roots that are built in each kind of race; another number where the variable `LIEGE_RACES` says so.
const RACES: u32 = 500;
/// So many times at most the careless way is gone until it loses.
const CARELESS_MAX: u32 = 20_000;
/// What is only there where a name led out of the tenant's directories.
const VICTIM: &str = "roots";

/// How one race ended, as the exit status of its process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All is where the tenant may have it.
    Met = 0,
    /// A link was seen for what it is, and nothing was built.
    Refused = 1,
    /// Something of root's was mounted, or mounted upon.
    Lost = 2,
}

/// Row M2: a place below the root.
pub fn a_place_that_is_exchanged_is_met_or_refused_each_time() {
    let field = Field::new();
    symlink(field.path("victim"), field.path("root/trap")).unwrap();
    let rootfs = field.rootfs(vec![field.data("/data")]);
    let race = || end_of(&rootfs, || is_mounted_on(&["/data", "/trap"]));
    let tally = field.race(("root/data", "root/trap"), races(), race);
    tally.assert_held("a place");
}

/// Row M2: what is mounted.
pub fn a_source_that_is_exchanged_shows_the_tenants_file_each_time() {
    let field = Field::new();
    symlink(field.path("victim"), field.path("trap")).unwrap();
    let rootfs = field.rootfs(vec![field.data("/data")]);
    let race = || end_of(&rootfs, || names_in("/data") == ["file"]);
    let tally = field.race(("data", "trap"), races(), race);
    tally.assert_held("a source");
}

/// Row M2: the directory in which devices are made.
pub fn devices_are_made_in_no_directory_but_ours() {
    let field = Field::new();
    symlink(field.path("victim"), field.path("root/trap")).unwrap();
    let memory = Mount { target: "/dev".into(), source: Source::Memory(None, 0o755), attributes: HARMLESS };
    let null = jail::plan::DEVICES[0];
    let device =
        Mount { target: "/dev/null".into(), source: Source::Device(null, Made::New), attributes: HARMLESS };
    let rootfs = field.rootfs(vec![memory, device]);
    let tally = field.race(("root/dev", "root/trap"), races(), || end_of(&rootfs, || true));
    tally.assert_held("devices");
    for directory in ["root/dev", "root/trap", "victim"] {
        let names = names_in(field.path(directory));
        assert!(names.is_empty() || names == [VICTIM], "{directory}: {names:?}");
    }
}

/// The same attacker against whoever looks first and then mounts by name: he is fast enough.
pub fn whoever_looks_first_and_mounts_by_name_loses() {
    let field = Field::new();
    symlink(field.path("victim"), field.path("trap")).unwrap();
    let (source, place) = (field.path("data"), field.path("root/data"));
    let careless = || {
        if std::fs::symlink_metadata(&source).map_or(true, |found| found.is_symlink()) {
            return End::Refused;
        }
        match mount_bind(&source, &place).map(|()| names_in(&place) == ["file"]) {
            Ok(true) => End::Met,
            Ok(false) => End::Lost,
            Err(_) => End::Refused,
        }
    };
    let mut raced = 0;
    while field.race(("data", "trap"), 50, careless).lost == 0 {
        raced += 50;
        assert!(raced < CARELESS_MAX, "the attacker is too slow for anybody: so nothing was shown");
    }
}

fn races() -> u32 {
    std::env::var("LIEGE_RACES").map_or(RACES, |races| races.parse().expect("LIEGE_RACES is a number"))
}

fn end_of(rootfs: &Rootfs, holds: impl FnOnce() -> bool) -> End {
    match enter(rootfs) {
        Err(_) => End::Refused,
        Ok(_) if holds() => End::Met,
        Ok(_) => End::Lost,
    }
}

fn names_in(directory: impl AsRef<Path>) -> Vec<String> {
    let Ok(list) = std::fs::read_dir(directory) else { return Vec::new() };
    list.map(|one| one.unwrap().file_name().into_string().unwrap()).collect()
}

/// Whether our table of mounts has nothing but the root, `/proc`, and one of these.
fn is_mounted_on(places: &[&str]) -> bool {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut seen: Vec<&str> = table.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    seen.retain(|place| !["/", "/proc"].contains(place));
    matches!(seen[..], [one] if places.contains(&one))
}

/// A root, something to be mounted in it, and what belongs to root alone.
struct Field(TempDir);

impl Field {
    fn new() -> Self {
        let field = Self(tempfile::tempdir().unwrap());
        for directory in ["root/proc", "root/dev", "root/data", "data", "victim"] {
            std::fs::create_dir_all(field.path(directory)).unwrap();
        }
        std::fs::write(field.path("data/file"), "").unwrap();
        std::fs::write(field.path("victim").join(VICTIM), "").unwrap();
        field
    }

    fn path(&self, name: &str) -> PathBuf {
        // No part of the way may be a link.
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn rootfs(&self, mut mounts: Vec<Mount>) -> Rootfs {
        let proc = Mount { target: "/proc".into(), source: Source::Proc, attributes: HARMLESS };
        mounts.insert(0, proc);
        Rootfs { root: Root::Directory(self.path("root"), HARMLESS), mounts, old: Old::Left }
    }

    fn data(&self, target: &str) -> Mount {
        let source = Source::Tree(self.path("data"), Depth::All);
        Mount { target: target.into(), source, attributes: HARMLESS }
    }

    /// So many processes, one after the other, while these two names change places.
    fn race(&self, (one, other): (&str, &str), races: u32, race: impl Fn() -> End) -> Tally {
        let exchanger = Exchanger::of(self.path(one), self.path(other));
        let mut tally = Tally::default();
        for _ in 0..races {
            tally.count(status_of(fork(|| apart(&race) as i32).unwrap()));
        }
        drop(exchanger);
        tally
    }
}

/// Runs this in a mount namespace that nobody else sees.
fn apart(race: impl FnOnce() -> End) -> End {
    #[expect(unsafe_code, reason = "rustix marks the whole call")]
    // SAFETY: a mount namespace of its own has no part in how this process uses its descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.unwrap();
    mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE).unwrap();
    race()
}

fn status_of(child: Pid) -> Option<i32> {
    waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap().1.exit_status()
}

/// The tenant: a process that exchanges two names until it is killed.
struct Exchanger(Pid);

impl Exchanger {
    fn of(one: PathBuf, other: PathBuf) -> Self {
        let work = || -> i32 {
            jail::run::die_with_parent().unwrap();
            while renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).is_ok() {}
            1
        };
        Self(fork(work).unwrap())
    }
}

impl Drop for Exchanger {
    fn drop(&mut self) {
        kill_process(self.0, Signal::KILL).unwrap();
        // It ends by itself only where it could not exchange.
        assert_eq!(status_of(self.0), None, "the exchanging failed");
    }
}

#[derive(Debug, Default)]
struct Tally {
    met: u32,
    refused: u32,
    lost: u32,
}

impl Tally {
    fn count(&mut self, status: Option<i32>) {
        match status {
            Some(status) if status == End::Met as i32 => self.met += 1,
            Some(status) if status == End::Refused as i32 => self.refused += 1,
            Some(status) if status == End::Lost as i32 => self.lost += 1,
            other => panic!("a race ended with {other:?}"),
        }
    }

    fn assert_held(&self, what: &str) {
        println!("{what}: {self:?}");
        assert_eq!(self.lost, 0, "{what}");
        // He came in time, and not always: both sides of the race were seen.
        assert!(self.met > 0 && self.refused > 0, "{what}: {self:?}");
    }
}
