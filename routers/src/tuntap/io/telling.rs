//! What is told of life and death; a tenant who makes us tell too much is told of by number.

use std::time::{Duration, Instant};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A tenant misbehaves, or something does not work.
    Warn,
    /// Life and death.
    Info,
}

/// Writes one line.
pub type Log = Box<dyn Fn(Level, &str)>;

/// Lines of one second.
const LINES_MAX: u32 = 50;

/// Tells, and no more than can be read.
pub(super) struct Telling {
    log: Log,
    since: Instant,
    told: u32,
    untold: u64,
}

impl Telling {
    pub(super) fn new(log: Log) -> Self {
        Self { log, since: Instant::now(), told: 0, untold: 0 }
    }

    pub(super) fn info(&mut self, line: &str) {
        self.tell(Level::Info, line);
    }

    pub(super) fn warn(&mut self, line: &str) {
        self.tell(Level::Warn, line);
    }

    fn tell(&mut self, level: Level, line: &str) {
        if self.since.elapsed() >= Duration::from_secs(1) {
            if self.untold > 0 {
                (self.log)(Level::Warn, &format!("{} lines more were not told", self.untold));
            }
            (self.since, self.told, self.untold) = (Instant::now(), 0, 0);
        }
        if self.told < LINES_MAX {
            self.told += 1;
            (self.log)(level, line);
        } else {
            self.untold += 1;
        }
    }
}
