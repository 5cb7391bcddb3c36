//! What such a process is told: the same for every vassal, so it is written once.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result};
use jail::plan::Restraint;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fstat, memfd_create};
use rustix::io::{Errno, pread};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ROLE;
use crate::config::hook::Errand;

/// The longest that is read, in bytes.
const BYTES_MAX: usize = 1 << 20;

/// Everything of one phase, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief {
    /// What is to be done.
    pub errands: Vec<Errand>,
    /// Seconds that it may take.
    pub bound_s: u32,
}

/// Which of it, and how its end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one of this number, as a step of a vassal's birth: a failure is told on the report pipe.
    One(usize),
    /// All, while a vassal waits at the other end of the report socket; its answer is the first failure, if there is one.
    Awaited,
    /// All up to the first failure, which is told on the report pipe.
    Strict,
    /// All; failures are told in the log.
    All,
}

impl Brief {
    /// The arguments of a process that does it for this vassal, `argv[0]` first.
    pub fn argv(which: Which, vassal: &str, directory: &str) -> Vec<CString> {
        let which = match which {
            Which::One(number) => number.to_string(),
            Which::Awaited => "awaited".into(),
            Which::Strict => "strict".into(),
            Which::All => "all".into(),
        };
        // No name of a file holds a NUL.
        let word = |text: &str| CString::new(text).unwrap_or_default();
        vec![word(ROLE), word(&which), word(vassal), word(directory)]
    }
}

impl Which {
    /// Reads it from the arguments.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "awaited" => Self::Awaited,
            "strict" => Self::Strict,
            "all" => Self::All,
            number => Self::One(number.parse().ok()?),
        })
    }
}

/// A brief in memory that nobody can change.
///
/// # Errors
/// No memory.
pub fn sealed(brief: &Brief) -> Result<OwnedFd> {
    written(brief)
}

/// The same for the limits of a jail that is to be joined.
///
/// # Errors
/// No memory.
pub fn restraint_sealed(restraint: &Restraint) -> Result<OwnedFd> {
    written(restraint)
}

/// Reads what was written down, from its beginning and by place: others read from the same open file.
///
/// # Errors
/// What read(2) says; `EBADMSG` for anything else.
pub fn read_from<T: DeserializeOwned>(memory: impl AsFd) -> Result<T, Errno> {
    // One more than there are: at their end nothing is left to be read. All that is allowed would stay ours for life.
    let size = usize::try_from(fstat(&memory)?.st_size).unwrap_or(BYTES_MAX);
    let mut bytes = vec![0; BYTES_MAX.min(size + 1)];
    let mut length = 0;
    loop {
        let more = pread(&memory, &mut bytes[length..], length as u64)?;
        if more == 0 {
            return postcard::from_bytes(&bytes[..length]).map_err(|_| Errno::BADMSG);
        }
        length += more;
    }
}

fn written(thing: &impl Serialize) -> Result<OwnedFd> {
    let memory = memfd_create(c"brief", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .context("cannot write the hooks down")?;
    let mut file = File::from(memory);
    file.write_all(&postcard::to_stdvec(thing)?).context("cannot write the hooks down")?;
    let whole = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, whole).context("cannot seal the hooks")?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_back_as_they_went() {
        for which in [Which::One(7), Which::Awaited, Which::Strict, Which::All] {
            let argv = Brief::argv(which, "-x.ini", "/v");
            assert_eq!(Which::parse(argv[1].to_str().expect("ASCII")), Some(which));
        }
        assert_eq!(Which::parse("-1"), None);
    }
}
