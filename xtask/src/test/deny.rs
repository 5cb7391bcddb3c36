//! Licences, sources and known defects of the dependencies, by cargo-deny.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::program;

use super::score::Score;

/// Raised by hand, so that a release of cargo-deny never breaks a build of ours.
const VERSION: &str = "0.20.2";

/// Checks what needs no network, then the advisories when their database can be fetched.
pub fn check(score: &mut Score) {
    let deny = match find_or_install() {
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

/// Built once into the user's cache, which survives `cargo clean`.
fn find_or_install() -> Result<PathBuf> {
    let root = cache()?.join(format!("cargo-deny-{VERSION}"));
    let deny = root.join("bin/cargo-deny");
    if !deny.is_file() {
        println!("xtask: building cargo-deny {VERSION}, once");
        let name = format!("cargo-deny@{VERSION}");
        let mut install = program::cargo();
        // Away from our own `.cargo/config.toml`: its static build is for programs of ours.
        install.current_dir("/").args(["install", "--quiet", "--locked", "--root"]).arg(&root).arg(name);
        program::run(&mut install)?;
    }
    Ok(deny)
}

fn cache() -> Result<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("liege-xtask"))
}
