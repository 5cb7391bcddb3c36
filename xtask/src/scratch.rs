//! A directory of our own that every user may enter and nobody else may write to.
//!
//! `/tmp` will not do: a config below a directory that anybody can write to is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result};

use crate::program;

/// Removed with all it has when it goes out of scope.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one: below `/var/cache` for root, in the temporary directory for others.
    ///
    /// # Errors
    /// The directory cannot be made.
    pub fn new(purpose: &str) -> Result<Self> {
        let above = if program::is_root() { PathBuf::from("/var/cache") } else { std::env::temp_dir() };
        let path = above.join(format!("liege-{purpose}-{}", process::id()));
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What lies directly in it.
    pub fn entries(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        entries.flatten().map(|entry| entry.path()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: cannot remove {}: {error}", self.0.display());
        }
    }
}
