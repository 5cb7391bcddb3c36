//! Pure. What is known of each vassal: its last lines, how many it may write, and who reads them.

use std::collections::BTreeMap;

use super::pace::Allowance;
use super::tail::{self, Kept};
use crate::emperor::event::Moment;

/// One of them.
#[derive(Debug)]
pub struct Vassal {
    /// As people know it.
    pub name: String,
    /// Whoever reads along, by number.
    pub readers: Vec<u64>,
    kept: Kept,
    allowance: Allowance,
    dropped: u64,
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is handed on.
    Passes,
    /// It is, and before it that so many were not.
    PassesAfter(u64),
    /// It is kept, and not handed on.
    Dropped,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Vassals {
    known: BTreeMap<u32, Vassal>,
    share: usize,
    rate: u64,
}

impl Vassals {
    /// Each may write so many lines in a second; 0 for all.
    pub fn new(rate: u32) -> Self {
        Self { known: BTreeMap::new(), share: tail::KEPT_MAX, rate: rate.into() }
    }

    /// Somebody writes for this one.
    pub fn meet(&mut self, vassal: u32, name: &str, now: Moment) {
        let allowance = Allowance::full(self.rate, now);
        let new = || Vassal {
            name: name.to_owned(),
            readers: Vec::new(),
            kept: Kept::default(),
            allowance,
            dropped: 0,
        };
        self.known.entry(vassal).or_insert_with(new);
        let share = tail::share(self.known.len());
        if share < self.share {
            self.known.values_mut().for_each(|one| one.kept.trim(share));
        }
        self.share = share;
    }

    /// The one of this number.
    pub fn get_mut(&mut self, vassal: u32) -> Option<&mut Vassal> {
        self.known.get_mut(&vassal)
    }

    /// Somebody else owns this one: nothing is kept of what was written before. Whoever reads it.
    pub fn disown(&mut self, vassal: u32) -> Vec<u64> {
        let Some(one) = self.known.get_mut(&vassal) else { return Vec::new() };
        one.kept = Kept::default();
        std::mem::take(&mut one.readers)
    }

    /// This one is no more: whoever reads it.
    pub fn forget(&mut self, vassal: u32) -> Vec<u64> {
        self.known.remove(&vassal).map(|one| one.readers).unwrap_or_default()
    }

    /// The last lines of this one, or of one of its daemons.
    pub fn last(&self, vassal: u32, lines: usize, daemon: Option<&str>) -> Vec<u8> {
        self.known.get(&vassal).map(|one| one.kept.last(lines, daemon)).unwrap_or_default()
    }

    /// Keeps a line, and judges it.
    pub fn judge(&mut self, vassal: u32, line: &[u8], now: Moment) -> Verdict {
        let (share, rate) = (self.share, self.rate);
        let Some(one) = self.known.get_mut(&vassal) else { return Verdict::Dropped };
        one.kept.push(line, share);
        if rate == 0 {
            return Verdict::Passes;
        }
        one.allowance.refill(rate, now);
        if !one.allowance.take(1) {
            one.dropped += 1;
            return Verdict::Dropped;
        }
        match std::mem::take(&mut one.dropped) {
            0 => Verdict::Passes,
            dropped => Verdict::PassesAfter(dropped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_told_and_kept() {
        let at = |ms| Moment(0).plus_ms(ms);
        let mut vassals = Vassals::new(1);
        vassals.meet(7, "shop", at(0));
        let verdicts: Vec<Verdict> = (0..13).map(|_| vassals.judge(7, b"x", at(0))).collect();
        assert_eq!(verdicts.iter().filter(|one| **one == Verdict::Passes).count(), 10);
        assert_eq!(vassals.judge(7, b"y", at(1000)), Verdict::PassesAfter(3));
        assert_eq!(vassals.last(7, 2, None), b"x\ny\n");
        vassals.meet(8, "blog", at(1000));
        assert_eq!(vassals.judge(8, b"z", at(1000)), Verdict::Passes, "it is no other's flood");
        assert_eq!(vassals.judge(9, b"z", at(1000)), Verdict::Dropped, "nobody knows it");
    }
}
