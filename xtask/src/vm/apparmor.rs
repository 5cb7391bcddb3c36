//! A parser of AppArmor profiles that knows the word `userns`: that of the distribution may be older.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::program;

use super::archive::Apt;
use super::store;

const SUITE: &str = "trixie";
/// The parser, and the C library that it is linked to.
const PACKAGES: [&str; 2] = ["apparmor", "libc6"];
/// Where things lie in the packages, and where in our directory.
const PARTS: [(&str, &str); 4] = [
    ("usr/sbin/apparmor_parser", "parser"),
    ("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "ld.so"),
    ("usr/lib/x86_64-linux-gnu/libc.so.6", "libc.so.6"),
    ("etc/apparmor.d", "profiles"),
];

/// A directory with the parser, all that it needs, and what profiles include; from the package archive where it is not
/// there yet.
///
/// # Errors
/// There is no apt, or the archive that this machine uses does not have the suite.
pub fn fetch() -> Result<PathBuf> {
    let directory = store().join("apparmor");
    if !directory.exists() {
        println!("xtask: fetching a parser of AppArmor profiles from {SUITE}, once");
        unpack(&directory).context("cannot fetch a parser of AppArmor profiles")?;
    }
    Ok(directory)
}

fn unpack(into: &Path) -> Result<()> {
    let apt = Apt::new(SUITE)?;
    PACKAGES.iter().try_for_each(|package| apt.unpack(package))?;
    let new = into.with_extension("new");
    let _ = fs::remove_dir_all(&new);
    fs::create_dir_all(&new)?;
    for (from, to) in PARTS {
        let from = apt.directory.join("unpacked").join(from);
        program::run(Command::new("cp").args(["-a", "-L"]).arg(from).arg(new.join(to)))?;
    }
    Ok(fs::rename(new, into)?)
}

/// Parses a profile; no kernel is needed for that.
///
/// # Errors
/// There is no parser, or the profile is none.
pub fn check(profile: &Path) -> Result<()> {
    let parser = fetch()?;
    let mut command = Command::new(parser.join("ld.so"));
    command.arg("--library-path").arg(&parser).arg(parser.join("parser"));
    command.arg("--base").arg(parser.join("profiles")).args(["--config-file", "/dev/null"]);
    program::output(command.args(["--skip-kernel-load", "--skip-cache"]).arg(profile)).map(|_| ())
}
