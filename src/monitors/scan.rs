//! Lists a directory in pieces.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FileType, RawDir, SeekFrom, seek};
use rustix::io::Errno;

use super::pattern::{Matcher, Sorted, sort};
use super::watches::NodeId;
use super::{Directory, Monitors};
use crate::emperor::event::Moment;
use crate::trust::{AWAY, NameFault, Stat, judge_name, stat};

/// Bytes of directory entries that are read at once: some hundred names.
const LISTING_MAX: usize = 16 << 10;
/// What reading so many costs, in looks at a file.
const LISTING_COST: usize = 32;
/// What opening and watching a directory costs.
const BEGIN_COST: usize = 2;

/// How closely to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Files whose inode is as it was are passed over; the others may still be written, and come to rest first.
    Quick,
    /// All are examined at once: what is around them may have changed.
    Full,
}

/// A directory that is being listed.
#[derive(Debug)]
pub struct Scan {
    pub(super) id: NodeId,
    depth: Depth,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Names are read. `None`: from the descriptor that the source keeps.
    Listing(Option<OwnedFd>, Names),
    /// Names are looked at, in order. What lies between the last one and the next, but is known, is gone.
    Comparing(Option<Arc<str>>, Names),
}

/// What is known of a name that matters: what is wrong with it, and what it stands for if that was listed, too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    fault: Option<NameFault>,
    pub(super) stat: Option<Stat>,
}

/// The names that matter.
pub type Names = BTreeMap<Arc<str>, Mark>;

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
        self.errands.listed.retain(|scan| scan.id != id);
    }

    /// One piece of listing: what it cost, in looks at a file; `None` when there is nothing left to list.
    pub(super) fn scan_one(&mut self, now: Moment) -> Option<usize> {
        let Some(Scan { id, depth, stage }) = self.scan.take() else { return self.begin_scan(now) };
        let (next, cost) = match stage {
            Stage::Listing(opened, names) => (self.list_some(id, opened, names), LISTING_COST),
            Stage::Comparing(last, names) => (self.compare_next(id, depth, (last, names), now), 1),
        };
        self.scan = next.map(|stage| Scan { id, depth, stage });
        Some(cost)
    }

    /// Whether a directory of this name belongs to the source.
    pub(super) fn is_wanted_child(&self, parent: NodeId, name: &str) -> bool {
        let Some(node) = self.nodes.get(&parent) else { return false };
        let Some(matcher) = self.origins[node.source].shape.directories.get(node.depth) else { return false };
        let named = matches!(judge_name(name.as_bytes()), Ok(_) | Err(NameFault::Hidden));
        named && name != ".." && matcher.fits(name)
    }

    /// Whether there is anything to list or to compare.
    pub(super) fn has_to_scan(&self) -> bool {
        self.scan.is_some() || !self.scans.is_empty() || !self.errands.listed.is_empty()
    }

    /// A directory that others have listed.
    pub(super) fn take_listed(&mut self, id: NodeId, depth: Depth, names: Names) {
        self.errands.listed.push_back(Scan { id, depth, stage: Stage::Comparing(None, names) });
    }

    fn begin_scan(&mut self, now: Moment) -> Option<usize> {
        if let Some(listed) = self.errands.listed.pop_front() {
            self.scan = Some(listed);
            return Some(BEGIN_COST);
        }
        let id = self.scans.pop_front()?;
        let depth = self.depths.remove(&id).unwrap_or(Depth::Full);
        match self.open_for_scan(id) {
            Ok(stage) => self.scan = Some(Scan { id, depth, stage }),
            Err(AWAY) => self.send_to_list(id, depth),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if self.is_below(id) => self.leave(id, now),
            Err(errno) => self.lose_node(id, errno),
        }
        Some(BEGIN_COST)
    }

    fn is_below(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.parent.is_some())
    }

    /// Opens and watches before it reads: what happens meanwhile is heard.
    fn open_for_scan(&mut self, id: NodeId) -> Result<Stage, Errno> {
        let directory = self.open_node(id)?;
        let place = stat(directory.as_fd(), c"")?;
        let opened = match directory {
            Directory::Kept(kept) => {
                seek(kept, SeekFrom::Start(0))?;
                None
            }
            Directory::Opened(opened) => Some(opened),
        };
        let node = self.nodes.get_mut(&id).ok_or(Errno::NOENT)?;
        if node.mounted && !place.mount_root && node.parent.is_some() {
            // The bare mount point says nothing about the configs that were mounted on it.
            return Err(Errno::NODEV);
        }
        node.mounted = place.mount_root;
        (node.leaving, node.away, node.place) = (false, false, Some(place));
        self.watch_node(id, opened.as_ref());
        Ok(self.literal(id).unwrap_or_else(|| Stage::Listing(opened, Names::new())))
    }

    /// Nothing is listed where only one name would fit.
    fn literal(&self, id: NodeId) -> Option<Stage> {
        let name = self.matcher(id)?.literal()?;
        let there = !matches!(self.stat_entry(&(id, name.into())), Err(Errno::NOENT));
        let name = self.wanted(id, name.as_bytes(), FileType::Unknown).filter(|_| there);
        Some(Stage::Comparing(None, name.into_iter().collect()))
    }

    pub(super) fn matcher(&self, id: NodeId) -> Option<&Matcher> {
        let node = self.nodes.get(&id)?;
        let shape = &self.origins[node.source].shape;
        Some(shape.directories.get(node.depth).unwrap_or(&shape.files))
    }

    fn list_some(&mut self, id: NodeId, opened: Option<OwnedFd>, mut names: Names) -> Option<Stage> {
        let node = self.nodes.get(&id)?;
        let kept = self.origins[node.source].directory.as_ref()?;
        match read_some(opened.as_ref().unwrap_or(kept).as_fd()) {
            Err(errno) => {
                // What cannot be read to its end says nothing about what is missing.
                self.lose_node(id, errno);
                None
            }
            Ok(read) if read.is_empty() => Some(Stage::Comparing(None, names)),
            Ok(read) => {
                names.extend(read.iter().filter_map(|(name, kind)| self.wanted(id, name.to_bytes(), *kind)));
                Some(Stage::Listing(opened, names))
            }
        }
    }

    pub(super) fn wanted(&self, id: NodeId, name: &[u8], kind: FileType) -> Option<(Arc<str>, Mark)> {
        let node = self.nodes.get(&id)?;
        if !self.is_leaf(node) {
            let text = str::from_utf8(name).ok().filter(|text| self.is_wanted_child(id, text))?;
            return matches!(kind, FileType::Directory | FileType::Unknown)
                .then(|| (text.into(), Mark::default()));
        }
        let fits = self.origins[node.source].shape.files.fits(&String::from_utf8_lossy(name));
        match sort(name, &self.settings.extra_extensions) {
            Sorted::Valid(name) if fits => Some((name.into(), Mark::default())),
            Sorted::Refused(shown, fault) if fits => {
                Some((shown.into(), Mark { fault: Some(fault), stat: None }))
            }
            Sorted::Valid(_) | Sorted::Refused(..) | Sorted::Ignored => None,
        }
    }

    fn compare_next(
        &mut self,
        id: NodeId,
        depth: Depth,
        (last, mut names): (Option<Arc<str>>, Names),
        now: Moment,
    ) -> Option<Stage> {
        let next = names.pop_first();
        self.drop_between(id, last.as_deref(), next.as_ref().map(|(name, _)| &**name), now);
        let Some((name, mark)) = next else {
            self.back_node(id);
            return None;
        };
        let leaf = self.nodes.get(&id).is_some_and(|node| self.is_leaf(node));
        match mark.fault {
            Some(fault) => self.refuse_name((id, name.clone()), fault),
            None if leaf => self.compare(&(id, name.clone()), (depth, mark.stat), now),
            None => {
                let child = self.child(id, &name);
                child.into_iter().for_each(|child| self.want_scan(child, depth));
            }
        }
        Some(Stage::Comparing(Some(name), names))
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
