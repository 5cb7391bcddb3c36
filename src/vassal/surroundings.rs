//! What is around the programs of a vassal: variables from files, files with a text, locks (what they are, and how they
//! are done). As root of the host, nothing of it is taken from where others have a hand in.

use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use jail::sys;
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::hooks::spot::{Last, find};
use super::hooks::{advised, files, wait};
use super::state::Vassal;
use super::trouble::Trouble;
use crate::config::vassal::surroundings::{Held, Lock};
use crate::envdir;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileStep {
    /// Variables, each from the file of its name (`envdir` of daemontools).
    Variables(PathBuf),
    /// A file that holds this text.
    Write(PathBuf, String),
    /// A lock, for as long as the vassal lives.
    Lock(Lock),
}

/// Takes one step.
///
/// # Errors
/// What the system refuses, or what is not root's and should be.
pub fn take(vassal: &mut Vassal, step: &FileStep) -> Result<(), Trouble> {
    let told = |errno| advised(Trouble::errno(step, errno), errno);
    match step {
        FileStep::Variables(path) => variables(vassal, path),
        FileStep::Write(path, text) => files::write(vassal.directory.as_ref(), path, text).map_err(told),
        FileStep::Lock(lock) => take_lock(vassal, step, lock),
    }
}

fn take_lock(vassal: &mut Vassal, step: &FileStep, lock: &Lock) -> Result<(), Trouble> {
    let told = |errno| advised(Trouble::errno(step, errno), errno);
    let spot = find(None, &lock.file, Last::Followed).map_err(told)?;
    // Of a FIFO or a device there is nothing to lock, and nobody is waited for.
    let file = spot.open(OFlags::RDWR | OFlags::NONBLOCK).map_err(told)?;
    loop {
        match (sys::lock(file.as_fd()), lock.held) {
            (Ok(()), _) => break,
            (Err(Errno::AGAIN | Errno::ACCESS), Held::Wait) => wait::briefly(vassal, &step.to_string())?,
            (Err(errno @ (Errno::AGAIN | Errno::ACCESS)), Held::End) => {
                return Err(
                    Trouble::errno(step, errno).advise("another process has it; `flock-wait` waits for it")
                );
            }
            (Err(errno), _) => return Err(told(errno)),
        }
    }
    vassal.locks.push(file);
    Ok(())
}

fn variables(vassal: &mut Vassal, path: &Path) -> Result<(), Trouble> {
    for (name, value) in envdir::read(path)? {
        match value {
            Some(value) => vassal.set_variable(&name, &value),
            None => vassal.unset_variable(&name),
        }
    }
    Ok(())
}

impl fmt::Display for FileStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables(path) => write!(f, "read the variables in {}", path.display()),
            Self::Write(path, _) => write!(f, "write {}", path.display()),
            Self::Lock(Lock { file, held: Held::End }) => write!(f, "lock {}", file.display()),
            Self::Lock(Lock { file, held: Held::Wait }) => write!(f, "wait for the lock {}", file.display()),
        }
    }
}
