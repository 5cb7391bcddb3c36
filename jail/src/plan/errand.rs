//! Pure. What our own program does for the administrator in the surroundings of a vassal that is being made.

use std::ffi::CString;
use std::os::fd::RawFd;

use super::Phase;

/// One thing to be done, by a program of ours that was told how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// When.
    pub phase: Phase,
    /// What, so that it reads well after "cannot".
    pub deed: String,
    /// Capabilities that we hold at that time are passed on to it: in a user namespace where we are nobody, exec would take them.
    pub rights: bool,
    /// What a failure means, for people.
    pub failure: &'static str,
    /// The program, as a descriptor of the parent.
    pub executable: RawFd,
    /// What it reads on its standard input, as a descriptor of the parent.
    pub brief: RawFd,
    /// Its arguments, `argv[0]` first.
    pub argv: Vec<CString>,
}

/// Something that is done outside, while the process waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// When.
    pub phase: Phase,
    /// What is done, one for each.
    pub deeds: Vec<String>,
    /// Our end of a socket that keeps message borders, as a descriptor of the parent: whoever does it has the other.
    pub socket: RawFd,
}

impl Awaited {
    /// What is said to whoever does it: the process is as far as here.
    pub const READY: &'static [u8] = b"?";
    /// What is answered when it is done; a failure in its wire form otherwise.
    pub const DONE: &'static [u8] = b"!";
}
