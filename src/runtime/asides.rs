//! What is done about vassals that wait for a connection: `hook-as-on-demand-vassal` and `hook-as-on-config-vassal`.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use anyhow::Result;

use super::Runtime;
use crate::emperor::event::{Incarnation, VassalId};
use crate::emperor::order::{News, Notice};
use crate::spawner::wire::{Request, Wait};

/// Most of them that run at once: ten thousand vassals may begin to wait in one moment.
const UNDER_WAY_MAX: usize = 16;
/// No vassal of ours has this number, and no farewell.
const NUMBER: VassalId = VassalId(u32::MAX - 1);

/// What happened, and nothing was done about it yet.
#[derive(Default)]
pub struct Asides {
    wanted: Vec<Wait>,
    waiting: VecDeque<(Arc<str>, Wait)>,
    /// The same: what happens again before its turn has come is done once.
    known: BTreeSet<(Arc<str>, Wait)>,
    under_way: HashSet<Incarnation>,
    count: u32,
}

impl Asides {
    /// Nothing is done about anything else.
    pub fn new(wanted: Vec<Wait>) -> Self {
        Self { wanted, ..Self::default() }
    }

    fn add(&mut self, name: &Arc<str>, wait: Wait) {
        if self.wanted.contains(&wait) && self.known.insert((name.clone(), wait)) {
            self.waiting.push_back((name.clone(), wait));
        }
    }

    /// The next one that may begin.
    fn next(&mut self) -> Option<(Incarnation, Wait, String)> {
        if self.under_way.len() >= UNDER_WAY_MAX {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.known.remove(&next);
        self.count = self.count.wrapping_add(1);
        let one = Incarnation { id: NUMBER, attempt: self.count };
        self.under_way.insert(one);
        Some((one, next.1, next.0.to_string()))
    }

    /// One of them has ended, if it was one.
    pub fn ended(&mut self, one: Incarnation) {
        self.under_way.remove(&one);
    }
}

impl Runtime {
    /// A vassal begins to wait, or its config changed while it does.
    pub(super) fn note_wait(&mut self, notice: &Notice) -> Result<()> {
        match notice.what {
            News::Listening { .. } | News::BackOnDemand => self.asides.add(&notice.key.name, Wait::Begun),
            News::Remembered => self.asides.add(&notice.key.name, Wait::Remembered),
            _ => {}
        }
        self.step_aside()
    }

    /// Begins as many as may run at once.
    pub(super) fn step_aside(&mut self) -> Result<()> {
        while let Some((one, wait, name)) = self.asides.next() {
            self.spawner.send(&Request::Aside(one.into(), wait, name), Vec::new())?;
            self.courtiers.expect_hook();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_run_at_once_and_what_is_not_wanted_is_not_done() {
        let mut asides = Asides::new(vec![Wait::Begun]);
        for number in 0..40 {
            let name: Arc<str> = format!("{number}.ini").into();
            asides.add(&name, Wait::Begun);
            asides.add(&name, Wait::Remembered);
            asides.add(&name, Wait::Begun);
        }
        let mut begun: VecDeque<_> = std::iter::from_fn(|| asides.next()).collect();
        assert_eq!(begun.len(), UNDER_WAY_MAX);
        let mut names = Vec::new();
        while let Some((one, wait, name)) = begun.pop_front() {
            assert_eq!(wait, Wait::Begun);
            names.push(name);
            asides.ended(one);
            begun.extend(asides.next());
        }
        assert_eq!((names.len(), names[39].as_str()), (40, "39.ini"));
    }
}
