//! What the Emperor has outside of itself: the files that tell its pid, and the switch that ends all vassals.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use crate::config::emperor::EmperorConfig;
use crate::config::emperor::process::Made;
use crate::emperor::event::Owner;
use crate::guarded::{Name, Others};
use crate::log;
use crate::spawner::charter::Leftover;

/// Everybody may read it, whatever the umask lets be written.
const MODE: u32 = 0o644;

/// What the Emperor leaves on the file system while it lives.
#[derive(Default)]
pub struct Residence {
    pidfiles: Vec<Pidfile>,
    switch: Option<OwnedFd>,
}

/// A file that tells our pid, held open: as long as it is, no other file gets its number.
struct Pidfile {
    name: Name,
    leftover: Leftover,
    _file: File,
}

impl Residence {
    /// Moves in, with the first rights: `first` is the directory in which we were started, `owner` whom we are about to
    /// become.
    ///
    /// # Errors
    /// A pidfile cannot be written.
    pub fn open(config: &EmperorConfig, first: &Path, owner: Option<Owner>) -> Result<Self> {
        let mut residence = Self::default();
        for file in config.process.pidfiles.iter().filter(|file| file.made == Made::First) {
            let written = residence.write(&first.join(&file.path), owner);
            written.with_context(|| format!("{}: {}", file.place, file.option))?;
        }
        config.pidfile.as_ref().map_or(Ok(()), |path| residence.write(path, owner))?;
        Ok(residence)
    }

    /// The rest of it, with the last rights.
    ///
    /// # Errors
    /// As above.
    pub fn furnish(&mut self, config: &EmperorConfig) -> Result<()> {
        for file in config.process.pidfiles.iter().filter(|file| file.made == Made::Last) {
            let written = self.write(&file.path, None);
            written.with_context(|| format!("{}: {}", file.place, file.option))?;
        }
        Ok(())
    }

    /// What is to be taken away.
    pub fn leftovers(&self) -> impl Iterator<Item = Leftover> {
        self.pidfiles.iter().map(|pidfile| pidfile.leftover.clone())
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
        self.pidfiles.clear();
    }

    fn write(&mut self, path: &Path, owner: Option<Owner>) -> Result<()> {
        let cannot = || format!("cannot write the pidfile {}", path.display());
        let others = Others { owner, group: false };
        let name = Name::of(path, others).map_err(|why| anyhow!("{why}")).with_context(cannot)?;
        self.pidfiles.push(Pidfile::write(name).with_context(cannot)?);
        Ok(())
    }

    /// Writes them anew, wherever they are not there any more or tell something else.
    pub fn renew(&mut self) {
        for pidfile in self.pidfiles.iter_mut().filter(|pidfile| !pidfile.leftover.is_there()) {
            if let Err(error) = pidfile.renew() {
                let path = &pidfile.leftover.path;
                log::warn("emperor", &format!("cannot write the pidfile {path}: {error:#}"));
            }
        }
    }
}

impl Pidfile {
    /// Whole or not at all, and never through a link: what stands there is replaced, not written to.
    fn write(name: Name) -> Result<Self> {
        let pid = std::process::id();
        let fresh = format!(".{}.{pid}", name.name().to_string_lossy());
        // Of one that had our pid and was killed here: in a container all have the same.
        let _ = unlinkat(&name.directory, &fresh, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&name.directory, &fresh, flags, Mode::from_raw_mode(MODE))?;
        let mut file = File::from(file);
        let written = file
            .write_all(format!("{pid}\n").as_bytes())
            .and_then(|()| Ok(renameat(&name.directory, &fresh, &name.directory, name.name())?));
        written.inspect_err(|_| {
            let _ = unlinkat(&name.directory, &fresh, AtFlags::empty());
        })?;
        let leftover = Leftover::of_pidfile(&name.path, pid).context("it is gone again")?;
        Ok(Self { name, leftover, _file: file })
    }

    fn renew(&mut self) -> Result<()> {
        let directory = self.name.directory.try_clone()?;
        *self = Self::write(Name { directory, path: self.name.path.clone() })?;
        Ok(())
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        self.leftover.remove();
    }
}
