//! Descriptors, read to their end or to the bound, never beyond a deadline.

use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jail::sys;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, MemfdFlags, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::failed;
use crate::config::FILE_MAX;

/// Bytes of one read.
const CHUNK: usize = 64 << 10;

/// True once standard input holds a text that we have read.
static STDIN_KEPT: AtomicBool = AtomicBool::new(false);

/// Reads `fd://N`, and leaves in the descriptor's place what was read: a config is asked for again at each reload.
pub fn read_number(number: &str, deadline: Instant) -> io::Result<Vec<u8>> {
    let wrong = || failed(format!("{} is no descriptor", crate::config::quoted(number)));
    match number.parse().map_err(|_| wrong())? {
        0 => read_stdin(deadline),
        number => {
            let descriptor = borrow(number)?;
            let text = read(descriptor.as_fd(), deadline)?;
            if !is_file(descriptor.as_fd())? {
                sys::place(kept(&text)?.as_fd(), number)?;
                fcntl_setfd(&*descriptor, FdFlags::CLOEXEC)?;
            }
            Ok(text)
        }
    }
}

fn read_stdin(deadline: Instant) -> io::Result<Vec<u8>> {
    let stdin = rustix::stdio::stdin();
    let text = read(stdin, deadline)?;
    if !is_file(stdin)? {
        rustix::stdio::dup2_stdin(kept(&text)?)?;
        STDIN_KEPT.store(true, Ordering::Relaxed);
    }
    Ok(text)
}

/// For a program that reads its config from there once more.
pub fn rewind_stdin() {
    if STDIN_KEPT.load(Ordering::Relaxed) {
        // It is a file of ours, which can be wound.
        let _ = rustix::fs::seek(rustix::stdio::stdin(), rustix::fs::SeekFrom::Start(0));
    }
}

/// A file with this text, standing at its end: to whoever inherits it, it has been read.
fn kept(text: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("config", MemfdFlags::CLOEXEC)?);
    file.write_all(text)?;
    Ok(file.into())
}

/// Whether it is a file, which can be read from its start again.
pub fn is_file(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(descriptor)?.st_mode) == FileType::RegularFile)
}

/// A descriptor that somebody left us, not ours to close.
pub fn borrow(number: RawFd) -> io::Result<ManuallyDrop<OwnedFd>> {
    Ok(ManuallyDrop::new(sys::adopt(number)?))
}

/// Reads to the end. A file is read from its start however often it is asked for.
pub fn read(descriptor: BorrowedFd<'_>, deadline: Instant) -> io::Result<Vec<u8>> {
    if is_file(descriptor)? {
        return read_file(descriptor);
    }
    let mut text = Vec::new();
    while text.len() <= FILE_MAX && read_some(descriptor, &mut text, CHUNK, deadline)? > 0 {}
    text.truncate(FILE_MAX + 1);
    Ok(text)
}

fn read_file(file: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut text = vec![0; FILE_MAX + 1];
    let mut length = 0;
    while length < text.len() {
        match rustix::io::pread(file, &mut text[length..], length as u64)? {
            0 => break,
            count => length += count,
        }
    }
    text.truncate(length);
    Ok(text)
}

/// Appends what there is, `max` bytes at most; 0 at the end.
pub fn read_some(
    descriptor: BorrowedFd<'_>,
    text: &mut Vec<u8>,
    max: usize,
    deadline: Instant,
) -> io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let most = max.min(CHUNK);
    loop {
        if !is_ready(descriptor, deadline)? {
            return Err(failed("no end of it in time"));
        }
        match rustix::io::read(descriptor, &mut chunk[..most]) {
            Ok(count) => {
                text.extend_from_slice(&chunk[..count]);
                return Ok(count);
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Waits until there is something, or the end; false when the deadline comes first.
pub fn is_ready(descriptor: BorrowedFd<'_>, deadline: Instant) -> io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}
