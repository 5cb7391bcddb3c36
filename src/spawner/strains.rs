//! What the limits of a vassal have done to it: somebody killed for memory, forks refused. Told as it happens, by the
//! files that the kernel announces by inotify; nothing is read while nothing happens.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use jail::plan::Knob;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::wire::{Reply, Ticket, cut};
use crate::log;

/// How often one vassal's file is told of: then its watch goes, and a fork bomb wakes nobody any more.
const TELLINGS_MAX: u32 = 8;
/// Bytes of events read at once.
const EVENTS_MAX: usize = 4096;

/// The files that are watched, the counter that matters in each, and what it means.
const FILES: [(&str, &str, &str); 2] = [
    ("memory.events", "oom_kill", "out of memory: killed"),
    ("pids.events", "max", "too many processes: fork refused"),
];

/// The watches of all vassals that have limits.
#[derive(Debug, Default)]
pub struct Strains {
    inotify: Option<OwnedFd>,
    watched: HashMap<i32, Watched>,
    /// The watches of each vassal.
    of: HashMap<Ticket, Vec<i32>>,
}

#[derive(Debug)]
struct Watched {
    ticket: Ticket,
    path: PathBuf,
    counter: &'static str,
    /// What is told, with the limit behind it.
    sentence: String,
    count: u64,
    tellings: u32,
}

impl Strains {
    /// Watches what a newborn's limits do to it.
    pub fn watch(&mut self, ticket: Ticket, vassal: &str, leaf: &Path, knobs: &[Knob]) {
        for (file, counter, meaning) in FILES {
            let controller = file.split('.').next().unwrap_or_default();
            let limits: Vec<&str> = knobs
                .iter()
                .filter(|knob| knob.controller() == controller)
                .map(|knob| knob.option.as_str())
                .collect();
            if limits.is_empty() {
                continue;
            }
            let sentence = format!("{meaning} ({})", limits.join(", "));
            let watched = Watched { ticket, path: leaf.join(file), counter, sentence, count: 0, tellings: 0 };
            if let Err(errno) = self.add(ticket, watched) {
                log::warn("spawner", &format!("cannot watch {file} of {vassal}: {errno}"));
            }
        }
    }

    fn add(&mut self, ticket: Ticket, watched: Watched) -> Result<(), Errno> {
        if self.inotify.is_none() {
            self.inotify = Some(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?);
        }
        let Some(inotify) = &self.inotify else { return Err(Errno::BADF) };
        let number = inotify::add_watch(inotify, &watched.path, WatchFlags::MODIFY)?;
        self.watched.insert(number, watched);
        self.of.entry(ticket).or_default().push(number);
        Ok(())
    }

    /// Ready when something happened.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// What happened.
    pub fn hear(&mut self) -> Vec<Reply> {
        let mut strains = Vec::new();
        for number in self.changed() {
            let Some(watched) = self.watched.get_mut(&number) else { continue };
            strains.extend(watched.look());
            if watched.tellings >= TELLINGS_MAX {
                self.drop_watch(number);
            }
        }
        strains
    }

    fn changed(&self) -> Vec<i32> {
        let Some(inotify) = &self.inotify else { return Vec::new() };
        let mut space = [const { MaybeUninit::uninit() }; EVENTS_MAX];
        let mut reader = Reader::new(inotify, &mut space);
        let mut numbers = Vec::new();
        while let Ok(event) = reader.next() {
            // What overflowed names nobody: then everybody is looked at.
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                return self.watched.keys().copied().collect();
            }
            if !numbers.contains(&event.wd()) {
                numbers.push(event.wd());
            }
            if reader.is_buffer_empty() {
                break;
            }
        }
        numbers
    }

    /// The vassal is dead; what killed it may not have been read yet.
    pub fn forget(&mut self, ticket: Ticket) -> Vec<Reply> {
        let mut strains = Vec::new();
        for number in self.of.remove(&ticket).unwrap_or_default() {
            strains.extend(self.watched.get_mut(&number).and_then(Watched::look));
            self.drop_watch(number);
        }
        strains
    }

    fn drop_watch(&mut self, number: i32) {
        if let Some(inotify) = &self.inotify {
            // Gone already with its file.
            let _ = inotify::remove_watch(inotify, number);
        }
        self.watched.remove(&number);
    }
}

impl Watched {
    /// What is new since the last look.
    fn look(&mut self) -> Option<Reply> {
        let count = counted(&std::fs::read_to_string(&self.path).ok()?, self.counter)?;
        let more = count.checked_sub(self.count).filter(|more| *more > 0)?;
        self.count = count;
        self.tellings += 1;
        let times = if more > 1 { format!(", {more} times") } else { String::new() };
        Some(Reply::Strained(self.ticket, cut(&format!("{}{times}", self.sentence))))
    }
}

/// A counter of a file of `name number` lines.
fn counted(text: &str, counter: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(counter)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_whole_name() {
        let text = "low 0\nhigh 1\nmax 22\noom 3\noom_kill 4\noom_group_kill 5\n";
        assert_eq!(
            ["max", "oom", "oom_kill", "none"].map(|name| counted(text, name)),
            [Some(22), Some(3), Some(4), None]
        );
    }
}
