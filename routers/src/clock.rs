//! The clock, read here alone.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of a clock that nobody sets.
pub fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1000 + now.tv_nsec.cast_unsigned() / 1_000_000
}
