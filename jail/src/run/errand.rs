//! Has a program of ours do something, and waits for its end; or waits for what is done outside.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::pipe::{PipeFlags, pipe_with};

use super::descriptors::Held;
use super::program::{Image, run_to_end};
use crate::plan::{Awaited, Errand, Failure, Program};
use crate::sys::{self, Strings};

/// Where such a program finds the pipe (or the socket) on which it tells of a failure.
pub const REPORT_FD: RawFd = 3;

/// Has it done. A failure that the program tells of says more than its exit status.
///
/// # Errors
/// It cannot be started, tells of a failure, or ends in anything but status 0.
pub(super) fn run(errand: &Errand, held: &Held, environment: &Strings<'_>) -> Result<(), Failure> {
    let executable = lifted(held.now(errand.executable))?;
    let brief = lifted(held.now(errand.brief))?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let writer = lifted(writer.as_raw_fd())?;
    let program = Program::Descriptor(executable.as_raw_fd(), errand.argv.clone());
    let lent = vec![(brief.as_raw_fd(), 0), (writer.as_raw_fd(), REPORT_FD)];
    let image = Image::new(&program).lending(lent);
    let image = if errand.rights { image.passing_on_rights() } else { image };
    let done = run_to_end(&image, &Held::default(), environment);
    let mut wire = [0; Failure::WIRE_MAX];
    let told = rustix::io::read(&reader, &mut wire).unwrap_or(0);
    done.map_err(|failure| Failure::decode(&wire[..told]).unwrap_or(failure))
}

/// A copy out of the way of the numbers that the program gets.
fn lifted(fd: RawFd) -> Result<OwnedFd, Errno> {
    fcntl_dupfd_cloexec(sys::borrow(fd)?, REPORT_FD + 1)
}

/// Says that we are here, and waits until it is done.
///
/// # Errors
/// What was answered, or that nobody is left to answer.
pub(super) fn wait(awaited: &Awaited) -> Result<(), Failure> {
    let socket = sys::borrow(awaited.socket)?;
    // Nobody there: the answer tells.
    let _ = send(socket, Awaited::READY, SendFlags::NOSIGNAL);
    let mut wire = [0; Failure::WIRE_MAX];
    match hear(socket, &mut wire)? {
        answer if answer == Awaited::DONE => Ok(()),
        answer => Err(Failure::decode(answer).unwrap_or_else(|| "whoever did it was killed".into())),
    }
}

fn hear<'a>(socket: BorrowedFd<'_>, wire: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    loop {
        match recv(socket, &mut *wire, RecvFlags::empty()) {
            Ok((length, _)) => return Ok(&wire[..length]),
            Err(Errno::INTR) => {}
            // It ended without having heard us.
            Err(Errno::CONNRESET) => return Ok(&[]),
            Err(errno) => return Err(errno),
        }
    }
}
