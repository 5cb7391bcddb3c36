//! Descriptors that are not ours alone, such as standard input and a log: they may block, and must not be changed. Each has a
//! thread that waits for it, and a socket between the thread and the loop.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, write};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};

use super::now_ms;
use crate::forkpty::{Gap, Missing};

/// Bytes of one go.
const PIECE: usize = 16_384;

/// Those threads.
#[derive(Debug, Default)]
pub struct Pipes(Vec<JoinHandle<()>>);

/// Our end of a log.
#[derive(Debug)]
pub struct LogEnd {
    /// What is sent there is written.
    pub socket: OwnedFd,
    /// Readable after something was told of gaps.
    pub bell: OwnedFd,
    /// What is told of them.
    pub gaps: Receiver<Missing>,
}

impl Pipes {
    /// What is sent there is written to this.
    ///
    /// # Errors
    /// No descriptor or thread left.
    pub fn onto(&mut self, log: OwnedFd) -> Result<LogEnd, Errno> {
        let ((socket, theirs), (bell, rope)) = (pair()?, pair()?);
        let (teller, gaps) = channel();
        let tell = move |missing| {
            // Whoever hears no bell any more hears of it when all is over.
            let _ = teller.send(missing);
            let _ = send(&rope, b"!", SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        };
        self.0.push(begin(move || write_down(theirs.into(), &log, tell))?);
        Ok(LogEnd { socket, bell, gaps })
    }

    /// What comes from this is received there.
    ///
    /// # Errors
    /// No descriptor or thread left.
    pub fn out_of(&mut self, input: OwnedFd) -> Result<OwnedFd, Errno> {
        let (ours, theirs) = pair()?;
        // Nobody waits for it: it ends with the process.
        begin(move || carry(input.into(), theirs.into()))?;
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

fn begin(work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Errno> {
    let made = Builder::new().spawn(work);
    made.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))
}

/// Until nobody is there any more.
fn carry(mut from: File, mut to: File) {
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..length]).is_err() {
            return;
        }
    }
}

/// What cannot be written is lost, and the next piece is tried: a disk that is full may have room again.
fn write_down(mut from: File, log: &OwnedFd, tell: impl Fn(Missing)) {
    let (mut piece, mut gap) = (vec![0; PIECE], Gap::default());
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let told = match write_whole(log, &piece[..length]) {
            Ok(()) => gap.taken(),
            Err((why, bytes)) => gap.missed(bytes, why, now_ms()),
        };
        told.into_iter().for_each(&tell);
    }
    gap.rest().into_iter().for_each(tell);
}

/// What it is, and how many bytes were not written for it.
fn write_whole(log: &OwnedFd, mut bytes: &[u8]) -> Result<(), (Errno, u64)> {
    while !bytes.is_empty() {
        match write(log, bytes) {
            Ok(count @ 1..) => bytes = &bytes[count..],
            // Somebody else who has it does not wait; we do.
            Err(Errno::AGAIN) => _ = poll(&mut [PollFd::from_borrowed_fd(log.as_fd(), PollFlags::OUT)], None),
            Err(Errno::INTR) => {}
            Ok(_) => return Err((Errno::IO, bytes.len() as u64)),
            Err(why) => return Err((why, bytes.len() as u64)),
        }
    }
    Ok(())
}
