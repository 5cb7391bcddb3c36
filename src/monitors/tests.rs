//! Real directories, real programs: what each does to a config is told exactly once.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::WatchFlags;
use rustix::fs::{AtFlags, CWD, Timestamps, utimensat};
use tempfile::TempDir;

use super::*;
use crate::emperor::event::Sight;
use crate::trust::{Examined, Refusal};

const ADMIN: TrustPolicy =
    TrustPolicy { tyrant: false, nofollow: false, tyrant_nofollow: false, privileged: true };
/// Nothing here takes so long on the slowest of machines.
const PATIENCE: Duration = Duration::from_secs(30);

struct Scene {
    room: TempDir,
    start: Instant,
    monitors: Monitors,
    told: Vec<Told>,
    marks: u32,
}

impl Scene {
    /// A room with an empty `v`, watched as a directory.
    fn new() -> Self {
        Self::with(|room| {
            Self::prepare(room, &[Source::Dir("v".into())], Settings { trust: ADMIN, ..Settings::default() })
        })
    }

    fn with(make: impl FnOnce(TempDir) -> Self) -> Self {
        let room = tempfile::Builder::new()
            .prefix("liege-monitor-")
            .tempdir_in("/var/lib")
            .expect("tests run as root");
        fs::set_permissions(room.path(), fs::Permissions::from_mode(0o755)).expect("is ours");
        fs::create_dir(room.path().join("v")).expect("is new");
        make(room)
    }

    fn prepare(room: TempDir, sources: &[Source], settings: Settings) -> Self {
        let monitors =
            Monitors::new(sources, settings, Box::new(OwnEyes::default()), room.path(), Moment::default());
        let monitors = monitors.expect("sources are good");
        let mut scene = Self { room, start: Instant::now(), monitors, told: Vec::new(), marks: 0 };
        scene.rest();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("is ours");
    }

    /// File times move in ticks: what is done after this has another time than what was done before.
    fn tick(&self) {
        let stamp = || {
            fs::write(self.path("tick"), "x").expect("is ours");
            fs::metadata(self.path("tick")).and_then(|tick| tick.modified()).expect("is there")
        };
        let before = stamp();
        while stamp() == before {}
    }

    fn run(&self, script: &str) {
        self.tick();
        let status = Command::new("/bin/sh").args(["-ec", script]).current_dir(self.room.path()).status();
        assert!(status.expect("there is a shell").success(), "{script}");
    }

    fn now(&self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_nanos()).expect("a test ends"))
    }

    /// One turn of a loop: waits for the descriptor or the deadline.
    fn turn(&mut self) {
        assert!(self.start.elapsed() < PATIENCE, "too late; told so far: {:?}", self.told);
        let now = self.now();
        let wait = self.monitors.next_deadline().map_or(1_000_000_000, |at| at.0.saturating_sub(now.0));
        let timeout = Timespec::try_from(Duration::from_nanos(wait.min(1_000_000_000))).expect("is short");
        let mut ready = [PollFd::from_borrowed_fd(self.monitors.descriptor(), PollFlags::IN)];
        poll(&mut ready, Some(&timeout)).expect("poll works");
        let readable = !ready[0].revents().is_empty();
        if readable {
            self.monitors.handle_readable(self.now());
        }
        self.monitors.handle_deadline(self.now());
        while let Some(told) = self.monitors.next_event() {
            self.told.push(told);
        }
    }

    fn until(&mut self, enough: impl Fn(&[Told]) -> bool) {
        while !enough(&self.told) {
            self.turn();
        }
    }

    /// Until everything that was done before has been heard and has come to rest.
    fn rest(&mut self) {
        self.marks += 1;
        let mark = self.path(&format!("mark{}", self.marks));
        fs::create_dir(&mark).expect("is new");
        let watch = self.monitors.watches.add(
            &OwnEyes::default(),
            rustix::fs::open(&mark, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())
                .expect("is there")
                .as_fd(),
            rustix::fs::inotify::WatchFlags::DELETE_SELF,
            watches::Use::File((NodeId(u32::MAX), "".into())),
        );
        let watch = watch.expect("there are watches");
        // Its removal is the last thing in the queue: once it is heard, all before it was heard.
        fs::remove_dir(&mark).expect("is ours");
        while self.monitors.watches.uses(watch).is_some() || !self.monitors.is_at_rest() {
            self.turn();
        }
    }

    /// What was told of configs since the last time.
    fn changes(&mut self) -> Vec<String> {
        self.rest();
        let names = self.told.drain(..).filter_map(|told| match told {
            Told::Event(Event::Seen(key, Sight { refusal: None, .. })) => Some(format!("seen {}", key.name)),
            Told::Event(Event::Seen(key, _)) => Some(format!("refused {}", key.name)),
            Told::Event(Event::Unseen(key)) => Some(format!("unseen {}", key.name)),
            Told::Event(_) | Told::Note(_) | Told::Errand { .. } => None,
        });
        names.collect()
    }

    fn notes(&self) -> Vec<SourceNews> {
        let notes = self.told.iter().filter_map(|told| match told {
            Told::Note(note) => Some(note.what.clone()),
            Told::Event(_) | Told::Errand { .. } => None,
        });
        notes.collect()
    }
}

impl Monitors {
    fn is_at_rest(&self) -> bool {
        self.settle.next_deadline().is_none()
            && !self.settle.has_finding()
            && self.scan.is_none()
            && self.scans.is_empty()
    }
}

#[test]
fn what_is_there_is_told_in_order_and_the_rest_is_ignored() {
    let mut scene = Scene::with(|room| {
        for name in [
            "b.ini", "a.yml", "c.json", ".d.ini", "e.ini~", "#f.ini#", "g.skel", "h.txt", "-i.ini",
            "j\nk.ini",
        ] {
            fs::write(room.path().join("v").join(name), "x").expect("is ours");
        }
        fs::create_dir(room.path().join("v/l.ini")).expect("is new");
        Scene::prepare(room, &[Source::Dir("v".into())], Settings { trust: ADMIN, ..Settings::default() })
    });
    let expected = [
        "seen a.yml",
        "seen b.ini",
        "seen c.json",
        "refused \\-i.ini",
        "refused \\j\\nk.ini",
        "refused l.ini",
    ];
    let mut told = scene.changes();
    told.sort_by_key(|line| line.rsplit_once(' ').map(|(_, name)| name.trim_start_matches('\\').to_owned()));
    assert_eq!(
        told,
        [
            "refused \\-i.ini",
            "seen a.yml",
            "seen b.ini",
            "seen c.json",
            "refused \\j\\nk.ini",
            "refused l.ini"
        ]
    );
    assert_eq!(expected.len(), told.len());
    scene.monitors.rescan(scene.now());
    assert_eq!(scene.changes(), [""; 0], "a second look finds nothing new");
    scene.run("rm -r v/-i.ini v/l.ini");
    assert_eq!(scene.changes().len(), 2);
}

#[test]
fn every_program_changes_a_config_exactly_once() {
    let mut scene = Scene::new();
    scene.run("printf a >v/x.ini");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    for (number, script) in [
        "printf b >v/x.ini",
        "printf c >>v/x.ini",
        "touch v/x.ini",
        "touch -d '2001-02-03' v/x.ini",
        "sed -i s/a/b/ v/x.ini",
        "sed -i.bak s/b/c/ v/x.ini",
        "printf d >new; cp new v/x.ini",
        "printf dd >new; cp -p new v/x.ini",
        "printf e >new; mv new v/x.ini",
        "printf f >new; install -m 644 new v/x.ini",
        "printf g >new; cp --remove-destination new v/x.ini",
        "printf h >v/.x.ini.tmp; mv v/.x.ini.tmp v/x.ini",
        "mv v/x.ini v/x.ini~; printf i >v/x.ini; rm v/x.ini~",
        "rm v/x.ini; printf j >v/x.ini",
        "printf kk >new; dd if=new of=v/x.ini conv=notrunc,fsync 2>/dev/null",
        "ln -sf ../new v/x.ini",
        "rm v/x.ini; printf l >v/x.ini",
    ]
    .into_iter()
    .enumerate()
    {
        scene.run(script);
        assert_eq!(scene.changes(), ["seen x.ini"], "{number}: {script}");
    }
}

#[test]
fn the_editors_and_copiers_of_this_machine_change_a_config_exactly_once() {
    let mut scene = Scene::new();
    scene.run("printf 'a\\nb\\n' >v/x.ini");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    let vim =
        "vim -u NONE -i NONE -n -es -c 'set BACKUP' -c 's/$/x/' -c wq v/x.ini </dev/null >/dev/null 2>&1";
    for script in [
        vim.replace("BACKUP", "nobackup writebackup backupcopy=auto"),
        vim.replace("BACKUP", "nobackup writebackup backupcopy=no"),
        vim.replace("BACKUP", "backup writebackup backupcopy=yes"),
        vim.replace("BACKUP", "nobackup nowritebackup"),
        "printf 1 >new; rsync -t new v/x.ini".into(),
        "printf 22 >new; rsync -a --inplace new v/x.ini".into(),
        "printf 333 >new; touch -d 1999-01-01 new; rsync -a new v/x.ini".into(),
    ] {
        let program = script.split(' ').find(|word| matches!(*word, "vim" | "rsync")).expect("is named");
        if !PathBuf::from("/usr/bin").join(program).exists() {
            eprintln!("skipped: there is no {program} here");
            continue;
        }
        scene.run(&script);
        assert_eq!(scene.changes(), ["seen x.ini"], "{script}");
    }
}

#[test]
fn two_edits_in_one_second_and_an_older_time_are_changes() {
    let mut scene = Scene::new();
    scene.write("v/x.ini", "a");
    let time = |nanoseconds| {
        let moment = Timespec { tv_sec: 1_700_000_000, tv_nsec: nanoseconds };
        Timestamps { last_access: moment, last_modification: moment }
    };
    scene.changes();
    for nanoseconds in [2, 3, 1] {
        utimensat(CWD, scene.path("v/x.ini"), &time(nanoseconds), AtFlags::empty()).expect("is ours");
        assert_eq!(scene.changes(), ["seen x.ini"]);
    }
    utimensat(CWD, scene.path("v/x.ini"), &time(1), AtFlags::empty()).expect("is ours");
    assert_eq!(scene.changes(), [""; 0], "the same time again is none");
}

#[test]
fn nothing_is_told_of_half_a_file() {
    use std::io::Write;
    let mut scene = Scene::new();
    let mut file = fs::File::create(scene.path("v/x.ini")).expect("is new");
    for _ in 0..50 {
        file.write_all(b"half").expect("is open");
        scene.turn();
    }
    assert!(scene.told.is_empty());
    drop(file);
    assert_eq!(scene.changes(), ["seen x.ini"]);
}

#[test]
fn a_writer_that_keeps_the_file_open_is_heard_when_it_pauses() {
    use std::io::Write;
    let mut scene = Scene::new();
    let mut file = fs::File::create(scene.path("v/x.ini")).expect("is new");
    file.write_all(b"all").expect("is open");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    file.write_all(b"more").expect("is open");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    drop(file);
    assert_eq!(scene.changes(), [""; 0], "closing changes nothing");
}

#[test]
fn removal_is_told_however_it_happens() {
    let mut scene = Scene::new();
    for script in ["rm v/x.ini", "mv v/x.ini v/x.off", "mv v/x.ini elsewhere"] {
        scene.write("v/x.ini", script);
        assert_eq!(scene.changes(), ["seen x.ini"]);
        scene.run(script);
        assert_eq!(scene.changes(), ["unseen x.ini"], "{script}");
    }
}

#[test]
fn a_change_of_owner_is_told_and_a_refusal_once() {
    let mut scene = Scene::new();
    scene.write("v/x.ini", "");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    scene.run("chown 61001:61001 v/x.ini");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    scene.run("chmod 666 v/x.ini");
    assert_eq!(scene.changes(), ["refused x.ini"]);
    scene.monitors.rescan(scene.now());
    assert_eq!(scene.changes(), [""; 0]);
    scene.run("chmod 644 v/x.ini");
    assert_eq!(scene.changes(), ["seen x.ini"]);
}

#[test]
fn who_may_write_above_a_config_decides_about_it_at_once() {
    let mut scene = Scene::new();
    scene.write("v/x.ini", "");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    for directory in ["v", "."] {
        scene.run(&format!("chmod 777 {directory}"));
        assert_eq!(scene.changes(), ["refused x.ini"], "{directory}");
        scene.run(&format!("chmod 755 {directory}"));
        assert_eq!(scene.changes(), ["seen x.ini"], "{directory}");
    }
}

#[test]
fn a_followed_link_changes_with_its_file() {
    let mut scene = Scene::new();
    scene.run("mkdir real; printf a >real/app.ini; ln -s ../real/app.ini v/x.ini");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    for script in [
        "printf b >real/app.ini",
        "touch real/app.ini",
        "sed -i s/b/c/ real/app.ini",
        "printf d >>real/app.ini",
        "mv real/app.ini real/app.ini~; printf e >real/app.ini",
        "touch --no-dereference v/x.ini",
    ] {
        scene.run(script);
        assert_eq!(scene.changes(), ["seen x.ini"], "{script}");
    }
    scene.run("rm real/app.ini");
    assert_eq!(scene.changes(), ["refused x.ini"]);
    scene.run("printf f >real/app.ini");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    scene.run("rm v/x.ini; printf g >real/app.ini");
    assert_eq!(scene.changes(), ["unseen x.ini"]);
}

#[test]
fn a_release_that_is_switched_behind_a_link_is_a_change() {
    let mut scene = Scene::new();
    scene.run("mkdir r1 r2; echo 1 >r1/app.ini; echo 2 >r2/app.ini; ln -s r1 current; ln -s ../current/app.ini v/x.ini");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    for script in
        ["ln -sfn r2 current", "rm current; ln -s r1 current", "mkdir n; echo 3 >n/app.ini; mv r1 o; mv n r1"]
    {
        scene.run(script);
        assert_eq!(scene.changes(), ["seen x.ini"], "{script}");
    }
    scene.run("rm current");
    assert_eq!(scene.changes(), ["refused x.ini"]);
    scene.run("ln -s r2 current");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    scene.run("chmod 777 r2");
    assert_eq!(scene.changes(), ["refused x.ini"]);
    scene.run("chmod 755 r2");
    assert_eq!(scene.changes(), ["seen x.ini"]);
}

#[test]
fn a_farm_of_links_reloads_one_by_one() {
    let mut scene = Scene::with(|room| {
        let trust = TrustPolicy { nofollow: true, ..ADMIN };
        fs::write(room.path().join("v/app.skel"), "a").expect("is ours");
        for name in ["app1.ini", "app2.ini"] {
            symlink("app.skel", room.path().join("v").join(name)).expect("is new");
        }
        Scene::prepare(room, &[Source::Dir("v".into())], Settings { trust, ..Settings::default() })
    });
    assert_eq!(scene.changes(), ["seen app1.ini", "seen app2.ini"]);
    scene.run("touch --no-dereference v/app1.ini");
    assert_eq!(scene.changes(), ["seen app1.ini"]);
    scene.run("printf b >v/app.skel; touch v/app.skel");
    assert_eq!(scene.changes(), [""; 0]);
    scene.run("ln -sf app.skel v/app3.ini");
    assert_eq!(scene.changes(), ["seen app3.ini"]);
}

#[test]
fn a_directory_that_is_away_stops_nothing_and_is_picked_up_when_it_returns() {
    let mut scene = Scene::new();
    scene.run("printf a >v/x.ini; printf a >v/y.ini");
    assert_eq!(scene.changes(), ["seen x.ini", "seen y.ini"]);
    scene.run("mv v away");
    scene.until(|told| !told.is_empty());
    scene.rest();
    assert_eq!(scene.notes(), [SourceNews::Lost("there is no such directory".into())]);
    assert_eq!(scene.changes(), [""; 0]);
    scene.run("rm away/y.ini; mv away v");
    scene.until(|told| told.len() >= 2);
    scene.rest();
    assert_eq!(scene.notes(), [SourceNews::Back]);
    assert_eq!(scene.changes(), ["unseen y.ini"]);
    scene.run("mkdir next; printf b >next/x.ini; mv v old; mv next v");
    scene.until(|told| told.iter().any(|told| matches!(told, Told::Event(_))));
    assert_eq!(scene.changes(), ["seen x.ini"]);
}

#[test]
fn a_source_may_come_later_with_all_that_is_above_it() {
    let mut scene = Scene::with(|room| {
        Scene::prepare(
            room,
            &[Source::Dir("deep/er/v".into())],
            Settings { trust: ADMIN, ..Settings::default() },
        )
    });
    assert_eq!(scene.notes(), [SourceNews::Missing("there is no such directory".into())]);
    scene.run("mkdir -p deep/er/v; printf a >deep/er/v/x.ini");
    scene.until(|told| told.len() >= 3);
    assert_eq!(scene.changes(), ["seen x.ini"]);
}

#[test]
fn deleting_the_files_is_no_vanished_directory() {
    let mut scene = Scene::new();
    scene.run("printf a >v/x.ini");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    scene.run("rm -r v");
    scene.until(|told| told.len() >= 2);
    assert_eq!(scene.notes().len(), 1);
    assert_eq!(scene.changes(), ["unseen x.ini"]);
    scene.run("mkdir v; printf b >v/x.ini");
    scene.until(|told| told.len() >= 2);
    assert_eq!(scene.changes(), ["seen x.ini"]);
}

#[test]
fn a_pattern_sees_new_files_and_new_directories() {
    let mut scene = Scene::with(|room| {
        fs::create_dir(room.path().join("v/a")).expect("is new");
        fs::write(room.path().join("v/a/liege.ini"), "a").expect("is ours");
        fs::write(room.path().join("v/a/other.ini"), "a").expect("is ours");
        Scene::prepare(
            room,
            &[Source::Glob("v/*/liege.ini".into())],
            Settings { trust: ADMIN, ..Settings::default() },
        )
    });
    assert_eq!(scene.changes(), ["seen v/a/liege.ini"]);
    scene.run("mkdir v/b v/.c; printf b >v/b/liege.ini; printf c >v/.c/liege.ini; printf d >v/b/log");
    assert_eq!(scene.changes(), ["seen v/b/liege.ini"]);
    scene.run("sed -i s/b/c/ v/b/liege.ini");
    assert_eq!(scene.changes(), ["seen v/b/liege.ini"]);
    scene.run("printf d >v/b/liege.ini");
    assert_eq!(scene.changes(), ["seen v/b/liege.ini"]);
    scene.run("mv v/b v/d");
    assert_eq!(scene.changes(), ["seen v/d/liege.ini", "unseen v/b/liege.ini"]);
    scene.run("rm v/a/liege.ini");
    assert_eq!(scene.changes(), ["unseen v/a/liege.ini"]);
    scene.run("rm -r v/d");
    assert_eq!(scene.changes(), ["unseen v/d/liege.ini"]);
    scene.run("ln -s ../elsewhere v/e; mkdir elsewhere; printf a >elsewhere/liege.ini");
    assert_eq!(scene.changes(), [""; 0], "no link is followed on the way");
    let root = scene.monitors.origins[0].root;
    assert_eq!(scene.monitors.nodes[&root].children.len(), 1, "directories that are gone are forgotten");
}

#[test]
fn two_sources_with_the_same_names_stay_apart() {
    let mut scene = Scene::with(|room| {
        fs::create_dir(room.path().join("w")).expect("is new");
        let sources = [Source::Dir("v".into()), Source::Dir("w".into()), Source::Glob("v/*.ini".into())];
        Scene::prepare(room, &sources, Settings { trust: ADMIN, ..Settings::default() })
    });
    scene.run("printf a >v/x.ini; printf b >w/x.ini");
    scene.rest();
    let keys: BTreeSet<Key> = scene
        .told
        .iter()
        .filter_map(|told| match told {
            Told::Event(Event::Seen(key, _)) => Some(key.clone()),
            _ => None,
        })
        .collect();
    let names: Vec<(u16, &str)> = keys.iter().map(|key| (key.monitor.0, &*key.name)).collect();
    assert_eq!(names, [(0, "x.ini"), (1, "x.ini"), (2, "v/x.ini")]);
    for (key, text) in keys.iter().zip(["a", "b", "a"]) {
        let Some((Whereabouts::Near(directory), name)) = scene.monitors.place_of(key) else {
            panic!("it is near and known")
        };
        let file = rustix::fs::openat(
            directory.as_fd(),
            name,
            rustix::fs::OFlags::RDONLY,
            rustix::fs::Mode::empty(),
        );
        assert_eq!(std::io::read_to_string(fs::File::from(file.expect("is there"))).expect("is text"), text);
    }
}

#[test]
fn where_inotify_is_blind_changes_are_found_by_looking() {
    let mut scene = Scene::with(|room| {
        let settings = Settings { freq_ms: 20, force_poll: true, trust: ADMIN, ..Settings::default() };
        Scene::prepare(room, &[Source::Dir("v".into())], settings)
    });
    let root = scene.monitors.origins[0].root;
    let watch = scene.monitors.nodes[&root].watch.expect("is watched");
    scene.monitors.watches.release(watch, &watches::Use::Directory(root));
    assert!(matches!(scene.notes()[..], [SourceNews::Polled(_)]));
    scene.told.clear();
    for (script, expected) in [
        ("printf a >v/x.ini", "seen x.ini"),
        ("touch -d 2001-01-01 v/x.ini", "seen x.ini"),
        ("rm v/x.ini", "unseen x.ini"),
    ] {
        scene.run(script);
        scene.until(|told| !told.is_empty());
        assert_eq!(scene.changes(), [expected], "{script}");
    }
}

#[test]
fn an_overflow_of_the_queue_loses_nothing() {
    let mut scene = Scene::new();
    scene.run("i=0; while [ $i -lt 6000 ]; do : >v/$i.ini; : >v/$i.ini; i=$((i+1)); done");
    scene.until(|told| told.len() >= 6000);
    let changes = scene.changes();
    assert_eq!(changes.len(), 6000);
    assert_eq!(changes.into_iter().collect::<BTreeSet<_>>().len(), 6000);
}

#[test]
fn a_crowd_is_told_in_pieces() {
    let mut scene = Scene::with(|room| {
        for number in 0..3000 {
            fs::write(room.path().join(format!("v/{number:04}.ini")), "").expect("is ours");
        }
        Scene::prepare(room, &[Source::Dir("v".into())], Settings { trust: ADMIN, ..Settings::default() })
    });
    let first = scene.changes();
    assert_eq!(first.len(), 3000);
    assert!(first.is_sorted());
    scene.monitors.rescan(scene.now());
    scene.monitors.handle_deadline(scene.now());
    assert!(!scene.monitors.is_at_rest(), "one call does not look at all of them");
    assert_eq!(scene.changes(), [""; 0]);
}

/// Runs the test of this name again, alone, with mounts of its own; true in that run.
fn is_in_own_mounts(test: &str) -> bool {
    const MARK: &str = "LIEGE_TEST_OWN_MOUNTS";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let this = std::env::current_exe().expect("is running");
    let mut again = Command::new("unshare");
    again.args(["--mount", "--propagation", "private"]).arg(this);
    let status = again.args(["--exact", test, "--nocapture"]).env(MARK, "1").status();
    assert!(status.expect("util-linux is installed").success(), "{test} failed in its own mount namespace");
    false
}

#[test]
fn what_is_mounted_comes_and_its_unmounting_stops_nothing() {
    if !is_in_own_mounts("monitors::tests::what_is_mounted_comes_and_its_unmounting_stops_nothing") {
        return;
    }
    let mut scene = Scene::new();
    let is_event = |told: &Told| matches!(told, Told::Event(_));
    scene.run("mkdir w; mount -t tmpfs -o mode=755 none w; printf a >w/x.ini; mount --move w v");
    scene.until(|told| told.iter().any(is_event));
    assert_eq!(scene.changes(), ["seen x.ini"]);
    scene.run("umount -l v");
    scene.until(|told| !told.is_empty());
    scene.rest();
    assert_eq!(scene.notes(), [SourceNews::Lost("nothing is mounted there any more".into())]);
    assert_eq!(scene.changes(), [""; 0]);
    scene.run("mount -t tmpfs -o mode=755 none w; printf b >w/x.ini; mount --move w v");
    scene.until(|told| told.iter().any(is_event));
    scene.rest();
    assert_eq!(scene.notes(), [SourceNews::Back]);
    assert_eq!(scene.changes(), ["seen x.ini"]);
    scene.run("umount -l v");
}

#[test]
fn a_matched_directory_that_is_unmounted_stops_nothing() {
    if !is_in_own_mounts("monitors::tests::a_matched_directory_that_is_unmounted_stops_nothing") {
        return;
    }
    let mut scene = Scene::with(|room| {
        let pattern = Source::Glob("v/*/x.ini".into());
        Scene::prepare(room, &[pattern], Settings { trust: ADMIN, ..Settings::default() })
    });
    scene.run("mkdir v/a; mount -t tmpfs -o mode=755 none v/a; printf a >v/a/x.ini");
    scene.monitors.rescan(scene.now());
    assert_eq!(scene.changes(), ["seen v/a/x.ini"]);
    scene.run("umount v/a");
    scene.until(|told| !told.is_empty());
    scene.rest();
    assert_eq!(scene.notes(), [SourceNews::Lost("nothing is mounted there any more".into())]);
    assert_eq!(scene.changes(), [""; 0]);
    scene.run("mount -t tmpfs -o mode=755 none v/a; printf b >v/a/x.ini");
    scene.until(|told| told.len() >= 2);
    assert_eq!(scene.changes(), ["seen v/a/x.ini"]);
    scene.run("umount v/a");
}

/// Eyes that lack something.
struct Weak {
    /// What an examination ends with while this is set.
    errno: std::rc::Rc<std::cell::Cell<Option<Errno>>>,
    watches_left: bool,
    own: OwnEyes,
}

impl Eyes for Weak {
    fn reach(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.own.reach(path)
    }

    fn find(&self, dir: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
        self.own.find(dir, name)
    }

    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.own.open_directory(path)
    }

    fn open_below(&self, dir: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
        self.own.open_below(dir, path)
    }

    fn examine(&self, dir: BorrowedFd<'_>, name: &str, policy: &TrustPolicy) -> Result<Examined, Refusal> {
        match self.errno.get() {
            Some(errno) => Err(Refusal::Denied(errno)),
            None => self.own.examine(dir, name, policy),
        }
    }

    fn watch(&self, inotify: BorrowedFd<'_>, file: BorrowedFd<'_>, mask: WatchFlags) -> Result<i32, Errno> {
        let ours = mask.intersects(WatchFlags::CREATE) && mask.intersects(WatchFlags::CLOSE_WRITE);
        if ours && !self.watches_left { Err(Errno::NOSPC) } else { self.own.watch(inotify, file, mask) }
    }
}

#[test]
fn without_watches_a_directory_is_polled_and_that_is_told_once() {
    let mut scene = Scene::new();
    let settings = Settings { freq_ms: 20, trust: ADMIN, ..Settings::default() };
    let eyes = Weak { errno: std::rc::Rc::default(), watches_left: false, own: OwnEyes::default() };
    let sources = [Source::Dir("v".into())];
    scene.monitors =
        Monitors::new(&sources, settings, Box::new(eyes), scene.room.path(), scene.now()).expect("is good");
    scene.write("v/x.ini", "a");
    scene.until(|told| told.len() >= 2);
    let reason = "no watches are left: raise fs.inotify.max_user_watches";
    assert_eq!(scene.notes(), [SourceNews::Polled(reason.into())]);
    assert_eq!(scene.changes(), ["seen x.ini"]);
    scene.write("v/x.ini", "b");
    scene.until(|told| !told.is_empty());
    assert_eq!(scene.notes(), []);
    assert_eq!(scene.changes(), ["seen x.ini"]);
}

#[test]
fn what_cannot_be_read_for_a_while_goes_on_and_what_may_not_be_read_is_refused() {
    let mut scene = Scene::new();
    let settings = Settings { freq_ms: 20, trust: ADMIN, ..Settings::default() };
    let errno = std::rc::Rc::new(std::cell::Cell::new(None));
    let eyes = Weak { errno: errno.clone(), watches_left: true, own: OwnEyes::default() };
    let sources = [Source::Dir("v".into())];
    scene.monitors =
        Monitors::new(&sources, settings, Box::new(eyes), scene.room.path(), scene.now()).expect("is good");
    scene.write("v/x.ini", "a");
    assert_eq!(scene.changes(), ["seen x.ini"]);
    errno.set(Some(Errno::IO));
    scene.write("v/x.ini", "b");
    assert_eq!(scene.changes(), [""; 0], "it goes on as it was");
    errno.set(None);
    scene.until(|told| !told.is_empty());
    assert_eq!(scene.changes(), ["seen x.ini"]);
    errno.set(Some(Errno::ACCESS));
    scene.write("v/x.ini", "c");
    assert_eq!(scene.changes(), ["refused x.ini"]);
}
