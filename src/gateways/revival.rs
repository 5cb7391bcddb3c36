//! Pure. When a router that has ended is born again: at once, unless it ends again and again.

use crate::emperor::event::Moment;

/// Whoever has served as long as this begins anew, in ms.
const STEADY_MS: u64 = 10_000;
/// The first wait of one that ends soon after its birth, in ms; each further one is twice as long.
const FIRST_MS: u64 = 100;
/// The longest wait, in ms.
const LONGEST_MS: u64 = 30_000;
/// Whoever has ended so often in a row is not given again what was kept for it: a peer that makes routers end would make each one end.
const HOPELESS: u32 = 5;
/// How long one that was born may take until it serves, in ms.
const READY_MS: u64 = 10_000;

/// How often it has ended, and what is to be done when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revival {
    state: State,
    /// Ends in a row, each soon after a birth.
    hasty: u32,
    /// Births, less the first one.
    restarts: u32,
}

/// How it is with the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Never born.
    #[default]
    Unborn,
    /// Born, and not known to serve.
    Asked(Moment),
    /// It serves, since then.
    Serving(Moment),
    /// Ended; born again at this moment.
    Waiting(Moment),
}

impl Revival {
    /// A process was asked for.
    pub fn asked(&mut self, now: Moment) {
        if !matches!(self.state, State::Unborn) {
            self.restarts = self.restarts.saturating_add(1);
        }
        self.state = State::Asked(now);
    }

    /// It says that it serves; whether that was not known.
    pub fn serves(&mut self, now: Moment) -> bool {
        match self.state {
            State::Asked(_) => {
                self.state = State::Serving(now);
                true
            }
            State::Unborn | State::Serving(_) | State::Waiting(_) => false,
        }
    }

    /// It has ended, or could not be born: how long it is waited for, in ms.
    pub fn ended(&mut self, now: Moment) -> u64 {
        let steady = matches!(self.state, State::Serving(since) if now >= since.plus_ms(STEADY_MS));
        self.hasty = if steady { 0 } else { self.hasty.saturating_add(1) };
        let wait_ms = match self.hasty {
            // The first time at once: connections wait for it.
            0 | 1 => 0,
            more => LONGEST_MS.min(FIRST_MS << (more - 2).min(16)),
        };
        self.state = State::Waiting(now.plus_ms(wait_ms));
        wait_ms
    }

    /// Whether it has ended so often that what is kept for it may be why.
    pub fn is_hopeless(&self) -> bool {
        self.hasty >= HOPELESS
    }

    /// When there is something to do: a birth, or the end of one that does not serve in time.
    pub fn deadline(&self) -> Option<Moment> {
        match self.state {
            State::Waiting(until) => Some(until),
            State::Asked(since) => Some(since.plus_ms(READY_MS)),
            State::Unborn | State::Serving(_) => None,
        }
    }

    /// Whether it is to be born now.
    pub fn is_due(&self, now: Moment) -> bool {
        matches!(self.state, State::Unborn) || matches!(self.state, State::Waiting(until) if until <= now)
    }

    /// Whether it should have said long ago that it serves.
    pub fn is_late(&self, now: Moment) -> bool {
        matches!(self.state, State::Asked(since) if since.plus_ms(READY_MS) <= now)
    }

    /// How often it was born again.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment(0).plus_ms(ms)
    }

    #[test]
    fn the_first_end_is_followed_by_a_birth_at_once() {
        let mut revival = Revival::default();
        assert!(revival.is_due(at(0)));
        revival.asked(at(0));
        assert!(revival.serves(at(1)) && !revival.serves(at(2)), "it is told once");
        assert_eq!((revival.deadline(), revival.is_due(at(5))), (None, false));
        assert_eq!(revival.ended(at(5)), 0);
        assert!(revival.is_due(at(5)));
        revival.asked(at(5));
        assert_eq!(revival.restarts(), 1);
    }

    #[test]
    fn one_that_ends_again_and_again_is_waited_for_longer_and_longer() {
        let mut revival = Revival::default();
        let waits: Vec<u64> = (0..12)
            .map(|time| {
                revival.asked(at(time));
                revival.ended(at(time))
            })
            .collect();
        assert_eq!(waits, [0, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert!(!revival.is_due(at(11)) && revival.is_due(at(30_011)));
        assert!(revival.is_hopeless());
    }

    #[test]
    fn whoever_has_served_for_long_ends_for_the_first_time() {
        let mut revival = Revival::default();
        for time in 0..5 {
            revival.asked(at(time));
            revival.ended(at(time));
        }
        revival.asked(at(100));
        revival.serves(at(100));
        assert_eq!(revival.ended(at(10_100)), 0);
        revival.asked(at(10_100));
        revival.serves(at(10_100));
        assert_eq!(revival.ended(at(10_101)), 0, "once more at once");
        revival.asked(at(10_101));
        assert_eq!(revival.ended(at(10_102)), 100);
        assert!(!revival.is_hopeless(), "what it has is not why");
    }

    #[test]
    fn one_that_never_serves_is_late() {
        let mut revival = Revival::default();
        revival.asked(at(0));
        assert_eq!(revival.deadline(), Some(at(READY_MS)));
        assert!(!revival.is_late(at(READY_MS - 1)) && revival.is_late(at(READY_MS)));
    }
}
