//! One inotify instance, and who wants to know about which of its watches.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, init, remove_watch};
use rustix::io::Errno;

use super::eyes::Eyes;

/// Bytes of events that are read at once.
const BATCH_MAX: usize = 64 << 10;

/// A directory with configs, or on the way to such; its place in the list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A file name in a node.
pub type Entry = (NodeId, Arc<str>);

/// Somebody who wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// The directory of a node.
    Directory(NodeId),
    /// The file of an entry itself: only that somebody writes to it.
    File(Entry),
    /// The directory that the link of an entry leads into, and the name there.
    Target(String, Entry),
    /// A directory above the base of a source (by its number), and the next name on the way.
    Above(usize, String),
}

/// All who share one watch: the kernel has one for each inode.
#[derive(Debug, Default)]
pub struct Uses {
    /// See `Use::Directory`.
    pub directories: BTreeSet<NodeId>,
    /// See `Use::File`.
    pub files: BTreeSet<Entry>,
    /// See `Use::Target`.
    pub targets: BTreeMap<String, BTreeSet<Entry>>,
    /// See `Use::Above`.
    pub above: BTreeSet<(usize, String)>,
}

/// What the kernel said.
#[derive(Debug)]
pub struct Heard {
    /// Whose watch.
    pub watch: i32,
    /// What.
    pub flags: ReadFlags,
    /// The name in the directory; `None` for the watched thing itself.
    pub name: Option<Vec<u8>>,
}

/// The watches.
#[derive(Debug)]
pub struct Watches {
    inotify: OwnedFd,
    uses: HashMap<i32, Uses>,
}

impl Watches {
    /// None yet.
    pub fn new() -> Result<Self, Errno> {
        let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { inotify, uses: HashMap::new() })
    }

    /// Readable when there is something to hear.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Those who share a watch.
    pub fn uses(&self, watch: i32) -> Option<&Uses> {
        self.uses.get(&watch)
    }

    /// Watches an inode for somebody, besides what others want of it.
    pub fn add(
        &mut self,
        eyes: &dyn Eyes,
        file: BorrowedFd<'_>,
        mask: WatchFlags,
        by: Use,
    ) -> Result<i32, Errno> {
        let watch = eyes.watch(self.inotify.as_fd(), file, mask | WatchFlags::MASK_ADD)?;
        self.uses.entry(watch).or_default().insert(by);
        Ok(watch)
    }

    /// Somebody wants to know no longer.
    pub fn release(&mut self, watch: i32, by: &Use) {
        let Some(uses) = self.uses.get_mut(&watch) else { return };
        uses.remove(by);
        if uses.is_empty() {
            self.uses.remove(&watch);
            // The kernel may have dropped it already, with its inode.
            let _ = remove_watch(&self.inotify, watch);
        }
    }

    /// The kernel dropped it.
    pub fn forget(&mut self, watch: i32) {
        self.uses.remove(&watch);
    }

    /// One batch of what there is to hear; empty when there is nothing.
    pub fn listen(&self) -> Vec<Heard> {
        let mut buffer = [MaybeUninit::uninit(); BATCH_MAX];
        let mut reader = Reader::new(self.inotify.as_fd(), &mut buffer);
        let mut batch = Vec::new();
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_bytes().to_vec());
            batch.push(Heard { watch: event.wd(), flags: event.events(), name });
            if reader.is_buffer_empty() {
                break;
            }
        }
        batch
    }
}

impl Uses {
    fn insert(&mut self, by: Use) {
        let _new = match by {
            Use::Directory(node) => self.directories.insert(node),
            Use::File(entry) => self.files.insert(entry),
            Use::Target(name, entry) => self.targets.entry(name).or_default().insert(entry),
            Use::Above(source, name) => self.above.insert((source, name)),
        };
    }

    fn remove(&mut self, by: &Use) {
        let _known = match by {
            Use::Directory(node) => self.directories.remove(node),
            Use::File(entry) => self.files.remove(entry),
            Use::Above(source, name) => self.above.remove(&(*source, name.clone())),
            Use::Target(name, entry) => self.remove_target(name, entry),
        };
    }

    fn remove_target(&mut self, name: &str, entry: &Entry) -> bool {
        let Some(entries) = self.targets.get_mut(name) else { return false };
        let known = entries.remove(entry);
        if entries.is_empty() {
            self.targets.remove(name);
        }
        known
    }

    fn is_empty(&self) -> bool {
        self.directories.is_empty()
            && self.files.is_empty()
            && self.targets.is_empty()
            && self.above.is_empty()
    }
}
