//! Pure. Whose turn it is among those who have one each and a crowd that has one for all who are in it: anybody makes himself many
//! in a crowd, and so gets nothing that was another's.

use core::hash::Hash;

use super::turns::Turns;

/// What a turn in the crowd costs all of it, times what it costs who has it: the share of one of the others is that much larger.
const CROWD_COST: usize = 16;

/// Those who have something.
#[derive(Debug)]
pub struct Order<K> {
    /// `None` is the crowd.
    turns: Turns<Option<K>>,
    crowd: Turns<K>,
}

impl<K: Copy + Eq + Hash> Order<K> {
    /// Turns of so many bytes, and of so many for somebody in the crowd.
    pub fn new(quantum: u32, crowd_quantum: u32) -> Self {
        Self { turns: Turns::new(quantum), crowd: Turns::new(crowd_quantum) }
    }

    /// It has something, and turns of its own.
    pub fn wake(&mut self, who: K) {
        self.leave_crowd(who);
        self.turns.wake(Some(who));
    }

    /// It has something, as others in the crowd.
    pub fn wake_in_crowd(&mut self, who: K) {
        self.turns.rest(Some(who));
        self.crowd.wake(who);
        self.turns.wake(None);
    }

    /// Whether anybody has something.
    pub fn is_anybody(&self) -> bool {
        self.turns.is_anybody()
    }

    /// Whether this one has something and is in the crowd.
    pub fn is_in_crowd(&self, who: K) -> bool {
        self.crowd.has(who)
    }

    /// Who is next.
    pub fn next_turn(&mut self) -> Option<K> {
        match self.turns.next_turn()? {
            Some(alone) => Some(alone),
            None => self.crowd.next_turn(),
        }
    }

    /// It had so many bytes.
    pub fn spend(&mut self, who: K, bytes: usize) {
        if self.crowd.has(who) {
            self.crowd.spend(who, bytes);
            return self.turns.spend(None, bytes.saturating_mul(CROWD_COST));
        }
        self.turns.spend(Some(who), bytes);
    }

    /// It has nothing any more.
    pub fn rest(&mut self, who: K) {
        self.turns.rest(Some(who));
        self.leave_crowd(who);
    }

    fn leave_crowd(&mut self, who: K) {
        self.crowd.rest(who);
        if !self.crowd.is_anybody() {
            self.turns.rest(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who has the turns in which everybody says 1000 bytes each time, and has more.
    fn turns(order: &mut Order<u32>, count: usize) -> Vec<u32> {
        let one = |_| {
            let who = order.next_turn().expect("somebody");
            order.spend(who, 1000);
            who
        };
        (0..count).map(one).collect()
    }

    /// Row W6.
    #[test]
    fn a_crowd_however_large_takes_less_than_one_who_has_turns_of_his_own() {
        for crowd in [1, 1000] {
            let mut order = Order::new(32_000, 2000);
            (0..crowd).for_each(|who| order.wake_in_crowd(1000 + who));
            order.wake(1);
            order.wake(2);
            let had = turns(&mut order, 6600);
            let count = |is_so: fn(&u32) -> bool| had.iter().filter(|who| is_so(who)).count();
            assert_eq!(
                [count(|who| *who == 1), count(|who| *who == 2), count(|who| *who > 2)],
                [3200, 3200, 200]
            );
        }
    }

    /// Row W6.
    #[test]
    fn everybody_in_a_crowd_has_his_turn() {
        let mut order = Order::new(32_000, 1000);
        (0..50).for_each(|who| order.wake_in_crowd(who));
        assert_eq!(turns(&mut order, 100), (0..50).chain(0..50).collect::<Vec<_>>());
    }

    #[test]
    fn whoever_leaves_a_crowd_has_turns_of_his_own_and_one_place() {
        let mut order = Order::new(2000, 1000);
        order.wake_in_crowd(1);
        order.wake_in_crowd(2);
        order.wake(1);
        order.wake(1);
        assert_eq!(turns(&mut order, 6), [2, 1, 1, 1, 1, 1]);
        order.rest(1);
        assert_eq!(order.next_turn(), Some(2));
        order.wake_in_crowd(1);
        order.rest(2);
        assert_eq!(order.next_turn(), Some(1));
        order.rest(1);
        assert!(!order.is_anybody() && order.next_turn().is_none());
    }
}
