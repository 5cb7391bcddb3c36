//! A config as a vassal finds it in its pipe: in a sealed file, which is read like a pipe, never blocks the writer, and
//! has room for a text of any length.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, SeekFrom, fcntl_add_seals, memfd_create, seek};

use crate::config::FILE_MAX;

/// First byte of a push of the Emperor protocol.
const MODIFIER: u8 = 115;

/// The push of this config, standing at its start. Of a text that is too long a vassal gets enough to refuse it.
///
/// Must: be given a regular file. Must not: look at what is in it.
///
/// # Errors
/// The file cannot be read, or there is no memory.
pub fn push(config: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let text = text(config)?;
    // The length has room for its lower 16 bits only; whoever knows better looks at the file's.
    let [low, high, ..] = text.len().to_le_bytes();
    sealed(&[&[MODIFIER, low, high, 0], text.as_slice()].concat())
}

/// These bytes as a file that nobody can change, standing at its start.
///
/// # Errors
/// There is no memory.
pub(super) fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("config", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(bytes)?;
    seek(&file, SeekFrom::Start(0))?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file.into())
}

/// All of a config, or enough to see that it is too long.
pub(super) fn text(config: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut text = vec![0; FILE_MAX + 1];
    let mut length = 0;
    while length < text.len() {
        match rustix::io::pread(config, &mut text[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    text.truncate(length);
    Ok(text)
}
