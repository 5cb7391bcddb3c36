//! What a command reads and writes: our own descriptors, but no terminal. Whoever is in the jail could listen at one, and
//! type into it; between it and the command there is a pipe.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{JoinHandle, spawn};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::termios::isatty;

/// Bytes of one go.
const PIECE: usize = 16_384;
/// No copy lies on a standard descriptor.
const LOWEST: i32 = 3;

/// What carries bytes between terminals and pipes.
#[derive(Debug)]
pub struct Pipes(Vec<JoinHandle<()>>);

impl Pipes {
    /// What the command gets, in order.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn lay() -> Result<(Self, Vec<OwnedFd>), Errno> {
        let mut threads = Vec::new();
        let mut lent = vec![input()?];
        let [output, errors] = [rustix::stdio::stdout(), rustix::stdio::stderr()];
        for one in [output.as_fd(), errors.as_fd()] {
            let copy = fcntl_dupfd_cloexec(one, LOWEST)?;
            if !isatty(&copy) {
                lent.push(copy);
                continue;
            }
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            threads.push(spawn(|| carry(reader.into(), copy.into())));
            lent.push(writer);
        }
        Ok((Self(threads), lent))
    }

    /// Waits for the last of what was written.
    pub fn finish(self) {
        for thread in self.0 {
            let _ = thread.join();
        }
    }
}

fn input() -> Result<OwnedFd, Errno> {
    let copy = fcntl_dupfd_cloexec(rustix::stdio::stdin(), LOWEST)?;
    if !isatty(&copy) {
        return Ok(copy);
    }
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    // Nobody waits for it: it ends with us.
    spawn(|| carry(copy.into(), writer.into()));
    Ok(reader)
}

fn carry(mut from: File, mut to: File) {
    let mut piece = vec![0; PIECE];
    while let Ok(length) = from.read(&mut piece) {
        if length == 0 || to.write_all(&piece[..length]).is_err() {
            return;
        }
    }
}
