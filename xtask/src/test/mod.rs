//! `cargo xtask test`: installs what is missing, checks everything, sums it up in one line.

mod apparmor;
mod deny;
mod leftovers;
pub mod packages;
pub mod rows;
mod score;
mod suite;
mod vagrant;

use anyhow::Result;

use crate::program;
use score::Score;

/// Runs every check, also those after a failed one; true when none failed.
///
/// # Errors
/// The surroundings are not fit for a test run (no temporary directory, no `/proc`).
pub fn run() -> Result<bool> {
    let mut score = Score::default();
    packages::provide(packages::NEEDED);
    score.check("format", program::run(program::cargo().args(["fmt", "--all", "--check"])));
    score.check("lints", program::run(program::cargo().args(LINTS)));
    deny::check(&mut score);
    vagrant::check(&mut score);
    apparmor::check(&mut score);
    let results = suite::run(&mut score)?;
    score.check("every attack held", rows::report(&results));
    println!("{score}");
    Ok(score.failed == 0)
}

const LINTS: [&str; 7] = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
