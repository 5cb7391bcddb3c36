//! What is around the programs of a vassal: variables from files, files with a text, locks (what they are, and how they
//! are done). As root of the host, nothing of it is taken from where others have a hand in.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jail::sys;
use rustix::fs::{Dir, FileType, OFlags, fstat};
use rustix::io::Errno;

use super::hooks::spot::{self, Last, find, kind};
use super::hooks::{advised, files, wait};
use super::identity;
use super::state::Vassal;
use super::trouble::{Trouble, number};
use crate::config::vassal::surroundings::{Held, Lock};

/// Variables in one directory.
const VARIABLES_MAX: usize = 1_000;
/// Bytes of one variable (`MAX_ARG_STRLEN` of `execve(2)`).
const VARIABLE_MAX: u64 = 128 << 10;

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
    let told = |name: &OsStr, errno| {
        let what = format!("read the variables in {}", path.join(name).display());
        advised(Trouble::errno(what, errno), errno)
    };
    let whole = |errno| told(OsStr::new(""), errno);
    let spot = find(None, path, Last::Followed).map_err(whole)?;
    let directory = spot.open(OFlags::RDONLY | OFlags::DIRECTORY).map_err(whole)?;
    own(&directory, path)?;
    for name in names(&directory).map_err(whole)? {
        let file = find(Some(&directory), Path::new(&name), Last::Followed)
            .and_then(|spot| spot.open(OFlags::RDONLY | OFlags::NONBLOCK))
            .map_err(|errno| told(&name, errno))?;
        own(&file, &path.join(&name))?;
        match (name.to_str(), value(file).map_err(|errno| told(&name, errno))?) {
            (Some(name), Some(value)) => vassal.set_variable(name, &value),
            (Some(name), None) => vassal.unset_variable(name),
            (None, _) => return Err(told(&name, Errno::ILSEQ)),
        }
    }
    Ok(())
}

/// What it says reaches the programs of root too: `LD_PRELOAD` is a variable.
fn own(file: &OwnedFd, path: &Path) -> Result<(), Trouble> {
    let ours = !identity::is_hosts_root() || spot::is_roots(file.as_fd()).unwrap_or(false);
    if ours {
        return Ok(());
    }
    let cause =
        format!("cannot read variables for root from {}: others than root may write there", path.display());
    Err(Trouble::new(cause)
        .advise("chown it to root and take the write bits of group and others away, or use `env`"))
}

/// In the order of their names; what begins with a dot is no variable.
fn names(directory: &OwnedFd) -> Result<Vec<std::ffi::OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if !name.as_bytes().starts_with(b".") && !name.as_bytes().contains(&b'=') {
            names.push(name);
        }
        if names.len() > VARIABLES_MAX {
            return Err(Errno::TOOBIG);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The first line without blanks at its end; zero bytes are ends of lines. None for an empty file: no such variable.
fn value(file: OwnedFd) -> Result<Option<String>, Errno> {
    if kind(&fstat(&file)?) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    let mut bytes = Vec::new();
    File::from(file).take(VARIABLE_MAX + 1).read_to_end(&mut bytes).map_err(|error| number(&error))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = String::from_utf8(line.to_vec()).map_err(|_| Errno::ILSEQ)?.replace('\0', "\n");
    match text.len() as u64 > VARIABLE_MAX {
        true => Err(Errno::TOOBIG),
        false => Ok(Some(text.trim_end_matches([' ', '\t']).to_owned())),
    }
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
