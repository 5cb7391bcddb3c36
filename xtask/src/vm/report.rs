//! What became of each case.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{IsTerminal, Write};

use crate::test::rows::Verdict;

/// The status by which a case says that it cannot run here; its last line says why.
const SKIPPED: i32 = 77;
/// Statuses of `timeout` after its SIGKILL, by GNU and by busybox.
const KILLED: [i32; 2] = [137, 124];

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Exit status of its script.
    pub status: i32,
    /// How long it took, since the last boot.
    pub seconds: u32,
}

/// The sum.
#[derive(Debug)]
pub struct Report {
    passed: u32,
    failed: Vec<String>,
    skipped: Vec<String>,
    /// By the name of the case, over all kernels.
    verdicts: BTreeMap<String, Verdict>,
    /// Tell also what cases say that pass.
    wordy: bool,
    terminal: bool,
}

impl Report {
    /// Nothing yet.
    pub fn new(wordy: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self {
            passed: 0,
            failed: Vec::new(),
            skipped: Vec::new(),
            verdicts: BTreeMap::new(),
            wordy,
            terminal,
        }
    }

    /// The line that is written over and over while something runs; nothing where nobody looks.
    pub fn progress(&self, line: &str) {
        if self.terminal {
            print!("\r\x1b[K{line}");
            // A terminal that has gone takes us along.
            let _ = std::io::stdout().flush();
        }
    }

    /// `CASE on KERNEL` has ended, or the machine before it.
    pub fn case(&mut self, name: &str, end: Option<End>, said: &[String]) {
        self.progress("");
        let status = end.map(|end| end.status);
        let last = said.last().map_or("", String::as_str);
        let verdict = match status {
            Some(0) => "ok".to_owned(),
            Some(SKIPPED) => format!("skipped: {last}"),
            Some(status) if KILLED.contains(&status) => "FAILED: took too long".to_owned(),
            Some(status) => format!("FAILED: {status}"),
            None => "FAILED: the machine ended before it did".to_owned(),
        };
        if self.wordy || !matches!(status, Some(0 | SKIPPED)) {
            said.iter().for_each(|line| println!("    {line}"));
        }
        let took = end.map(|end| format!(", {} s", end.seconds)).unwrap_or_default();
        println!("{name}: {verdict}{took}");
        let verdict = match status {
            Some(0) => Verdict::Held,
            Some(SKIPPED) => Verdict::Skipped,
            _ => Verdict::Failed,
        };
        match verdict {
            Verdict::Held => self.passed += 1,
            Verdict::Skipped => self.skipped.push(format!("{name}: {last}")),
            Verdict::Failed => self.failed.push(name.to_owned()),
        }
        let known = self.verdicts.entry(name.split(' ').next().unwrap_or(name).to_owned()).or_insert(verdict);
        *known = verdict.max(*known);
    }

    /// What became of each case; of a case that ran on several kernels the worst.
    pub fn verdicts(&self) -> &BTreeMap<String, Verdict> {
        &self.verdicts
    }

    /// None failed.
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed.len())?;
        listed(f, &self.failed)?;
        write!(f, ", {} skipped", self.skipped.len())?;
        listed(f, &self.skipped)
    }
}

fn listed(f: &mut fmt::Formatter<'_>, list: &[String]) -> fmt::Result {
    if list.is_empty() { Ok(()) } else { write!(f, " ({})", list.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_says_which_failed_and_why_others_were_skipped() {
        let mut report = Report::new(false);
        let ended = |status| Some(End { status, seconds: 1 });
        report.case("a", ended(0), &[]);
        report.case("b", ended(1), &[]);
        report.case("c", None, &[]);
        report.case("d", ended(77), &["no disk".to_owned()]);
        assert_eq!(report.to_string(), "1 passed, 2 failed (b; c), 1 skipped (d: no disk)");
    }
}
