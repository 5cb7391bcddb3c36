//! Pure. How much somebody may do in a while.

use crate::emperor::event::Moment;

/// Whoever has been quiet may have so many seconds' worth at once.
const SAVED_S: u64 = 10;

/// What is left of an allowance that fills again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// In thousandths.
    left: u64,
    since: Moment,
}

impl Allowance {
    /// A full one: so many in a second.
    pub fn full(rate: u64, now: Moment) -> Self {
        Self { left: rate.saturating_mul(SAVED_S * 1000), since: now }
    }

    /// Fills it up with what the time has brought.
    pub fn refill(&mut self, rate: u64, now: Moment) {
        let ms = now.ms_since(self.since);
        let filled = self.left.saturating_add(ms.saturating_mul(rate));
        self.left = filled.min(rate.saturating_mul(SAVED_S * 1000));
        // What is less than a millisecond counts the next time.
        self.since = self.since.plus_ms(ms);
    }

    /// Takes so much of it. False when there is not enough; then nothing is taken.
    pub fn take(&mut self, amount: u64) -> bool {
        let rest = self.left.checked_sub(amount.saturating_mul(1000));
        self.left = rest.unwrap_or(self.left);
        rest.is_some()
    }

    /// Takes so much of it, or all.
    pub fn spend(&mut self, amount: u64) {
        self.left = self.left.saturating_sub(amount.saturating_mul(1000));
    }

    /// Whether nothing is left.
    pub fn is_spent(&self) -> bool {
        self.left < 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_so_many_in_a_second() {
        let at = |ms| Moment(0).plus_ms(ms);
        let mut allowance = Allowance::full(5, at(0));
        assert_eq!((0..100).filter(|_| allowance.take(1)).count(), 50);
        allowance.refill(5, at(1000));
        assert_eq!((0..100).filter(|_| allowance.take(1)).count(), 5);
        allowance.refill(5, at(1_000_000));
        assert_eq!((0..100).filter(|_| allowance.take(1)).count(), 50);
        assert!(allowance.is_spent());
        allowance.refill(5, at(1_000_200));
        assert!(!allowance.is_spent());
        allowance.spend(7);
        assert!(allowance.is_spent());
    }
}
