//! `vassals-stop-hook`: once a vassal is gone, and for all of them before the Emperor ends.

use std::collections::{BTreeMap, HashSet, VecDeque};

use anyhow::Result;

use super::Runtime;
use crate::emperor::event::{Incarnation, Key, VassalId};
use crate::emperor::order::{News, Notice};
use crate::spawner::wire::Request;

/// Most of them that run at once: ten thousand vassals may go in one moment.
const UNDER_WAY_MAX: usize = 16;

/// Vassals that are gone and for which it has not run yet.
pub struct Farewells {
    wanted: bool,
    /// Vassals that have run and are not gone.
    known: BTreeMap<Key, VassalId>,
    waiting: VecDeque<VassalId>,
    under_way: HashSet<Incarnation>,
    count: u32,
}

impl Farewells {
    /// None yet; none ever unless the administrator wants it.
    pub fn new(wanted: bool) -> Self {
        Self { wanted, known: BTreeMap::new(), waiting: VecDeque::new(), under_way: HashSet::new(), count: 0 }
    }

    /// The program of this one has run: one that never did is not missed.
    pub fn meet(&mut self, key: &Key, id: VassalId) {
        if self.wanted {
            self.known.insert(key.clone(), id);
        }
    }

    /// This one is gone.
    fn part(&mut self, key: &Key) {
        self.waiting.extend(self.known.remove(key));
    }

    /// So are all others.
    fn part_from_all(&mut self) {
        let all = std::mem::take(&mut self.known);
        self.waiting.extend(all.into_values());
    }

    /// The next one that may begin.
    fn next(&mut self) -> Option<(Incarnation, VassalId)> {
        if self.under_way.len() >= UNDER_WAY_MAX {
            return None;
        }
        let gone = self.waiting.pop_front()?;
        self.count = self.count.wrapping_add(1);
        // No vassal of ours has this number: they are given from the lowest on.
        let one = Incarnation { id: VassalId(u32::MAX), attempt: self.count };
        self.under_way.insert(one);
        Some((one, gone))
    }

    /// One of them has ended, if it was one.
    pub fn ended(&mut self, one: Incarnation) {
        self.under_way.remove(&one);
    }

    /// Whether all of them have ended.
    pub fn are_over(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }
}

impl Runtime {
    /// A vassal is no more.
    pub(super) fn take_leave(&mut self, notice: &Notice) -> Result<()> {
        if notice.what == News::Removed {
            self.farewells.part(&notice.key);
        }
        self.say_farewells()
    }

    /// The last one is gone, and so is the Emperor as soon as all is done.
    pub(super) fn take_leave_of_all(&mut self) -> Result<()> {
        self.finishing = true;
        self.farewells.part_from_all();
        self.say_farewells()
    }

    /// Begins as many as may run at once; ends the Emperor when that was all.
    pub(super) fn say_farewells(&mut self) -> Result<()> {
        while let Some((one, gone)) = self.farewells.next() {
            self.spawner.send(&Request::Farewell(one.into(), gone.0), Vec::new())?;
            self.courtiers.expect_hook();
        }
        self.finished = self.finishing && self.farewells.are_over() && self.part_from_household()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emperor::event::MonitorId;

    fn key(name: &str) -> Key {
        Key { monitor: MonitorId(0), name: name.into() }
    }

    #[test]
    fn only_so_many_run_at_once_and_all_have_their_turn() {
        let mut farewells = Farewells::new(true);
        (10..50).for_each(|number| farewells.meet(&key(&format!("{number}.ini")), VassalId(number)));
        farewells.part(&key("49.ini"));
        farewells.part(&key("never.ini"));
        assert_eq!(farewells.waiting, [VassalId(49)]);
        farewells.part_from_all();
        let mut begun: VecDeque<_> = std::iter::from_fn(|| farewells.next()).collect();
        assert_eq!(begun.len(), UNDER_WAY_MAX);
        let mut parted = Vec::new();
        while let Some((one, gone)) = begun.pop_front() {
            parted.push(gone);
            assert!(!farewells.are_over());
            farewells.ended(one);
            begun.extend(farewells.next());
        }
        assert_eq!(parted.len(), 40);
        assert_eq!((parted[0], parted[39]), (VassalId(49), VassalId(48)));
        assert!(farewells.are_over());
    }

    #[test]
    fn without_the_option_nobody_waits() {
        let mut farewells = Farewells::new(false);
        farewells.meet(&key("a.ini"), VassalId(1));
        farewells.part_from_all();
        assert!(farewells.next().is_none() && farewells.are_over());
    }
}
