//! Pure. Whose turn it is: deficit round robin (Shreedhar and Varghese, 1995).
//!
//! Whoever has something gets as many bytes as everybody else, whether in many small packets or a few large ones.

use core::hash::Hash;
use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};

/// Those who have something, and what each may still have.
#[derive(Debug)]
pub struct Turns<K> {
    quantum: i64,
    order: VecDeque<K>,
    /// Bytes that each of them may have; below 0 after a packet that was larger.
    credit: HashMap<K, i64>,
}

impl<K: Copy + Eq + Hash> Turns<K> {
    /// Turns of so many bytes, at least the longest packet: nobody waits for two rounds then.
    pub fn new(quantum: u32) -> Self {
        Self { quantum: i64::from(quantum.max(1)), order: VecDeque::new(), credit: HashMap::new() }
    }

    /// It has something; its turn comes after those who wait already.
    pub fn wake(&mut self, who: K) {
        if let Entry::Vacant(credit) = self.credit.entry(who) {
            credit.insert(0);
            self.order.push_back(who);
        }
    }

    /// Whether this one has something.
    pub fn has(&self, who: K) -> bool {
        self.credit.contains_key(&who)
    }

    /// Whether anybody has something.
    pub fn is_anybody(&self) -> bool {
        !self.order.is_empty()
    }

    /// Who is next, and has credit.
    pub fn next_turn(&mut self) -> Option<K> {
        loop {
            let who = *self.order.front()?;
            let credit = self.credit.get_mut(&who)?;
            if *credit > 0 {
                return Some(who);
            }
            *credit += self.quantum;
            if *credit <= 0 {
                self.order.rotate_left(1);
            }
        }
    }

    /// It had so many bytes; the next one's turn comes when its credit is used up.
    pub fn spend(&mut self, who: K, bytes: usize) {
        let Some(credit) = self.credit.get_mut(&who) else { return };
        *credit -= i64::try_from(bytes).unwrap_or(i64::MAX);
        if *credit <= 0 && self.order.front() == Some(&who) {
            self.order.rotate_left(1);
        }
    }

    /// It has nothing any more, and keeps no credit for later.
    pub fn rest(&mut self, who: K) {
        if self.credit.remove(&who).is_none() {
            return;
        }
        match self.order.front() {
            Some(front) if *front == who => drop(self.order.pop_front()),
            Some(_) | None => self.order.retain(|other| *other != who),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that each gets when `rounds` packets are moved and nobody ever has nothing.
    fn shares(sizes: &[usize], rounds: usize) -> Vec<usize> {
        let mut turns = Turns::new(1500);
        (0..sizes.len()).for_each(|who| turns.wake(who));
        let mut had = vec![0; sizes.len()];
        for _ in 0..rounds {
            let who = turns.next_turn().unwrap();
            had[who] += sizes[who];
            turns.spend(who, sizes[who]);
        }
        had
    }

    /// Row W6.
    #[test]
    fn many_small_packets_get_no_more_than_a_few_large_ones() {
        let had = shares(&[64, 1500, 700, 1], 100_000);
        let (least, most) = (had.iter().min().unwrap(), had.iter().max().unwrap());
        assert!(most - least <= 2 * 1500, "{had:?}");
    }

    #[test]
    fn whoever_wakes_waits_for_those_before_and_not_for_those_behind() {
        let mut turns = Turns::new(100);
        turns.wake('a');
        turns.wake('b');
        assert_eq!(turns.next_turn(), Some('a'));
        turns.spend('a', 60);
        turns.wake('a');
        assert_eq!(turns.next_turn(), Some('a'), "its turn is not over");
        turns.spend('a', 60);
        assert_eq!(turns.next_turn(), Some('b'));
        turns.rest('b');
        assert_eq!(turns.next_turn(), Some('a'));
        turns.rest('a');
        assert_eq!(turns.next_turn(), None);
    }

    #[test]
    fn whoever_rests_saves_nothing_up() {
        let mut turns = Turns::new(100);
        for _ in 0..50 {
            turns.wake('a');
            turns.rest('a');
        }
        turns.wake('a');
        turns.wake('b');
        turns.next_turn();
        turns.spend('a', 100);
        assert_eq!(turns.next_turn(), Some('b'));
    }
}
