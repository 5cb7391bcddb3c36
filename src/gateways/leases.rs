//! The file that says who has got which address: opened once, while there is the right to, for a process that has none.

use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::{FileType, Mode, OFlags, fstat, openat};
use rustix::process::geteuid;

use crate::emperor::event::Owner;
use crate::guarded::{Name, Others};

/// Nobody else needs to know who has what.
const MODE: u32 = 0o600;
/// Bytes of the longest one: as many leases as there can be, of the longest names.
const LENGTH_MAX: u64 = 64 << 20;

/// Opens it for reading and writing, made if it is not there.
///
/// Must not: follow a link, or open what has another name or another owner: whoever owned it could take addresses of others.
///
/// # Errors
/// It lies where others can put something, or is none that we could have made.
pub fn open(path: &Path, owner: Option<Owner>) -> Result<OwnedFd> {
    let name = Name::of(path, Others { owner, group: false }).map_err(|why| anyhow!("{why}"))?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let place = name.path.display();
    let file = openat(&name.directory, name.name(), flags, Mode::from_raw_mode(MODE))
        .with_context(|| format!("cannot open {place}"))?;
    let found = fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || found.st_nlink != 1 {
        bail!("{place} is no plain file of one name: take it away, and it is made anew");
    }
    let owners = [Some(0), Some(geteuid().as_raw()), owner.map(|owner| owner.uid)];
    if !owners.contains(&Some(found.st_uid)) || found.st_mode & 0o022 != 0 {
        bail!("others may write to {place}: chown root {place}; chmod 600 {place}");
    }
    if found.st_size.unsigned_abs() > LENGTH_MAX {
        bail!("{place} is longer than all leases together can be: take it away");
    }
    Ok(file)
}
