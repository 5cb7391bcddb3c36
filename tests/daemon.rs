//! The Emperor's own process: in the background, with a log and pidfiles, in its own surroundings.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::net::UdpSocket;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{ALICE, BOB, Cgroup, Emperor, LIEGE, PATIENCE, Process, Start, Tree, eventually};
use rustix::process::Signal;

const UWSGI: &str = "/usr/bin/uwsgi";
/// `O_NONBLOCK`: nobody waits for a reader of a FIFO.
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
const SLEEP: &str = "command = sleep infinity\n";
/// Into the cgroup, with a descriptor that nobody asked for, then the program on a terminal of its own.
const ON_A_TERMINAL: &str = r#"echo $$ > "$0/cgroup.procs"; exec 9</etc/passwd
exec python3 -ISc 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$@""#;

/// An Emperor that nobody waits for any more.
struct Background {
    tree: Tree,
    cgroup: Cgroup,
    output: Output,
}

impl Background {
    /// Runs the program with these options until it lets go of us; `TREE/` stands for the tree.
    fn start(program: &str, tree: Tree, options: &[&str]) -> Self {
        let cgroup = Cgroup::new();
        let top = tree.path("").display().to_string();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", ON_A_TERMINAL]).arg(cgroup.path()).arg(program);
        command.args(options.iter().map(|one| one.replace("TREE/", &top)));
        command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").current_dir(&top);
        let output = command.stdin(Stdio::null()).output().unwrap();
        Self { tree, cgroup, output }
    }

    fn of_liege(tree: Tree, options: &[&str]) -> Self {
        let usual = ["--emperor", "TREE/vassals", "--emperor-stats", "TREE/run/stats.sock"];
        Self::start(LIEGE, tree, &[&usual, options].concat())
    }

    /// The process whose pid stands in a file.
    fn told_by(&self, file: &str) -> Process {
        Process::of(self.tree.text(file).trim().parse().unwrap())
    }

    /// The log, once it has such a line.
    fn wait_for(&self, file: &str, wanted: &str) {
        let path = self.tree.path(file);
        eventually(&format!("`{wanted}` in {file}"), || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            text.lines().any(|line| line.contains(wanted)).then_some(())
        });
    }

    /// Ends it, and shows that nobody is left.
    fn stop(&self, emperor: &Process) {
        emperor.signal(Signal::TERM);
        emperor.wait_gone();
        eventually("an empty cgroup", || self.cgroup.is_empty().then_some(()));
    }
}

/// Theirs is killed: under a master it takes SIGTERM for a reload.
fn end(mut emperor: Emperor, program: &str) {
    if program == UWSGI {
        emperor.cgroup.kill();
        emperor.wait();
    }
    emperor.stop();
}

/// Fields of `/proc/PID/stat` behind the name: parent, process group, session, terminal.
fn descent(process: &Process) -> [i32; 4] {
    let stat = process.read("stat");
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(1).take(4);
    let fields: Vec<i32> = fields.map(|one| one.parse().unwrap()).collect();
    fields.try_into().unwrap()
}

#[test]
fn in_the_background_nothing_of_the_caller_is_left() {
    let tree = Tree::new();
    tree.vassal("a.ini", "command = sh -c \"echo from the vassal; exec sleep infinity\"\n");
    let options = ["--daemonize", "TREE/log", "--pidfile", "TREE/pid", "--safe-pidfile", "safe"];
    let background = Background::of_liege(tree, &options);
    assert!(background.output.status.success(), "{:?}", background.output);
    let emperor = background.told_by("pid");
    assert_eq!(background.told_by("safe").pid, emperor.pid);
    let [parent, group, session, terminal] = descent(&emperor);
    assert_eq!((group, terminal), (session, 0));
    // Who leads a session gets the next terminal that it opens.
    assert!(session != emperor.pid && parent != session, "{parent} {session}");
    let spawner =
        emperor.children().into_iter().find(|child| child.read("cmdline").contains("spawner")).unwrap();
    background.wait_for("log", "from the vassal");
    // What the vassal writes comes through a pipe.
    for (process, pipes) in [(&emperor, 1), (&spawner, 0)] {
        let open = process.descriptors();
        let log = background.tree.path("log").display().to_string();
        assert_eq!((&open[&1], &open[&2]), (&log, &log));
        assert!(open[&0] == "/dev/null", "{open:?}");
        let foreign = |place: &String| place.contains("/etc/passwd") || place.contains("pts");
        assert_eq!(open.values().filter(|place| foreign(place)).count(), 0, "{open:?}");
        assert_eq!(open.values().filter(|place| place.starts_with("pipe:")).count(), pipes, "{open:?}");
    }
    assert_eq!(emperor.link("cwd") + "/", background.tree.path("").display().to_string());
    background.wait_for("log", "*** starting uWSGI Emperor ***");
    background.stop(&emperor);
    background.wait_for("log", "The Emperor is buried.");
    assert!(!background.tree.path("pid").exists() && !background.tree.path("safe").exists());
}

/// uWSGI says that all is well before it has tried.
#[test]
fn the_exit_status_tells_whether_it_governs() {
    let options = ["--daemonize2", "TREE/log", "--pidfile", "TREE/pid", "--emperor-pidfile", "TREE/none/pid"];
    let ours = Background::of_liege(Tree::new(), &options);
    assert_eq!(ours.output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ours.output.stdout).into_owned();
    assert!(said.contains("cannot write the pidfile") && said.contains("none cannot be opened"), "{said}");
    ours.wait_for("log", "cannot write the pidfile");
    eventually("an empty cgroup", || ours.cgroup.is_empty().then_some(()));
    assert!(!ours.tree.path("pid").exists(), "what did not start leaves no pid");
    let options =
        ["--emperor", "TREE/vassals", "--daemonize", "TREE/log", "--emperor-pidfile", "TREE/none/pid"];
    let theirs = Background::start(UWSGI, Tree::new(), &options);
    assert!(theirs.output.status.success());
    theirs.wait_for("log", "none/pid");
    eventually("an empty cgroup", || theirs.cgroup.is_empty().then_some(()));
}

#[test]
fn what_cannot_be_the_log_is_told_before_anything_is_done() {
    for (log, why) in [
        ("TREE/none/log", "cannot be opened"),
        ("TREE/vassals", "Is a directory"),
        ("/dev/full", "no regular file"),
        ("/dev/stdout", "left behind"),
        ("localhost:514", "neither a file nor an address"),
    ] {
        let background = Background::of_liege(Tree::new(), &["--daemonize", log]);
        let said = String::from_utf8_lossy(&background.output.stdout).into_owned();
        assert!(!background.output.status.success() && said.contains(why), "{log}: {said}");
        assert!(background.cgroup.is_empty());
    }
}

/// Waits for a line in a file of the tree.
fn wait_in(emperor: &Emperor, file: &str, wanted: &str) {
    let path = emperor.tree.path(file);
    eventually(&format!("`{wanted}` in {file}"), || {
        std::fs::read_to_string(&path).ok().filter(|text| text.contains(wanted)).map(drop)
    });
}

/// A program that says a word for each line that it reads in a FIFO beside it.
const SPEAKER: &str =
    r#"command = sh -c "while read word; do echo said $word; done < words; exec sleep infinity""#;

#[test]
fn a_log_that_was_moved_away_is_opened_anew_and_loses_no_line() {
    for (option, uid) in [("--logto", 0), ("--logto", BOB), ("--logto2", BOB)] {
        let tree = Tree::new();
        tree.dir("logs");
        if option == "--logto2" {
            chown(tree.path("logs"), Some(uid), Some(uid)).unwrap();
        }
        let (log, user) = (tree.path("logs/log"), uid.to_string());
        let mut start = Start::in_tree(tree).serving_as(uid).option(option).option(&log);
        if uid != 0 {
            start = start.options(&["--uid", &user, "--gid", &user]);
        }
        let emperor = start.start();
        emperor.tree.vassal("a.ini", "command = sh -c \"echo first; exec sleep infinity\"\n");
        wait_in(&emperor, "logs/log", "first");
        wait_in(&emperor, "logs/log", "vassal=a.ini");
        std::fs::rename(&log, emperor.tree.path("logs/old")).unwrap();
        emperor.signal(Signal::USR2);
        wait_in(&emperor, "logs/log", "the log was opened anew");
        emperor.tree.vassal("b.ini", "command = sh -c \"echo second; exec sleep infinity\"\n");
        wait_in(&emperor, "logs/log", "second");
        wait_in(&emperor, "logs/log", "vassal=b.ini");
        let old = std::fs::read_to_string(emperor.tree.path("logs/old")).unwrap();
        assert!(!old.contains("second") && !old.contains("b.ini"), "{option} {uid}: {old}");
        let mode = std::fs::metadata(&log).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        if option == "--logto" {
            assert_eq!(emperor.lines.all(), Vec::<String>::new(), "all of it is in the log");
        }
        emperor.stop();
    }
}

#[test]
fn a_vassal_that_writes_for_itself_goes_on_in_the_log_that_it_was_born_with() {
    let tree = Tree::new();
    let words = tree.path("vassals/words");
    assert!(Command::new("mkfifo").arg(&words).status().unwrap().success());
    let log = tree.path("log");
    let start = Start::in_tree(tree).options(&["--vassals-log", "inherit"]);
    let emperor = start.option("--logto").option(&log).start();
    emperor.tree.vassal("a.ini", SPEAKER);
    let mut pen = std::fs::File::options().write(true).open(&words).unwrap();
    std::fs::rename(&log, emperor.tree.path("old")).unwrap();
    emperor.signal(Signal::USR2);
    wait_in(&emperor, "log", "the log was opened anew");
    std::io::Write::write_all(&mut pen, b"late\n").unwrap();
    wait_in(&emperor, "old", "said late");
    emperor.stop();
}

#[test]
fn a_log_may_be_somebody_who_takes_datagrams() {
    let ear = UdpSocket::bind("127.0.0.1:0").unwrap();
    ear.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = ear.local_addr().unwrap().to_string();
    let hear = |wanted: &str| {
        let mut packet = [0; 65536];
        loop {
            let length = ear.recv(&mut packet).expect("a datagram");
            if String::from_utf8_lossy(&packet[..length]).contains(wanted) {
                return;
            }
        }
    };
    for program in [LIEGE, UWSGI] {
        let mut emperor =
            Start::in_tree(Tree::new()).program(&[program]).options(&["--logto", &address]).start();
        emperor.expect_no_tidy_end();
        hear("starting uWSGI Emperor");
        emperor.stats();
        end(emperor, program);
    }
    let background = Background::of_liege(Tree::new(), &["--daemonize", &address, "--pidfile", "TREE/pid"]);
    assert!(background.output.status.success());
    hear("starting uWSGI Emperor");
    background.stop(&background.told_by("pid"));
}

#[test]
fn a_pidfile_goes_with_the_emperor_whose_pid_it_tells() {
    let tree = Tree::new();
    let paths = ["pidfile", "pidfile2", "safe-pidfile", "safe-pidfile2"];
    std::fs::write(tree.path("victim"), "before").unwrap();
    symlink(tree.path("victim"), tree.path("run/pidfile")).unwrap();
    let mut start = Start::in_tree(tree);
    for name in paths {
        start = start.option(format!("--{name}")).option(format!("run/{name}"));
    }
    let mut emperor = start.options(&["--umask", "000"]).start();
    emperor.stats();
    for name in paths {
        let path = emperor.tree.path(&format!("run/{name}"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", emperor.process.pid), "{name}");
        let found = std::fs::symlink_metadata(&path).unwrap();
        assert!(found.is_file() && found.permissions().mode() & 0o777 == 0o644, "{name}");
    }
    assert_eq!(std::fs::read_to_string(emperor.tree.path("victim")).unwrap(), "before");
    // The same file, with somebody else's pid in it.
    std::fs::write(emperor.tree.path("run/safe-pidfile"), "1\n").unwrap();
    emperor.signal(Signal::TERM);
    assert!(emperor.wait().success());
    let left = |name: &&str| emperor.tree.path(&format!("run/{name}")).exists();
    assert_eq!(paths.iter().filter(|name| left(name)).collect::<Vec<_>>(), [&"safe-pidfile"]);
    emperor.stop();
}

/// Row F7.
#[test]
fn root_makes_no_file_by_name_where_somebody_else_could() {
    let tree = Tree::new();
    tree.dir_of(ALICE, "hers");
    for (name, mode) in [("open", 0o777), ("sticky", 0o1777), ("shared", 0o775)] {
        tree.dir(name);
        std::fs::set_permissions(tree.path(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    tree.dir("hers/inner");
    symlink(tree.path("hers"), tree.path("link")).unwrap();
    // Where root writes to nobody's directory, but she has said which.
    tree.dir("roots");
    symlink(tree.path("roots"), tree.path("hers/away")).unwrap();
    for name in ["open", "sticky", "shared"] {
        symlink(tree.path("roots"), tree.path(name).join("away")).unwrap();
        lchown(tree.path(name).join("away"), Some(ALICE), Some(ALICE)).unwrap();
    }
    let top = tree.path("");
    let cases = [
        ("hers", "belongs to uid 61001"),
        ("hers/inner", "belongs to uid 61001"),
        ("link", "belongs to uid 61001"),
        ("open", "writable by others"),
        ("sticky", "writable by others"),
    ];
    for option in ["--pidfile", "--safe-pidfile2", "--emperor-pidfile", "--logto", "--logto2", "--daemonize"]
    {
        for (directory, why) in cases {
            let path = top.join(directory).join("made").display().to_string();
            refused(&tree, &[option, &path], why);
            assert!(!Path::new(&path).exists());
        }
    }
    // The group of a directory may rotate logs, and no more.
    refused(
        &tree,
        &["--logto", &top.join("shared/away/made").display().to_string()],
        "leads through the link",
    );
    let path = top.join("shared/made").display().to_string();
    refused(&tree, &["--pidfile", &path], "writable by others");
    refused(&tree, &["--master-fifo", &path], "writable by others");
}

/// Row F7.
#[test]
fn the_fifo_takes_the_place_of_nothing_but_a_fifo_of_an_emperor() {
    let tree = Tree::new();
    let victim = tree.path("victim");
    std::fs::write(&victim, "before").unwrap();
    let place = tree.path("run/fifo");
    let path = place.display().to_string();
    let why = "no FIFO of an Emperor";
    symlink(&victim, &place).unwrap();
    refused(&tree, &["--master-fifo", &path], why);
    std::fs::remove_file(&place).unwrap();
    std::fs::hard_link(&victim, &place).unwrap();
    refused(&tree, &["--master-fifo", &path], why);
    std::fs::remove_file(&place).unwrap();
    assert!(Command::new("mkfifo").arg(&place).status().unwrap().success());
    chown(&place, Some(ALICE), Some(ALICE)).unwrap();
    refused(&tree, &["--master-fifo", &path], why);
    chown(&place, Some(0), Some(0)).unwrap();
    let bob = BOB.to_string();
    let start = Start::in_tree(tree).serving_as(BOB).options(&["--uid", &bob, "--gid", &bob]);
    let emperor = start.options(&["--master-fifo", &path]).start();
    emperor.stats();
    let found = std::fs::symlink_metadata(&place).unwrap();
    assert_eq!((found.uid(), found.permissions().mode() & 0o7777), (BOB, 0o600));
    assert!(found.file_type().is_fifo());
    let alice = ALICE.to_string();
    let tried = Command::new("setpriv")
        .args(["--reuid", &alice, "--regid", &alice, "--clear-groups", "sh", "-c", "echo q > \"$0\""])
        .arg(&place)
        .status()
        .unwrap();
    assert!(!tried.success());
    emperor.stop();
    assert!(!place.exists());
}

/// Row F7.
#[test]
fn roots_log_is_no_file_that_somebody_else_has_put_there() {
    let tree = Tree::new();
    let directory = tree.dir("logs");
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o775)).unwrap();
    let secret = tree.path("secret");
    std::fs::write(&secret, "before").unwrap();
    symlink(&secret, directory.join("link")).unwrap();
    std::fs::hard_link(&secret, directory.join("second")).unwrap();
    assert!(Command::new("mkfifo").arg(directory.join("fifo")).status().unwrap().success());
    std::fs::write(directory.join("hers"), "").unwrap();
    chown(directory.join("hers"), Some(ALICE), Some(ALICE)).unwrap();
    let cases = [
        ("link", "symbolic link"),
        ("second", "second name"),
        ("fifo", "no regular file"),
        ("hers", "belongs to uid 61001"),
    ];
    for (name, why) in cases {
        let path = directory.join(name).display().to_string();
        refused(&tree, &["--logto", &path], why);
        refused(&tree, &["--daemonize", &path], why);
        // An Emperor has no rights left to write to what is hers.
        refused(&tree, &["--logto2", &path], if name == "hers" { "Permission denied" } else { why });
    }
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "before");
}

/// An Emperor with these options ends, and says why.
fn refused(tree: &Tree, options: &[&str], why: &str) {
    let mut command = Command::new(LIEGE);
    command.arg("--emperor").arg(tree.vassals()).arg("--emperor-stats").arg(tree.path("run/stats.sock"));
    let output = command.args(options).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains(why), "{options:?}: {said}");
}

/// Where paths count from, for both.
#[test]
fn the_working_directory_is_that_of_uwsgi() {
    let [ours, theirs] = [LIEGE, UWSGI].map(|program| {
        let tree = Tree::new();
        tree.dir("elsewhere");
        std::fs::create_dir(tree.path("elsewhere/configs")).unwrap();
        let stats = tree.path("run/stats.sock");
        let options =
            ["--chdir", "elsewhere", "--emperor", "configs", "--pidfile", "one", "--pidfile2", "two"];
        let start = Start::without_stats(tree)
            .program(&[program])
            .options(&options)
            .option("--emperor-stats")
            .option(stats);
        let mut emperor = start.start();
        emperor.expect_no_tidy_end();
        let stats = emperor.stats();
        let top = emperor.tree.path("").display().to_string();
        let cwd = stats["cwd"].as_str().unwrap().replace(&top, "");
        let there =
            ["one", "two", "elsewhere/one", "elsewhere/two"].map(|name| emperor.tree.path(name).exists());
        end(emperor, program);
        (there, cwd)
    });
    assert_eq!(ours, ([true, false, false, true], "elsewhere".into()));
    assert_eq!(theirs.0, ours.0);
}

#[test]
fn its_last_directory_is_entered_once_all_is_there() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let emperor = Start::bare(tree).options(&["--emperor", "vassals", "--chdir2", "/"]).start();
    emperor.vassal("a.ini");
    assert_eq!(emperor.process.link("cwd"), "/");
    emperor.tree.vassal("b.ini", SLEEP);
    emperor.vassal("b.ini");
}

/// What is said for the Emperor is said to what is done as Emperor, and to no vassal.
#[test]
fn its_variables_are_not_those_of_its_vassals() {
    let tree = Tree::new();
    let seen = tree.path("seen").display().to_string();
    let options =
        ["--env", "SECRET=$x", "--env", "TZ=Mars", "--unenv", "LANG", "--env", "UWSGI_VASSAL_NAME=shown"];
    let start = Start::in_tree(tree).variable("LANG", "C.UTF-8").variable("TZ", "UTC").options(&options);
    let hook = format!("env > {seen}.new && mv {seen}.new {seen}");
    let emperor = start.option("--exec-as-emperor").option(hook).start();
    emperor.tree.vassal("a.ini", "env = OWN=1\ncommand = sleep infinity\n");
    let vassal = emperor.vassal("a.ini").child_named("sleep").environment();
    let has = |list: &[String], one: &str| list.iter().any(|known| known == one);
    assert!(
        has(&vassal, "TZ=Mars") && has(&vassal, "UWSGI_NAME=shown") && has(&vassal, "OWN=1"),
        "{vassal:?}"
    );
    assert!(!vassal.iter().any(|one| one.starts_with("SECRET") || one.starts_with("LANG")), "{vassal:?}");
    let told = emperor.tree.text("seen");
    let told: Vec<String> = told.lines().map(str::to_owned).collect();
    assert!(has(&told, "SECRET=$x") && has(&told, "TZ=Mars"), "{told:?}");
    assert!(!told.iter().any(|one| one.starts_with("LANG")), "{told:?}");
}

#[test]
fn its_umask_is_its_own() {
    let tree = Tree::new();
    let made = tree.path("made").display().to_string();
    let options = ["--umask", "077", "--hook-emperor-start", &format!("create:{made}")];
    let emperor = Start::in_tree(tree).options(&options).start();
    emperor.tree.vassal("a.ini", SLEEP);
    assert_eq!(emperor.vassal("a.ini").child_named("sleep").status("Umask"), "0022");
    assert_eq!(emperor.process.status("Umask"), "0077");
    assert_eq!(std::fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Titles of uWSGI's Emperor and of ours.
#[test]
fn its_name_is_that_of_uwsgi() {
    for options in [
        &["--emperor-procname", "the emperor"][..],
        &["--emperor-procname", "the emperor", "--procname-prefix", "a-", "--procname-append", " -b"],
        &["--master", "--auto-procname"],
        &["--master", "--procname-prefix-spaced", "shop"],
        &["--master", "--procname-prefix", "x", "--procname-prefix-spaced", "y"],
        &["--master", "--procname", "one", "--procname-master", "two"],
    ] {
        let titles = [LIEGE, UWSGI].map(|program| {
            let mut emperor = Start::in_tree(Tree::new()).program(&[program]).options(options).start();
            emperor.expect_no_tidy_end();
            emperor.stats();
            // Theirs is a child of its master.
            let child = (program == UWSGI && options[0] == "--master").then(|| emperor.process.child());
            let process = child.as_ref().unwrap_or(&emperor.process);
            let title =
                || process.read("cmdline").split('\0').next().unwrap_or_default().trim_end().to_owned();
            let title = eventually("a title", || Some(title()).filter(|title| !title.contains("--")));
            end(emperor, program);
            title
        });
        assert_eq!(titles[0], titles[1], "{options:?}");
    }
}

/// Under another Emperor nobody goes into the background: as with uWSGI, its log is where `daemonize` says.
#[test]
fn an_emperor_in_a_vassal_stays_there() {
    let tree = Tree::new();
    tree.dir("below");
    let body =
        "emperor = ../below\ndaemonize = below.log\npidfile = below.pid\nemperor-stats = ../run/below.sock\n";
    tree.vassal("a.ini", body);
    let emperor = Start::in_tree(tree).start();
    emperor.wait_for("a.ini", "is ready");
    wait_in(&emperor, "vassals/below.log", "starting uWSGI Emperor");
    let below = Process::of(emperor.tree.text("vassals/below.pid").trim().parse().unwrap());
    let master = emperor.vassal("a.ini");
    assert_eq!(descent(&below)[0], master.pid);
    emperor.stop();
    below.wait_gone();
}

/// The files of a tree that are none of its own.
#[test]
fn a_service_managers_sockets_are_not_taken_into_the_background() {
    let tree = Tree::new();
    let script = r#"LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --emperor "$1" --daemonize "$1/../log""#;
    let output: Output =
        Command::new("/bin/sh").args(["-c", script, LIEGE]).arg(tree.vassals()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("leave `daemonize` out"), "{said}");
    let log: PathBuf = tree.path("log");
    assert!(!log.exists());
}

/// Plugins are the vassals' to load: an Emperor says so, and starts.
#[test]
fn plugins_are_passed_over_unless_one_has_to_be_there() {
    let options =
        ["--plugin", "0:tuntap", "--plugins", "emperor_pg,python3", "--plugins-dir", "/usr/lib/uwsgi"];
    let emperor = Emperor::start(Tree::new(), &options);
    for option in ["plugin", "plugins"] {
        let said = format!("`{option}` is ignored: an Emperor has nothing to load");
        emperor.wait_for_line(|line| line.contains(&said));
    }
    emperor.stats();
    emperor.stop();
    let output = common::liege(&["--emperor", "/nowhere", "--need-plugin", "python3"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("liege has no plugin `python3`"), "{said}");
}

/// Writes letters into the FIFO of an Emperor, once it is there.
fn write(emperor: &Emperor, letters: &str) {
    let path = emperor.tree.path("run/fifo");
    let open = || std::fs::File::options().write(true).custom_flags(NONBLOCK).open(&path).ok();
    let mut fifo = eventually("a FIFO that is read", open);
    std::io::Write::write_all(&mut fifo, letters.as_bytes()).unwrap();
}

#[test]
fn letters_in_the_fifo_are_obeyed() {
    let tree = Tree::new();
    tree.vassal("a.ini", SLEEP);
    let (log, pid) = (tree.path("log"), tree.path("run/pid"));
    let start = Start::in_tree(tree).options(&["--master-fifo", "run/fifo", "--emperor-freq", "0"]);
    let mut emperor = start.option("--logto").option(&log).option("--pidfile").option(&pid).start();
    wait_in(&emperor, "log", "started with pid");
    write(&emperor, "r\n");
    wait_in(&emperor, "log", "[emperor] reload the uwsgi instance a.ini");
    wait_in(&emperor, "log", "(start 2)");
    write(&emperor, "s");
    wait_in(&emperor, "log", "running");
    write(&emperor, "+\u{1}");
    wait_in(&emperor, "log", "`+` of the master FIFO means nothing to an Emperor");
    std::fs::remove_file(&pid).unwrap();
    write(&emperor, "PE");
    assert_eq!(emperor.tree.text("run/pid"), format!("{}\n", emperor.process.pid));
    std::fs::rename(&log, emperor.tree.path("old")).unwrap();
    write(&emperor, "l");
    wait_in(&emperor, "log", "the log was opened anew (the master FIFO)");
    write(&emperor, "q");
    assert!(emperor.wait().success());
    wait_in(&emperor, "log", "stop the uwsgi instance a.ini");
    assert!(!emperor.tree.path("run/fifo").exists() && !pid.exists());
    emperor.stop();
}

#[test]
fn a_capital_q_asks_nobody() {
    let tree = Tree::new();
    tree.vassal("a.ini", "command = sh -c \"trap '' TERM; while :; do sleep 600; done\"\n");
    let options = ["--master-fifo", "run/fifo", "--emperor-curse-tolerance", "600"];
    let mut emperor = Start::in_tree(tree).options(&options).start();
    emperor.wait_for_programs("sleep", 1);
    write(&emperor, "Q");
    assert!(emperor.wait().success());
    emperor.stop();
}

/// Both end by the same letter.
#[test]
fn the_fifo_is_that_of_uwsgi() {
    for program in [LIEGE, UWSGI] {
        let tree = Tree::new();
        let fifo = tree.path("run/fifo");
        let start = Start::in_tree(tree).program(&[program]).options(&["--master", "--master-fifo"]);
        let mut emperor = start.option(fifo).start();
        emperor.expect_no_tidy_end();
        emperor.stats();
        write(&emperor, "q");
        assert!(emperor.wait().success(), "{program}");
    }
}

#[test]
fn phases_of_a_vassal_are_refused_with_what_an_emperor_has_instead() {
    for option in ["--hook-asap", "--exec-asap", "--exec-pre-jail", "--hook-post-jail"] {
        let output = common::liege(&["--emperor", "/nowhere", option, "exec:true"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let wanted = "the Emperor itself has `hook-emperor-start";
        assert!(output.status.code() == Some(2) && said.contains(wanted), "{option}: {said}");
    }
    for option in ["--exit-on-reload", "--notify-socket=/run/x", "--log-truncate", "--logfile-chmod=600"] {
        let output = common::liege(&["--emperor", "/nowhere", option]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("not supported yet"), "{option}: {said}");
    }
}
