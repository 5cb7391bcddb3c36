//! One directory: watched or polled, lost or back.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::inotify::WatchFlags;
use rustix::io::Errno;

use super::filesystem::silent;
use super::watches::{NodeId, Use};
use super::{Monitors, SourceNews};
use crate::trust::trouble;

/// In every directory of a source.
const DIRECTORY: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::EXCL_UNLINK)
    .union(WatchFlags::ONLYDIR);

impl Monitors {
    /// Watches a directory; where that does not help, it is polled.
    pub(super) fn watch_node(&mut self, id: NodeId, opened: Option<&OwnedFd>) {
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
            (Err(Errno::NOSPC), _) => Some("no watches are left: raise fs.inotify.max_user_watches".into()),
            (Err(errno), _) => Some(format!("cannot watch it: {errno}")),
            (Ok(_), Some(silent)) => Some(format!("inotify does not see changes on {silent}")),
            (Ok(_), None) => None,
        };
        self.set_watch(id, watch.ok(), polled);
    }

    pub(super) fn set_watch(&mut self, id: NodeId, watch: Option<i32>, polled: Option<String>) {
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

    /// A directory where only others look is polled: to watch it may take for ever.
    pub(super) fn unwatch_node(&mut self, id: NodeId) {
        let watch = self.nodes.get_mut(&id).and_then(|node| node.watch.take());
        watch.into_iter().for_each(|watch| self.watches.release(watch, &Use::Directory(id)));
        self.set_watch(id, None, Some("it may have to wait for another machine or process".into()));
    }

    /// A directory was listed to its end.
    pub(super) fn back_node(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get(&id) else { return };
        let (source, below) = (node.source, node.parent.is_some());
        if !below {
            return self.back(source);
        }
        if self.lost_nodes.remove(&id) {
            let path = self.path_of(id);
            self.tell(source, &path, SourceNews::Back);
        }
    }

    /// A directory cannot be read: told once; its vassals, if any, go on.
    pub(super) fn lose_node(&mut self, id: NodeId, errno: Errno) {
        let Some(node) = self.nodes.get(&id) else { return };
        let reason = match errno {
            Errno::NODEV => "nothing is mounted there any more".into(),
            errno => trouble("cannot read the directory", errno),
        };
        let source = node.source;
        if node.parent.is_none() {
            self.lose(source, &reason);
        } else if self.lost_nodes.insert(id) {
            let path = self.path_of(id);
            self.tell(source, &path, self.news_of_loss(id, &reason));
        }
    }

    fn path_of(&self, id: NodeId) -> String {
        let node = &self.nodes[&id];
        self.origins[node.source].shape.base.join(&node.path).display().to_string()
    }
}
