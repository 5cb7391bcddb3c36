//! Pure. When a daemon, or what else stays beside a command, is started again once it has ended.

use crate::emperor::event::Moment;

/// Whoever lived so long is started again at once, in ms.
const STEADY_MS: u64 = 10_000;
/// Before the second start of one that did not; doubled each time.
const FIRST_DELAY_MS: u64 = 100;

/// Of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    started: Moment,
    delay_ms: u64,
    delay_max_ms: u64,
}

impl Pace {
    /// Never further apart than this.
    pub fn new(delay_max_ms: u64) -> Self {
        Self { started: Moment::default(), delay_ms: 0, delay_max_ms }
    }

    /// It was started.
    pub fn started(&mut self, now: Moment) {
        self.started = now;
    }

    /// It has ended: when it is started again.
    pub fn ended(&mut self, now: Moment) -> Moment {
        self.delay_ms = match now.ms_since(self.started) >= STEADY_MS {
            true => 0,
            false => (self.delay_ms * 2).max(FIRST_DELAY_MS).min(self.delay_max_ms),
        };
        now.plus_ms(self.delay_ms)
    }

    /// The pause before its next start, in ms.
    pub fn delay_ms(self) -> u64 {
        self.delay_ms
    }

    /// What was before is forgiven.
    pub fn forgive(&mut self) {
        self.delay_ms = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_ends_at_once_waits_longer_each_time_up_to_the_longest_and_who_lived_does_not() {
        let (mut pace, mut now, mut waits) = (Pace::new(1_000), Moment::default(), Vec::new());
        for _ in 0..6 {
            pace.started(now);
            let at = pace.ended(now.plus_ms(5));
            waits.push(at.ms_since(now) - 5);
            now = at;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000]);
        pace.started(now);
        assert_eq!(pace.ended(now.plus_ms(STEADY_MS)), now.plus_ms(STEADY_MS));
    }
}
