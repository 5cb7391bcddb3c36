//! How many checks passed, failed and were skipped.

use std::fmt;

use anyhow::Result;

/// The sum over all checks and tests.
#[derive(Debug, Default)]
pub struct Score {
    /// Held.
    pub passed: u32,
    /// Did not hold.
    pub failed: u32,
    /// Could not be tried here; each has told why.
    pub skipped: u32,
}

impl Score {
    /// Counts one check and tells of it.
    pub fn check(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => {
                println!("xtask: {name}: ok");
                self.passed += 1;
            }
            Err(error) => {
                println!("xtask: {name}: FAILED: {error:#}");
                self.failed += 1;
            }
        }
    }

    /// Counts one check that cannot be made here.
    pub fn skip(&mut self, name: &str, reason: &str) {
        println!("xtask: {name}: skipped: {reason}");
        self.skipped += 1;
    }

    /// Counts the summary line of one test program, as libtest prints it.
    pub fn read(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else { return };
        for part in counts.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => (),
            }
        }
    }

    /// One test that passed has said that it tried nothing.
    pub fn withdraw(&mut self) {
        self.passed = self.passed.saturating_sub(1);
        self.skipped += 1;
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_libtest_add_up() {
        let mut score = Score::default();
        score.read(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
        );
        score.read("test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        score.read("test something ... ok");
        score.withdraw();
        assert_eq!(score.to_string(), "6 passed, 2 failed, 2 skipped");
    }
}
