//! Directories and configs that others look at, because it may take for ever: asked for, and what is reported of them.
//! They are polled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustix::fs::FileType;
use rustix::io::Errno;

use super::scan::{Depth, Mark, Names, Scan};
use super::settle::Change;
use super::watches::{Entry, NodeId};
use super::{Monitors, SourceNews, Told};
use crate::emperor::event::{Moment, Sight};
use crate::trust::{self, Kind, Place, Report, Stat, Task};

/// What others are to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Errand {
    List(NodeId),
    Look(Entry),
}

/// What others look at for us.
#[derive(Default)]
pub struct Errands {
    next: u32,
    sent: BTreeMap<u32, Errand>,
    /// The same: nothing is sent twice.
    open: BTreeSet<Errand>,
    depths: BTreeMap<NodeId, Depth>,
    /// Names of directories that were reported in part.
    parts: BTreeMap<NodeId, Names>,
    /// Directories that were reported as a whole.
    pub(super) listed: VecDeque<Scan>,
    /// Configs in a near directory that are away themselves.
    pub(super) configs: BTreeSet<Entry>,
    /// Those of them of which was told that they do not answer.
    silent: BTreeSet<Entry>,
}

impl Errands {
    fn open(&mut self, errand: Errand) -> u32 {
        let number = self.next;
        self.next = number.wrapping_add(1) & NUMBER_MAX;
        self.open.insert(errand.clone());
        self.sent.insert(number, errand);
        number
    }

    /// A config is gone, or near.
    pub(super) fn drop_config(&mut self, entry: &Entry) {
        self.configs.remove(entry);
        self.silent.remove(entry);
    }

    fn close(&mut self, number: u32) -> Option<Errand> {
        let errand = self.sent.remove(&number)?;
        self.open.remove(&errand);
        Some(errand)
    }
}

impl Monitors {
    /// What was asked for comes, or a part of it.
    pub fn handle_report(&mut self, number: u32, report: Report, now: Moment) {
        match report {
            Report::Listed(place, entries, last) => {
                let Some(Errand::List(id)) = self.errands.sent.get(&number).cloned() else { return };
                let names = entries.into_iter().filter_map(|entry| self.wanted_away(id, &entry));
                let names: Vec<_> = names.collect();
                self.errands.parts.entry(id).or_default().extend(names);
                if last {
                    self.errands.close(number);
                    self.listed_away(id, *place);
                }
            }
            report => match self.errands.close(number) {
                Some(Errand::Look(entry)) => self.looked_away(&entry, report, now),
                Some(Errand::List(id)) => self.not_listed(id, &report, now),
                None => {}
            },
        }
        self.work(now);
    }

    pub(super) fn is_away(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.away)
    }

    pub(super) fn send_to_list(&mut self, id: NodeId, depth: Depth) {
        let wanted = self.errands.depths.entry(id).or_insert(depth);
        *wanted = depth.max(*wanted);
        self.send_out(Errand::List(id));
    }

    pub(super) fn send_to_look(&mut self, entry: &Entry) {
        if !self.is_away(entry.0) {
            self.errands.configs.insert(entry.clone());
        }
        self.send_out(Errand::Look(entry.clone()));
    }

    /// Everything is sent at once: whom it concerns waits for nobody else's file system.
    fn send_out(&mut self, errand: Errand) {
        if self.errands.open.contains(&errand) {
            return;
        }
        let (id, task) = match &errand {
            Errand::List(id) => (*id, Task::List(self.only_name(*id))),
            Errand::Look((id, name)) => (*id, Task::Look(name.to_string())),
        };
        let Some(place) = self.place(id) else { return };
        // A directory is what it is; only a config is gone with the one that it was in.
        let place = if matches!(task, Task::List(_)) { Place { known: None, ..place } } else { place };
        let number = self.errands.open(errand);
        self.told.push_back(Told::Errand { number, place, task });
    }

    fn only_name(&self, id: NodeId) -> Option<String> {
        self.matcher(id)?.literal().map(str::to_owned)
    }

    fn wanted_away(&self, id: NodeId, entry: &trust::Entry) -> Option<(std::sync::Arc<str>, Mark)> {
        let kind = match entry.stat.map(|stat| stat.facts.kind) {
            Some(Kind::Directory) => FileType::Directory,
            Some(_) => FileType::RegularFile,
            None => FileType::Unknown,
        };
        let (name, mut mark) = self.wanted(id, &entry.name, kind)?;
        mark.stat = entry.stat;
        Some((name, mark))
    }

    fn listed_away(&mut self, id: NodeId, place: Stat) {
        let names = self.errands.parts.remove(&id).unwrap_or_default();
        let depth = self.errands.depths.remove(&id).unwrap_or(Depth::Full);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.mounted && !place.mount_root {
            return self.lose_node(id, Errno::NODEV);
        }
        (node.mounted, node.leaving, node.away, node.place) = (place.mount_root, false, true, Some(place));
        if node.parent.is_none() {
            let source = node.source;
            self.origins[source].place = Some(place);
        }
        self.unwatch_node(id);
        self.take_listed(id, depth, names);
    }

    fn not_listed(&mut self, id: NodeId, report: &Report, now: Moment) {
        self.errands.parts.remove(&id);
        self.errands.depths.remove(&id);
        let below = self.nodes.get(&id).is_some_and(|node| node.parent.is_some());
        match report {
            Report::Failed(errno) => match Errno::from_raw_os_error(*errno) {
                Errno::NOENT | Errno::NOTDIR | Errno::LOOP if below => self.leave(id, now),
                errno => self.lose_node(id, errno),
            },
            Report::Listed(..) | Report::Seen(..) | Report::Missing => {}
        }
    }

    fn looked_away(&mut self, entry: &Entry, report: Report, now: Moment) {
        match report {
            Report::Seen(stat, seen) => {
                // Where nothing is heard of writers it must be as it was a quiet time ago.
                let before = self.probes.remove(entry);
                if self.is_away(entry.0) && before.is_some_and(|before| before != *stat) {
                    self.probes.insert(entry.clone(), *stat);
                    return self.settle.handle(entry, Change::Modified, now);
                }
                self.answers_again(entry);
                self.record(entry, Sight::from(seen), Some(*stat));
            }
            Report::Missing if self.is_known(entry) => self.forget(entry),
            Report::Missing => self.drop_extra(entry),
            Report::Failed(errno) => {
                let errno = Errno::from_raw_os_error(errno);
                self.tell_of_silence(entry, errno);
                self.denied(entry, errno);
            }
            Report::Listed(..) => {}
        }
    }

    /// Of a directory that does not answer it is told once, of a config that is known and alone away likewise.
    fn tell_of_silence(&mut self, entry: &Entry, errno: Errno) {
        let alone = errno == Errno::TIMEDOUT && self.errands.configs.contains(entry) && self.is_known(entry);
        let refused = self.is_refused(entry);
        if alone && !refused && self.errands.silent.insert(entry.clone()) {
            let reason = trust::trouble("cannot look at it", errno);
            self.tell_of(entry, SourceNews::Lost(reason.into()));
        }
    }

    fn answers_again(&mut self, entry: &Entry) {
        if self.errands.silent.remove(entry) {
            self.tell_of(entry, SourceNews::Back);
        }
    }

    fn tell_of(&mut self, entry: &Entry, what: SourceNews) {
        let source = self.nodes.get(&entry.0).map(|node| node.source);
        if let (Some(source), Some(key)) = (source, self.key(entry)) {
            self.tell(source, &key.name, what);
        }
    }
}

/// Numbers above are for others who ask.
pub const NUMBER_MAX: u32 = u32::MAX >> 1;
