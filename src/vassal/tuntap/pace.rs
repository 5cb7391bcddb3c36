//! Pure. When a router is called again, and whether it is told of.

/// Before the second call, in ms; then twice as long each time.
const PAUSE_MS: u64 = 50;
/// Longest pause, in ms.
const PAUSE_MS_MAX: u64 = 2_000;
/// The same before the router was reached for the first time: somebody waits for that.
const FIRST_PAUSE_MS_MAX: u64 = 200;
/// A connection that has lasted so long, in ms, was a good one: all begins anew after it.
const GOOD_MS: u64 = 5_000;

/// How often a router is called.
#[derive(Debug, Default)]
pub struct Pace {
    calls: u32,
    is_known: bool,
    told: String,
}

impl Pace {
    /// Of a router that somebody before us has reached.
    pub fn known() -> Self {
        Self { is_known: true, ..Self::default() }
    }

    /// True once it was reached.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// It was reached.
    pub fn reached(&mut self) {
        if !std::mem::replace(&mut self.is_known, true) {
            self.calls = 0;
        }
    }

    /// A connection has ended after so many ms. True where that is to be told: not the same again and again.
    pub fn lost(&mut self, why: &str, lasted_ms: u64) -> bool {
        if lasted_ms >= GOOD_MS {
            *self = Self { is_known: true, ..Self::default() };
        }
        let is_new = self.told != why;
        why.clone_into(&mut self.told);
        is_new
    }

    /// How long to wait before the next call, in ms.
    pub fn pause_ms(&mut self) -> u64 {
        let longest = if self.is_known { PAUSE_MS_MAX } else { FIRST_PAUSE_MS_MAX };
        let pause = PAUSE_MS.checked_shl(self.calls).unwrap_or(longest).min(longest);
        self.calls = (self.calls + 1).min(u64::BITS / 2);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(pace: &mut Pace, count: usize) -> Vec<u64> {
        (0..count).map(|_| pace.pause_ms()).collect()
    }

    #[test]
    fn a_router_that_hangs_up_at_once_is_called_less_and_less_often_and_told_of_once() {
        let mut pace = Pace::default();
        assert_eq!(pauses(&mut pace, 40).last(), Some(&200), "somebody waits");
        pace.reached();
        let told: Vec<bool> = (0..3).map(|_| pace.lost("it has hung up", 1)).collect();
        assert_eq!(told, [true, false, false]);
        assert_eq!(pauses(&mut pace, 8), [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        pace.reached();
        assert_eq!(pauses(&mut pace, 1), [2000], "reached is not served");
        assert!(pace.lost("it makes no sense", 1));
        assert!(pace.lost("it makes no sense", 60_000));
        assert_eq!(pauses(&mut pace, 2), [50, 100]);
    }
}
