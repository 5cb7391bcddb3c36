//! Compresses a file that was put aside, in a thread of its own, while more is written beside it.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{Compression, write::GzEncoder};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

/// Most at once; a file for which there is no room stays as it is.
const THREADS_MAX: usize = 2;

/// Held by whoever gives files other names.
pub(super) static NAMES: Mutex<()> = Mutex::new(());
static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Begins. In the end `NAME.gz` is there in the place of the file, if that has its name still.
pub(super) fn compress(directory: BorrowedFd<'_>, name: String) {
    if THREADS.fetch_add(1, Ordering::Relaxed) >= THREADS_MAX {
        THREADS.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let began = begin(directory, name).and_then(|work| {
        let run = move || {
            // One that cannot be compressed stays as it is.
            let _ = work.run();
            THREADS.fetch_sub(1, Ordering::Relaxed);
        };
        let thread = std::thread::Builder::new().name("gzip".into()).stack_size(256 << 10).spawn(run);
        thread.map(drop).map_err(|_| Errno::AGAIN)
    });
    if began.is_err() {
        THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Work {
    directory: OwnedFd,
    name: String,
    file: OwnedFd,
}

fn begin(directory: BorrowedFd<'_>, name: String) -> Result<Work, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(directory, &name, flags, Mode::empty())?;
    let found = fstat(&file)?;
    // Whoever owns the directory may have put something else there since.
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile || found.st_nlink != 1 {
        return Err(Errno::MLINK);
    }
    let directory = rustix::io::fcntl_dupfd_cloexec(directory, 0)?;
    Ok(Work { directory, name, file })
}

impl Work {
    fn run(&self) -> std::io::Result<()> {
        let half = format!(".{}.gz", self.name);
        let outcome = self.write(&half).and_then(|()| self.settle(&half));
        if outcome.is_err() {
            let _ = unlinkat(&self.directory, &half, AtFlags::empty());
        }
        outcome
    }

    fn write(&self, half: &str) -> std::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Left by one who did not come to the end.
        let _ = unlinkat(&self.directory, half, AtFlags::empty());
        let mode = Mode::from_raw_mode(fstat(&self.file)?.st_mode & 0o777);
        let file = openat(&self.directory, half, flags, mode)?;
        let mut encoder = GzEncoder::new(std::fs::File::from(file), Compression::fast());
        std::io::copy(&mut std::fs::File::from(self.file.try_clone()?), &mut encoder)?;
        encoder.finish().map(drop)
    }

    fn settle(&self, half: &str) -> std::io::Result<()> {
        let _names = NAMES.lock();
        let here = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if here.st_ino != fstat(&self.file)?.st_ino {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        renameat(&self.directory, half, &self.directory, format!("{}.gz", self.name))?;
        Ok(unlinkat(&self.directory, &self.name, AtFlags::empty())?)
    }
}
