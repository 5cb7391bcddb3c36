//! A file that is written beside the loop: a disk may take its time.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;

use rustix::io::Errno;

use super::leasing::write_all;

const STACK: usize = 128 * 1024;

/// Writes the newest text that it was given.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: OwnedFd,
    work: Mutex<Work>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Work {
    text: Option<String>,
    failure: Option<Errno>,
    has_thread: bool,
}

impl Writer {
    pub(super) fn new(file: OwnedFd) -> Self {
        Self { shared: Arc::new(Shared { file, work: Mutex::default(), bell: Condvar::new() }) }
    }

    /// Has a text written in the place of all that is in the file.
    pub(super) fn write(&self, text: String) {
        let mut work = self.shared.lock();
        work.text = Some(text);
        if !work.has_thread {
            let shared = Arc::clone(&self.shared);
            let started = Builder::new().stack_size(STACK).name("writer".into()).spawn(move || shared.work());
            work.has_thread = started.is_ok();
        }
        drop(work);
        self.shared.bell.notify_one();
    }

    /// Why a text could not be written; told once.
    pub(super) fn failure(&self) -> Option<Errno> {
        self.shared.lock().failure.take()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut work = self.lock();
        loop {
            let Some(text) = work.text.take() else {
                work = self.bell.wait(work).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(work);
            let written = self.write(text.as_bytes());
            work = self.lock();
            work.failure = work.failure.or(written.err());
        }
    }

    fn write(&self, text: &[u8]) -> Result<(), Errno> {
        write_all(&self.file, text, 0)?;
        rustix::fs::ftruncate(&self.file, text.len() as u64)?;
        rustix::fs::fdatasync(&self.file)
    }
}
