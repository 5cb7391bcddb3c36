//! An Emperor under test.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::leftovers::{Surroundings, bound_below, interfaces};
use super::lines::Heed;
use super::{Cgroup, Lines, PATIENCE, Process, Tree};

/// The binary under test.
pub const LIEGE: &str = env!("CARGO_BIN_EXE_liege");

/// Into the cgroup, then the program in its place: same pid, and nothing is ever born outside.
const ENTER: &str = r#"echo $$ > "$0/cgroup.procs" && exec "$@""#;

/// Runs `liege` with these arguments to its end.
pub fn liege(arguments: &[&str]) -> Output {
    Command::new(LIEGE).args(arguments).env_clear().env("PATH", "/usr/bin:/bin").output().unwrap()
}

/// How an Emperor is to be started.
pub struct Start {
    tree: Tree,
    program: Vec<OsString>,
    arguments: Vec<OsString>,
    environment: Vec<(String, String)>,
    directory: PathBuf,
    leftover: Option<String>,
    with_names: bool,
}

impl Start {
    /// An Emperor of the `vassals` of this tree, its stats at `run/stats.sock`.
    pub fn in_tree(tree: Tree) -> Self {
        let source = tree.vassals();
        Self::bare(tree).option("--emperor").option(source)
    }

    /// An Emperor without any source yet, its stats at `run/stats.sock`.
    pub fn bare(tree: Tree) -> Self {
        let stats = tree.path("run/stats.sock");
        Self::without_stats(tree).option("--emperor-stats").option(stats)
    }

    /// An Emperor that nobody has told anything.
    pub fn without_stats(tree: Tree) -> Self {
        let directory = tree.path("");
        Self {
            tree,
            program: vec![LIEGE.into()],
            arguments: Vec::new(),
            environment: Vec::new(),
            directory,
            leftover: None,
            with_names: false,
        }
    }

    /// An Emperor of the `vassals` of a tree that belongs to this user.
    pub fn owned(tree: Tree, owner: u32) -> Self {
        tree.hand_over(owner);
        Self::in_tree(tree)
    }

    /// Gives the directory of its stats to this user, who is to remove the socket in the end.
    pub fn serving_as(self, owner: u32) -> Self {
        self.tree.hand_over_run(owner);
        self
    }

    /// The same without any source yet.
    pub fn owned_bare(tree: Tree, owner: u32) -> Self {
        tree.hand_over(owner);
        Self::bare(tree)
    }

    /// Runs a copy of `liege` in the tree, for users who may not look at where it was built.
    pub fn copied(mut self) -> Self {
        let copy = self.tree.path("liege");
        super::copy_program(LIEGE, &copy);
        self.program = vec![copy.into()];
        self
    }

    /// Adds one argument.
    pub fn option(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn options(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(OsString::from));
        self
    }

    /// Adds a variable to its otherwise nearly empty environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs this in the place of `liege`: program and first arguments.
    pub fn program(mut self, program: &[&str]) -> Self {
        self.program = program.iter().map(OsString::from).collect();
        self
    }

    /// Puts a program with its arguments in front, one that runs the rest (`setpriv`, `nice`, …).
    pub fn through(mut self, program: &[&str]) -> Self {
        self.program.splice(0..0, program.iter().map(OsString::from));
        self
    }

    /// Runs it as an ordinary user: these ids, no groups, no capabilities.
    pub fn by_user(self, id: u32) -> Self {
        self.copied().dropped_to(id)
    }

    /// The same for a program that this user can run.
    pub fn dropped_to(self, id: u32) -> Self {
        let id = id.to_string();
        let ids = ["--reuid", &id, "--regid", &id, "--clear-groups"];
        self.through(&[&["setpriv"], &ids[..], &["--inh-caps=-all", "--bounding-set=-all"]].concat())
    }

    /// Starts it where one before it has left this cgroup.
    pub fn after(mut self, leftover: &str) -> Self {
        self.leftover = Some(leftover.into());
        self
    }

    /// Its working directory.
    pub fn directory(mut self, path: PathBuf) -> Self {
        self.directory = path;
        self
    }

    /// Hears lines of vassals as they come, behind their names.
    pub fn with_names(mut self) -> Self {
        self.with_names = true;
        self
    }

    /// A test that says where lines of vassals go wants them as they come, and so does one of another program.
    fn heed(&self) -> Heed {
        let says = self.arguments.iter().any(|one| one == "--vassals-log");
        let is_liege = self.program.iter().any(|one| one.to_string_lossy().ends_with("liege"));
        if is_liege && !says && !self.with_names { Heed::Said } else { Heed::Written }
    }

    /// Starts it.
    pub fn start(self) -> Emperor {
        let around = Surroundings::look(&self.tree.path(""));
        let cgroup = Cgroup::new();
        if let Some(leftover) = &self.leftover {
            std::fs::create_dir_all(cgroup.path().join(leftover)).unwrap();
        }
        let heed = self.heed();
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", ENTER]).arg(cgroup.path()).args(&self.program).args(&self.arguments);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.environment);
        command.current_dir(&self.directory).stdin(Stdio::null());
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let child = command.spawn().unwrap();
        drop(command);
        let process = Process::of(child.id().cast_signed());
        let lines = Lines::heed(reader, heed);
        Emperor {
            child,
            process,
            lines,
            ended: None,
            cut_short: false,
            interfaces: interfaces(),
            around,
            cgroup,
            tree: self.tree,
        }
    }
}

/// A running Emperor. When it is dropped it is stopped, and nothing may be left of it.
pub struct Emperor {
    child: Child,
    /// The Emperor's own process.
    pub process: Process,
    /// What it and its vassals say.
    pub lines: Lines,
    ended: Option<ExitStatus>,
    cut_short: bool,
    interfaces: std::collections::BTreeSet<String>,
    around: Surroundings,
    /// Everybody who lives because of it is in here.
    pub cgroup: Cgroup,
    /// Its tree.
    pub tree: Tree,
}

impl Emperor {
    /// Starts one with the `vassals` of a tree and these further options.
    pub fn start(tree: Tree, options: &[&str]) -> Self {
        Start::in_tree(tree).options(options).start()
    }

    /// The first line that is wanted, since the start.
    pub fn wait_for_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        self.lines.wait_since(0, wanted)
    }

    /// The first line about this vassal that contains this text, since the start.
    pub fn wait_for(&self, vassal: &str, text: &str) -> String {
        self.wait_since(0, vassal, text)
    }

    /// The first line about this vassal that contains this text, since a mark.
    pub fn wait_since(&self, mark: usize, vassal: &str, text: &str) -> String {
        self.lines.wait_since(mark, |line| line.contains(&field(vassal)) && line.contains(text))
    }

    /// How often a line about this vassal with this text was said.
    pub fn told(&self, vassal: &str, text: &str) -> usize {
        self.lines.count(|line| line.contains(&field(vassal)) && line.contains(text))
    }

    /// The process of a vassal, once it has said that it runs.
    pub fn vassal(&self, name: &str) -> Process {
        self.vassal_since(0, name)
    }

    /// The process of a vassal that said after a mark that it runs.
    pub fn vassal_since(&self, mark: usize, name: &str) -> Process {
        Process::of(pid_in(&self.wait_since(mark, name, "has been spawned")))
    }

    /// Where the stats are served.
    pub fn stats_socket(&self) -> PathBuf {
        self.tree.path("run/stats.sock")
    }

    /// The stats, as they come.
    pub fn stats_text(&self) -> String {
        let path = self.stats_socket();
        let mut socket = super::eventually("the stats socket", || UnixStream::connect(&path).ok());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    }

    /// The stats, read.
    pub fn stats(&self) -> Value {
        let text = self.stats_text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }

    /// One vassal of the stats.
    pub fn stats_of(&self, vassal: &str) -> Option<Value> {
        let stats = self.stats();
        stats["vassals"].as_array().unwrap().iter().find(|one| one["id"] == vassal).cloned()
    }

    /// The stats of a vassal, once they are as wanted.
    pub fn wait_stats(&self, vassal: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        super::eventually(&format!("stats of {vassal}"), || self.stats_of(vassal).filter(|one| wanted(one)))
    }

    /// Sends the Emperor a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait_gone();
        let status = self.child.wait().unwrap();
        self.ended = Some(status);
        status
    }

    /// SIGKILL, as an accident would: what it cannot tidy up any more is not asked for.
    pub fn kill(&mut self) {
        self.cut_short = true;
        self.signal(Signal::KILL);
        self.wait();
    }

    /// For tests that end its life in another way than by asking it.
    pub fn expect_no_tidy_end(&mut self) {
        self.cut_short = true;
    }

    /// Waits until nobody lives who lived because of it.
    pub fn wait_deserted(&self) {
        super::eventually(&format!("the end of {:?}", self.living()), || {
            self.cgroup.is_empty().then_some(())
        });
    }

    /// Waits until this many processes below it run this program.
    pub fn wait_for_programs(&self, program: &str, number: usize) -> Vec<Process> {
        let is_wanted = |pid: &i32| {
            let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            text.split(|byte| *byte == 0).next() == Some(program.as_bytes())
        };
        super::eventually(&format!("{number} of {program}"), || {
            let found: Vec<i32> = self.cgroup.pids().into_iter().filter(is_wanted).collect();
            let found: Vec<Process> =
                found.into_iter().filter_map(|pid| Process::if_there(pid).ok()).collect();
            (found.len() == number).then_some(found)
        })
    }

    fn living(&self) -> Vec<String> {
        let line = |pid: i32| {
            let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            format!("{pid} {}", String::from_utf8_lossy(&text).replace('\0', " "))
        };
        self.cgroup.pids().into_iter().map(line).collect()
    }

    /// Stops it and shows that nothing is left.
    ///
    /// # Panics
    /// When something is.
    pub fn stop(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        if self.ended.is_none() {
            self.signal(Signal::TERM);
            let status = self.wait();
            assert!(
                status.success(),
                "the Emperor ended with {status}; it said:\n{}",
                self.lines.all().join("\n")
            );
        }
        self.assert_nothing_left();
    }

    fn assert_nothing_left(&self) {
        self.wait_deserted();
        let top = self.tree.path("");
        if !self.cut_short {
            assert_eq!(self.cgroup.children(), Vec::<PathBuf>::new(), "cgroups are left");
            assert_eq!(self.tree.sockets(), Vec::<PathBuf>::new(), "socket files are left");
        }
        // A child that another test is about to make may still have a copy of one.
        super::eventually("that no socket is bound", || bound_below(&top).is_empty().then_some(()));
        assert_eq!(Surroundings::look(&top), self.around, "the host is not as it was");
        let grown: Vec<String> = interfaces().difference(&self.interfaces).cloned().collect();
        assert_eq!(grown, Vec::<String>::new(), "network interfaces are left");
    }
}

impl Drop for Emperor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- it said:\n{}\n--- still living: {:?}", self.lines.all().join("\n"), self.living());
            let _ = self.child.kill();
            let _ = self.child.wait();
            self.cgroup.kill();
        } else {
            self.finish();
        }
    }
}

/// How a line names a vassal.
fn field(vassal: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-./:@,+%".contains(c);
    if vassal.chars().all(bare) { format!(" vassal={vassal} ") } else { format!(" vassal=\"{vassal}\" ") }
}

/// The `pid=` of a line.
fn pid_in(line: &str) -> i32 {
    let value = line.split(" pid=").nth(1).and_then(|rest| rest.split(' ').next());
    value.and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("no pid in: {line}"))
}
