//! `emperor://NAME`: the config that an Emperor hands over on a descriptor (`UWSGI_EMPEROR_FD_CONFIG`).
//!
//! A push is a header of four bytes (115, the length in 16 bits, 0) and the text. A longer text than the length can
//! say is pushed all the same, so the length is only known up to a multiple of 64 KiB.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};

use super::{failed, stream};
use crate::config::FILE_MAX;
use crate::emperor::order::from_vassal;

/// Number of the config descriptor.
pub const CONFIG_FD: &str = "UWSGI_EMPEROR_FD_CONFIG";
/// Number of the control descriptor.
const CONTROL_FD: &str = "UWSGI_EMPEROR_FD";
/// First byte of a push.
const MODIFIER: u8 = 115;
const HEADER: usize = 4;
/// What the length of a push counts in.
const ROUND: usize = 1 << 16;
/// An Emperor that has forked us pushes at once; one that brings us back waits to be asked.
const UNASKED_MAX: Duration = Duration::from_secs(1);
/// As long as uWSGI waits.
const ASKED_MAX: Duration = Duration::from_secs(5);
/// The rest of a long push is written together with its begin.
const REST_MAX: Duration = Duration::from_millis(100);

/// What was pushed to this process has been read: whatever else is in the pipe is older than the next answer.
static READ: AtomicBool = AtomicBool::new(false);

/// The newest config.
///
/// # Errors
/// There is no such descriptor, nothing comes, or what comes is no push.
pub fn read() -> io::Result<Vec<u8>> {
    let pipe = stream::borrow(number(CONFIG_FD)?)?;
    if stream::is_file(pipe.as_fd())? {
        // A whole push in a file: its length is that of the file.
        let mut push = stream::read(pipe.as_fd(), Instant::now())?;
        check(&push)?;
        return Ok(push.split_off(HEADER));
    }
    if READ.swap(true, Ordering::Relaxed) {
        drain(pipe.as_fd())?;
        ask()?;
    } else if !stream::is_ready(pipe.as_fd(), Instant::now() + UNASKED_MAX)? {
        ask()?;
    }
    receive(pipe.as_fd())
}

/// Whether this process has read a push.
pub fn was_read() -> bool {
    READ.load(Ordering::Relaxed)
}

/// Leaves the pipe to the program that takes our place, and asks for a push if we have read what was meant for it.
pub fn hand_on() {
    let Ok(pipe) = number(CONFIG_FD).and_then(stream::borrow) else { return };
    // What cannot be kept open the program will miss, and say so.
    let _ = fcntl_setfd(&*pipe, FdFlags::empty());
    if was_read() {
        // An Emperor that is gone kills us anyway.
        let _ = ask();
    }
}

fn number(variable: &str) -> io::Result<RawFd> {
    let text = std::env::var(variable)
        .map_err(|_| failed(format!("no Emperor gave a config: {variable} is not set")))?;
    text.parse().map_err(|_| failed(format!("{variable} is no number")))
}

fn ask() -> io::Result<()> {
    let control = stream::borrow(number(CONTROL_FD)?)?;
    rustix::io::write(&*control, &[from_vassal::CONFIG])?;
    Ok(())
}

fn drain(pipe: BorrowedFd<'_>) -> io::Result<()> {
    let mut stale = Vec::new();
    while stale.len() <= FILE_MAX && stream::is_ready(pipe, Instant::now())? {
        if stream::read_some(pipe, &mut stale, ROUND, Instant::now())? == 0 {
            break;
        }
    }
    Ok(())
}

/// The last push that is there: an Emperor that pushes unasked may have done so in between.
fn receive(pipe: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + ASKED_MAX;
    let mut text = Vec::new();
    begin(pipe, &mut text, deadline)?;
    while text.len() <= FILE_MAX && stream::is_ready(pipe, Instant::now() + REST_MAX)? {
        let round = text.len();
        exactly(pipe, &mut text, round + HEADER, deadline)?;
        // No text has a NUL in it, so this is no rest of one.
        if let Ok(length) = check(&text[round..]) {
            text.clear();
            exactly(pipe, &mut text, length, deadline)?;
        } else {
            exactly(pipe, &mut text, round + ROUND, deadline)?;
        }
    }
    if text.is_empty() { Err(failed("the Emperor gave an empty config")) } else { Ok(text) }
}

fn begin(pipe: BorrowedFd<'_>, text: &mut Vec<u8>, deadline: Instant) -> io::Result<()> {
    let mut header = Vec::new();
    exactly(pipe, &mut header, HEADER, deadline)?;
    exactly(pipe, text, check(&header)?, deadline)
}

/// The length that a header says.
fn check(header: &[u8]) -> io::Result<usize> {
    match *header {
        [MODIFIER, low, high, 0, ..] => Ok(u16::from_le_bytes([low, high]).into()),
        _ => Err(failed("what the Emperor gave is no config")),
    }
}

fn exactly(pipe: BorrowedFd<'_>, text: &mut Vec<u8>, length: usize, deadline: Instant) -> io::Result<()> {
    while text.len() < length {
        let missing = length - text.len();
        let read = stream::read_some(pipe, text, missing, deadline);
        if read.map_err(|_| failed("the Emperor's config is cut short: not all of it came in time"))? == 0 {
            return Err(failed("the Emperor closed the config pipe"));
        }
    }
    Ok(())
}
