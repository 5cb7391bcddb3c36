//! From what inotify says to what happened to a name.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::inotify::{ReadFlags, WatchFlags};

use super::Monitors;
use super::pattern::{Sorted, sort};
use super::scan::Depth;
use super::settle::Change;
use super::watches::{Entry, Heard, NodeId, Use};
use crate::emperor::event::Moment;
use crate::trust::{Kind, stat};

/// It is no longer where it was.
const MOVED: ReadFlags = ReadFlags::DELETE_SELF.union(ReadFlags::MOVE_SELF).union(ReadFlags::UNMOUNT);
/// Another thing may have its name now.
const ENTRIES: ReadFlags =
    ReadFlags::CREATE.union(ReadFlags::DELETE).union(ReadFlags::MOVED_FROM).union(ReadFlags::MOVED_TO);

impl Monitors {
    /// Deals with one thing heard; takes a time that does not depend on how many files there are.
    pub(super) fn route(&mut self, heard: Heard, now: Moment) {
        if heard.flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            return self.scan_all(Depth::Quick);
        }
        if heard.flags.contains(ReadFlags::IGNORED) {
            return self.unwatched(heard.watch);
        }
        match &heard.name {
            None => self.route_self(&heard, now),
            Some(name) => self.route_name(&heard, name, now),
        }
    }

    fn scan_all(&mut self, depth: Depth) {
        for root in self.origins.iter().map(|origin| origin.root).collect::<Vec<_>>() {
            self.want_scan(root, depth);
        }
    }

    /// The kernel dropped a watch, because its inode is gone or was unmounted.
    fn unwatched(&mut self, watch: i32) {
        let nodes: Vec<NodeId> =
            self.watches.uses(watch).into_iter().flat_map(|uses| uses.directories.clone()).collect();
        self.watches.forget(watch);
        for id in nodes {
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            node.watch = None;
            let (source, below) = (node.source, node.parent.is_some());
            self.doubted.insert(source);
            if below {
                self.want_scan(id, Depth::Quick);
            }
        }
    }

    fn route_self(&mut self, heard: &Heard, now: Moment) {
        let Some(uses) = self.watches.uses(heard.watch) else { return };
        let directories: Vec<NodeId> = uses.directories.iter().copied().collect();
        let above: Vec<usize> = uses.above.iter().map(|(source, _)| *source).collect();
        if heard.flags.contains(ReadFlags::MODIFY) {
            for entry in &uses.files {
                self.settle.handle(entry, Change::Modified, now);
            }
        }
        // The directory that a link leads into went away, or others may write in it now.
        let change = if heard.flags.intersects(MOVED) { Change::MovedOut } else { Change::Touched };
        for entry in uses.targets.values().flatten() {
            self.settle.handle(entry, change, now);
        }
        for id in directories {
            self.directory_changed(id, heard.flags);
        }
        for source in above {
            if heard.flags.intersects(MOVED) {
                self.doubted.insert(source);
            } else if heard.flags.contains(ReadFlags::ATTRIB) {
                // Who may write above a config decides about it.
                self.want_scan(self.origins[source].root, Depth::Full);
            }
        }
    }

    fn directory_changed(&mut self, id: NodeId, flags: ReadFlags) {
        let Some(node) = self.nodes.get(&id) else { return };
        if flags.intersects(MOVED) {
            self.doubted.insert(node.source);
        } else if flags.contains(ReadFlags::ATTRIB) {
            self.want_scan(id, Depth::Full);
        }
    }

    fn route_name(&mut self, heard: &Heard, name: &[u8], now: Moment) {
        let Some(uses) = self.watches.uses(heard.watch) else { return };
        let directories: Vec<NodeId> = uses.directories.iter().copied().collect();
        let text = str::from_utf8(name).unwrap_or_default();
        let targets: Vec<Entry> = uses.targets.get(text).into_iter().flatten().cloned().collect();
        if heard.flags.intersects(ENTRIES) {
            let on_the_way = uses.above.iter().filter(|(_, next)| next == text).map(|(source, _)| *source);
            self.doubted.extend(on_the_way);
        }
        for entry in targets {
            self.target_changed(&entry, heard.flags, now);
        }
        for id in directories {
            let Some(node) = self.nodes.get(&id) else { continue };
            if self.is_leaf(node) {
                self.file_changed(id, name, heard.flags, now);
            } else if heard.flags.contains(ReadFlags::ISDIR) {
                self.child_changed(id, text, heard.flags, now);
            }
        }
    }

    fn file_changed(&mut self, id: NodeId, name: &[u8], flags: ReadFlags, now: Moment) {
        let files = &self.origins[self.nodes[&id].source].shape.files;
        match sort(name, &self.settings.extra_extensions) {
            Sorted::Valid(name) if files.fits(name) => {
                let entry: Entry = (id, name.into());
                if let Some(change) = self.change(&entry, flags) {
                    self.settle.handle(&entry, change, now);
                }
            }
            Sorted::Refused(shown, fault) if files.fits(&String::from_utf8_lossy(name)) => {
                let entry = (id, Arc::from(shown));
                let gone = flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
                if gone { self.forget(&entry) } else { self.refuse_name(entry, fault) }
            }
            Sorted::Ignored => self.address_changed(&(id, String::from_utf8_lossy(name).into()), now),
            Sorted::Valid(_) | Sorted::Refused(..) => {}
        }
    }

    fn change(&mut self, entry: &Entry, flags: ReadFlags) -> Option<Change> {
        let changes = [
            (ReadFlags::MODIFY, Change::Modified),
            (ReadFlags::CLOSE_WRITE, Change::Closed),
            (ReadFlags::MOVED_TO, Change::MovedIn),
            (ReadFlags::MOVED_FROM, Change::MovedOut),
            (ReadFlags::DELETE, Change::Deleted),
            (ReadFlags::ATTRIB, Change::Touched),
        ];
        if flags.contains(ReadFlags::CREATE) {
            return Some(if self.is_unwritten(entry) { Change::Created } else { Change::Appeared });
        }
        changes.into_iter().find(|(flag, _)| flags.contains(*flag)).map(|(_, change)| change)
    }

    /// Whether what was created is an ordinary new file, whose writer will close it; if so, its writes are heard.
    fn is_unwritten(&mut self, entry: &Entry) -> bool {
        let opened =
            self.open_node(entry.0).and_then(|directory| self.eyes.find(directory.as_fd(), &entry.1));
        // Gone already, or not for these eyes: more will be heard of it.
        let Ok(opened) = opened else { return true };
        let Ok(found) = stat(opened.as_fd(), c"") else { return true };
        let plain = found.facts.kind == Kind::File && found.facts.links < 2;
        if plain && !self.hears_writes(entry.0) {
            self.watch_file(entry, opened.as_fd());
        }
        plain
    }

    /// The file behind a followed link. When it goes away the link stays: the look that follows finds it dangling.
    fn target_changed(&mut self, entry: &Entry, flags: ReadFlags, now: Moment) {
        let change =
            if flags.contains(ReadFlags::CREATE) { Some(Change::Created) } else { self.change(entry, flags) };
        change.into_iter().for_each(|change| self.settle.handle(entry, change, now));
    }

    fn child_changed(&mut self, parent: NodeId, name: &str, flags: ReadFlags, now: Moment) {
        if !self.is_wanted_child(parent, name) {
            return;
        }
        if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
            // What is moved in is whole; in a new directory somebody may be writing already.
            let depth = if flags.contains(ReadFlags::CREATE) { Depth::Quick } else { Depth::Full };
            let child = self.child(parent, name);
            child.into_iter().for_each(|child| self.want_scan(child, depth));
        } else if flags.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM) {
            let child = self.nodes.get(&parent).and_then(|node| node.children.get(name)).copied();
            child.into_iter().for_each(|child| self.leave(child, now));
        }
    }

    /// Watches a file itself, where its directory is not watched for writes.
    pub(super) fn watch_file(&mut self, entry: &Entry, file: std::os::fd::BorrowedFd<'_>) {
        let by = Use::File(entry.clone());
        // Without this watch only a writer that never closes goes unheard.
        let Ok(watch) = self.watches.add(&*self.eyes, file, WatchFlags::MODIFY, by.clone()) else { return };
        let before = self.extras.entry(entry.clone()).or_default().file.replace(watch);
        if let Some(before) = before.filter(|before| *before != watch) {
            self.watches.release(before, &by);
        }
    }
}
