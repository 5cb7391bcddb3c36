//! Compares what was listed with what is known.

use std::ops::Bound;
use std::sync::Arc;

use super::Monitors;
use super::scan::Depth;
use super::settle::Change;
use super::watches::{Entry, NodeId};
use crate::emperor::event::Moment;
use crate::trust::{Kind, Stat};

impl Monitors {
    /// A config was listed, perhaps together with what it is: looks at it, now or when it has come to rest, unless it is as it was.
    pub(super) fn compare(&mut self, entry: &Entry, (depth, listed): (Depth, Option<Stat>), now: Moment) {
        self.compare_address(entry);
        if self.settle.is_unsettled(entry) {
            return;
        }
        let polled = self.is_polled(entry.0);
        let stat = match listed {
            None if depth == Depth::Quick || polled => self.stat_entry(entry).ok(),
            listed => listed,
        };
        let link = stat.is_some_and(|stat| stat.facts.kind == Kind::Link);
        if depth == Depth::Quick && self.is_as_it_was(entry, stat) && (!link || self.settings.trust.nofollow)
        {
            return;
        }
        if polled {
            self.probes.extend(stat.map(|stat| (entry.clone(), stat)));
        }
        if polled || depth == Depth::Quick && !link {
            self.settle.handle(entry, Change::Modified, now);
        } else {
            self.look(entry, now);
        }
    }

    fn is_as_it_was(&self, (id, name): &Entry, stat: Option<Stat>) -> bool {
        let known = self.nodes.get(id).and_then(|node| node.names.get(name)).and_then(|known| known.stat);
        stat.is_some() && stat == known
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
