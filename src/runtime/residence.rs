//! What the Emperor has outside of itself: its pidfile, and the switch that ends all vassals.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::config::emperor::EmperorConfig;
use crate::spawner::charter::Leftover;

/// What the Emperor leaves on the file system while it lives.
pub struct Residence {
    /// Its pidfile.
    pub pidfile: Option<PathBuf>,
    /// What stood there when it was written, held open: as long as it is, no other file gets its number.
    ours: Option<(Leftover, File)>,
    switch: Option<OwnedFd>,
}

impl Residence {
    /// Moves in.
    ///
    /// # Errors
    /// The pidfile cannot be written.
    pub fn open(config: &EmperorConfig) -> Result<Self> {
        let cannot = |path: &Path| format!("cannot write the pidfile {}", path.display());
        let written = |path: &PathBuf| write_pidfile(path).with_context(|| cannot(path));
        let file = config.pidfile.as_ref().map(written).transpose()?;
        let leftover = config.pidfile.as_deref().and_then(Leftover::of);
        Ok(Self { pidfile: config.pidfile.clone(), ours: leftover.zip(file), switch: None })
    }

    /// With a descriptor that kills everybody when `1` is written to it.
    pub fn with_switch(self, switch: Option<OwnedFd>) -> Self {
        Self { switch, ..self }
    }

    /// Takes it away; whoever still lives in our cgroup dies.
    pub fn leave(&mut self) {
        if let Some(switch) = self.switch.take() {
            let _ = rustix::io::write(&switch, b"1");
        }
        if let Some((leftover, _file)) = self.ours.take() {
            leftover.remove();
        }
    }
}

/// Whole or not at all, and never through a link.
fn write_pidfile(path: &Path) -> std::io::Result<File> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let written = File::options().write(true).create_new(true).open(&fresh).and_then(|mut file| {
        std::io::Write::write_all(&mut file, format!("{}\n", std::process::id()).as_bytes())?;
        std::fs::rename(&fresh, path)?;
        Ok(file)
    });
    written.inspect_err(|_| drop(std::fs::remove_file(&fresh)))
}
