//! Reads a file that should be a regular one.

use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

/// The bytes of a regular file, `max` at most. A FIFO or a device would keep us waiting: it is not read.
///
/// # Errors
/// It cannot be opened or read, is no regular file, or is longer.
pub fn read_regular(path: &Path, max: usize) -> Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(Error::other(format!("it is longer than {} KiB", max >> 10)));
    }
    Ok(bytes)
}
