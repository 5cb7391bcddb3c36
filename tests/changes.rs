//! Changes of a config as editors and tools really make them: each is one reload, with the whole new text.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Emperor, Process, Start, Tree, eventually};

/// A config whose program shows which edition of the text it was started with.
fn text(edition: &str) -> String {
    format!("[uwsgi]\nenv = EDITION={edition}\ncommand = /bin/sleep 1000000\n")
}

/// Runs a program to its end.
fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).env("TERM", "dumb").status();
    assert!(status.unwrap_or_else(|error| panic!("{program}: {error}")).success(), "{program} {arguments:?}");
}

/// Runs one line of shell: `$1` is the config, `$2` a file with the next text, `$3` a directory of root's.
fn shell(line: &str, config: &Path, next: &Path, aside: &Path) {
    let words = [config, next, aside].map(|path| path.to_str().unwrap());
    run("/bin/sh", &[&["-ec", line, "sh"], words.as_slice()].concat());
}

/// A vassal of which every change is counted.
struct Watched<'a> {
    emperor: &'a Emperor,
    name: String,
}

impl<'a> Watched<'a> {
    fn start(emperor: &'a Emperor, name: &str) -> Self {
        emperor.tree.place(&emperor.tree.vassals().join(name), 0, &text("old"));
        let watched = Self { emperor, name: name.to_owned() };
        watched.wait_for_edition("old");
        watched
    }

    fn path(&self) -> PathBuf {
        self.emperor.tree.vassals().join(&self.name)
    }

    /// Waits until its program runs with this text.
    fn wait_for_edition(&self, edition: &str) {
        let wanted = format!("EDITION={edition}");
        self.emperor.wait_stats(&self.name, |row| {
            let pid = row["pid"].as_i64().filter(|pid| *pid > 0).and_then(|pid| i32::try_from(pid).ok());
            row["ready"] == 1 && pid.is_some_and(|pid| environment_below(pid).contains(&wanted))
        });
    }

    fn reloads(&self) -> usize {
        self.emperor.told(&self.name, "[emperor] reload the uwsgi instance")
    }

    /// It was changed once. Who takes the old file away first may be slow to put the new one there: then it was
    /// stopped and started again, once.
    fn assert_once(&self, removes: bool) {
        let removed = self.emperor.told(&self.name, "removed uwsgi instance");
        if !removes || removed == 0 {
            return self.assert_reloaded(1);
        }
        assert_eq!((self.reloads(), removed), (0, 1), "{}", self.name);
    }

    /// It was changed this often, was never stopped in between, and never ran anything but whole texts.
    fn assert_reloaded(&self, times: usize) {
        let Self { emperor, name } = self;
        assert_eq!(self.reloads(), times, "reloads of {name}");
        assert_eq!(emperor.told(name, "stop the uwsgi instance"), 0, "{name}");
        assert_eq!(emperor.told(name, "removed uwsgi instance"), 0, "{name}");
        for trouble in ["died (", "refused: ", "cannot be started"] {
            assert_eq!(emperor.told(name, trouble), 0, "{trouble} of {name}");
        }
    }
}

/// Environments of the children of a process.
fn environment_below(pid: i32) -> String {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let one = |child: &str| std::fs::read(format!("/proc/{child}/environ")).unwrap_or_default();
    let all: Vec<u8> = children.split_whitespace().flat_map(one).collect();
    String::from_utf8_lossy(&all).into_owned()
}

/// Comes back when everything that happened to the directory before has been dealt with: a text that is still
/// being written is looked at last of all, when its writer has paused.
fn pass_by(emperor: &Emperor) {
    let name = format!("fence{}.ini", emperor.lines.mark());
    let mut file = File::create(emperor.tree.vassals().join(&name)).unwrap();
    file.write_all(text("fence").as_bytes()).unwrap();
    emperor.wait_for(&name, "has been spawned");
    file.write_all(b"; again\n").unwrap();
    emperor.wait_for(&name, "[emperor] reload the uwsgi instance");
    drop(file);
}

/// Those among the writers for whom there is no file for a moment.
const REMOVERS: [&str; 3] = ["cp-remove", "install", "unlink"];

/// What is done to a config, by name; each puts the text of edition "new" there.
const WRITERS: [(&str, &str); 14] = [
    ("cp", r#"cp "$2" "$1""#),
    ("cp-remove", r#"cp --remove-destination "$2" "$1""#),
    ("install", r#"install -m 644 "$2" "$1""#),
    ("mv", r#"cp "$2" "$1.tmp"; mv "$1.tmp" "$1""#),
    ("mv-across", r#"cp "$2" "$3/moved"; mv "$3/moved" "$1""#),
    ("sed", r#"sed -i s/EDITION=old/EDITION=new/ "$1""#),
    ("perl", r#"perl -pi -e s/EDITION=old/EDITION=new/ "$1""#),
    ("rsync", r#"rsync "$2" "$1""#),
    ("rsync-inplace", r#"rsync --inplace "$2" "$1""#),
    ("cat", r#"cat "$2" > "$1""#),
    ("dd", r#"dd if="$2" of="$1" bs=7 status=none"#),
    ("backup", r#"mv "$1" "$1~"; cat "$2" > "$1""#),
    ("unlink", r#"rm "$1"; cat "$2" > "$1""#),
    ("link", r#"cp "$2" "$3/linked"; ln -f "$3/linked" "$1"; rm "$3/linked""#),
];

#[test]
fn every_way_to_write_a_file_is_one_reload_with_the_whole_text() {
    let tree = Tree::new();
    let aside = tree.dir("aside");
    let next = tree.path("next");
    tree.place(&next, 0, &text("new"));
    let emperor = Emperor::start(tree, &[]);
    for (name, line) in WRITERS {
        let watched = Watched::start(&emperor, &format!("{name}.ini"));
        shell(line, &watched.path(), &next, &aside);
        watched.wait_for_edition("new");
        pass_by(&emperor);
        watched.assert_once(REMOVERS.contains(&name));
    }
}

/// The ways of vim to keep a backup.
const VIMS: [(&str, &str); 4] = [
    ("vim-yes", "set backupcopy=yes"),
    ("vim-no", "set backupcopy=no"),
    ("vim-backup", "set backup backupcopy=no"),
    ("vim-nowritebackup", "set nowritebackup"),
];

#[test]
fn vim_writes_a_file_and_it_is_one_reload() {
    let emperor = Emperor::start(Tree::new(), &[]);
    for (name, setting) in VIMS {
        let watched = Watched::start(&emperor, &format!("{name}.ini"));
        let path = watched.path();
        let edit = "%s/EDITION=old/EDITION=new/";
        run(
            "/usr/bin/vim",
            &["-u", "NONE", "-es", "-c", setting, "-c", edit, "-c", "wq", path.to_str().unwrap()],
        );
        watched.wait_for_edition("new");
        pass_by(&emperor);
        watched.assert_reloaded(1);
    }
}

#[test]
fn a_touch_is_one_reload() {
    let emperor = Emperor::start(Tree::new(), &[]);
    let watched = Watched::start(&emperor, "touch.ini");
    let mut process = emperor.vassal("touch.ini");
    for touches in 1..=3 {
        let mark = emperor.lines.mark();
        run("/usr/bin/touch", &[watched.path().to_str().unwrap()]);
        process.wait_gone();
        process = emperor.vassal_since(mark, "touch.ini");
        pass_by(&emperor);
        watched.assert_reloaded(touches);
    }
}

#[test]
fn a_look_at_a_file_is_no_change() {
    let emperor = Emperor::start(Tree::new(), &[]);
    let watched = Watched::start(&emperor, "read.ini");
    let path = watched.path().display().to_string();
    run("/bin/cat", &[&path]);
    run("/bin/chmod", &["0644", &path]);
    let same = File::open(&path).unwrap().metadata().unwrap().modified().unwrap();
    File::options().write(true).open(&path).unwrap().set_modified(same).unwrap();
    pass_by(&emperor);
    watched.assert_reloaded(0);
}

#[test]
fn two_edits_within_one_second_are_both_seen() {
    let emperor = Emperor::start(Tree::new(), &[]);
    let watched = Watched::start(&emperor, "twice.ini");
    let second = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    for (edit, edition) in ["one", "two"].iter().enumerate() {
        let fresh = emperor.tree.path("fresh");
        std::fs::write(&fresh, text(edition)).unwrap();
        File::options().write(true).open(&fresh).unwrap().set_modified(second).unwrap();
        std::fs::rename(&fresh, watched.path()).unwrap();
        watched.wait_for_edition(edition);
        pass_by(&emperor);
        watched.assert_reloaded(edit + 1);
    }
}

#[test]
fn an_older_file_put_back_is_a_change() {
    let emperor = Emperor::start(Tree::new(), &[]);
    let watched = Watched::start(&emperor, "older.ini");
    let (older, kept) = (emperor.tree.path("older"), watched.path());
    std::fs::write(&older, text("older")).unwrap();
    run("/usr/bin/touch", &["-d", "2001-02-03", older.to_str().unwrap()]);
    for (number, line) in
        [r#"cp -p "$2" "$1""#, r#"rsync -t "$2" "$1""#, r#"mv "$2" "$1""#].iter().enumerate()
    {
        if number > 0 {
            emperor.tree.place(&kept, 0, &text(&format!("now{number}")));
            watched.wait_for_edition(&format!("now{number}"));
        }
        shell(line, &kept, &older, &older);
        watched.wait_for_edition("older");
        pass_by(&emperor);
        watched.assert_reloaded(2 * number + 1);
    }
}

/// A writer who has not finished is waited for; half a file would be told as an error.
#[test]
fn half_a_file_is_never_run() {
    let emperor = Emperor::start(Tree::new(), &[]);
    let watched = Watched::start(&emperor, "slow.ini");
    let mut file = File::create(watched.path()).unwrap();
    file.write_all(b"[uwsgi]\nno-such-option-yet").unwrap();
    let mark = emperor.lines.mark();
    emperor.tree.place(&emperor.tree.vassals().join("other.ini"), 0, &text("other"));
    emperor.wait_since(mark, "other.ini", "has been spawned");
    file.set_len(0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, text("new").as_bytes(), 0).unwrap();
    drop(file);
    watched.wait_for_edition("new");
    pass_by(&emperor);
    watched.assert_reloaded(1);
}

#[test]
fn a_new_file_that_is_written_slowly_starts_once_and_whole() {
    let emperor = Emperor::start(Tree::new(), &[]);
    let path = emperor.tree.vassals().join("slow.ini");
    let mut file = File::create(&path).unwrap();
    let text = text("whole");
    for piece in text.as_bytes().chunks(5) {
        file.write_all(piece).unwrap();
    }
    drop(file);
    let watched = Watched { emperor: &emperor, name: "slow.ini".into() };
    watched.wait_for_edition("whole");
    pass_by(&emperor);
    watched.assert_reloaded(0);
    assert_eq!(emperor.told("slow.ini", "started with pid"), 1);
}

/// A farm: many links to one skeleton, each a vassal of its own.
fn farm(options: &[&str]) -> Emperor {
    let tree = Tree::new();
    tree.place(&tree.path("app.skel"), 0, &text("skeleton"));
    for name in ["app1.ini", "app2.ini"] {
        std::os::unix::fs::symlink("../app.skel", tree.vassals().join(name)).unwrap();
    }
    let emperor = Start::in_tree(tree).options(options).start();
    for name in ["app1.ini", "app2.ini"] {
        emperor.wait_for(name, "has been spawned");
    }
    emperor
}

#[test]
fn a_touched_link_of_a_farm_reloads_its_own_vassal_only() {
    let emperor = farm(&["--emperor-nofollow"]);
    for times in 1..=2 {
        let mark = emperor.lines.mark();
        let link = emperor.tree.vassals().join("app1.ini");
        run("/usr/bin/touch", &["--no-dereference", link.to_str().unwrap()]);
        emperor.wait_since(mark, "app1.ini", "has been spawned");
        pass_by(&emperor);
        assert_eq!(emperor.told("app1.ini", "reload the uwsgi instance"), times);
    }
    assert_eq!(emperor.told("app2.ini", "reload the uwsgi instance"), 0);
}

#[test]
fn a_touched_skeleton_reloads_those_who_follow_their_link() {
    let emperor = farm(&[]);
    let mark = emperor.lines.mark();
    run("/usr/bin/touch", &[emperor.tree.path("app.skel").to_str().unwrap()]);
    for name in ["app1.ini", "app2.ini"] {
        emperor.wait_since(mark, name, "has been spawned");
    }
    pass_by(&emperor);
    for name in ["app1.ini", "app2.ini"] {
        assert_eq!(emperor.told(name, "reload the uwsgi instance"), 1);
    }
}

#[test]
fn a_link_that_is_pointed_elsewhere_is_a_change() {
    let emperor = farm(&["--emperor-nofollow"]);
    emperor.tree.place(&emperor.tree.path("other.skel"), 0, &text("other"));
    let link = emperor.tree.vassals().join("app1.ini");
    run("/bin/ln", &["-sfn", "../other.skel", link.to_str().unwrap()]);
    let watched = Watched { emperor: &emperor, name: "app1.ini".into() };
    watched.wait_for_edition("other");
    pass_by(&emperor);
    watched.assert_reloaded(1);
}

#[test]
fn a_removed_file_is_a_stopped_vassal_and_comes_back_with_it() {
    let emperor = Emperor::start(Tree::new(), &[]);
    let watched = Watched::start(&emperor, "gone.ini");
    let process: Process = emperor.vassal("gone.ini");
    std::fs::remove_file(watched.path()).unwrap();
    emperor.wait_for("gone.ini", "[emperor] removed uwsgi instance gone.ini");
    process.wait_gone();
    eventually("no row", || emperor.stats_of("gone.ini").is_none().then_some(()));
    emperor.tree.place(&watched.path(), 0, &text("again"));
    watched.wait_for_edition("again");
}
