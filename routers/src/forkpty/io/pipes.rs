//! Descriptors that are not ours alone, such as standard input and a log: they may block, and must not be changed. Each has a
//! thread that waits for it, and a socket between the thread and the loop.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::thread::{Builder, JoinHandle};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

/// Bytes of one go.
const PIECE: usize = 16_384;

/// Those threads.
#[derive(Debug, Default)]
pub struct Pipes(Vec<JoinHandle<()>>);

impl Pipes {
    /// What is sent there is written to this.
    ///
    /// # Errors
    /// No descriptor or thread left.
    pub fn onto(&mut self, log: OwnedFd) -> Result<OwnedFd, Errno> {
        let (ours, theirs) = pair()?;
        // A disk that is full may have room again.
        self.0.push(carry(theirs.into(), log.into(), Failure::Passes)?);
        Ok(ours)
    }

    /// What comes from this is received there.
    ///
    /// # Errors
    /// No descriptor or thread left.
    pub fn out_of(&mut self, input: OwnedFd) -> Result<OwnedFd, Errno> {
        let (ours, theirs) = pair()?;
        // Nobody waits for it: it ends with the process.
        carry(input.into(), theirs.into(), Failure::Ends)?;
        Ok(ours)
    }

    /// Waits until all is written.
    pub fn finish(self) {
        self.0.into_iter().for_each(|thread| _ = thread.join());
    }
}

fn pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
}

/// What comes of a piece that cannot be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// It is lost, and the next one is tried.
    Passes,
    /// Nobody is there any more.
    Ends,
}

fn carry(mut from: File, mut to: File, failure: Failure) -> Result<JoinHandle<()>, Errno> {
    let work = move || {
        let mut piece = vec![0; PIECE];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if to.write_all(&piece[..length]).is_err() && failure == Failure::Ends {
                return;
            }
        }
    };
    let made = Builder::new().spawn(work);
    made.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))
}
