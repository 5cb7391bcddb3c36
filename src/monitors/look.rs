//! Looks at one config and tells what differs.

use std::os::fd::AsFd;

use rustix::fs::inotify::WatchFlags;
use rustix::io::Errno;

use super::settle::{Change, Finding};
use super::tree::Known;
use super::watches::{Entry, NodeId, Use};
use super::{Monitors, NAMES_MAX, SourceNews, Told};
use crate::emperor::event::{Event, Moment, Sight};
use crate::trust::{AWAY, Examined, NameFault, Refusal, Stat, Target, denied, refused_name, stat};

/// Where a link leads, the coming and going of that name matters.
const TARGET: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::ONLYDIR);

impl Monitors {
    /// A name came to rest.
    pub(super) fn find(&mut self, entry: &Entry, finding: Finding, now: Moment) {
        match finding {
            _ if self.tell_address(entry) => {}
            _ if self.is_away(entry.0) => self.send_to_look(entry),
            Finding::Look if self.is_polled(entry.0) && !self.is_steady(entry) => {
                self.settle.handle(entry, Change::Modified, now);
            }
            Finding::Look => self.look(entry, now),
            Finding::Gone => self.confirm_gone(entry, now),
        }
    }

    /// Examines a config; tells it if anything differs from what was told before.
    pub(super) fn look(&mut self, entry: &Entry, now: Moment) {
        let directory = match self.open_node(entry.0) {
            Ok(directory) => directory,
            Err(AWAY) => return self.send_to_look(entry),
            Err(_) => return,
        };
        let before = self.stat_in(&directory, &entry.1);
        let examined = self.eyes.examine(directory.as_fd(), &entry.1, &self.settings.trust);
        drop(directory);
        let stat = before.ok();
        if matches!(examined, Err(Refusal::Denied(AWAY))) {
            return self.send_to_look(entry);
        }
        self.errands.drop_config(entry);
        match examined {
            Ok(examined) => self.looked(entry, examined, stat),
            Err(Refusal::Absent) if self.is_known(entry) => self.settle.handle(entry, Change::Deleted, now),
            Err(Refusal::Absent) => self.drop_extra(entry),
            Err(Refusal::Denied(errno)) => self.denied(entry, errno),
            Err(Refusal::Refused(sight, targets)) => {
                self.watch_targets(entry, targets);
                self.record(entry, sight, stat);
            }
        }
    }

    /// What cannot be read for a while goes on as it was, and is tried again; what nobody may read is refused.
    pub(super) fn denied(&mut self, entry: &Entry, errno: Errno) {
        let passing = !matches!(errno, Errno::ACCESS | Errno::PERM);
        if passing {
            self.retries.insert(entry.clone());
        }
        if !passing || !self.is_known(entry) {
            self.record(entry, denied(&entry.1, errno), None);
        }
    }

    /// A name that must not even be looked up is told, once.
    pub(super) fn refuse_name(&mut self, entry: Entry, fault: NameFault) {
        self.record(&entry, refused_name(entry.1.as_bytes(), &fault.to_string()), None);
    }

    /// A config is gone.
    pub(super) fn forget(&mut self, entry: &Entry) {
        self.probes.remove(entry);
        self.addresses.remove(entry);
        self.errands.drop_config(entry);
        self.drop_extra(entry);
        let key = self.key(entry);
        let Some(node) = self.nodes.get_mut(&entry.0) else { return };
        if node.names.remove(&entry.1).is_some() {
            self.names -= 1;
            self.told.extend(key.map(|key| Told::Event(Event::Unseen(key))));
        }
        self.prune(entry.0);
    }

    pub(super) fn is_polled(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.polled)
    }

    /// Whether writes to the files of a directory are heard by its own watch. In a directory that is there for
    /// configs they are; elsewhere, a busy log beside a config would wake us at every line.
    pub(super) fn hears_writes(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| self.origins[node.source].shape.is_directory())
    }

    /// The state of an entry itself, not of what it links to.
    pub(super) fn stat_entry(&self, entry: &Entry) -> Result<Stat, Errno> {
        self.stat_in(&self.open_node(entry.0)?, &entry.1)
    }

    fn stat_in(&self, directory: &impl AsFd, name: &str) -> Result<Stat, Errno> {
        stat(self.eyes.find(directory.as_fd(), name)?.as_fd(), c"")
    }

    pub(super) fn is_known(&self, entry: &Entry) -> bool {
        self.nodes.get(&entry.0).is_some_and(|node| node.names.contains_key(&entry.1))
    }

    /// Where nothing is heard of writers: is it as it was a quiet time ago?
    fn is_steady(&mut self, entry: &Entry) -> bool {
        let now = self.stat_entry(entry).ok();
        let before = self.probes.remove(entry);
        if now == before || now.is_none() {
            return true;
        }
        self.probes.extend(now.map(|stat| (entry.clone(), stat)));
        false
    }

    fn looked(&mut self, entry: &Entry, examined: Examined, stat: Option<Stat>) {
        let linked = !examined.targets.is_empty();
        if !linked && !self.hears_writes(entry.0) || linked && !self.settings.trust.nofollow {
            self.watch_file(entry, examined.file.as_fd());
        } else {
            self.unwatch_file(entry);
        }
        self.watch_targets(entry, examined.targets);
        self.record(entry, examined.sight, stat);
    }

    pub(super) fn is_refused(&self, entry: &Entry) -> bool {
        let known = self.nodes.get(&entry.0).and_then(|node| node.names.get(&entry.1));
        known.is_some_and(|known| known.sight.refusal.is_some())
    }

    pub(super) fn record(&mut self, entry: &Entry, sight: Sight, stat: Option<Stat>) {
        let Some(node) = self.nodes.get_mut(&entry.0) else { return };
        if let Some(known) = node.names.get_mut(&entry.1) {
            known.stat = stat;
            if known.sight == sight {
                return;
            }
            known.sight = sight.clone();
        } else if self.names >= NAMES_MAX {
            return self.tell_too_many(entry.0);
        } else {
            self.names += 1;
            node.names.insert(entry.1.clone(), Known { sight: sight.clone(), stat });
        }
        let key = self.key(entry);
        self.told.extend(key.map(|key| Told::Event(Event::Seen(key, sight))));
    }

    fn tell_too_many(&mut self, id: NodeId) {
        let source = self.nodes[&id].source;
        if !std::mem::replace(&mut self.origins[source].crowded, true) {
            let label = self.origins[source].shape.label.clone();
            self.tell(source, &label, SourceNews::TooMany);
        }
    }

    /// Only what is certainly not there is gone: an unreadable directory says nothing about its files.
    fn confirm_gone(&mut self, entry: &Entry, now: Moment) {
        match self.stat_entry(entry) {
            Ok(_) => self.look(entry, now),
            Err(AWAY) => self.send_to_look(entry),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if self.has_base(entry.0) => self.forget(entry),
            Err(Errno::ACCESS | Errno::PERM) if self.is_absent_to_better_eyes(entry) => self.forget(entry),
            Err(_) => {}
        }
    }

    fn is_absent_to_better_eyes(&self, entry: &Entry) -> bool {
        let Ok(directory) = self.open_node(entry.0) else { return false };
        let examined = self.eyes.examine(directory.as_fd(), &entry.1, &self.settings.trust);
        matches!(examined, Err(Refusal::Absent))
    }

    fn has_base(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| self.origins[node.source].directory.is_some())
    }

    /// Watches where a followed link leads; what it led to before is released.
    fn watch_targets(&mut self, entry: &Entry, targets: Vec<Target>) {
        let targets = if self.settings.trust.nofollow { Vec::new() } else { targets };
        if targets.is_empty() && !self.extras.contains_key(entry) {
            return;
        }
        let watched: Vec<_> =
            targets.into_iter().filter_map(|target| self.watch_target(entry, target)).collect();
        let extra = self.extras.entry(entry.clone()).or_default();
        let mut before = std::mem::replace(&mut extra.targets, watched.clone());
        before.retain(|target| !watched.contains(target));
        self.release_targets(entry, before);
    }

    fn watch_target(&mut self, entry: &Entry, target: Target) -> Option<(i32, String)> {
        let by = Use::Target(target.name.clone(), entry.clone());
        let watch = self.watches.add(&*self.eyes, target.directory.as_fd(), TARGET, by).ok()?;
        Some((watch, target.name))
    }

    fn release_targets(&mut self, entry: &Entry, targets: Vec<(i32, String)>) {
        for (watch, name) in targets {
            self.watches.release(watch, &Use::Target(name, entry.clone()));
        }
    }

    fn unwatch_file(&mut self, entry: &Entry) {
        let watch = self.extras.get_mut(entry).and_then(|extra| extra.file.take());
        watch.into_iter().for_each(|watch| self.watches.release(watch, &Use::File(entry.clone())));
    }

    pub(super) fn drop_extra(&mut self, entry: &Entry) {
        let Some(extra) = self.extras.remove(entry) else { return };
        if let Some(watch) = extra.file {
            self.watches.release(watch, &Use::File(entry.clone()));
        }
        self.release_targets(entry, extra.targets);
    }
}
