//! A terminal that many share: what it is made of, and what is told of it.

use std::os::fd::OwnedFd;

use crate::forkpty::Missing;

/// A terminal to be shared.
#[derive(Debug)]
pub struct Console {
    /// Listen, not blocking: whoever connects there is the same user as we are, or root.
    pub doors: Vec<OwnedFd>,
    /// Our side of the terminal, not blocking.
    pub terminal: OwnedFd,
    /// Readable once the program has ended.
    pub end: OwnedFd,
    /// What is written goes there, too.
    pub log: Option<OwnedFd>,
    /// What comes from there is typed, too.
    pub input: Option<OwnedFd>,
    /// The terminal before which somebody sits: the shared one has its size.
    pub front: Option<Front>,
}

/// A terminal whose size is followed.
#[derive(Debug)]
pub struct Front {
    /// The terminal.
    pub terminal: OwnedFd,
    /// Readable after it has changed its size (`signalfd(2)` of `SIGWINCH`), not blocking.
    pub resized: OwnedFd,
}

/// What happens at a shared terminal, to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody of this user came who may not.
    Stranger(u32),
    /// As many are there as may be.
    Crowded,
    /// A client was let go: it was too slow.
    LetGo,
    /// So many bytes are not in the log, which was too slow.
    LeftOut(u64),
    /// The log does not take something.
    Missing(Missing),
}
