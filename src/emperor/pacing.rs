//! Pure. How fast one vassal may come back: a ration for what is done at once, a back-off for deaths in a row.

use super::event::{Moment, VassalId};
use super::policy::Policy;

/// A ration refills by one in this time.
const RATION_EVERY_MS: u64 = 1_000;
/// So many may be taken at once from a full ration.
const RATION_BURST: u64 = 3;
/// Nobody spins: shortest delay from the `FLOOR_FROM`th death in a row on, whatever the options say.
const FLOOR_MS: u64 = 100;
/// See above.
const FLOOR_FROM: u32 = 5;
/// A process that ran this long, or as long as the longest delay, has proven itself.
const PROVEN_MIN_MS: u64 = 60_000;

/// What one vassal may have at once (reloads, starts after a change): three, then one each second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ration {
    full_at: Moment,
    /// What was given out last; until then there is nothing more to be had.
    promised: Moment,
}

impl Ration {
    /// Takes one and says from when on it may be used: `now`, unless the ration is used up. Whoever asks again
    /// before that moment is told the same one, so asking often costs nothing.
    pub fn take(&mut self, now: Moment) -> Moment {
        if self.promised <= now {
            let reserve = (RATION_BURST - 1) * RATION_EVERY_MS * 1_000_000;
            self.promised = now.max(Moment(self.full_at.0.saturating_sub(reserve)));
            self.full_at = self.full_at.max(now).plus_ms(RATION_EVERY_MS);
        }
        self.promised
    }
}

/// Which starts go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Fresh, asked for, or after the first death of a process that had proven itself.
    #[default]
    First,
    /// Again, after a death that counts.
    Second,
}

/// What one vassal's deaths cost it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pacing {
    /// What may happen at once.
    pub ration: Ration,
    /// Deaths in a row that nothing forgave.
    pub deaths: u32,
    /// When the first of them was.
    pub first: Moment,
    /// When the last of them was.
    pub last: Moment,
    /// The delay after the last of them.
    pub delay_ms: u64,
    /// How its next start is queued.
    pub class: Class,
}

impl Pacing {
    /// Loyalty, a changed config, or a cleared blacklist: what was before no longer counts.
    pub fn forgive(&mut self) {
        *self = Self { ration: self.ration, ..Self::default() };
    }

    /// One more death; returns when the vassal may be started again.
    pub fn died(&mut self, id: VassalId, proven: bool, now: Moment, policy: &Policy) -> Moment {
        if proven {
            self.forgive();
        }
        self.deaths = self.deaths.saturating_add(1);
        if self.deaths == 1 {
            self.first = now;
        }
        self.class = if proven { Class::First } else { Class::Second };
        self.last = now;
        let at = self.next_start(id, now, policy);
        self.delay_ms = at.ms_since(now);
        at
    }

    /// The first death costs one of the ration; each further one its back-off.
    fn next_start(&mut self, id: VassalId, now: Moment, policy: &Policy) -> Moment {
        if self.deaths <= 1 {
            return self.ration.take(now);
        }
        now.plus_ms(back_off_ms(policy, id, self.deaths))
    }
}

/// The delay after this many deaths in a row, in milliseconds: `throttle_ms` after the second, doubled by each
/// further one, up to 10 % more or less, never above `max_throttle_ms`. With `no_blacklist` (or a throttle of 0)
/// there is none. From the fifth death on it is never below 100 ms.
pub fn back_off_ms(policy: &Policy, id: VassalId, deaths: u32) -> u64 {
    let floor = if deaths >= FLOOR_FROM { FLOOR_MS } else { 0 };
    if policy.no_blacklist || deaths < 2 {
        return floor;
    }
    let doubled = 1_u64.checked_shl(deaths - 2).unwrap_or(u64::MAX);
    let delay = policy.throttle_ms.saturating_mul(doubled).min(policy.max_throttle_ms);
    jittered(delay, policy.seed, id, deaths).min(policy.max_throttle_ms).max(floor)
}

/// Whether a process that ran for `ms` has proven itself without having said so.
pub fn ran_long_enough(policy: &Policy, ms: u64) -> bool {
    ms >= policy.max_throttle_ms.max(PROVEN_MIN_MS)
}

/// 90 % to 110 % of `delay`, always the same for the same seed, vassal and death.
fn jittered(delay: u64, seed: u64, id: VassalId, deaths: u32) -> u64 {
    let share = 900 + mixed(seed ^ (u64::from(id.0) << 32) ^ u64::from(deaths)) % 201;
    (delay / 1_000).saturating_mul(share) + delay % 1_000 * share / 1_000
}

/// Spreads a number over 64 bits (the finalizer of Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: u64) -> Moment {
        Moment(0).plus_ms(ms)
    }

    #[test]
    fn a_ration_gives_three_at_once_and_then_one_a_second() {
        let mut ration = Ration::default();
        let given: Vec<u64> = [5_000, 5_000, 5_000, 5_000, 5_500, 6_000, 7_000]
            .map(|ms| ration.take(at_ms(ms)).ms_since(at_ms(0)))
            .into();
        assert_eq!(given, [5_000, 5_000, 5_000, 6_000, 6_000, 7_000, 8_000]);
    }

    #[test]
    fn a_ration_is_full_again_after_three_seconds() {
        let mut ration = Ration::default();
        (0..3).for_each(|_| _ = ration.take(at_ms(0)));
        let given: Vec<u64> = (0..4).map(|_| ration.take(at_ms(3_000)).ms_since(at_ms(3_000))).collect();
        assert_eq!(given, [0, 0, 0, 1_000]);
    }

    #[test]
    fn the_back_off_doubles_within_its_jitter_and_is_clamped() {
        let policy = Policy::default();
        for deaths in 2..200 {
            let wanted = (1_000_u64 << (deaths - 2).min(20)).min(180_000);
            let delay = back_off_ms(&policy, VassalId(7), deaths);
            assert!(
                delay >= wanted * 9 / 10 && delay <= (wanted * 11 / 10).min(180_000),
                "{deaths}: {delay}"
            );
        }
    }

    #[test]
    fn two_vassals_that_die_together_do_not_come_back_together() {
        let policy = Policy::default();
        let delays: std::collections::BTreeSet<u64> =
            (0..50).map(|id| back_off_ms(&policy, VassalId(id), 6)).collect();
        assert!(delays.len() > 40, "{delays:?}");
    }

    #[test]
    fn without_a_blacklist_nobody_waits_and_nobody_spins() {
        let policy = Policy { no_blacklist: true, ..Policy::default() };
        let delays: Vec<u64> = (1..8).map(|deaths| back_off_ms(&policy, VassalId(0), deaths)).collect();
        assert_eq!(delays, [0, 0, 0, 0, 100, 100, 100]);
    }

    #[test]
    fn a_throttle_of_zero_still_lets_nobody_spin() {
        let policy = Policy { throttle_ms: 0, ..Policy::default() };
        assert_eq!(back_off_ms(&policy, VassalId(0), 3), 0);
        assert_eq!(back_off_ms(&policy, VassalId(0), 30), 100);
    }
}
