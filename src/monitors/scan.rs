//! Lists a directory in pieces, and compares it with what is known.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::vec::IntoIter;

use rustix::fs::inotify::WatchFlags;
use rustix::fs::{FileType, RawDir, SeekFrom, seek};
use rustix::io::Errno;

use super::filesystem::silent;
use super::pattern::{Matcher, Sorted, sort};
use super::settle::Change;
use super::watches::{Entry, NodeId, Use};
use super::{Monitors, SourceNews};
use crate::emperor::event::Moment;
use crate::trust::{Kind, NameFault, judge_name, stat};

/// Bytes of directory entries that are read at once: some hundred names.
const LISTING_MAX: usize = 16 << 10;

/// In every directory of a source.
const DIRECTORY: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::ONLYDIR);

/// How closely to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Files whose inode is as it was are passed over.
    Quick,
    /// All are examined: what is around them may have changed.
    Full,
}

/// A directory that is being listed.
#[derive(Debug)]
pub struct Scan {
    id: NodeId,
    depth: Depth,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Names are read. `None`: from the descriptor that the source keeps.
    Listing(Option<OwnedFd>, BTreeSet<Name>),
    /// Names are looked at, in order; then those that were not there are gone.
    Comparing(IntoIter<Name>, BTreeSet<Arc<str>>),
}

/// A name that matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Good(Arc<str>),
    Bad(Arc<str>, BadName),
}

/// Why, kept in order so that names can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BadName(NameFault);

impl PartialOrd for BadName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BadName {
    /// The names differ; nothing is ordered by the reason.
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

impl Monitors {
    /// Lists a directory soon.
    pub(super) fn want_scan(&mut self, id: NodeId, depth: Depth) {
        match self.depths.get_mut(&id) {
            Some(wanted) => *wanted = depth.max(*wanted),
            None => {
                self.depths.insert(id, depth);
                self.scans.push_back(id);
            }
        }
    }

    /// Stops listing a directory that is another one now.
    pub(super) fn abandon_scan(&mut self, id: NodeId) {
        self.scan.take_if(|scan| scan.id == id);
    }

    /// One piece of listing; false when there is nothing left to list.
    pub(super) fn scan_one(&mut self, now: Moment) -> bool {
        let Some(scan) = self.scan.take() else { return self.begin_scan(now) };
        let Scan { id, depth, stage } = scan;
        let next = match stage {
            Stage::Listing(opened, names) => self.list_some(id, opened, names),
            Stage::Comparing(names, seen) => self.compare_some(id, depth, (names, seen), now),
        };
        self.scan = next.map(|stage| Scan { id, depth, stage });
        true
    }

    /// A directory went away: its names follow unless it comes back soon.
    pub(super) fn leave(&mut self, id: NodeId, now: Moment) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.leaving = true;
        let children: Vec<NodeId> = node.children.values().copied().collect();
        for name in node.names.keys() {
            self.settle.handle(&(id, name.clone()), Change::MovedOut, now);
        }
        for child in children {
            self.leave(child, now);
        }
        self.prune(id);
    }

    /// Whether a directory of this name belongs to the source.
    pub(super) fn is_wanted_child(&self, parent: NodeId, name: &str) -> bool {
        let Some(node) = self.nodes.get(&parent) else { return false };
        let Some(matcher) = self.origins[node.source].shape.directories.get(node.depth) else { return false };
        let named = matches!(judge_name(name.as_bytes()), Ok(_) | Err(NameFault::Hidden));
        named && name != ".." && matcher.fits(name)
    }

    fn begin_scan(&mut self, now: Moment) -> bool {
        let Some(id) = self.scans.pop_front() else { return false };
        let depth = self.depths.remove(&id).unwrap_or(Depth::Full);
        match self.open_for_scan(id) {
            Ok(stage) => self.scan = Some(Scan { id, depth, stage }),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if self.is_below(id) => self.leave(id, now),
            Err(errno) => self.lose_node(id, &format!("cannot read the directory: {errno}")),
        }
        self.arm_poll(now);
        true
    }

    fn is_below(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.parent.is_some())
    }

    /// Opens and watches before it reads: what happens meanwhile is heard.
    fn open_for_scan(&mut self, id: NodeId) -> Result<Stage, Errno> {
        let directory = self.open_node(id)?;
        let place = stat(directory.as_fd(), c"")?;
        let opened = match directory {
            super::Directory::Kept(kept) => {
                seek(kept, SeekFrom::Start(0))?;
                None
            }
            super::Directory::Opened(opened) => Some(opened),
        };
        let node = self.nodes.get_mut(&id).ok_or(Errno::NOENT)?;
        if node.mounted && !place.mount_root && node.parent.is_some() {
            // The bare mount point says nothing about the configs that were mounted on it.
            return Err(Errno::NODEV);
        }
        node.mounted = place.mount_root;
        node.leaving = false;
        self.watch_node(id, opened.as_ref());
        self.find_node(id);
        Ok(self.literal(id).unwrap_or_else(|| Stage::Listing(opened, BTreeSet::new())))
    }

    /// Nothing is listed where only one name would fit.
    fn literal(&self, id: NodeId) -> Option<Stage> {
        let name = self.matcher(id)?.literal()?;
        let entry = (id, Arc::from(name));
        let there = !matches!(self.stat_entry(&entry), Err(Errno::NOENT));
        let name = self.wanted(id, name.as_bytes(), FileType::Unknown).filter(|_| there);
        let names: Vec<Name> = name.into_iter().collect();
        let seen = names.iter().map(|name| name.text().clone()).collect();
        Some(Stage::Comparing(names.into_iter(), seen))
    }

    fn matcher(&self, id: NodeId) -> Option<&Matcher> {
        let node = self.nodes.get(&id)?;
        let shape = &self.origins[node.source].shape;
        Some(shape.directories.get(node.depth).unwrap_or(&shape.files))
    }

    fn list_some(&self, id: NodeId, opened: Option<OwnedFd>, mut names: BTreeSet<Name>) -> Option<Stage> {
        let node = self.nodes.get(&id)?;
        let kept = self.origins[node.source].directory.as_ref()?;
        match read_some(opened.as_ref().unwrap_or(kept).as_fd()) {
            // What cannot be read to its end says nothing about what is missing.
            Err(_) => None,
            Ok(read) if read.is_empty() => {
                let seen = names.iter().map(|name| name.text().clone()).collect();
                Some(Stage::Comparing(names.into_iter().collect::<Vec<_>>().into_iter(), seen))
            }
            Ok(read) => {
                names.extend(read.iter().filter_map(|(name, kind)| self.wanted(id, name.to_bytes(), *kind)));
                Some(Stage::Listing(opened, names))
            }
        }
    }

    fn wanted(&self, id: NodeId, name: &[u8], kind: FileType) -> Option<Name> {
        let node = self.nodes.get(&id)?;
        if !self.is_leaf(node) {
            let text = str::from_utf8(name).ok().filter(|text| self.is_wanted_child(id, text))?;
            return matches!(kind, FileType::Directory | FileType::Unknown).then(|| Name::Good(text.into()));
        }
        let fits = self.origins[node.source].shape.files.fits(&String::from_utf8_lossy(name));
        match sort(name, &self.settings.extra_extensions) {
            Sorted::Valid(name) if fits => Some(Name::Good(name.into())),
            Sorted::Refused(shown, fault) if fits => Some(Name::Bad(shown.into(), BadName(fault))),
            Sorted::Valid(_) | Sorted::Refused(..) | Sorted::Ignored => None,
        }
    }

    fn compare_some(
        &mut self,
        id: NodeId,
        depth: Depth,
        (mut names, seen): (IntoIter<Name>, BTreeSet<Arc<str>>),
        now: Moment,
    ) -> Option<Stage> {
        let Some(name) = names.next() else {
            self.drop_missing(id, &seen, now);
            return None;
        };
        let leaf = self.nodes.get(&id).is_some_and(|node| self.is_leaf(node));
        match name {
            Name::Good(name) if leaf => self.compare(&(id, name), depth, now),
            Name::Good(name) => {
                let child = self.child(id, &name);
                child.into_iter().for_each(|child| self.want_scan(child, depth));
            }
            Name::Bad(name, BadName(fault)) => self.refuse_name((id, name), fault),
        }
        Some(Stage::Comparing(names, seen))
    }

    fn compare(&mut self, entry: &Entry, depth: Depth, now: Moment) {
        if self.settle.is_unsettled(entry) {
            return;
        }
        let stat = self.stat_entry(entry).ok();
        let known =
            self.nodes.get(&entry.0).and_then(|node| node.names.get(&entry.1)).and_then(|known| known.stat);
        let plain = stat.is_some_and(|stat| stat.facts.kind != Kind::Link || self.settings.trust.nofollow);
        if depth == Depth::Quick && plain && stat == known {
            return;
        }
        if self.is_polled(entry.0) {
            stat.into_iter().for_each(|stat| drop(self.probes.insert(entry.clone(), stat)));
            self.settle.handle(entry, Change::Modified, now);
        } else {
            self.look(entry, now);
        }
    }

    /// What is known but was not listed is going; each is made sure of before it is told.
    fn drop_missing(&mut self, id: NodeId, seen: &BTreeSet<Arc<str>>, now: Moment) {
        let Some(node) = self.nodes.get(&id) else { return };
        let missing: Vec<Arc<str>> =
            node.names.keys().filter(|name| !seen.contains(*name)).cloned().collect();
        let leaving: Vec<NodeId> =
            node.children.iter().filter(|(name, _)| !seen.contains(*name)).map(|(_, child)| *child).collect();
        for name in missing {
            self.settle.handle(&(id, name), Change::Deleted, now);
        }
        for child in leaving {
            self.leave(child, now);
        }
    }

    fn watch_node(&mut self, id: NodeId, opened: Option<&OwnedFd>) {
        let Some(node) = self.nodes.get(&id) else { return };
        let (source, before) = (node.source, node.watch);
        let Some(directory) = opened.or(self.origins[source].directory.as_ref()) else { return };
        let mut mask = DIRECTORY;
        mask.set(WatchFlags::CLOSE_WRITE, self.is_leaf(node));
        mask.set(WatchFlags::MODIFY, self.hears_writes(id));
        let silent = silent(directory.as_fd());
        let watch = self.watches.add(&*self.eyes, directory.as_fd(), mask, Use::Directory(id));
        if let Some(before) = before.filter(|before| Ok(*before) != watch) {
            self.watches.release(before, &Use::Directory(id));
        }
        let polled = match (watch, silent) {
            _ if self.settings.force_poll => Some("emperor-poll asks for it".into()),
            (Err(errno), _) => Some(format!("cannot watch it: {errno}")),
            (Ok(_), Some(silent)) => Some(format!("inotify does not see changes on {silent}")),
            (Ok(_), None) => None,
        };
        self.set_watch(id, watch.ok(), polled);
    }

    fn set_watch(&mut self, id: NodeId, watch: Option<i32>, polled: Option<String>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let source = node.source;
        node.watch = watch;
        let was = std::mem::replace(&mut node.polled, polled.is_some());
        self.polled = self.polled + usize::from(polled.is_some()) - usize::from(was);
        let Some(reason) = polled else { return };
        if !std::mem::replace(&mut self.origins[source].polling_told, true) {
            let label = self.origins[source].shape.label.clone();
            self.tell(source, &label, SourceNews::Polled(reason.into()));
        }
    }

    fn find_node(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if std::mem::take(&mut node.lost) {
            let (source, path) = (node.source, self.path_of(id));
            self.tell(source, &path, SourceNews::Back);
        }
    }

    /// A directory below a base cannot be read: told once; its vassals go on.
    fn lose_node(&mut self, id: NodeId, reason: &str) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let source = node.source;
        if node.parent.is_some() && !std::mem::replace(&mut node.lost, true) {
            let path = self.path_of(id);
            self.tell(source, &path, SourceNews::Lost(reason.into()));
        }
    }

    fn path_of(&self, id: NodeId) -> String {
        let node = &self.nodes[&id];
        self.origins[node.source].shape.base.join(&node.path).display().to_string()
    }
}

impl Name {
    fn text(&self) -> &Arc<str> {
        match self {
            Self::Good(name) | Self::Bad(name, _) => name,
        }
    }
}

/// The next entries of a directory; none at its end.
fn read_some(directory: BorrowedFd<'_>) -> Result<Vec<(CString, FileType)>, Errno> {
    let mut buffer = [MaybeUninit::uninit(); LISTING_MAX];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        names.push((entry.file_name().to_owned(), entry.file_type()));
        if entries.is_buffer_empty() {
            break;
        }
    }
    Ok(names)
}
