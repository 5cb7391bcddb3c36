//! Waiting with an end.

use std::time::{Duration, Instant};

/// Nothing that is waited for takes this long, however loaded the machine.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks at what has no descriptor to wait on.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something, for what the kernel announces on no descriptor.
///
/// # Panics
/// When it never comes; `what` says what was waited for.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "never came: {what}");
        std::thread::park_timeout(PAUSE);
    }
}
