//! Directories of variables (`envdir` of daemontools): each file is one, of its name.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Dir, FileType, OFlags, fstat};
use rustix::io::Errno;

use crate::config::source::Variable;
use crate::vassal::hooks::advised;
use crate::vassal::hooks::spot::{self, Last, find, kind};
use crate::vassal::identity;
use crate::vassal::trouble::{Trouble, number};

/// Variables in one directory.
const VARIABLES_MAX: usize = 1_000;
/// Bytes of one variable (`MAX_ARG_STRLEN` of `execve(2)`).
const VARIABLE_MAX: u64 = 128 << 10;

/// Why nothing was read.
#[derive(Debug)]
pub enum Refusal {
    /// We are the host's root, and others have a hand in it.
    Foreign(Trouble),
    /// The system refuses, or a file is no variable.
    Other(Trouble),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Foreign(trouble) | Refusal::Other(trouble) => trouble,
        }
    }
}

/// Reads all of them, in the order of their names.
///
/// # Errors
/// What the system refuses, or what is not root's and should be.
pub fn read(path: &Path) -> Result<Vec<Variable>, Refusal> {
    let whole = |errno| refused(path, errno);
    let spot = find(None, path, Last::Followed).map_err(whole)?;
    let directory = spot.open(OFlags::RDONLY | OFlags::DIRECTORY).map_err(whole)?;
    own(&directory, path)?;
    let names = names(&directory).map_err(whole)?;
    names.iter().map(|name| variable(&directory, name, &path.join(name))).collect()
}

fn variable(directory: &OwnedFd, name: &OsStr, path: &Path) -> Result<Variable, Refusal> {
    let told = |errno| refused(path, errno);
    let file = find(Some(directory), Path::new(name), Last::Followed)
        .and_then(|spot| spot.open(OFlags::RDONLY | OFlags::NONBLOCK))
        .map_err(told)?;
    own(&file, path)?;
    let name = name.to_str().ok_or(Errno::ILSEQ).map_err(told)?;
    Ok((name.to_owned(), value(file).map_err(told)?))
}

fn refused(path: &Path, errno: Errno) -> Refusal {
    let what = format!("read the variables in {}", path.display());
    let trouble = advised(Trouble::errno(what, errno), errno);
    match errno {
        // What a link or a second name of somebody else's is to root.
        Errno::LOOP | Errno::MLINK => Refusal::Foreign(trouble),
        _ => Refusal::Other(trouble),
    }
}

/// What it says reaches the programs of root too: `LD_PRELOAD` is a variable.
fn own(file: &OwnedFd, path: &Path) -> Result<(), Refusal> {
    let ours = !identity::is_hosts_root() || spot::is_roots(file.as_fd()).unwrap_or(false);
    if ours {
        return Ok(());
    }
    let cause =
        format!("cannot read variables for root from {}: others than root may write there", path.display());
    Err(Refusal::Foreign(
        Trouble::new(cause)
            .advise("chown it to root and take the write bits of group and others away, or use `env`"),
    ))
}

/// In the order of their names; what begins with a dot is no variable.
fn names(directory: &OwnedFd) -> Result<Vec<OsString>, Errno> {
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
