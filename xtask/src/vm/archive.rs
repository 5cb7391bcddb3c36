//! Packages of the distribution, of whatever suite: unpacked, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::program;

use super::store;

/// The package archive of this machine, another suite, and nothing that is written outside of our directory.
#[derive(Debug)]
pub struct Apt {
    /// Removed with it.
    pub directory: PathBuf,
}

impl Apt {
    /// Reads the suite's list of packages.
    ///
    /// # Errors
    /// There is no apt, or the archive does not have the suite.
    pub fn new(suite: &str) -> Result<Self> {
        ensure!(program::find("apt-get").is_some(), "there is no apt-get here");
        let directory = store().join("apt");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("lists/partial"))?;
        fs::create_dir_all(directory.join("cache/archives/partial"))?;
        let source = format!("deb {} {suite} main\n", mirror()?);
        fs::write(directory.join("sources.list"), source)?;
        let apt = Self { directory };
        program::run(apt.command("apt-get").args(["-qq", "update"]))?;
        Ok(apt)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        let at = self.directory.display();
        command.current_dir(&self.directory).args([
            &format!("-oDir::Etc::sourcelist={at}/sources.list"),
            "-oDir::Etc::sourceparts=/dev/null",
            &format!("-oDir::State::lists={at}/lists"),
            &format!("-oDir::Cache={at}/cache"),
            "-oDir::State::status=/dev/null",
            "-oAPT::Sandbox::User=root",
        ]);
        command
    }

    /// What a package without files stands for.
    ///
    /// # Errors
    /// There is no such package.
    pub fn package_behind(&self, meta: &str) -> Result<String> {
        let text = program::output(self.command("apt-cache").args(["depends", meta]))?;
        let package = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(package.with_context(|| format!("{meta} depends on nothing"))?.to_owned())
    }

    /// Adds the files of a package to `unpacked` of its directory.
    ///
    /// # Errors
    /// It cannot be fetched.
    pub fn unpack(&self, package: &str) -> Result<()> {
        program::run(self.command("apt-get").args(["-qq", "download", package]))?;
        let archive = only(&self.directory, package)?;
        let mut unpack = Command::new("dpkg-deb");
        program::run(unpack.arg("--extract").arg(archive).arg(self.directory.join("unpacked")))
    }
}

impl Drop for Apt {
    fn drop(&mut self) {
        // Made anew the next time.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The first archive that this machine gets its packages from.
///
/// # Errors
/// None is configured.
pub fn mirror() -> Result<String> {
    let parts = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = parts.map(|entry| entry.path()).collect();
    files.sort();
    files.insert(0, "/etc/apt/sources.list".into());
    let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    let found = texts.into_iter().find_map(|text| text.lines().find_map(archive_of));
    found.context("no archive of packages is configured")
}

/// `URIs: ARCHIVE` or `deb [OPTIONS] ARCHIVE SUITE …`.
fn archive_of(line: &str) -> Option<String> {
    let words = line.strip_prefix("URIs:").or_else(|| line.strip_prefix("deb "))?;
    words.split_whitespace().find(|word| word.contains("://")).map(str::to_owned)
}

/// The one that begins so.
///
/// # Errors
/// There is none.
pub fn only(directory: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory)?.flatten().map(|entry| entry.path());
    let mut fitting = entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    fitting.next().with_context(|| format!("no {prefix}… in {}", directory.display()))
}
