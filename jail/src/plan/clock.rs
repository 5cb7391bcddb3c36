//! Pure. What the clocks of a time namespace are ahead of the host's (`time_namespaces(7)`).

use std::fmt;

/// One clock of a time namespace, and what it is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// Which one.
    pub clock: Clock,
    /// Seconds that it is ahead of the host's; negative: behind it.
    pub seconds: i64,
}

/// A clock that a time namespace can set. The time of day is everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Since the boot, without the time asleep.
    Monotonic,
    /// Since the boot.
    Boottime,
}

impl Clock {
    /// Its name, ours and the kernel's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monotonic => "monotonic",
            Self::Boottime => "boottime",
        }
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:+} s", self.clock.name(), self.seconds)
    }
}
