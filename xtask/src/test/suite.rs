//! `cargo test`, watched: counts its results and inherits the processes that it leaves behind.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, WaitOptions, WaitStatus, set_child_subreaper, wait};

use crate::program;
use crate::scratch::Scratch;

use super::leftovers;
use super::rows::{self, Verdict};
use super::score::Score;

/// How a test says that it cannot try anything here.
const SKIPPED: &str = "skipped: ";
/// How long a test program may be silent after cargo has ended.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs all tests of the workspace in a temporary directory of their own, and then looks for what is left.
///
/// Returns what became of each test, by its name.
///
/// # Errors
/// Cargo cannot be run or the state of this machine cannot be read.
pub fn run(score: &mut Score) -> Result<BTreeMap<String, Verdict>> {
    let scratch = Scratch::new("test")?;
    set_child_subreaper(Some(rustix::process::getpid())).context("cannot adopt orphans")?;
    let before = leftovers::Snapshot::take();
    let mut cargo = start(&scratch)?;
    let stdout = cargo.stdout.take().expect("stdout is piped");
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || forward(stdout, &sender));
    let status = reap_until(&cargo)?;
    let seen = Seen::of(&lines);
    seen.add_to(score);
    if status.exit_status() != Some(0) && seen.is_clean() {
        score.check("tests", Err(anyhow::anyhow!("cargo test ended with {status:?}")));
    }
    score.check("nothing left behind", leftovers::check(&before, &scratch));
    Ok(seen.verdicts)
}

fn start(scratch: &Scratch) -> Result<Child> {
    let mut cargo = program::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast", "--", "--show-output"]);
    cargo.env("TMPDIR", scratch.path()).stdin(Stdio::null()).stdout(Stdio::piped());
    cargo.spawn().context("cannot run cargo test")
}

/// Reaps every child, ours by birth or by adoption, until cargo itself has ended: an orphan that was not
/// reaped would look alive to the test that waits for its end.
fn reap_until(cargo: &Child) -> Result<WaitStatus> {
    let cargo = Pid::from_child(cargo);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == cargo => return Ok(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => (),
            Err(error) => bail!("cannot wait for cargo test: {error}"),
        }
    }
}

/// What the test programs printed that counts.
#[derive(Debug, Default)]
struct Seen {
    results: Vec<String>,
    skips: usize,
    verdicts: BTreeMap<String, Verdict>,
}

impl Seen {
    /// Reads to the end; or until nothing more comes, when a process that was left behind keeps the pipe open.
    fn of(lines: &Receiver<String>) -> Self {
        let mut seen = Self::default();
        while let Ok(line) = lines.recv_timeout(LAST_WORDS) {
            if let Some(test) = line.strip_prefix(SKIPPED) {
                seen.skips += 1;
                // One of the same name that failed elsewhere has failed all the same.
                let known = seen.verdicts.entry(test.to_owned()).or_insert(Verdict::Skipped);
                *known = if *known == Verdict::Failed { Verdict::Failed } else { Verdict::Skipped };
            } else if let Some((test, verdict)) = rows::result(&line) {
                // Of several tests of one name all have to hold.
                let known = seen.verdicts.entry(test).or_insert(verdict);
                *known = verdict.max(*known);
            } else {
                seen.results.push(line);
            }
        }
        seen
    }

    fn add_to(&self, score: &mut Score) {
        self.results.iter().for_each(|line| score.read(line));
        (0..self.skips).for_each(|_| score.withdraw());
    }

    fn is_clean(&self) -> bool {
        let mut score = Score::default();
        self.add_to(&mut score);
        score.failed == 0
    }
}

/// Passes everything on, less what successful tests have to say, but for their reasons to be skipped. Lines
/// that count are sent as well; of a test with several reasons its name, once.
fn forward(stdout: ChildStdout, counts: &Sender<String>) {
    let (mut of_success, mut told, mut test) = (false, false, String::new());
    for line in BufReader::new(stdout).lines().map_while(io::Result::ok) {
        let is_result = line.starts_with("test result: ");
        of_success = match line.as_str() {
            "successes:" => true,
            "failures:" => false,
            _ => of_success && !is_result,
        };
        if let Some(name) = rows::heading(&line) {
            (told, test) = (false, name);
        }
        let is_skip = of_success && line.starts_with(SKIPPED);
        if !of_success || is_skip {
            // Whoever reads us may have gone; the tests are run to their end all the same.
            let _ = writeln!(io::stdout(), "{line}");
        }
        let counted = match is_skip {
            true => (!told).then(|| format!("{SKIPPED}{test}")),
            false => (is_result || rows::result(&line).is_some()).then_some(line),
        };
        // The other end has gone when it has waited long enough for us.
        counted.into_iter().for_each(|line| drop(counts.send(line)));
        told |= is_skip;
    }
}
