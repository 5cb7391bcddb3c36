//! Kernels of the distribution: unpacked, never installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::program;

use super::archive::{Apt, only};
use super::store;

/// A kernel by the name of its long-term series.
#[derive(Debug)]
pub struct Kernel {
    /// `MAJOR.MINOR`.
    pub name: &'static str,
    suite: &'static str,
}

/// The newest first.
pub static ALL: [Kernel; 2] =
    [Kernel { name: "6.12", suite: "bookworm-backports" }, Kernel { name: "6.1", suite: "bookworm" }];

/// Drivers that are needed, each after those that it needs. One that is not there is part of the kernel itself.
const MODULES: [&str; 15] = [
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
    "tun",
    "veth",
];
/// Raised when that list changes, so that nobody goes on with an older one.
const RECIPE: u32 = 2;

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
        let directory = store().join(format!("kernel-{}-{RECIPE}", self.name));
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
