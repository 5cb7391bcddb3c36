//! Licences, sources and known defects of the dependencies, by cargo-deny.

use std::path::PathBuf;
use std::process::Command;

use crate::{program, tool};

use super::score::Score;

/// Raised by hand, so that a release of cargo-deny never breaks a build of ours.
const VERSION: &str = "0.20.2";

/// Checks what needs no network, then the advisories when their database can be fetched.
pub fn check(score: &mut Score) {
    let deny = match tool::find_or_install("cargo-deny", VERSION) {
        Ok(deny) => deny,
        Err(error) => return score.skip("dependencies", &format!("no cargo-deny: {error:#}")),
    };
    score.check("dependencies", program::run(command(&deny).args(["check", "licenses", "bans", "sources"])));
    match program::output(command(&deny).arg("fetch").arg("db")) {
        Ok(_) => score.check("advisories", program::run(command(&deny).args(["check", "advisories"]))),
        Err(_) => score.skip("advisories", "the RustSec database cannot be fetched from here"),
    }
}

fn command(deny: &PathBuf) -> Command {
    let mut command = Command::new(deny);
    command.current_dir(program::top());
    command.args(["--log-level", "error", "--workspace", "--config", ".deny.toml"]);
    command
}
