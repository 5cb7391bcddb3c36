//! The lines that an Emperor and its vassals say, as they come.

use std::io::{BufRead, BufReader, PipeReader};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use super::PATIENCE;

/// Lines heard so far.
#[derive(Clone, Default)]
pub struct Lines(Arc<(Mutex<Heard>, Condvar)>);

/// How a line of a vassal is heard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Heed {
    /// As the vassal said it.
    Said,
    /// As it comes, behind the name of its vassal.
    Written,
}

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Listens until the last writer has gone.
    pub fn listen(pipe: PipeReader) -> Self {
        Self::heed(pipe, Heed::Written)
    }

    /// Listens in this way until the last writer has gone.
    pub fn heed(pipe: PipeReader, way: Heed) -> Self {
        let lines = Self::default();
        let ours = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let line = if way == Heed::Said { said(&line).to_owned() } else { line };
                ours.add(|heard| heard.lines.push(line));
            }
            ours.add(|heard| heard.ended = true);
        });
        lines
    }

    fn add(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// All of them.
    pub fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// How many there are: a place to search from later.
    pub fn mark(&self) -> usize {
        self.lock().lines.len()
    }

    /// The first line since `mark` that is `wanted`, waited for.
    ///
    /// # Panics
    /// When it does not come, with everything that was said.
    pub fn wait_since(&self, mark: usize, wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        let mut heard = self.lock();
        // Each line is looked at once: who is told fifty thousand of them must not keep the one who listens from hearing more.
        let mut next = mark;
        loop {
            if let Some(line) = heard.lines[next..].iter().find(|line| wanted(line)) {
                return line.clone();
            }
            next = heard.lines.len();
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !heard.ended,
                "the line never came; said since:\n{}",
                heard.lines[mark..].join("\n")
            );
            heard = self.0.1.wait_timeout(heard, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// True when a line is `wanted`, now.
    pub fn has(&self, wanted: impl Fn(&str) -> bool) -> bool {
        self.count(wanted) > 0
    }

    /// How many lines are `wanted`, now.
    pub fn count(&self, wanted: impl Fn(&str) -> bool) -> usize {
        self.count_since(0, wanted)
    }

    /// How many lines since `mark` are `wanted`, now.
    pub fn count_since(&self, mark: usize, wanted: impl Fn(&str) -> bool) -> usize {
        self.lock().lines[mark..].iter().filter(|line| wanted(line)).count()
    }
}

/// The line without the names that Emperors have put before it, one in a vassal of the other. Their own lines begin with the time;
/// what vassals put into brackets is called like no config.
fn said(line: &str) -> &str {
    let below = |line| split(line).filter(|(name, _)| name.contains('.')).map(|(_, said)| said);
    let first = split(line).map_or(line, |(_, said)| said);
    std::iter::successors(Some(first), |line| below(line)).last().unwrap_or(first)
}

fn split(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.split_once("] ")
}
