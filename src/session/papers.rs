//! What such a process is told of the jail that it is to join.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use jail::Namespaces;
use jail::plan::{Filter, Restraint};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use serde::{Deserialize, Serialize};

/// All that it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Papers {
    /// Its number.
    pub number: u32,
    /// The limits of the jail.
    pub restraint: Restraint,
    /// Filters that its own master puts on a command that was born without any.
    pub later: Vec<Filter>,
    /// The vassal was born without a user namespace.
    pub is_hosts: bool,
    /// It was born in namespaces of its own, of these kinds.
    pub apart: Namespaces,
}

impl Papers {
    /// In memory that nobody can change.
    ///
    /// # Errors
    /// No memory.
    pub fn sealed(&self) -> std::io::Result<OwnedFd> {
        sealed(&postcard::to_stdvec(self).map_err(std::io::Error::other)?)
    }
}

/// Bytes in memory that nobody can change.
///
/// # Errors
/// No memory.
pub fn sealed(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let memory = memfd_create(c"session", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file.into())
}
