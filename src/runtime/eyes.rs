//! Looks at sources with the Emperor's own rights, and through the spawner where those do not suffice.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use rustix::fs::inotify::WatchFlags;
use rustix::io::Errno;

use crate::emperor::event::Sight;
use crate::monitors::{Eyes, OwnEyes};
use crate::spawner::client::Lender;
use crate::spawner::wire::{Answer, Ask, Seen};
use crate::trust::{AWAY, Examined, Refusal, Target, Trust, TrustPolicy};

/// Own eyes first; what they may not see, the spawner lends.
pub struct LentEyes {
    own: OwnEyes,
    lender: Rc<Lender>,
}

impl LentEyes {
    /// Eyes that ask this spawner.
    pub fn new(lender: Rc<Lender>) -> Self {
        Self { own: OwnEyes::default(), lender }
    }

    fn lend(&self, ask: &Ask, descriptors: &[BorrowedFd<'_>]) -> Result<(Answer, Vec<OwnedFd>), Errno> {
        self.lender.ask(ask, descriptors).map_err(|error| errno(&error))
    }

    fn borrow_directory(&self, ask: &Ask, descriptors: &[BorrowedFd<'_>]) -> Result<OwnedFd, Errno> {
        self.lend(ask, descriptors)?.1.pop().ok_or(Errno::ACCESS)
    }

    fn borrow_sight(&self, dir: BorrowedFd<'_>, name: &str) -> Result<Examined, Refusal> {
        let ask = Ask::Examine { file: name.to_owned(), lend: true };
        let (answer, descriptors) = self.lend(&ask, &[dir]).map_err(Refusal::Denied)?;
        match answer {
            Answer::Missing => Err(Refusal::Absent),
            Answer::Seen(seen) => seen_there(seen, descriptors),
            _ => Err(Refusal::Denied(Errno::PROTO)),
        }
    }
}

impl Eyes for LentEyes {
    fn reach(&self, path: &Path) -> Result<OwnedFd, Errno> {
        self.own.reach(path).or_else(|_| self.open_directory(path))
    }

    fn find(&self, dir: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
        self.own.find(dir, name)
    }

    fn open_directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        match self.own.open_directory(path) {
            Err(Errno::ACCESS) => {
                self.borrow_directory(&Ask::Directory(path.to_string_lossy().into_owned()), &[])
            }
            seen => seen,
        }
    }

    fn open_below(&self, dir: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
        match self.own.open_below(dir, path) {
            Err(Errno::ACCESS) => self.borrow_directory(&Ask::Below(path.to_owned()), &[dir]),
            seen => seen,
        }
    }

    fn examine(&self, dir: BorrowedFd<'_>, name: &str, policy: &TrustPolicy) -> Result<Examined, Refusal> {
        match self.own.examine(dir, name, policy) {
            Err(Refusal::Denied(errno)) if errno != AWAY => self.borrow_sight(dir, name),
            seen => seen,
        }
    }

    fn watch(&self, inotify: BorrowedFd<'_>, file: BorrowedFd<'_>, mask: WatchFlags) -> Result<i32, Errno> {
        match self.own.watch(inotify, file, mask) {
            Err(Errno::ACCESS) => {
                match self.lend(&Ask::Watch { mask: mask.bits() }, &[inotify, file.as_fd()])?.0 {
                    Answer::Watch(number) => Ok(number),
                    _ => Err(Errno::PROTO),
                }
            }
            seen => seen,
        }
    }
}

/// A monitor only asks whose it is and whether it changed; what it may do is judged where it is run.
fn seen_there(mut seen: Seen, mut descriptors: Vec<OwnedFd>) -> Result<Examined, Refusal> {
    let names = std::mem::take(&mut seen.targets);
    let directories = descriptors.split_off(descriptors.len().saturating_sub(names.len()));
    let target = |(name, directory)| Target { directory, name };
    let targets = names.into_iter().zip(directories).map(target).collect();
    let sight = Sight::from(seen);
    match descriptors.pop() {
        Some(file) => {
            let (owner, content) = (sight.owner, Vec::new());
            Ok(Examined { file, content, owner, trust: Trust::Tenant(owner), sight, targets })
        }
        None => Err(Refusal::Refused(sight, targets)),
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
