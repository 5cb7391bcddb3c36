//! The one place where the clock is read.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::emperor::event::Moment;

/// Now, on the monotonic clock (`CLOCK_MONOTONIC`: it stands still while the machine sleeps, as vassals do; by one
/// that goes on, each would be found silent for too long afterwards, or slow to end, and be killed).
pub fn now() -> Moment {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    Moment(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds))
}

/// Turns moments into unix time, as the stats show it.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    now: Moment,
    unix_s: u64,
}

impl Calendar {
    /// The calendar of this moment.
    pub fn today() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { now: now(), unix_s: unix.as_secs() }
    }

    /// A calendar for tests: at `now` the unix time is `unix_s`.
    #[cfg(test)]
    pub fn at(now: Moment, unix_s: u64) -> Self {
        Self { now, unix_s }
    }

    /// Unix seconds of a moment.
    pub fn unix_s(&self, moment: Moment) -> u64 {
        let ahead = moment.0.saturating_sub(self.now.0) / 1_000_000_000;
        let behind = self.now.0.saturating_sub(moment.0) / 1_000_000_000;
        (self.unix_s + ahead).saturating_sub(behind)
    }

    /// The present, as a moment.
    pub fn now(&self) -> Moment {
        self.now
    }
}
