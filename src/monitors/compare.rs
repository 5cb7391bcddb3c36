//! Compares what was listed with what is known.

use std::ops::Bound;
use std::sync::Arc;

use super::Monitors;
use super::scan::Depth;
use super::settle::Change;
use super::watches::{Entry, NodeId};
use crate::emperor::event::Moment;
use crate::trust::Kind;

impl Monitors {
    /// A config was listed: looks at it, now or when it has come to rest, unless it is as it was.
    pub(super) fn compare(&mut self, entry: &Entry, depth: Depth, now: Moment) {
        if self.settle.is_unsettled(entry) {
            return;
        }
        let stat = self.stat_entry(entry).ok();
        let known =
            self.nodes.get(&entry.0).and_then(|node| node.names.get(&entry.1)).and_then(|known| known.stat);
        let link = stat.is_some_and(|stat| stat.facts.kind == Kind::Link);
        if depth == Depth::Quick && stat.is_some() && stat == known && (!link || self.settings.trust.nofollow)
        {
            return;
        }
        let polled = self.is_polled(entry.0);
        if polled {
            self.probes.extend(stat.map(|stat| (entry.clone(), stat)));
        }
        if polled || depth == Depth::Quick && !link {
            self.settle.handle(entry, Change::Modified, now);
        } else {
            self.look(entry, now);
        }
    }

    /// What is known between two neighbours of a listing was not listed, so it is going. Each is made sure of before it
    /// is told.
    pub(super) fn drop_between(&mut self, id: NodeId, from: Option<&str>, to: Option<&str>, now: Moment) {
        let Some(node) = self.nodes.get(&id) else { return };
        let range =
            (from.map_or(Bound::Unbounded, Bound::Excluded), to.map_or(Bound::Unbounded, Bound::Excluded));
        let missing: Vec<Arc<str>> =
            node.names.range::<str, _>(range).map(|(name, _)| name.clone()).collect();
        let leaving: Vec<NodeId> = node.children.range::<str, _>(range).map(|(_, child)| *child).collect();
        for name in missing {
            self.settle.handle(&(id, name), Change::Deleted, now);
        }
        for child in leaving {
            self.leave(child, now);
        }
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
}
