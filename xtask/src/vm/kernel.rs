//! Kernels of the distribution: unpacked, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::program;

use super::store;

/// A kernel by the name of its long-term series.
#[derive(Debug)]
pub struct Kernel {
    /// `MAJOR.MINOR`.
    pub name: &'static str,
    suite: &'static str,
}

/// The newest first.
pub const ALL: [Kernel; 2] =
    [Kernel { name: "6.12", suite: "bookworm-backports" }, Kernel { name: "6.1", suite: "bookworm" }];

/// Drivers that are needed, each after those that it needs. One that is not there is part of the kernel itself.
const MODULES: [&str; 13] = [
    "virtio",
    "virtio_ring",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "virtio_console",
    "virtio_blk",
    "rng-core",
    "virtio-rng",
    "libcrc32c",
    "nf_defrag_ipv4",
    "nf_defrag_ipv6",
    "nf_conntrack",
];

/// A kernel on disk.
#[derive(Debug)]
pub struct Fetched {
    /// `MAJOR.MINOR`.
    pub name: &'static str,
    directory: PathBuf,
}

impl Fetched {
    /// What boots.
    pub fn image(&self) -> PathBuf {
        self.directory.join("vmlinuz")
    }

    /// Drivers, and a file `list` with the order in which they are loaded.
    pub fn modules(&self) -> PathBuf {
        self.directory.join("modules")
    }
}

impl Kernel {
    /// The kernel, from the package archive where it is not there yet.
    ///
    /// # Errors
    /// There is no apt, or the archive that this machine uses does not have the suite.
    pub fn fetch(&self) -> Result<Fetched> {
        let directory = store().join(format!("kernel-{}", self.name));
        if !directory.exists() {
            println!("xtask: fetching Linux {} from {}, once", self.name, self.suite);
            let new = store().join("kernel.new");
            self.unpack(&new).with_context(|| format!("cannot fetch Linux {}", self.name))?;
            fs::rename(&new, &directory)?;
        }
        Ok(Fetched { name: self.name, directory })
    }

    fn unpack(&self, into: &Path) -> Result<()> {
        let _ = fs::remove_dir_all(into);
        fs::create_dir_all(into.join("modules"))?;
        let apt = Apt::new(self.suite)?;
        let package = apt.package_behind("linux-image-cloud-amd64")?;
        apt.unpack(&package)?;
        let image = only(&apt.directory.join("unpacked/boot"), "vmlinuz-")?;
        fs::copy(image, into.join("vmlinuz"))?;
        let mut list = String::new();
        for name in MODULES {
            if let Some(module) = find(&apt.directory.join("unpacked"), &format!("{name}.ko"))? {
                plain_copy(&module, &into.join("modules").join(format!("{name}.ko")))?;
                list.push_str(&format!("{name}.ko\n"));
            }
        }
        Ok(fs::write(into.join("modules/list"), list)?)
    }
}

/// The package archive of this machine, another suite, and nothing that is written outside of our directory.
struct Apt {
    directory: PathBuf,
}

impl Apt {
    fn new(suite: &str) -> Result<Self> {
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

    fn package_behind(&self, meta: &str) -> Result<String> {
        let text = program::output(self.command("apt-cache").args(["depends", meta]))?;
        let package = text.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
        Ok(package.with_context(|| format!("{meta} depends on nothing"))?.to_owned())
    }

    fn unpack(&self, package: &str) -> Result<()> {
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

fn only(directory: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory)?.flatten().map(|entry| entry.path());
    let mut fitting = entries
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    fitting.next().with_context(|| format!("no {prefix}… in {}", directory.display()))
}

/// A file whose name begins so, somewhere below.
fn find(directory: &Path, prefix: &str) -> Result<Option<PathBuf>> {
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else if entry.file_name().to_string_lossy().starts_with(prefix) {
                return Ok(Some(entry.path()));
            }
        }
    }
    Ok(None)
}

/// Newer kernels have their drivers compressed.
fn plain_copy(module: &Path, to: &Path) -> Result<()> {
    if module.extension().is_some_and(|extension| extension == "xz") {
        let to = fs::File::create(to)?;
        return program::run(Command::new("xz").arg("--decompress").arg("--stdout").arg(module).stdout(to));
    }
    Ok(fs::copy(module, to).map(|_| ())?)
}
