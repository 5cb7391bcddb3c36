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

/// How often one vassal's counter is told of: then the watch of its file goes, and a fork bomb wakes nobody any more.
const TELLINGS_MAX: u32 = 8;
/// Bytes of events read at once.
const EVENTS_MAX: usize = 4096;

/// The files that are watched, the counters that matter in each, and what they mean. The kernel announces the CPU time
/// that was refused to nobody: that is read when somebody asks for the state.
const FILES: [(&str, &[(&str, &str)]); 2] = [
    ("memory.events", &[("oom_kill", "out of memory: killed"), ("high", "short of memory: slowed down")]),
    ("pids.events", &[("max", "too many processes: fork refused")]),
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
    /// The limits behind it.
    limits: String,
    counters: Vec<Counter>,
}

#[derive(Debug)]
struct Counter {
    name: &'static str,
    meaning: &'static str,
    count: u64,
    tellings: u32,
}

impl Strains {
    /// Watches what a vassal's limits do to it, from now on; again, when its limits have changed.
    pub fn watch(&mut self, ticket: Ticket, vassal: &str, leaf: &Path, knobs: &[Knob]) {
        let newborn = !self.of.contains_key(&ticket);
        for (file, counters) in FILES {
            let controller = file.split('.').next().unwrap_or_default();
            let limits: Vec<&str> = knobs
                .iter()
                .filter(|knob| knob.controller() == controller)
                .map(|knob| knob.option.as_str())
                .collect();
            let (path, limits) = (leaf.join(file), limits.join(", "));
            if limits.is_empty() || self.is_watched(ticket, &path, &limits) {
                continue;
            }
            let mut watched = Watched::new(ticket, path, limits, counters);
            if !newborn {
                watched.begin_now();
            }
            if let Err(errno) = self.add(watched) {
                log::warn("spawner", &format!("cannot watch {file} of {vassal}: {errno}"));
            }
        }
    }

    /// Whether it is, and then with these limits.
    fn is_watched(&mut self, ticket: Ticket, path: &Path, limits: &str) -> bool {
        let numbers = self.of.get(&ticket).map_or(&[][..], Vec::as_slice);
        let found =
            numbers.iter().find(|number| self.watched.get(number).is_some_and(|one| one.path == path));
        let watched = found.and_then(|number| self.watched.get_mut(number));
        watched.map(|watched| limits.clone_into(&mut watched.limits)).is_some()
    }

    fn add(&mut self, watched: Watched) -> Result<(), Errno> {
        if self.inotify.is_none() {
            self.inotify = Some(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?);
        }
        let Some(inotify) = &self.inotify else { return Err(Errno::BADF) };
        let number = inotify::add_watch(inotify, &watched.path, WatchFlags::MODIFY)?;
        self.of.entry(watched.ticket).or_default().push(number);
        self.watched.insert(number, watched);
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
            if watched.is_told() {
                self.mute(number);
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
            strains.extend(self.watched.get_mut(&number).map(Watched::look).unwrap_or_default());
            self.drop_watch(number);
        }
        strains
    }

    fn drop_watch(&mut self, number: i32) {
        self.mute(number);
        self.watched.remove(&number);
    }

    /// Nothing wakes us any more; what happens is looked at once more when the vassal is dead.
    fn mute(&self, number: i32) {
        if let Some(inotify) = &self.inotify {
            // Gone already with its file, or muted before.
            let _ = inotify::remove_watch(inotify, number);
        }
    }
}

impl Watched {
    fn new(ticket: Ticket, path: PathBuf, limits: String, counters: &[(&'static str, &'static str)]) -> Self {
        let counter =
            |(name, meaning): &(&'static str, &'static str)| Counter { name, meaning, count: 0, tellings: 0 };
        Self { ticket, path, limits, counters: counters.iter().map(counter).collect() }
    }

    /// What was counted before is not news.
    fn begin_now(&mut self) {
        let text = self.text();
        self.counters.iter_mut().for_each(|one| one.count = counted(&text, one.name).unwrap_or(0));
    }

    /// What is new since the last look.
    fn look(&mut self) -> Vec<Reply> {
        let text = self.text();
        let told = self.counters.iter_mut().filter_map(|one| one.news(&text, &self.limits));
        told.map(|sentence| Reply::Strained(self.ticket, cut(&sentence))).collect()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap_or_default()
    }

    fn is_told(&self) -> bool {
        self.counters.iter().any(|one| one.tellings >= TELLINGS_MAX)
    }
}

impl Counter {
    fn news(&mut self, text: &str, limits: &str) -> Option<String> {
        let count = counted(text, self.name)?;
        let more = count.checked_sub(self.count).filter(|more| *more > 0)?;
        self.count = count;
        self.tellings += 1;
        let times = if more > 1 { format!(", {more} times") } else { String::new() };
        let sentence = format!("{} ({limits}){times}", self.meaning);
        (self.tellings <= TELLINGS_MAX).then_some(sentence)
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
