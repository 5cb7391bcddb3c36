//! Sources, the directories that belong to them, and what is known of each file there.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::pattern::Shape;
use super::watches::{Entry, NodeId, Use};
use super::{Directory, Monitors};
use crate::emperor::event::{Key, MonitorId, Sight};
use crate::trust::{AWAY, PATH_MAX, Place, Stat};

/// One source.
pub struct Origin {
    /// What it asks for.
    pub shape: Shape,
    /// The node of its base.
    pub root: NodeId,
    /// Its base, once it could be opened.
    pub directory: Option<OwnedFd>,
    /// Its base is where only others look.
    pub away: bool,
    /// The same, as it was stat'ed.
    pub place: Option<Stat>,
    /// Watches on the directories above it.
    pub above: Vec<(i32, Use)>,
    /// It is away, and that was told.
    pub lost: bool,
    /// That it is polled was told.
    pub polling_told: bool,
    /// That it has too many configs was told.
    pub crowded: bool,
}

/// A directory with configs, or on the way to such.
#[derive(Debug, Default)]
pub struct Node {
    /// Number of its source.
    pub source: usize,
    /// The directory above it; none above a base.
    pub parent: Option<NodeId>,
    /// Levels below the base.
    pub depth: usize,
    /// Path below the base; empty for the base itself.
    pub path: String,
    /// Its watch.
    pub watch: Option<i32>,
    /// Inotify does not see what happens there.
    pub polled: bool,
    /// Something was mounted on it.
    pub mounted: bool,
    /// Only others look there.
    pub away: bool,
    /// The directory, when it was last opened.
    pub place: Option<Stat>,
    /// It went away; its names are about to.
    pub leaving: bool,
    /// Its configs.
    pub names: BTreeMap<Arc<str>, Known>,
    /// Directories in it that matter.
    pub children: BTreeMap<Arc<str>, NodeId>,
}

/// What is known of one config.
#[derive(Debug)]
pub struct Known {
    /// What was told last.
    pub sight: Sight,
    /// The inode, when it was looked at.
    pub stat: Option<Stat>,
}

/// Watches of one entry beyond that of its directory.
#[derive(Debug, Default)]
pub struct Extra {
    /// The file.
    pub file: Option<i32>,
    /// Where its link leads: watches and names.
    pub targets: Vec<(i32, String)>,
}

impl Monitors {
    /// Is it a directory that configs are in, rather than one on the way?
    pub(super) fn is_leaf(&self, node: &Node) -> bool {
        node.depth == self.origins[node.source].shape.directories.len()
    }

    /// Opens the directory of a node.
    pub(super) fn open_node(&self, id: NodeId) -> Result<Directory<'_>, Errno> {
        let node = self.nodes.get(&id).ok_or(Errno::NOENT)?;
        let origin = &self.origins[node.source];
        let missing = if origin.away { AWAY } else { Errno::NOENT };
        let base = origin.directory.as_ref().ok_or(missing)?;
        if node.path.is_empty() {
            return Ok(Directory::Kept(base.as_fd()));
        }
        self.eyes.open_below(base.as_fd(), &node.path).map(Directory::Opened)
    }

    /// The directory of a node by name, if that is not too long.
    pub(super) fn place(&self, id: NodeId) -> Option<Place> {
        let node = self.nodes.get(&id)?;
        let root = self.origins[node.source].shape.base.to_str()?.to_owned();
        if root.len() + node.path.len() > PATH_MAX {
            return None;
        }
        let known = node.place.map(|place| (place.identity.device, place.identity.inode));
        Some(Place { root, below: node.path.clone(), known })
    }

    /// The node for a directory in another, made if it is new.
    pub(super) fn child(&mut self, parent: NodeId, name: &str) -> Option<NodeId> {
        let above = self.nodes.get(&parent)?;
        if let Some(known) = above.children.get(name) {
            return Some(*known);
        }
        let path = if above.path.is_empty() { name.into() } else { format!("{}/{name}", above.path) };
        let node = Node {
            source: above.source,
            parent: Some(parent),
            depth: above.depth + 1,
            path,
            ..Node::default()
        };
        let id = self.add_node(node);
        self.nodes.get_mut(&parent)?.children.insert(name.into(), id);
        Some(id)
    }

    /// Takes a node in.
    pub(super) fn add_node(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.next_node);
        self.next_node += 1;
        self.nodes.insert(id, node);
        id
    }

    /// Drops a directory that went away, once its last config is gone; then perhaps the one above it.
    pub(super) fn prune(&mut self, id: NodeId) {
        let spent = |node: &Node| node.leaving && node.names.is_empty() && node.children.is_empty();
        let Some(node) = self.nodes.get(&id).filter(|node| spent(node) && node.parent.is_some()) else {
            return;
        };
        let (watch, parent) = (node.watch, node.parent);
        self.polled -= usize::from(node.polled);
        if let Some(watch) = watch {
            self.watches.release(watch, &Use::Directory(id));
        }
        self.nodes.remove(&id);
        self.lost_nodes.remove(&id);
        if let Some(above) = parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            above.children.retain(|_, child| *child != id);
        }
        parent.into_iter().for_each(|parent| self.prune(parent));
    }

    /// How the Emperor calls an entry.
    pub(super) fn key(&self, (id, name): &Entry) -> Option<Key> {
        let node = self.nodes.get(id)?;
        let monitor = MonitorId(u16::try_from(node.source).ok()?);
        let shape = &self.origins[node.source].shape;
        if shape.is_directory() {
            return Some(Key { monitor, name: name.clone() });
        }
        let between = if node.path.is_empty() { "" } else { "/" };
        let name = format!("{}{}{between}{name}", shape.prefix, node.path).into();
        Some(Key { monitor, name })
    }

    /// The node and the file name of what the Emperor calls so.
    pub(super) fn entry<'k>(&self, key: &'k Key) -> Option<(NodeId, &'k str)> {
        let origin = self.origins.get(usize::from(key.monitor.0))?;
        if origin.shape.is_directory() {
            return Some((origin.root, &key.name));
        }
        let below = key.name.strip_prefix(origin.shape.prefix.as_str())?;
        let (path, name) = below.rsplit_once('/').map_or(("", below), |(path, name)| (path, name));
        let mut id = origin.root;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            id = *self.nodes.get(&id)?.children.get(part)?;
        }
        Some((id, name))
    }
}

impl AsFd for Directory<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Kept(kept) => *kept,
            Self::Opened(opened) => opened.as_fd(),
        }
    }
}
