//! Pure. How often something may be done: so many at once, and so many a second.

/// A bucket that fills by itself.
#[derive(Clone, Copy, Debug)]
pub struct Ration {
    at_once: u64,
    each_ms: u64,
    /// Milliseconds of credit: one costs `each_ms`.
    credit: u64,
    seen_ms: u64,
}

impl Ration {
    /// So many at once, and one more each so many milliseconds.
    pub fn new(at_once: u64, each_ms: u64) -> Self {
        Self { at_once, each_ms, credit: at_once * each_ms, seen_ms: 0 }
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now_ms: u64) -> bool {
        let has_one = self.there(now_ms) > 0;
        self.credit -= if has_one { self.each_ms } else { 0 };
        has_one
    }

    /// How many there are.
    pub fn there(&mut self, now_ms: u64) -> u64 {
        let passed = now_ms.saturating_sub(self.seen_ms);
        self.credit = (self.credit + passed).min(self.at_once * self.each_ms);
        self.seen_ms = now_ms.max(self.seen_ms);
        self.credit / self.each_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row T4.
    #[test]
    fn a_flood_is_let_through_in_drops() {
        let mut ration = Ration::new(10, 100);
        let taken = (0..1000).filter(|_| ration.take(5)).count();
        assert_eq!(taken, 10);
        let taken = (0..10_000).filter(|ms| ration.take(5 + ms)).count();
        assert_eq!(taken, 99);
        assert!(ration.take(20_000));
    }
}
