//! What a bench needs: a directory, the programs to be measured, and a place where stamps arrive.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::program;
use crate::scratch::Scratch;

use super::court::Kind;
use super::proc;
use super::stamps::Stamps;

/// Namespaces that a jail of these benches has, as `emperor-use-clone` and as `floor.c` spell them.
pub const NAMESPACES: (&str, &str) = ("fs,net,ipc,pid,uts", "mnipu");

const LOG_LINES_MAX: usize = 20;

/// Everything is removed when it goes out of scope.
#[derive(Debug)]
pub struct Lab {
    /// Only show that the benches run.
    pub quick: bool,
    /// Where programs report.
    pub stamps: Stamps,
    /// As it is given to people, where the toolchain has that target; else the release build for this host. Or what the variable
    /// `LIEGE` names.
    pub liege: PathBuf,
    /// The real one, when installed.
    pub uwsgi: Option<PathBuf>,
    scratch: Scratch,
    directories: AtomicU32,
}

impl Lab {
    /// Builds what is measured.
    ///
    /// # Errors
    /// Something cannot be built.
    pub fn open(quick: bool) -> Result<Self> {
        let scratch = Scratch::new("bench")?;
        let socket = scratch.path().join("stamps");
        let at = format!("-DSOCKET=\"{}\"", socket.display());
        let bare = ["-static", "-nostdlib", "-fno-stack-protector", &at];
        compile("stamp", scratch.path(), &bare)?;
        compile("floor", scratch.path(), &[])?;
        compile("minisup", scratch.path(), &[])?;
        compile("answer", scratch.path(), &["-static"])?;
        compile("relay", scratch.path(), &[])?;
        compile("traffic", scratch.path(), &[])?;
        compile("terminal", scratch.path(), &["-static"])?;
        let stamps = Stamps::bind(&socket)?;
        let liege = std::env::var_os("LIEGE").map_or_else(build, |path| Ok(path.into()))?;
        let uwsgi = program::find("uwsgi").or_else(|| program::find("uwsgi-core"));
        Ok(Self { quick, stamps, liege, uwsgi, scratch, directories: AtomicU32::new(0) })
    }

    /// The tiny vassal.
    pub fn stamp(&self) -> PathBuf {
        self.scratch.path().join("stamp")
    }

    /// The tiny program on demand.
    pub fn answer(&self) -> PathBuf {
        self.scratch.path().join("answer")
    }

    /// A new empty directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn directory(&self) -> Result<PathBuf> {
        let number = self.directories.fetch_add(1, Ordering::Relaxed);
        let path = self.scratch.path().join(format!("vassals-{number}"));
        std::fs::create_dir(&path)?;
        Ok(path)
    }

    /// The root of a jail, in which our own place is still to be mounted, at the path that the tiny program has compiled in.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn root(&self) -> Result<PathBuf> {
        let root = self.directory()?.join("root");
        for directory in ["proc", "dev", "sys", "tmp"] {
            std::fs::create_dir_all(root.join(directory))?;
        }
        std::fs::create_dir_all(root.join(self.place().strip_prefix("/")?))?;
        Ok(root)
    }

    /// Where all of it is.
    pub fn place(&self) -> &Path {
        self.scratch.path()
    }

    /// A place next to the directories, on the same file system.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Where an Emperor of this kind writes its log.
    pub fn log(&self, kind: Kind) -> PathBuf {
        self.beside(&format!("{kind:?}.log"))
    }

    /// The end of ours.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(self.log(Kind::Liege)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_MAX)..].join("\n")
    }

    /// `full` normally, `quick` with `--quick`.
    pub fn rounds(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// Starts `floor.c`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn floor(&self, options: &[&str], namespaces: &str) -> Result<Floor> {
        let mut command = Command::new(self.scratch.path().join("floor"));
        command.args(options).arg(namespaces).arg(self.stamp());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot run floor")?;
        let answers = BufReader::new(child.stdout.take().context("floor has no stdout")?);
        Ok(Floor { child, answers })
    }

    /// Starts `minisup.c` with this many children.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn minisup(&self, count: usize) -> Result<Minisup> {
        let mut command = Command::new(self.scratch.path().join("minisup"));
        let child = command.arg(count.to_string()).arg(self.stamp()).spawn().context("cannot run minisup")?;
        Ok(Minisup(child))
    }

    /// Waits until the machine is quiet: the kernel takes jails apart after their processes are gone.
    pub fn settle(&self) {
        let end = Instant::now() + Duration::from_secs(if self.quick { 1 } else { 4 });
        let pause = Duration::from_millis(200);
        while Instant::now() < end {
            let before = proc::cpu_times();
            thread::sleep(pause);
            let after = proc::cpu_times();
            if (after.0 - before.0) * 10 < (after.1 - before.1) {
                return;
            }
        }
    }
}

fn compile(name: &str, into: &Path, options: &[&str]) -> Result<()> {
    let source = program::top().join("benches").join(name).with_extension("c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-Wall"]).args(options).arg("-o").arg(into.join(name)).arg(source);
    program::run(&mut gcc)
}

fn build() -> Result<PathBuf> {
    if let Some(given) = crate::dist::build_if_possible()? {
        println!("xtask: measured is {}", given.display());
        return Ok(given);
    }
    program::run(program::cargo().args(["build", "--release", "--quiet", "--package", "liege"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(program::top().join("target"), PathBuf::from);
    find_release(&target)
}

/// With a target set in the configuration, cargo puts a folder of its name in between.
fn find_release(target: &Path) -> Result<PathBuf> {
    let folders = std::fs::read_dir(target)?.flatten().map(|entry| entry.path());
    let candidates = folders.chain([target.to_owned()]).map(|folder| folder.join("release/liege"));
    let newest = candidates.filter_map(|file| Some((file.metadata().ok()?.modified().ok()?, file))).max();
    Ok(newest.context("no release build of liege")?.1)
}

/// A running `floor.c`; ends with all its children when it goes out of scope.
#[derive(Debug)]
pub struct Floor {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Floor {
    /// Gives an order and returns the numbers of the answer.
    ///
    /// # Errors
    /// It has ended or answers nonsense.
    pub fn order(&mut self, order: &str) -> Result<Vec<u64>> {
        let stdin = self.child.stdin.as_mut().context("floor has no stdin")?;
        writeln!(stdin, "{order}").context("floor has ended")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        answer.split_whitespace().map(|word| word.parse().context("floor answers nonsense")).collect()
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Closing its input lets it end; without an answer it is dead already.
        let _ = self.order("end");
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A running `minisup.c`; its children die with it.
#[derive(Debug)]
pub struct Minisup(Child);

impl Drop for Minisup {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
