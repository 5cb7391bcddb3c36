//! Every handler of hooks, with good arguments and with bad ones, run by a real uWSGI and by our vassal master: whether
//! the start goes on, and what is left on the file system.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::{LIEGE, Tree, demand_root};
use crate::pair::{UWSGI, documented};

/// A hook, and the row of the documented differences; nothing where both do the same.
type Row = (&'static str, &'static str);

const WRONG: &str = "| arguments of a hook that mean nothing (`putenv:A`, `chmod:FILE xyz`, `exec:`) |";
const NO_TEXT: &str = "| `write`, `writen`, `append`, `writefifo` without a text |";
const NO_PIPE: &str = "| `writefifo` to what is no FIFO |";
const NUMBERS: &str = "| `chown` | names | names and numbers |";
const DIGIT: &str = "| fourth digit of `chmod` | dropped | counts |";
const KILLED: &str = "- A hook program that is killed by a signal has failed.";
const STATUS: &str = "| `exit:5` | status 0 | status 5 |";
const TABLES: &str = "| flags of `mount` and `umount` | one table for both |";
const CALLED: &str = "| `call` and its kin, `alarm`, `rpc`, `unix_signal` |";

const PLACES: &[Row] = &[
    ("cd:DIR/d", ""),
    ("chdir:DIR/d", ""),
    ("cd:DIR/none", ""),
    ("cd:", ""),
    ("mkdir:DIR/new", ""),
    ("mkdir:DIR/d", ""),
    ("mkdir:DIR/none/new", ""),
    ("mkdir:", ""),
    ("unlink:DIR/f", ""),
    ("unlink:DIR/link", ""),
    ("unlink:DIR/none", ""),
    ("unlink:DIR/d", ""),
    ("wait_for_fs:DIR/f", ""),
    ("wait_for_fs:DIR/d", ""),
    ("wait_for_file:DIR/f", ""),
    ("wait_for_dir:DIR/d", ""),
];

const RIGHTS: &[Row] = &[
    ("chmod:DIR/f 640", ""),
    ("chmod:DIR/f 0640", ""),
    ("chmod:DIR/f 4711", DIGIT),
    ("chmod:DIR/f xyz", WRONG),
    ("chmod:DIR/f 64", ""),
    ("chmod:DIR/f", ""),
    ("chmod:DIR/none 644", ""),
    ("chown:DIR/f nobody daemon", ""),
    ("chown:DIR/f 65534 1", NUMBERS),
    ("chown:DIR/f nobody", ""),
    ("chown:DIR/f nosuch daemon", ""),
    ("chown:DIR/f nobody nosuch", ""),
    ("chown:DIR/none nobody daemon", ""),
    ("chown2:DIR/f 54321 54322", ""),
    ("chown2:DIR/f 54321", ""),
    ("chown2:DIR/f a b", ""),
    ("chown2:DIR/none 1 1", ""),
    ("sticky:DIR/d", ""),
    ("sticky:DIR/none", ""),
];

const TEXTS: &[Row] = &[
    ("create:DIR/new", ""),
    ("creat:DIR/f", ""),
    ("create:DIR/d", ""),
    ("create:DIR/none/x", ""),
    ("write:DIR/new a b", ""),
    ("write:DIR/f a", ""),
    ("write:DIR/link a", ""),
    ("write:DIR/d a", ""),
    ("write:DIR/none/x a", ""),
    ("write:DIR/new", NO_TEXT),
    ("writen:DIR/new a b", ""),
    ("writen:DIR/new", NO_TEXT),
    ("append:DIR/f a b", ""),
    ("append:DIR/new a", ""),
    ("append:DIR/link a", ""),
    ("append:DIR/none/x a", ""),
    ("append:DIR/f", NO_TEXT),
    ("appendn:DIR/f a b", ""),
    ("appendn:DIR/f", ""),
    ("appendn:DIR/new", ""),
    ("writefifo:DIR/fifo a", ""),
    ("writefifo:DIR/none a", ""),
    ("writefifo:DIR/fifo", NO_TEXT),
    ("writefifo:DIR/f a", NO_PIPE),
];

const PROGRAMS: &[Row] = &[
    ("exec:echo hi >DIR/out", ""),
    ("!exec:echo hi >DIR/out", ""),
    ("exec:exit 3", ""),
    ("!exec:exit 3", ""),
    ("exec:kill -9 $$", KILLED),
    ("exec:kill -TERM $$", KILLED),
    ("exec:DIR/none", ""),
    ("exec:", WRONG),
    ("safeexec:exit 3", ""),
    ("safeexec:kill -9 $$", ""),
    ("safeexec:echo hi >DIR/out", ""),
    ("putenv:A=b", ""),
    ("putenv:A=b=c", ""),
    ("putenv:A", WRONG),
    ("putenv:", WRONG),
    ("putenv:=b", WRONG),
    ("print:hello", ""),
    ("print:", ""),
    ("log:hello", ""),
    ("hostname:name", ""),
    ("hostname:", WRONG),
    ("exit:", ""),
    ("exit:0", ""),
    ("exit:55", ""),
    ("exit:5", STATUS),
    ("exit:abc", WRONG),
    ("exit:300", WRONG),
    ("call:getpid", CALLED),
    ("call:nosuch", ""),
    ("callret:nosuch", ""),
    ("callint:nosuch 1", ""),
    ("callintret:nosuch 1", ""),
    ("alarm:x y", CALLED),
    ("rpc:x", ""),
    ("unix_signal:10 nosuch", ""),
    (" exec:true", ""),
    ("exec :true", ""),
    ("EXEC:true", ""),
    ("nosuch:x", ""),
    ("!nosuch:x", ""),
    ("without a colon", ""),
];

const MOUNTS: &[Row] = &[
    ("mount:tmpfs none DIR/d", ""),
    ("mount:tmpfs none DIR/d nosuid,nodev size=64k", ""),
    ("mount:tmpfs none DIR/d defaults", TABLES),
    ("mount:none DIR/f DIR/g bind", ""),
    ("mount:tmpfs none", ""),
    ("mount:tmpfs none DIR/none", ""),
    ("mount:nosuch none DIR/d", ""),
    ("mount:tmpfs none DIR/d nosuch", ""),
    ("mount:tmpfs none DIR/d force", TABLES),
    ("umount:DIR/d", ""),
    ("umount:DIR/none", ""),
    ("umount:DIR/d nosuch", ""),
    ("umount:", ""),
];

/// What has become of one start.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// What the next hook saw: its variable, directory, host name and mounts; nothing if it was not reached.
    went_on: Option<String>,
    /// Name, mode, owner, group and text of each file.
    files: Vec<(String, u32, u32, u32, String)>,
    /// Of hooks that end it.
    status: Option<i32>,
}

#[test]
fn places_are_entered_made_and_awaited_alike() {
    compare(PLACES, "asap");
}

#[test]
fn rights_and_owners_are_changed_alike() {
    compare(RIGHTS, "asap");
}

#[test]
fn files_are_written_alike() {
    compare(TEXTS, "asap");
}

#[test]
fn programs_variables_and_ends_are_alike() {
    compare(PROGRAMS, "asap");
}

#[test]
fn mounts_are_made_and_removed_alike() {
    // Behind `unshare`: of the mounts of the host no hook of ours changes anything.
    compare(MOUNTS, "as-root");
}

fn compare(rows: &[Row], phase: &str) {
    demand_root();
    let tree = Tree::new();
    let differing = |(number, row): (usize, &Row)| {
        let [theirs, ours] =
            [UWSGI, LIEGE].map(|program| run(program, &tree.path(&format!("{number}")), (phase, row.0)));
        if !row.1.is_empty() {
            documented(row.1);
        }
        ((theirs == ours) != row.1.is_empty())
            .then(|| format!("{}\n  uwsgi: {theirs:?}\n  liege: {ours:?}\n", row.0))
    };
    // Most of the time of each is that of starting programs.
    let numbered: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
    let wrong: String = std::thread::scope(|scope| {
        let parts = numbered.chunks(rows.len().div_ceil(4));
        let parts: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().copied().filter_map(differing).collect::<String>()))
            .collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{wrong}");
}

/// Runs one hook in a fresh directory, in a network of its own for its name.
fn run(program: &str, place: &Path, (phase, hook): (&str, &str)) -> Outcome {
    furnish(place);
    let command = if program == UWSGI { "" } else { "command = /bin/true" };
    let config = format!(
        "[uwsgi]\nunshare = fs\nuid = nobody\ngid = nogroup\n\
         hook-{phase} = {hook}\n\
         hook-{phase} = exec:(echo $A; pwd; hostname; grep DIR/ /proc/self/mounts) >DIR/end\n{command}\n"
    );
    let top = place.display().to_string();
    std::fs::write(place.join("v.ini"), config.replace("DIR", &top)).unwrap();
    let arguments: &[&str] =
        if program == UWSGI { &["--ini", "v.ini"] } else { &["vassal", "--ini", "v.ini"] };
    let mut started = Command::new("unshare");
    started.arg("--uts").arg(program).args(arguments).current_dir(place);
    started.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
    let status = started.output().unwrap().status.code();
    let went_on = std::fs::read_to_string(place.join("end")).ok().map(|text| text.replace(&top, "DIR"));
    let outcome = Outcome {
        went_on,
        files: files(place),
        status: hook.starts_with("exit:").then_some(status).flatten(),
    };
    std::fs::remove_dir_all(place).unwrap();
    outcome
}

fn furnish(place: &Path) {
    std::fs::create_dir_all(place.join("d")).unwrap();
    for name in ["f", "g"] {
        std::fs::write(place.join(name), "old").unwrap();
    }
    symlink("f", place.join("link")).unwrap();
    let made = Command::new("mkfifo").arg(place.join("fifo")).status().unwrap();
    assert!(made.success());
}

fn files(place: &Path) -> Vec<(String, u32, u32, u32, String)> {
    let one = |path: PathBuf| {
        let found = path.symlink_metadata().unwrap();
        let text = if found.is_file() { std::fs::read_to_string(&path).unwrap() } else { String::new() };
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, found.mode(), found.uid(), found.gid(), text)
    };
    let mut files: Vec<_> =
        std::fs::read_dir(place).unwrap().map(|entry| one(entry.unwrap().path())).collect();
    files.retain(|(name, ..)| name != "v.ini" && name != "end");
    files.sort();
    files
}
