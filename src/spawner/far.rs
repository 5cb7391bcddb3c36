//! What is done by who was sent to look: opens, lists, examines, and says what came of it. It may wait for ever.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, Mode, OFlags, RawDir, SealFlags, fcntl_add_seals, memfd_create, openat};
use rustix::io::{Errno, pwrite};

use super::charter::Charter;
use super::lend;
use super::lookers::{Expected, Job, Whence, Word};
use super::wire::{MESSAGE_MAX, Place, Report, Seen, Task, cut};
use crate::trust::{self, Entry, Examined, Reach, Refusal, Stat};

/// Bytes of directory entries that are read at once.
const LISTING_MAX: usize = 16 << 10;
/// Bytes of one entry in a message besides its name.
const ENTRY_MAX: usize = 160;
/// Most names of one directory.
const NAMES_MAX: usize = 200_000;

/// How a word is said.
pub type Say<'a> = &'a dyn Fn(&Word, &[BorrowedFd<'_>]) -> Result<(), Errno>;

/// Does a job.
///
/// # Errors
/// Nobody listens.
pub fn look(charter: &Charter, job: &Job, say: Say<'_>) -> Result<(), Errno> {
    match job {
        Job::Birth(expected) => fetch(charter, expected, say),
        Job::Report { place, task, .. } => report(charter, place, task, say)
            .or_else(|errno| say(&Word::Report(Report::Failed(errno.raw_os_error())), &[])),
    }
}

fn report(charter: &Charter, place: &Place, task: &Task, say: Say<'_>) -> Result<(), Errno> {
    let directory = open(place)?;
    match task {
        Task::List(only) => list(charter, directory.as_fd(), only.as_deref(), say),
        Task::Look(file) => examine(charter, directory.as_fd(), (file, false), say),
        Task::Lend(file) => examine(charter, directory.as_fd(), (file, true), say),
    }
}

/// Opens a place. Another directory than the one that was known says nothing about what was in that.
fn open(place: &Place) -> Result<OwnedFd, Errno> {
    let top = trust::open_path(place.root.as_bytes(), Reach::Anywhere)?;
    let directory = trust::open_below(top.as_fd(), place.below.as_bytes(), Reach::Anywhere)?;
    let stat = trust::stat(directory.as_fd(), c"")?;
    let found = (stat.identity.device, stat.identity.inode);
    if place.known.is_some_and(|known| known != found) {
        return Err(Errno::STALE);
    }
    Ok(directory)
}

fn examine(
    charter: &Charter,
    directory: BorrowedFd<'_>,
    (file, lend): (&str, bool),
    say: Say<'_>,
) -> Result<(), Errno> {
    let stat = match trust::find(directory, file, Reach::Anywhere) {
        Ok(found) => trust::stat(found.as_fd(), c"")?,
        Err(Errno::NOENT) => return say(&Word::Report(Report::Missing), &[]),
        Err(errno) => return Err(errno),
    };
    let seen = |seen| Word::Report(Report::Seen(Box::new(stat), seen));
    match trust::examine(directory, file, &lend::policy(charter), Reach::Anywhere) {
        Ok(config) => {
            let copy = if lend { Some(copy(&config)?) } else { None };
            let lent: Vec<_> = copy.iter().map(AsFd::as_fd).collect();
            say(&seen(Seen::of(&config)), &lent)
        }
        Err(Refusal::Refused(sight, _)) => say(&seen(Seen::from(&sight)), &[]),
        Err(Refusal::Absent) => say(&Word::Report(Report::Missing), &[]),
        Err(Refusal::Denied(errno)) => Err(errno),
    }
}

/// What was judged, in memory: whoever reads it waits for nobody.
fn copy(config: &Examined) -> Result<OwnedFd, Errno> {
    let memory = memfd_create(c"config", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut written = 0;
    while written < config.content.len() {
        // Its offset stays at the start.
        written += pwrite(&memory, &config.content[written..], written as u64)?;
    }
    fcntl_add_seals(&memory, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(memory)
}

fn fetch(charter: &Charter, expected: &Expected, say: Say<'_>) -> Result<(), Errno> {
    let opened;
    let directory = match &expected.whence {
        Whence::Directory(directory) => {
            lend::require_in_sources(charter, directory.as_fd(), Reach::Anywhere).map(|()| directory.as_fd())
        }
        Whence::Place(place) => match open(place) {
            Ok(directory) => {
                opened = directory;
                Ok(opened.as_fd())
            }
            Err(errno) => Err(errno),
        },
    };
    match directory {
        Ok(directory) => fetch_from(charter, directory, &expected.file, say),
        Err(errno) => say(&Word::Failed(trust::trouble("cannot open its directory", errno)), &[]),
    }
}

fn fetch_from(charter: &Charter, directory: BorrowedFd<'_>, file: &str, say: Say<'_>) -> Result<(), Errno> {
    match trust::examine(directory, file, &lend::policy(charter), Reach::Anywhere) {
        Ok(config) => {
            let word = Word::Config(config.owner, config.trust, Seen::from(&config.sight));
            match copy(&config) {
                Ok(copy) => say(&word, &[copy.as_fd(), directory]),
                Err(errno) => say(&Word::Failed(format!("cannot copy it: {errno}")), &[]),
            }
        }
        Err(refusal @ Refusal::Refused(..)) => say(&Word::Refused(cut(&refusal.reason())), &[]),
        Err(refusal) => say(&Word::Failed(cut(&refusal.reason())), &[]),
    }
}

/// The names that may matter, in as many words as it takes.
fn list(charter: &Charter, directory: BorrowedFd<'_>, only: Option<&str>, say: Say<'_>) -> Result<(), Errno> {
    let place = trust::stat(directory, c"")?;
    let mut listing = Listing { place, entries: Vec::new(), bytes: 0, say };
    match only {
        Some(name) => listing.add(directory, &CString::new(name).map_err(|_| Errno::INVAL)?)?,
        None => list_all(charter, directory, &mut listing)?,
    }
    listing.tell(true)
}

fn list_all(charter: &Charter, directory: BorrowedFd<'_>, listing: &mut Listing<'_>) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(directory, c".", flags, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); LISTING_MAX];
    let mut entries = RawDir::new(opened, &mut buffer);
    let mut names = 0;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        let file = charter.names(&name.to_string_lossy());
        let directory_too = entry.file_type().is_dir() || !entry.file_type().is_file();
        if (file || directory_too) && names < NAMES_MAX && name != c"." && name != c".." {
            names += 1;
            listing.add(directory, name)?;
        }
    }
    Ok(())
}

struct Listing<'a> {
    place: Stat,
    entries: Vec<Entry>,
    bytes: usize,
    say: Say<'a>,
}

impl Listing<'_> {
    /// What is gone again already was never there.
    fn add(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        let stat = match trust::stat(directory, name) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ACCESS | Errno::PERM) => None,
            Err(errno) => return Err(errno),
        };
        self.bytes += name.to_bytes().len() + ENTRY_MAX;
        self.entries.push(Entry { name: name.to_bytes().to_vec(), stat });
        if self.bytes > MESSAGE_MAX / 2 { self.tell(false) } else { Ok(()) }
    }

    fn tell(&mut self, last: bool) -> Result<(), Errno> {
        self.bytes = 0;
        let entries = std::mem::take(&mut self.entries);
        (self.say)(&Word::Report(Report::Listed(Box::new(self.place), entries, last)), &[])
    }
}
